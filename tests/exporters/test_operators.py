"""Resources of operators: what they say of a server, and that nothing of a spec is dropped in silence."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from renderer import pipeline
from renderer.exporters.exported import Exported
from renderer.exporters.formats import FORMATS, Export
from renderer.importers.draft import Outcome
from renderer.model import JSON, Options
from renderer.pins import KUBERNETES_VERSION
from tests.specs import HTTP, IMAGE, PYPI, read_specs, spec

EVERYTHING = Path(__file__).parent.parent.parent / "docs/examples/everything.yaml"
OPTIONS = Options("tools", KUBERNETES_VERSION)
STDIO: dict[str, Any] = {"image": IMAGE, "command": ["/srv"], "args": ["stdio"]}
OIDC: dict[str, Any] = {
    "url": "https://mcp.example.com/mcp",
    "issuers": [{"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}],
    "require": {"scopes": ["mcp:use"]},
}


def export(form: str) -> Export:
    made: Export = import_module(f"renderer.exporters.{FORMATS[form].module}").export
    return made


def exported(form: str, **fields: Any) -> Exported:
    specs = read_specs(spec(**fields))
    assert not [problem for problem in specs.problems if problem.severity == "error"]
    (server,) = (*specs.servers, *specs.remotes)
    return export(form)(server, OPTIONS)


def resource(form: str, **fields: Any) -> Any:
    """The spec of the operator's own resource, which comes last."""
    document = exported(form, **fields).documents[-1]
    metadata: Any = document["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("demo", "tools")
    return document["spec"]


def outcomes(form: str, outcome: Outcome, **fields: Any) -> dict[str, str]:
    """The messages with that outcome, by the field below ``spec``."""
    entries = exported(form, **fields).entries
    return {".".join(map(str, e.source[1:])): e.message for e in entries if e.outcome is outcome and not e.harmless}


@pytest.mark.parametrize("form", FORMATS)
def test_every_field_has_a_fate(form: str) -> None:
    specs = pipeline.read([str(EVERYTHING)])
    for server in (*specs.servers, *specs.remotes):
        entries = export(form)(server, OPTIONS).entries
        assert [e.source for e in entries if e.message == "the resource has no such field"] == []
        assert all(entry.place.line for entry in entries)


@pytest.mark.parametrize(
    ("form", "fields", "expected"),
    [
        ("toolhive", {}, {"transport": "streamable-http", "mcpPort": 8080, "proxyPort": 8080, "image": IMAGE}),
        ("toolhive", STDIO, {"transport": "stdio", "proxyMode": "streamable-http", "args": ["stdio"]}),
        ("toolhive", {"transport": {**HTTP, "stateful": False}}, {"sessionAffinity": "None"}),
        ("toolhive", {"env": {"A": "b"}}, {"env": [{"name": "A", "value": "b"}]}),
        (
            "toolhive",
            {"env": {"T": {"secret": "s", "key": "k"}}},
            {"secrets": [{"name": "s", "key": "k", "targetEnvName": "T"}]},
        ),
        ("toolhive", {"replicas": 3}, {"backendReplicas": 3}),
        (
            "toolhive",
            {"access": OIDC},
            {
                "oidcConfigRef": {
                    "name": "demo",
                    "audience": "https://mcp.example.com/mcp",
                    "scopes": ["mcp:use"],
                    "resourceUrl": "https://mcp.example.com/mcp",
                },
                "audit": {"enabled": True},
            },
        ),
        ("toolhive", {"serviceAccount": {"create": False, "name": "own"}}, {"serviceAccount": "own"}),
        (
            "toolhive",
            {"remote": {"url": "https://a.example.com/mcp", "headers": {"K": {"secret": "s", "key": "k"}, "T": "x"}}},
            {
                "remoteUrl": "https://a.example.com/mcp",
                "transport": "streamable-http",
                "headerForward": {
                    "addPlaintextHeaders": {"T": "x"},
                    "addHeadersFromSecret": [{"headerName": "K", "valueSecretRef": {"name": "s", "key": "k"}}],
                },
            },
        ),
        ("kmcp", {}, {"transportType": "http", "httpTransport": {"targetPort": 8080, "path": "/mcp"}}),
        ("kmcp", STDIO, {"transportType": "stdio", "stdioTransport": {}}),
        ("mcp.x-k8s.io", {}, {"source": {"type": "ContainerImage", "containerImage": {"ref": IMAGE}}}),
        ("mcp.x-k8s.io", {"transport": {**HTTP, "stateful": False}}, {"mcp": {"stateless": True}}),
        (
            "mcp.x-k8s.io",
            {"network": {"ingress": {"from": [{"namespace": "agents"}, {"cidr": "10.0.0.0/8"}]}}},
            {
                "network": {
                    "ingressFrom": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "agents"}}},
                        {"ipBlock": {"cidr": "10.0.0.0/8"}},
                    ]
                }
            },
        ),
    ],
    ids=str,
)
def test_what_a_resource_says(form: str, fields: dict[str, Any], expected: dict[str, JSON]) -> None:
    assert expected.items() <= resource(form, **fields).items()


def test_toolhive_has_the_rest_in_the_template_of_its_pods() -> None:
    more = {"nodeSelector": {"disk": "ssd"}}
    env = {"M": {"configMap": "c", "key": "k"}, "O": {"secret": "s", "key": "k", "optional": True}}
    pod = resource("toolhive", **STDIO, env=env, workingDir="/app", scheduling=more)["podTemplateSpec"]["spec"]
    (container,) = pod["containers"]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["automountServiceAccountToken"] is False
    assert (container["name"], container["command"], container["workingDir"]) == ("mcp", ["/srv"], "/app")
    assert [entry["name"] for entry in container["env"]] == ["M", "O"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"image", "args", "resources", "stdin"}.isdisjoint(container)


def test_a_package_is_its_command_in_the_base_image() -> None:
    deployment = resource("kmcp", package=PYPI, args=["--x"])["deployment"]
    assert (deployment["cmd"], deployment["args"]) == ("uvx", ["acme-server@1.2.3", "--x"])
    assert deployment["image"].startswith("ghcr.io/astral-sh/uv:")


def test_kmcp_takes_whole_secrets() -> None:
    env = {
        "TOKEN": {"secret": "s", "key": "TOKEN"},
        "OTHER": {"secret": "s", "key": "x"},
        "NS": {"field": "metadata.namespace"},
    }
    assert resource("kmcp", env=env)["deployment"]["secretRefs"] == [{"name": "s"}]
    assert list(outcomes("kmcp", Outcome.DECISION, env=env)) == ["env.OTHER"]
    assert "env.NS" in outcomes("kmcp", Outcome.LOST, env=env)


def test_the_sig_starts_a_package_behind_a_bridge() -> None:
    config = resource("mcp.x-k8s.io", package=PYPI)["config"]
    assert config["arguments"][:2] == ["uvx", "mcp-proxy@0.13.0"]
    assert config["arguments"][-2:] == ["uvx", "acme-server@1.2.3"]
    assert "127.0.0.1" not in config["arguments"]


def test_the_sig_mounts_the_folder_of_a_file() -> None:
    files = {
        "/etc/x/a.yaml": {"content": "a: 1"},
        "/etc/x/b.yaml": {"content": "b: 1"},
        "/etc/x/k": {"secret": "s", "key": "k"},
    }
    storage = {mount["path"]: mount for mount in resource("mcp.x-k8s.io", files=files)["config"]["storage"]}
    assert [item["path"] for item in storage["/etc/x"]["source"]["configMap"]["items"]] == ["a.yaml", "b.yaml"]
    assert "files./etc/x/k" in outcomes("mcp.x-k8s.io", Outcome.LOST, files=files)
    assert "files./etc/x/a.yaml" in outcomes("mcp.x-k8s.io", Outcome.DECISION, files=files)


@pytest.mark.parametrize(
    ("form", "fields", "message"),
    [
        ("kmcp", {"transport": {"type": "sse"}}, "none of SSE"),
        ("kmcp", {"remote": {"url": "https://a.example.com/mcp"}}, "knows no remote ones"),
        ("mcp.x-k8s.io", {"remote": {"url": "https://a.example.com/mcp"}}, "knows no remote ones"),
        ("mcp.x-k8s.io", STDIO, "copies no bridge"),
        ("mcp.x-k8s.io", {"command": ["/srv"]}, "no command"),
        ("mcp.x-k8s.io", {**STDIO, "transport": {"type": "stdio", "bridge": "none"}}, "speaks stdio alone"),
    ],
    ids=str,
)
def test_what_an_operator_cannot_start_has_no_resource(form: str, fields: dict[str, Any], message: str) -> None:
    fields = {"image": IMAGE, "transport": HTTP, **fields} if "command" in fields and "args" not in fields else fields
    fields = {"image": IMAGE, **fields} if "transport" in fields and "image" not in fields else fields
    nothing = exported(form, **fields)
    assert nothing.documents == ()
    assert [message in entry.message for entry in nothing.entries] == [True]


@pytest.mark.parametrize(
    ("form", "fields", "lost"),
    [
        ("toolhive", {}, {"network"}),
        ("toolhive", {"network": {"egress": {"hosts": ["a.example.com"]}}}, {"network.egress"}),
        (
            "toolhive",
            {"access": {**OIDC, "issuers": OIDC["issuers"] * 1, "origins": ["https://a.example.com"]}},
            {"access.origins"},
        ),
        ("kmcp", {"workingDir": "/app"}, {"workingDir", "serviceAccount", "network"}),
        ("mcp.x-k8s.io", {"storage": [{"name": "d", "size": "1Gi", "mountPath": "/d"}]}, {"storage"}),
        ("mcp.x-k8s.io", {"network": {"egress": {}}}, {"network.egress"}),
    ],
)
def test_losses_are_in_the_report(form: str, fields: dict[str, Any], lost: set[str]) -> None:
    assert lost <= outcomes(form, Outcome.LOST, **fields).keys()


def test_two_issuers_are_no_open_door_in_silence() -> None:
    issuers = [{"url": f"https://{name}.example.com", "jwks": f"https://{name}.example.com/keys"} for name in "ab"]
    access = {**OIDC, "issuers": issuers}
    assert "oidcConfigRef" not in resource("toolhive", access=access)
    assert "everybody may call" in outcomes("toolhive", Outcome.LOST, access=access)["access.issuers"]


def test_what_the_pods_refer_to_comes_first() -> None:
    storage = [{"name": "d", "size": "1Gi", "mountPath": "/d"}]
    files = {"/etc/x.yaml": {"content": "a: 1"}}
    kinds = [document["kind"] for document in exported("kmcp", storage=storage, files=files).documents]
    assert kinds == ["ConfigMap", "PersistentVolumeClaim", "MCPServer"]
