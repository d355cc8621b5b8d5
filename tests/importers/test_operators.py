"""Resources of operators: what becomes of their fields, and that what is exported is read again."""

from __future__ import annotations

import json
from importlib import import_module
from io import BytesIO
from typing import Any

import pytest

from renderer.exporters.formats import FORMATS
from renderer.importers.draft import Choices, Draft, Outcome
from renderer.importers.formats import batches, load_foreign, recognise
from renderer.importers.validation import validated
from renderer.model import JSON, Options
from renderer.pins import KUBERNETES_VERSION
from tests.specs import HTTP, IMAGE, NPM, PYPI, as_stream, read_specs, spec

TOOLHIVE, KMCP, SIG = "toolhive.stacklok.dev/v1beta1", "kagent.dev/v1alpha1", "mcp.x-k8s.io/v1beta1"
SMALL = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}


def drafts(*documents: JSON) -> list[Draft]:
    sources, problems = load_foreign(["-"], BytesIO(as_stream(*documents)))
    assert problems == []
    by_format, unrecognised = recognise(sources)
    assert unrecognised == []
    return [draft for form, several in batches(by_format) for draft in form.read(several, Choices(offline=True))]


def resource(version: str, fields: dict[str, Any], kind: str = "MCPServer") -> dict[str, JSON]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "demo", "namespace": "mcp"}, "spec": fields}


def spec_of(version: str, fields: dict[str, Any], kind: str = "MCPServer") -> Any:
    (draft,) = drafts(resource(version, fields, kind))
    assert draft.problems == ()
    assert validated(draft).problems == ()
    return draft.document["spec"]


HTTP_SERVER: dict[str, Any] = {"image": IMAGE, "transport": "streamable-http", "mcpPort": 9000, "proxyPort": 80}
DEPLOYMENT: dict[str, Any] = {"image": IMAGE, "port": 8080}
HTTP_8080: dict[str, Any] = {"transportType": "http", "httpTransport": {"targetPort": 8080, "path": "/x"}}
CONFIG: dict[str, Any] = {"port": 8080}
SOURCE: dict[str, Any] = {"type": "ContainerImage", "containerImage": {"ref": IMAGE}}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (TOOLHIVE, HTTP_SERVER, {"transport": {"type": "streamable-http", "port": 9000}, "service": {"port": 80}}),
    (TOOLHIVE, {"image": IMAGE, "transport": "stdio"}, {"transport": {"type": "stdio", "bridge": "none"}}),
    (
        TOOLHIVE,
        {
            **HTTP_SERVER,
            "env": [{"name": "A", "value": "b"}],
            "secrets": [{"name": "s", "key": "k", "targetEnvName": "T"}],
        },
        {"env": {"A": "b", "T": {"secret": "s", "key": "k"}}},
    ),
    (
        TOOLHIVE,
        {**HTTP_SERVER, "secrets": [{"name": "s", "key": "KEY"}]},
        {"env": {"KEY": {"secret": "s", "key": "KEY"}}},
    ),
    (TOOLHIVE, {**HTTP_SERVER, "permissionProfile": {"type": "builtin", "name": "none"}}, {"network": {"egress": {}}}),
    (TOOLHIVE, {**HTTP_SERVER, "serviceAccount": "own"}, {"serviceAccount": {"create": False, "name": "own"}}),
    (
        TOOLHIVE,
        {**HTTP_SERVER, "sessionAffinity": "None", "backendReplicas": 2},
        {"replicas": 2, "transport": {"type": "streamable-http", "port": 9000, "stateful": False}},
    ),
    (
        TOOLHIVE,
        {
            "image": IMAGE,
            "transport": "stdio",
            "args": ["stdio"],
            "podTemplateSpec": {"spec": {"containers": [{"name": "mcp", "command": ["/srv"], "workingDir": "/app"}]}},
        },
        {"command": ["/srv"], "args": ["stdio"], "workingDir": "/app", "transport": {"type": "stdio"}},
    ),
    (
        KMCP,
        {**HTTP_8080, "deployment": DEPLOYMENT},
        {"transport": {"type": "streamable-http", "port": 8080, "path": "/x"}},
    ),
    (
        KMCP,
        {
            "transportType": "stdio",
            "deployment": {"port": 80, "cmd": "npx", "args": ["-y", "@acme/mcp@1.2.3", "--x"]},
        },
        {"package": {"registry": "npm", "name": "@acme/mcp", "version": "1.2.3"}, "args": ["--x"]},
    ),
    (
        KMCP,
        {
            "transportType": "stdio",
            "stdioTransport": {},
            "deployment": {**DEPLOYMENT, "cmd": "/srv", "env": {"A": "b"}, "secretRefs": [{"name": "s"}]},
        },
        {"command": ["/srv"], "env": {"A": "b"}, "envFrom": [{"secret": "s"}]},
    ),
    (
        KMCP,
        {**HTTP_8080, "deployment": {**DEPLOYMENT, "resources": SMALL, "replicas": 2}},
        {"resources": SMALL, "replicas": 2},
    ),
    (
        SIG,
        {"source": SOURCE, "config": CONFIG},
        {"image": IMAGE, "transport": {"type": "streamable-http", "port": 8080}},
    ),
    (
        SIG,
        {
            "source": SOURCE,
            "config": {
                **CONFIG,
                "arguments": ["--level", "$(LEVEL)"],
                "env": [
                    {"name": "LEVEL", "value": "info"},
                    {"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
                "storage": [
                    {"path": "/etc/x", "source": {"type": "ConfigMap", "configMap": {"name": "c"}}},
                    {"path": "/run/x", "source": {"type": "EmptyDir", "emptyDir": {"sizeLimit": "16Mi"}}},
                ],
            },
        },
        {
            "args": ["--level", "$(LEVEL)"],
            "env": {"LEVEL": "info", "T": {"secret": "s", "key": "k"}},
            "files": {"/etc/x": {"configMap": "c"}},
            "security": {"writablePaths": [{"path": "/run/x", "size": "16Mi"}]},
        },
    ),
    (
        SIG,
        {
            "source": SOURCE,
            "config": CONFIG,
            "mcp": {"stateless": True},
            "network": {
                "ingressFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "agents"}}}],
                "egressTo": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
                "egressPorts": [{"port": 443, "protocol": "TCP"}],
            },
        },
        {
            "network": {
                "ingress": {"from": [{"namespace": "agents"}]},
                "egress": {"cidrs": [{"cidr": "192.0.2.0/24", "ports": [443]}]},
            }
        },
    ),
]


IN = [{"key": "app", "operator": "In", "values": ["a", "b"]}]
DB = {"podSelector": {"matchLabels": {"app": "db"}}}
EXCEPT = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
#: Fields of the resource, ``spec.network``, and what is lost. What cannot be said leaves the way closed.
NETWORKS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"ingressFrom": [{"podSelector": {"matchExpressions": IN}}]},
        {"ingress": {"from": []}},
        "no matchExpressions",
    ),
    ({"ingressFrom": [EXCEPT]}, {"ingress": {"from": []}}, "no exceptions here"),
    ({"egressTo": [EXCEPT]}, {"egress": {"cidrs": [EXCEPT["ipBlock"]]}}, ""),
    ({"egressTo": [{"namespaceSelector": {"matchExpressions": IN}}]}, {"egress": {}}, "no matchExpressions"),
    (
        {"egressTo": [DB], "egressPorts": [{"port": 53, "protocol": "UDP"}, {"port": 5432}]},
        {"egress": {"services": [{"name": "db", "podLabels": {"app": "db"}, "ports": [5432], "udpPorts": [53]}]}},
        "",
    ),
    ({"egressPorts": [{"port": 443}]}, {"egress": {"cidrs": [{"cidr": "0.0.0.0/0", "ports": [443]}]}}, ""),
    ({"egressTo": [DB], "egressPorts": [{"port": 1, "endPort": 9}]}, {"egress": {}}, "no ranges of ports"),
]


@pytest.mark.parametrize(("network", "expected", "lost"), NETWORKS, ids=lambda value: str(value)[:60])
def test_a_network_is_never_wider_than_it_was(network: dict[str, Any], expected: dict[str, Any], lost: str) -> None:
    fields = {"source": SOURCE, "config": CONFIG, "network": network}
    (draft,) = drafts(resource(SIG, fields))
    assert lost in "; ".join(entry.message for entry in draft.entries if entry.outcome is Outcome.LOST)
    assert spec_of(SIG, fields).get("network", {}) == expected


@pytest.mark.parametrize(("version", "fields", "expected"), CASES, ids=lambda value: str(value)[:60])
def test_fields(version: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    written = spec_of(version, fields)
    assert {key: written.get(key) for key in expected} == expected


def test_a_proxy_is_a_server_elsewhere() -> None:
    headers = {
        "addPlaintextHeaders": {"X-Tenant": "acme"},
        "addHeadersFromSecret": [{"headerName": "X-Key", "valueSecretRef": {"name": "s", "key": "k"}}],
    }
    url = "https://mcp.example.com/mcp"
    written = spec_of(TOOLHIVE, {"remoteUrl": url, "transport": "sse", "headerForward": headers}, "MCPRemoteProxy")
    assert written["remote"] == {
        "url": url,
        "transport": "sse",
        "headers": {"X-Tenant": "acme", "X-Key": {"secret": "s", "key": "k"}},
    }


def test_tokens_of_an_issuer_beside_it_are_asked_for() -> None:
    reference = {"name": "login", "audience": "mcp", "resourceUrl": "https://mcp.example.com/mcp", "scopes": ["use"]}
    inline = {"issuer": "https://login.example.com", "jwksUrl": "https://login.example.com/keys"}
    config = resource(TOOLHIVE, {"type": "inline", "inline": inline}, "MCPOIDCConfig")
    config["metadata"] = {"name": "login"}
    (draft,) = drafts(resource(TOOLHIVE, {**HTTP_SERVER, "oidcConfigRef": reference}), config)
    written: Any = draft.document["spec"]
    assert written["access"] == {
        "url": "https://mcp.example.com/mcp",
        "issuers": [{"url": inline["issuer"], "jwks": inline["jwksUrl"], "audiences": ["mcp"]}],
        "require": {"scopes": ["use"]},
    }
    (alone,) = drafts(resource(TOOLHIVE, {**HTTP_SERVER, "oidcConfigRef": reference}))
    assert ["everybody may call" in entry.message for entry in alone.losses] == [True]


@pytest.mark.parametrize(
    ("version", "fields", "lost"),
    [
        (TOOLHIVE, {**HTTP_SERVER, "volumes": [{"name": "h", "hostPath": "/etc", "mountPath": "/h"}]}, "volumes"),
        (TOOLHIVE, {**HTTP_SERVER, "toolConfigRef": {"name": "x"}}, "toolConfigRef"),
        (TOOLHIVE, {**HTTP_SERVER, "strange": {"a": 1}}, "strange"),
        (KMCP, {**HTTP_8080, "deployment": {**DEPLOYMENT, "sidecars": [{"name": "x"}]}}, "deployment"),
        (SIG, {"source": SOURCE, "config": CONFIG, "gateway": {"provider": "httproute"}}, "gateway"),
    ],
)
def test_what_a_spec_cannot_say_is_told(version: str, fields: dict[str, Any], lost: str) -> None:
    (draft,) = drafts(resource(version, fields))
    assert [entry.source[1] for entry in draft.losses] == [lost]


TOKEN = "ghp_" + "a1B2" * 9


def test_a_secret_that_stands_in_a_resource_is_written_nowhere() -> None:
    for version, fields in (
        (TOOLHIVE, {**HTTP_SERVER, "env": [{"name": "GITHUB_TOKEN", "value": TOKEN}]}),
        (KMCP, {**HTTP_8080, "deployment": {**DEPLOYMENT, "env": {"GITHUB_TOKEN": TOKEN}}}),
    ):
        (draft,) = drafts(resource(version, fields))
        written: Any = draft.document["spec"]
        assert written["env"] == {"GITHUB_TOKEN": {"secret": "demo", "key": "GITHUB_TOKEN"}}
        assert TOKEN not in str(draft.entries)


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (TOOLHIVE, {**HTTP_SERVER, "args": ["--token", TOKEN]}),
        (KMCP, {**HTTP_8080, "deployment": {**DEPLOYMENT, "args": ["--token", TOKEN]}}),
        (SIG, {"source": SOURCE, "config": {**CONFIG, "arguments": ["--token", TOKEN]}}),
    ],
    ids=["toolhive", "kmcp", "sig"],
)
def test_a_secret_among_arguments_is_a_variable(version: str, fields: dict[str, Any]) -> None:
    (draft,) = drafts(resource(version, fields))
    spec: Any = draft.document["spec"]
    assert spec["args"] == ["--token", "$(ARG_SECRET_2)"]
    assert spec["env"]["ARG_SECRET_2"] == {"secret": "demo", "key": "ARG_SECRET_2"}
    assert TOKEN not in str(draft.entries)


def test_lists_and_objects_beside_servers() -> None:
    server = resource(TOOLHIVE, HTTP_SERVER)
    other: JSON = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    (draft,) = drafts({"apiVersion": "v1", "kind": "List", "items": [server]}, other)
    assert (draft.name, draft.problems, draft.losses) == ("demo", (), [])
    assert any("ConfigMap c: stays as it is" in entry.message for entry in draft.entries)


def test_resources_without_a_server_are_refused() -> None:
    (draft,) = drafts(resource(TOOLHIVE, {"type": "inline"}, "MCPOIDCConfig"))
    assert [problem.rule for problem in draft.problems] == ["import/no-server"]


WRITABLE = {"path": "/run", "size": "16Mi"}
STDIO: dict[str, Any] = {"image": IMAGE, "command": ["/srv"], "args": ["stdio"]}
FACTS: list[dict[str, Any]] = [
    {"image": IMAGE, "transport": {**HTTP, "port": 9000}},
    STDIO,
    {"package": NPM, "args": ["--x"]},
    {"package": PYPI, "command": ["acme"]},
    {"image": IMAGE, "transport": HTTP, "env": {"A": "b", "T": {"secret": "s", "key": "T"}}},
    {"image": IMAGE, "transport": HTTP, "resources": {"limits": {"memory": "1Gi"}}, "replicas": 2},
    {
        "image": IMAGE,
        "transport": HTTP,
        "security": {"runAsUser": 1234, "writablePaths": [{"path": "/run", "size": "16Mi"}]},
    },
]
_COMPARED = ("image", "package", "command", "args", "env", "replicas")


@pytest.mark.parametrize("fields", FACTS, ids=lambda value: json.dumps(value)[:60])
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_is_read_again(form: str, fields: dict[str, Any]) -> None:
    (server,) = read_specs(spec(**fields)).servers
    exported = import_module(f"renderer.exporters.{FORMATS[form].module}").export(
        server, Options("mcp", KUBERNETES_VERSION)
    )
    if not exported.documents or FORMATS[form].style == "json":
        return
    (draft,) = drafts(*exported.documents)
    assert validated(draft).problems == ()
    assert [entry for entry in draft.entries if entry.outcome is Outcome.LOST and not entry.harmless] == []
    again: Any = draft.document["spec"]
    written = {key: again.get(key) for key in _COMPARED if key in fields}
    env = {name: value for name, value in (fields.get("env") or {}).items() if form != "kmcp" or isinstance(value, str)}
    assert written == {**{key: fields[key] for key in _COMPARED if key in fields}, **({"env": env} if env else {})}
    if "security" in fields:
        assert again["security"]["runAsUser"] == 1234
        assert WRITABLE in again["security"]["writablePaths"]
