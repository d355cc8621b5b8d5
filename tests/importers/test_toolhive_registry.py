"""ToolHive's registry: servers, remote servers, groups, permissions."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import dotted
from renderer.importers import toolhive_registry
from renderer.importers.draft import Choices, Draft
from renderer.importers.validation import validated
from renderer.model import JSON
from tests.importers.readings import source_of

IMAGE = "ghcr.io/acme/notes:1.2.3"


def drafts_of(**fields: Any) -> list[Draft]:
    return toolhive_registry.read([source_of({"version": "1.0.0", **fields})], Choices(offline=True))


def spec_of(**fields: Any) -> dict[str, Any]:
    server = {"image": IMAGE, "transport": "streamable-http", "description": "Notes", "target_port": 3000, **fields}
    (draft,) = drafts_of(servers={"notes": server})
    assert validated(draft).problems == ()
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    return spec


def test_a_server_is_an_image_with_its_variables() -> None:
    variables = [
        {"name": "TOKEN", "required": True, "secret": True, "description": "The token"},
        {"name": "REGION", "required": True},
        {"name": "MODE", "default": "fast"},
        {"name": "PROXY", "required": False},
    ]
    assert spec_of(env_vars=variables, args=["serve", "--x=$(y)"], stateless=True) == {
        "description": "Notes",
        "image": IMAGE,
        "transport": {"type": "streamable-http", "port": 3000, "stateful": False},
        "args": ["serve", "--x=$$(y)"],
        "env": {
            "TOKEN": {"secret": "notes", "key": "TOKEN"},
            "REGION": {"configMap": "notes-settings", "key": "REGION"},
            "MODE": "fast",
        },
        "size": "small",
    }


EGRESS: dict[str, tuple[dict[str, JSON], JSON]] = {
    "hosts and a port": (
        {"allow_host": ["api.example.com"], "allow_port": [443]},
        {"hosts": ["api.example.com:443"]},
    ),
    "two ports": (
        {"allow_host": ["api.example.com"], "allow_port": [443, 80]},
        {"hosts": ["api.example.com:443", "api.example.com:80"]},
    ),
    "a leading dot": (
        {"allow_host": [".example.com", "example.com"], "allow_port": [443]},
        {"hosts": ["example.com:443", "*.example.com:443"]},
    ),
    "no ports": ({"allow_host": ["api.example.com"]}, {"hosts": ["api.example.com"]}),
    "an address": (
        {"allow_host": ["192.0.2.1"], "allow_port": [443]},
        {"cidrs": [{"cidr": "192.0.2.1/32", "ports": [443]}]},
    ),
    "an address with its port": (
        {"allow_host": ["192.0.2.1:5432"], "allow_port": [443]},
        {"cidrs": [{"cidr": "192.0.2.1/32", "ports": [5432]}]},
    ),
    "ports alone": ({"allow_port": [5432]}, {"cidrs": [{"cidr": "0.0.0.0/0", "ports": [5432]}]}),
    "nothing": ({}, {}),
    "the machine": ({"allow_host": ["localhost"], "allow_port": [3306]}, {}),
    "no host name": ({"allow_host": ["a b"]}, {}),
    "everything": ({"insecure_allow_all": True}, None),
}


@pytest.mark.parametrize(("outbound", "egress"), EGRESS.values(), ids=EGRESS)
def test_permissions_are_egress(outbound: dict[str, JSON], egress: JSON) -> None:
    spec = spec_of(permissions={"network": {"outbound": outbound}})
    assert spec.get("network", {}).get("egress") == egress


def test_folders_and_privileges_are_not_taken_over() -> None:
    permissions = {
        "read": ["/home/me/notes"],
        "write": ["/var/run/docker.sock:/var/run/docker.sock"],
        "privileged": True,
    }
    server = {"image": IMAGE, "transport": "stdio", "permissions": permissions, "provenance": {"cert_issuer": "x"}}
    (draft,) = drafts_of(servers={"notes": server})
    assert [dotted(entry.source).removeprefix("servers.notes.") for entry in draft.losses] == [
        "permissions.write[0]",
        "permissions.privileged",
        "provenance",
    ]
    assert "/home/me/notes" in draft.comments["spec", "storage"]
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert "storage" not in spec


def test_remote_servers_and_groups() -> None:
    remote = {
        "url": "https://mcp.example.com/mcp",
        "transport": "streamable-http",
        "headers": [{"name": "X-Key", "required": True, "secret": True}, {"name": "X-Mode", "default": "fast"}],
        "oauth_config": {"issuer": "https://login.example.com"},
    }
    server = {"image": IMAGE, "transport": "stdio", "tools": ["a"], "tags": ["b"], "status": "Active"}
    group = {"name": "team", "servers": {"inner": server}, "remote_servers": {"far": remote}}
    drafts = {draft.original: draft for draft in drafts_of(servers={"outer": server}, groups=[group], odd=1)}
    assert set(drafts) == {"outer", "inner", "far"}
    spec = drafts["far"].document["spec"]
    assert isinstance(spec, dict)
    assert spec["remote"] == {
        "url": "https://mcp.example.com/mcp",
        "headers": {"X-Key": {"secret": "far", "key": "X-Key"}, "X-Mode": "fast"},
    }
    # What stands around all of them is reported once.
    lost = [dotted(entry.source) for draft in drafts.values() for entry in draft.losses]
    assert lost == ["odd"]


@pytest.mark.parametrize(("name", "original"), [({"name": "notes"}, "notes"), ({}, "folder")])
def test_a_server_may_have_a_file_of_its_own(name: dict[str, str], original: str) -> None:
    data: dict[str, Any] = {**name, "image": IMAGE, "transport": "stdio", "tier": "Community", "args": ["x"]}
    assert toolhive_registry.recognises(data)
    source = source_of(data)._replace(file="registry/folder/spec.yaml")
    (draft,) = toolhive_registry.read([source], Choices(offline=True))
    assert draft.original == original
    assert draft.losses == []
    assert validated(draft).problems == ()


def test_variables_of_a_remote_server_are_those_of_its_callers() -> None:
    remote = {"url": "https://mcp.example.com/mcp", "transport": "streamable-http", "env_vars": [{"name": "REGION"}]}
    (draft,) = drafts_of(remote_servers={"far": remote}, groups=[{"name": "team", "description": "Ours"}])
    assert [dotted(entry.source) for entry in draft.losses] == ["remote_servers.far.env_vars[0]"]
    assert validated(draft).problems == ()


def test_it_is_recognised_by_its_servers() -> None:
    assert toolhive_registry.recognises({"servers": {"a": {"image": "x", "transport": "stdio"}}})
    assert toolhive_registry.recognises({"remote_servers": {"a": {"url": "x", "transport": "sse"}}})
    assert not toolhive_registry.recognises({"servers": {"a": {"command": "npx"}}})
    assert not toolhive_registry.recognises({"servers": []})
