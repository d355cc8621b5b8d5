"""Every field of the schema is in the Server, and where dicts end, values stand as the model says."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.model import (
    JSON,
    ConfigMapRef,
    EgressCidr,
    EgressHost,
    EgressService,
    EnvFrom,
    File,
    Package,
    Patch,
    Peer,
    Publish,
    SecretRef,
    Server,
    ServiceAccount,
    Source,
    Writable,
)
from renderer.resolve import resolve
from tests.fields import IN_EXAMPLES, NOT_RENDERED, AllBut, changes, declared, documents
from tests.specs import IMAGE, NPM, OCI, PYPI, server

#: What the templates alone read, from the spec itself.
READ_BY_TEMPLATES = ("spec.compose.pids", "spec.compose.logging.")


def as_text(data: dict[str, Any]) -> str:
    """The Server without its documents: types included, since tuples of two types can be equal."""
    return repr(resolve(Source(IN_EXAMPLES, 1, 1, data))._replace(source=Source("", 1, 1, {}), data={}))


def test_every_field_of_the_schema_changes_the_server() -> None:
    effective: set[str] = set()
    for document in documents():
        before = as_text(document)
        for field, _, changed in changes(document, effective):
            if as_text(changed) != before:
                effective.add(field)
    known = {*effective, *NOT_RENDERED}
    missing = [field for field in declared() if field not in known and not field.startswith(READ_BY_TEMPLATES)]
    assert missing == [], "read these in renderer/resolve/server.py"


def test_what_is_not_rendered_is_not_in_the_server() -> None:
    """The reasons of NOT_RENDERED still hold."""
    for document in documents():
        before = as_text(document)
        others = AllBut(NOT_RENDERED)
        assert [field for field, _, changed in changes(document, others) if as_text(changed) != before] == []


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({}, "image", IMAGE),
        ({}, "package", None),
        ({"package": OCI, "command": ["x"]}, "image", "ghcr.io/acme/server:v1"),
        (
            {"package": {**OCI, "version": f"sha256:{'0' * 64}"}, "command": ["x"]},
            "image",
            "ghcr.io/acme/server@sha256:" + "0" * 64,
        ),
        ({"package": OCI, "command": ["x"]}, "package", None),
        ({"package": NPM}, "image", None),
        ({"package": NPM}, "package", Package("npm", "@acme/server", "1.2.3", None, "1Gi")),
        ({"package": {**PYPI, "baseImage": "uv:1"}}, "package", Package("pypi", "acme-server", "1.2.3", "uv:1", "1Gi")),
        ({}, "resource_name", "mcp-demo"),
        ({"resourceName": "other"}, "resource_name", "other"),
        ({"command": ["a"], "args": ["b", "c"]}, "command", ("a",)),
        ({"command": ["a"], "args": ["b", "c"]}, "args", ("b", "c")),
        ({"env": {"A": "x"}}, "env", {"A": "x"}),
        ({"env": {"A": {"secret": "s", "key": "k"}}}, "env", {"A": SecretRef("s", "k", False)}),
        ({"env": {"A": {"secret": "s", "key": "k", "optional": True}}}, "env", {"A": SecretRef("s", "k", True)}),
        ({"env": {"A": {"configMap": "m", "key": "k"}}}, "env", {"A": ConfigMapRef("m", "k", False)}),
        (
            {"envFrom": [{"secret": "s"}, {"configMap": "m", "optional": True}]},
            "env_from",
            (EnvFrom("secret", "s", False), EnvFrom("configMap", "m", True)),
        ),
        ({"files": {"/a": {"content": "x"}}}, "files", (File("/a", "x", 0o444),)),
        ({"files": {"/a": {"content": "x", "mode": "0640"}}}, "files", (File("/a", "x", 0o640),)),
        ({"files": {"/a": {"secret": "s", "key": "k"}}}, "files", (File("/a", SecretRef("s", "k"), 0o444),)),
        ({"files": {"/a": {"configMap": "m", "key": "k"}}}, "files", (File("/a", ConfigMapRef("m", "k"), 0o444),)),
        ({}, "service_account", ServiceAccount(True, "mcp-demo", {}, False)),
        ({"serviceAccount": {"name": "x"}}, "service_account", ServiceAccount(True, "x", {}, False)),
        ({"serviceAccount": {"create": False, "name": "x"}}, "service_account", ServiceAccount(False, "x", {}, False)),
        ({"resourceName": "other"}, "service_account", ServiceAccount(True, "other", {}, False)),
        (
            {
                "patches": [
                    {"kind": "A", "merge": {"a": 1}},
                    {"target": "compose", "kind": "b", "name": "n", "merge": {"a": 1}},
                ]
            },
            "patches",
            (Patch(0, "kubernetes", "A", None, {"a": 1}), Patch(1, "compose", "b", "n", {"a": 1})),
        ),
    ],
    ids=str,
)
def test_values(fields: dict[str, Any], attribute: str, expected: object) -> None:
    found = getattr(server(**fields), attribute)
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("network", "attribute", "expected"),
    [
        ({}, "egress", None),
        ({}, "ingress", (Peer({"mcpctl.io/component": "local-proxy"}, None, None),)),
        ({"ingress": {"from": []}}, "ingress", ()),
        ({"ingress": {"from": [{"cidr": "10.0.0.0/8"}]}}, "ingress", (Peer(None, None, "10.0.0.0/8"),)),
        ({"ingress": {"from": [{"namespace": "agents"}]}}, "ingress", (Peer(None, "agents", None),)),
        ({}, "publish", Publish("127.0.0.1", 24596)),
        ({"publish": False}, "publish", None),
        ({"publish": {"address": "::1"}}, "publish", Publish("::1", 24596)),
        ({"publish": {"address": "0.0.0.0", "port": 1234}}, "publish", Publish("0.0.0.0", 1234)),
    ],
    ids=str,
)
def test_network(network: dict[str, Any], attribute: str, expected: object) -> None:
    assert repr(getattr(server(network=network).network, attribute)) == repr(expected)


def test_the_published_port_follows_from_the_name_alone() -> None:
    """Written down, so that no version moves the ports of those who upgrade."""
    published = [
        server(name, image=IMAGE, transport={"type": "sse", "port": port}).network.publish
        for name, port in (("time", 9000), ("time", 8000), ("fetch", 8000))
    ]
    assert published == [Publish("127.0.0.1", port) for port in (27736, 27736, 20107)]


@pytest.mark.parametrize(
    ("egress", "expected"),
    [
        ({"hosts": ["a.example", "b.example:8443"]}, EgressHost("a.example", 443)),
        ({"cidrs": ["10.0.0.0/8"]}, EgressCidr("10.0.0.0/8", (), ())),
        ({"cidrs": [{"cidr": "10.0.0.0/8", "ports": [1, 2]}]}, EgressCidr("10.0.0.0/8", (), (1, 2))),
        (
            {"cidrs": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]},
            EgressCidr("10.0.0.0/8", ("10.1.0.0/16",), ()),
        ),
        ({"services": [{"name": "db"}]}, EgressService("db", None, {"app.kubernetes.io/name": "db"}, ())),
        (
            {"services": [{"name": "db", "namespace": "n", "podLabels": {"a": "b"}, "ports": [1]}]},
            EgressService("db", "n", {"a": "b"}, (1,)),
        ),
    ],
    ids=str,
)
def test_egress(egress: dict[str, Any], expected: object) -> None:
    found = server(network={"egress": egress}).network.egress
    assert found is not None
    assert not found.forbidden
    assert repr([*found.hosts, *found.cidrs, *found.services][0]) == repr(expected)


def test_an_empty_egress_forbids_all() -> None:
    found = server(network={"egress": {}}).network.egress
    assert found is not None
    assert found.forbidden


def test_writable_paths_have_a_size() -> None:
    paths: JSON = ["/tmp", {"path": "/a"}, {"path": "/b", "size": "1Gi"}]
    found = server(security={"writablePaths": paths}).security.writable
    assert found == (Writable("/tmp", "64Mi"), Writable("/a", "64Mi"), Writable("/b", "1Gi"))


@pytest.mark.parametrize(
    ("fields", "listens"),
    [
        ({}, True),
        ({"image": IMAGE, "command": ["x"]}, True),
        ({"image": IMAGE, "transport": {"bridge": "none"}}, False),
        ({"package": NPM, "transport": {"bridge": "none"}}, False),
        ({"package": NPM}, True),
    ],
    ids=str,
)
def test_listens(fields: dict[str, Any], listens: bool) -> None:
    assert server(**fields).listens is listens


def test_given_tells_a_default_from_what_was_written() -> None:
    found = server(replicas=1, health={"enabled": True})
    assert found.sets("spec", "replicas")
    assert found.sets("spec", "health", "enabled")
    assert not found.sets("spec", "health", "path")
    assert not found.sets("spec", "workload")
    assert not found.sets("spec", "replicas", "deeper")


def test_the_example_of_the_name_is_a_server() -> None:
    assert isinstance(server(), Server)
