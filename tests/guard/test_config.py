"""The rendered configuration: what the real Envoy makes of it, in both targets."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from renderer.model import JSON
from tests.guard.parts import URL, Issuer
from tests.oracles import envoy, yaml_read
from tests.specs import PYPI, spec, texts

ISSUER: dict[str, JSON] = {"url": "https://login.example.com/dev", "jwks": "https://login.example.com/dev/keys"}
FROM_FILE: JSON = {"url": "https://login.partner.example", "jwksFrom": {"configMap": "keys", "key": "jwks.json"}}
FULL: dict[str, JSON] = {
    "url": URL,
    "issuers": [ISSUER, FROM_FILE],
    "require": {"scopes": ["mcp:use"], "groups": ["engineers", "operators"]},
    "tools": [
        {"allow": ["get_*", "search"]},
        {"allow": ["create_issue"], "scopes": ["mcp:write", "mcp:more"]},
        {"allow": ["admin_*"], "scopes": ["mcp:admin"], "groups": ["admins"]},
    ],
    "rateLimit": {"perSubject": 60, "per": "1m"},
    "origins": ["https://app.example.com", "http://[::1]:6274"],
}
HOSTILE = 'x"}]: {{a}} ${B} %REQ(authorization)% \\ &c *d #e'
CASES: dict[str, dict[str, JSON]] = {
    "full": FULL,
    "an issuer alone": {"url": URL, "issuers": [ISSUER]},
    "without a path": {"url": "https://mcp.example.com", "issuers": [ISSUER]},
    "keys in a file": {"url": URL, "issuers": [FROM_FILE]},
    "keys at an address": {
        "url": "http://127.0.0.1:8080/mcp",
        "issuers": [{"url": "http://127.0.0.1:9000", "jwks": "http://[::1]:9000/keys"}],
    },
    "a token that is forwarded, no log": {"url": URL, "issuers": [ISSUER], "token": "forward", "log": False},
    "every tool for a group": {"url": URL, "issuers": [ISSUER], "tools": [{"allow": ["*"], "groups": ["all"]}]},
    "a limit for three weeks": {"url": URL, "issuers": [ISSUER], "rateLimit": {"perSubject": 1000000, "per": "500h"}},
    "a limit of the longest time": {"url": URL, "issuers": [ISSUER], "rateLimit": {"perSubject": 1, "per": "99999h"}},
    "origins alone": {"origins": ["https://app.example.com"]},
    "nothing": {},
    "tools without a token": {"tools": [{"allow": ["get_*"]}]},
    "hostile values": {
        "url": URL,
        "issuers": [{**ISSUER, "audiences": [HOSTILE]}],
        "require": {"scopes": ["a{b}:[c],&d*#'e"], "groups": [HOSTILE]},
        "tools": [{"allow": ["x.y-z/*"], "groups": [HOSTILE]}],
    },
}


def configurations(access: dict[str, JSON], **fields: JSON) -> dict[str, Any]:
    """By target; in compose the file of a tree."""
    document = spec(access=access, package=PYPI, **fields)
    pod = yaml_read(texts("kubernetes", document)["demo/configmap-guard.yaml"])
    return {
        "kubernetes": pod["data"]["guard.yaml"],
        "compose": texts("compose", document)["demo/files/guard.yaml"],
    }


@pytest.mark.parametrize("target", ["kubernetes", "compose"])
@pytest.mark.parametrize("name", CASES)
def test_the_real_envoy_accepts_it(name: str, target: str, tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(Issuer().jwks())
    text = configurations(CASES[name])[target]
    for path in ("/etc/guard-keys/1-keys/jwks.json", "/etc/guard-keys/2-keys/jwks.json"):
        text = text.replace(path, str(keys))
    (tmp_path / "guard.yaml").write_text(text)
    command = [envoy(), "--mode", "validate", "-c", str(tmp_path / "guard.yaml"), "--log-level", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_value_stays_a_value() -> None:
    text = configurations(CASES["hostile values"])["kubernetes"]
    data = yaml_read(text)
    assert HOSTILE in text or HOSTILE.replace("\\", "\\\\").replace('"', '\\"') in text
    manager = data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (token,) = [each for each in manager["http_filters"] if each["name"] == "token"]
    assert token["typed_config"]["providers"]["issuer-1"]["audiences"] == [HOSTILE]


def test_without_rules_on_tools_nothing_rests_on_unfinished_filters() -> None:
    without = {**FULL, "tools": []}
    for text in configurations(without).values():
        assert "filters.http.mcp" not in text
        assert "WORK IN PROGRESS" not in text
    for text in configurations(FULL).values():
        assert "filters.http.mcp.v3.Mcp" in text
        assert "WORK IN PROGRESS" in text


def test_both_targets_differ_in_addresses_alone() -> None:
    texts_of = configurations(FULL)
    pod = texts_of["kubernetes"].splitlines()
    project = texts_of["compose"].splitlines()
    different = [(a.strip(), b.strip()) for a, b in zip(pod, project, strict=True) if a != b]
    assert [line.partition(":")[0] for line, _ in different] == ["socket_address", "type", "- endpoint"]
