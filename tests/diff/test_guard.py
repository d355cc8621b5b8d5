"""What a change of access opens, rendered from both specs; what it closes is silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from renderer.diff.causes import Before, Now
from renderer.diff.entries import Sides, entries
from renderer.diff.trees import Tree
from renderer.model import JSON, Options
from tests.specs import OPTIONS, spec, texts

URL = "https://mcp.example.com/mcp"
ISSUER: dict[str, JSON] = {"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}
OTHER: dict[str, JSON] = {"url": "https://other.example.com", "jwksFrom": {"configMap": "keys", "key": "jwks.json"}}
FULL: dict[str, JSON] = {
    "url": URL,
    "issuers": [ISSUER, OTHER],
    "require": {"scopes": ["mcp:use", "mcp:more"], "groups": ["engineers"]},
    "tools": [{"allow": ["get_*", "search"]}, {"allow": ["write"], "scopes": ["mcp:write"], "groups": ["a", "b"]}],
    "rateLimit": {"perSubject": 60},
    "origins": ["https://app.example.com"],
}
EXPOSE: JSON = {"host": "mcp.example.com", "tls": {}, "from": []}


def led(
    target: str, before: JSON, now: JSON, options: Options = OPTIONS, both: Mapping[str, JSON] = {}, **changes: Any
) -> list[str]:
    """What the diff says of who may call it; ``both``: fields of both specs, ``changes``: of the new one."""
    old, new = (
        texts(target, spec("one", access=access, **more), options=options)
        for access, more in ((before, both), (now, {**both, **changes}))
    )
    unlike = {path: text for path, text in old.items() if new.get(path) != text}
    tree = Tree(unlike, frozenset(path for path in new if path not in old), there=True)
    found = entries(Sides("t", tree, new, {}, Before(), Now({})))
    return [one.detail for entry in found for one in entry.consequences if one.name == "access"]


def full(**changes: JSON) -> dict[str, JSON]:
    return {**FULL, **changes}


def without(field: str) -> dict[str, JSON]:
    return {name: value for name, value in FULL.items() if name != field}


TOOLS: Any = FULL["tools"]
WIDER: dict[str, tuple[JSON, list[str]]] = {
    "the guard goes": ("none", ["the guard is removed: no token is needed any more"]),
    "no issuers": (
        {"origins": ["https://app.example.com"]},
        [
            "no token is needed any more",
            "every tool may be called",
            "no limit for each subject instead of 60 requests in 60s",
        ],
    ),
    "an issuer": (
        full(issuers=[ISSUER, OTHER, {**OTHER, "url": "https://third.example.com"}]),
        ["issuer https://third.example.com is trusted"],
    ),
    "an audience": (
        full(issuers=[{**ISSUER, "audiences": [URL, "api://x"]}, OTHER]),
        ["tokens of https://login.example.com for api://x are accepted"],
    ),
    "another audience": (
        full(url="https://mcp.example.com/a/mcp"),
        [f"tokens of {each['url']} for https://mcp.example.com/a/mcp are accepted" for each in (ISSUER, OTHER)],
    ),
    "keys from elsewhere": (
        full(issuers=[{**ISSUER, "jwks": "https://keys.example.com/keys"}, OTHER]),
        ["keys of https://login.example.com come from https://keys.example.com/keys"],
    ),
    "keys of another ConfigMap": (
        full(issuers=[ISSUER, {**OTHER, "jwksFrom": {"configMap": "mine", "key": "jwks.json"}}]),
        ["keys of https://other.example.com come from /etc/guard-keys/2-mine/jwks.json"],
    ),
    "a scope less": (
        full(require={"scopes": ["mcp:use"], "groups": ["engineers"]}),
        ["scope mcp:more is not needed any more"],
    ),
    "no scopes": (
        full(require={"groups": ["engineers"]}),
        ["scope mcp:more is not needed any more", "scope mcp:use is not needed any more"],
    ),
    "a group more": (
        full(require={"scopes": ["mcp:use", "mcp:more"], "groups": ["engineers", "guests"]}),
        ["group guests may call it"],
    ),
    "no groups": (full(require={"scopes": ["mcp:use", "mcp:more"]}), ["no group is needed any more"]),
    "a tool": (full(tools=[*TOOLS, {"allow": ["delete"]}]), ["tool delete may be called"]),
    "a wider pattern": (full(tools=[{"allow": ["g*", "search"]}, TOOLS[1]]), ["tool g* may be called"]),
    "a tool for a scope less": (
        full(tools=[TOOLS[0], {"allow": ["write"], "groups": ["a", "b"]}]),
        ["tool write may be called for less"],
    ),
    "a tool for a group more": (
        full(tools=[TOOLS[0], {"allow": ["write"], "scopes": ["mcp:write"], "groups": ["a", "b", "c"]}]),
        ["tool write may be called for less"],
    ),
    "every tool": (without("tools"), ["every tool may be called"]),
    "an origin": (
        full(origins=["https://app.example.com", "https://x.example.com"]),
        ["pages of https://x.example.com may call it"],
    ),
    "a forwarded token": (full(token="forward"), ["the server gets the callers' tokens"]),
    "a higher limit": (
        full(rateLimit={"perSubject": 600}),
        ["600 requests in 60s for each subject instead of 60 requests in 60s"],
    ),
    "no limit": (without("rateLimit"), ["no limit for each subject instead of 60 requests in 60s"]),
}
NARROWER: dict[str, JSON] = {
    "the same": FULL,
    "an issuer less": full(issuers=[OTHER]) | {"issuers": [ISSUER]},
    "a scope more": full(require={"scopes": ["mcp:use", "mcp:more", "x"], "groups": ["engineers"]}),
    "a tool less": full(tools=[{"allow": ["get_*"]}, TOOLS[1]]),
    "a narrower pattern": full(tools=[{"allow": ["get_issue", "search"]}, TOOLS[1]]),
    "a tool for a scope more": full(tools=[TOOLS[0], {**TOOLS[1], "scopes": ["mcp:write", "x"]}]),
    "a tool for a group less": full(tools=[TOOLS[0], {**TOOLS[1], "groups": ["a"]}]),
    "an origin less": full(origins=[]),
    "another order": full(origins=["https://app.example.com"], tools=[TOOLS[1], TOOLS[0]]),
    "no log": full(log=False),
}


@pytest.mark.parametrize("target", ["kubernetes", "compose"])
@pytest.mark.parametrize("name", WIDER)
def test_what_opens_is_said(name: str, target: str) -> None:
    now, details = WIDER[name]
    assert led(target, FULL, now) == sorted(details)


@pytest.mark.parametrize("target", ["kubernetes", "compose"])
@pytest.mark.parametrize("name", NARROWER)
def test_what_closes_is_silent(name: str, target: str) -> None:
    assert led(target, FULL, NARROWER[name]) == []


@pytest.mark.parametrize("target", ["kubernetes", "compose"])
def test_a_guard_that_comes_is_silent(target: str) -> None:
    assert led(target, "none", FULL) == []
    assert led(target, {"origins": []}, without("origins")) == []


def test_origins_alone_go() -> None:
    assert led("kubernetes", {"origins": []}, "none") == ["the guard is removed: pages of every origin may call it"]


def test_a_new_way_in_without_tokens_is_said() -> None:
    open_to_all = ["Ingress mcp-one: everyone who reaches it may call every tool, without a token"]
    assert led("kubernetes", "none", "none", expose=EXPOSE) == open_to_all
    assert led("kubernetes", {"origins": []}, {"origins": ["https://x.example.com"]}, expose=EXPOSE) == [
        *open_to_all,
        "pages of https://x.example.com may call it",
    ]
    assert led("kubernetes", FULL, FULL, expose=EXPOSE) == []


def test_an_old_configuration_may_hold_anything() -> None:
    new = texts("kubernetes", spec("one", access=FULL))
    path = "one/configmap-guard.yaml"
    for junk in (
        "http_connection_manager",
        "http_connection_manager: [1, {a: b}",
        "static_resources: {listeners: [{name: guard, filter_chains: 3}]} # http_connection_manager",
    ):
        old = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  guard.yaml: {junk!r}\n"
        (entry,) = entries(Sides("t", Tree({path: old}, there=True), new, {}, Before(), Now({})))
        assert entry.files == (path,)


GATEWAY: dict[str, JSON] = {
    "expose": {"type": "HTTPRoute", "host": "mcp.example.com", "gateway": {"name": "public"}, "from": []},
    "network": {"egress": {}, "ingress": {"from": []}},
}


@pytest.mark.parametrize("gateway", ["envoy-gateway", "agentgateway"])
def test_a_gateway_that_asks(gateway: str) -> None:
    listed: JSON = [{"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}]
    access: dict[str, JSON] = {"url": "https://mcp.example.com/mcp", "issuers": listed}
    asking: dict[str, JSON] = {**access, "enforcedBy": gateway, "require": {"scopes": ["a", "b"]}}
    past = "the guard is removed; calls that bypass the gateway need no token"
    assert past in led("kubernetes", access, asking, both=GATEWAY)
    found = led("kubernetes", asking, {**asking, "require": {"scopes": ["a"]}}, both=GATEWAY)
    assert [words for words in found if words.endswith("the policy of the gateway changes, and may allow more")]
    gone = led("kubernetes", asking, "none", both=GATEWAY)
    assert "the policy of the gateway is removed: no token is needed any more" in gone
    assert led("kubernetes", asking, asking, both=GATEWAY) == []
