"""Manifests of what runs today: what becomes of each field, and what is never carried in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from renderer.importers.draft import Draft, Outcome
from renderer.importers.spec_file import text_of
from renderer.model import JSON
from tests.importers.live import FOLDER, draft_of, drafts_of, expected

_POD: dict[str, Any] = {
    "containers": [{"name": "app", "image": "ghcr.io/example/mcp:1.0.0", "ports": [{"containerPort": 8000}]}]
}


def deployment(
    pod: dict[str, Any] | None = None, *more: dict[str, Any], name: str = "demo-mcp", **container: Any
) -> str:
    """A Deployment as JSON, and further objects in its namespace."""
    spec = {**_POD, **(pod or {})}
    spec["containers"] = [{**spec["containers"][0], **container}, *spec["containers"][1:]]
    labels = {"app": "demo"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    data = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [data, *more]})


def spec_of(draft: Draft) -> dict[str, Any]:
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    return spec


def messages(draft: Draft, outcome: Outcome) -> str:
    return "\n".join(f"{'.'.join(map(str, entry.source))}: {entry.message}" for entry in draft.of(outcome))


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_whole_installations_become_these_specs(name: str) -> None:
    drafts = drafts_of((FOLDER / name).read_text())
    assert [problem for draft in drafts for problem in draft.problems] == []
    text, wanted = expected(name, drafts)
    assert text == wanted
    assert not [entry for draft in drafts for entry in draft.entries if entry.message.startswith("left out")]


# what is in the pod, in the container, and what is said of it
_WEAK = [
    ({"hostNetwork": True}, {}, "share the network of its node"),
    ({"hostPID": True}, {}, "see the processes of its node"),
    ({"shareProcessNamespace": True}, {}, "see the processes of one another"),
    ({}, {"securityContext": {"privileged": True}}, "privileged: Pod Security 'restricted' refuses it"),
    ({}, {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "capabilities: Pod Security"),
    ({}, {"securityContext": {"allowPrivilegeEscalation": True}}, "allowPrivilegeEscalation: Pod Security"),
    ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, {}, "seccompProfile: Pod Security"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, {"volumeMounts": [{"name": "v", "mountPath": "/h"}]},
     "hostPath /: Pod Security"),
    ({"volumes": [{"name": "v", "nfs": {"server": "x", "path": "/"}}]},
     {"volumeMounts": [{"name": "v", "mountPath": "/h"}]}, "no field mounts a volume of this kind"),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "container", "message"), _WEAK)
def test_what_weakens_a_server_is_left_out_and_reported(
    pod: dict[str, Any], container: dict[str, Any], message: str
) -> None:
    draft = draft_of(deployment(pod, **container))
    assert message in messages(draft, Outcome.LOST)
    assert draft.losses
    assert "accept" not in spec_of(draft)


_DECISIONS = [
    ({"securityContext": {"runAsUser": 0}}, {}, "root: Pod Security"),
    ({}, {"env": [{"name": "API_TOKEN", "value": "h7Gd82kslP0qzT55"}]}, "looks like a secret and is not written"),
    ({}, {"image": "ghcr.io/example/mcp"}, "which version"),
    ({}, {"ports": []}, "it listens on no port"),
    ({"serviceAccountName": "robot"}, {}, "uses the Kubernetes API"),
]


@pytest.mark.parametrize(("pod", "container", "message"), _DECISIONS)
def test_what_a_person_must_decide_is_asked(pod: dict[str, Any], container: dict[str, Any], message: str) -> None:
    draft = draft_of(deployment(pod, **container))
    assert message in messages(draft, Outcome.DECISION)
    assert "h7Gd82kslP0qzT55" not in text_of(draft) + repr(draft.entries)


# container, path in the spec, value there
_MAPPED: list[tuple[dict[str, Any], str, JSON]] = [
    ({"args": ["--transport", "sse"]}, "transport.type", "sse"),
    ({"env": [{"name": "MCP_PATH", "value": "/api/mcp"}]}, "transport.path", "/api/mcp"),
    ({"ports": [{"containerPort": 9}, {"name": "mcp", "containerPort": 8001}]}, "transport.port", 8001),
    ({"ports": [], "args": ["--port=8123"]}, "transport.port", 8123),
    ({"workingDir": "/app"}, "workingDir", "/app"),
    ({"imagePullPolicy": "Always"}, "imagePullPolicy", "Always"),
    ({"livenessProbe": {"exec": {"command": ["ok"]}}}, "health.command", ["ok"]),
    ({"readinessProbe": {"grpc": {"port": 9000, "service": "a.b"}}}, "health.grpc", {"service": "a.b"}),
    ({"readinessProbe": {"tcpSocket": {"port": 8000}}}, "health.tcp", True),
    ({"resources": {"limits": {"nvidia.com/gpu": 2}}}, "gpu.count", 2),
    ({"resources": {"limits": {"memory": "1Gi"}}}, "resources.requests.memory", "1Gi"),
    ({"env": [{"name": "A", "value": "$(B)"}]}, "env.A", "$$(B)"),
    ({"env": [{"name": "M", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]}, "env.M",
     {"field": "limits.memory"}),
]  # fmt: skip


@pytest.mark.parametrize(("container", "path", "value"), _MAPPED)
def test_fields_of_the_container(container: dict[str, Any], path: str, value: JSON) -> None:
    draft = draft_of(deployment(**container))
    found: Any = spec_of(draft)
    for step in path.split("."):
        found = found[step]
    assert found == value
    assert "no field of the format" not in messages(draft, Outcome.LOST)


def test_several_servers_in_one_file_are_several_specs_and_databases_are_none() -> None:
    other = json.loads(deployment(name="other-mcp"))["items"][0]
    other["spec"]["selector"]["matchLabels"] = other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    database = json.loads(deployment(name="db", image="docker.io/library/postgres:17"))["items"][0]
    drafts = drafts_of(deployment(None, other, database))
    assert [draft.name for draft in drafts] == ["demo-mcp", "other-mcp"]
    assert "Deployment db: no MCP server" in messages(drafts[0], Outcome.LOST)


@pytest.mark.parametrize(
    ("variable", "names"), [("MCP_SERVER_URL", ["demo-mcp"]), ("MCP_TRANSPORT", ["agent", "demo-mcp"])]
)
def test_the_address_of_a_server_is_what_its_clients_have(variable: str, names: list[str]) -> None:
    client = json.loads(deployment(name="agent", image="registry.example.com/agent:1.0"))["items"][0]
    client["metadata"].pop("labels", None)
    client["spec"]["selector"]["matchLabels"] = client["spec"]["template"]["metadata"]["labels"] = {"app": "agent"}
    client["spec"]["template"]["spec"]["containers"][0] |= {
        "env": [{"name": variable, "value": "http://demo-mcp:8080/mcp"}],
        "args": [],
    }
    assert [draft.name for draft in drafts_of(deployment(None, client))] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}),
            "no Deployment, StatefulSet or",
        ),
        (
            json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mcp"}, "spec": [1]}),
            "no Deployment, StatefulSet or Pod with containers",
        ),
        (deployment(args=["--dir=${DIR}"]), "is passed as text"),
        (deployment(image="docker.io/library/redis:7.4.1", name="cache"), "none of the workloads is an MCP server"),
        (deployment(image=""), "the container has no image"),
        (deployment(image="a b"), "is not an image reference"),
    ],
)
def test_what_cannot_become_a_spec_is_refused_with_the_reason(text: str, message: str) -> None:
    (draft,) = drafts_of(text)
    assert message in draft.problems[0].message


_ODD: list[dict[str, Any]] = [
    {"env": {"A": 1}, "ports": "x", "volumeMounts": [1], "resources": [], "readinessProbe": {"httpGet": "x"}},
    {"env": [{"name": "A", "valueFrom": {"secretKeyRef": None}}, {"name": "B", "valueFrom": "x"}, 5]},
    {"envFrom": [{"secretRef": 5}], "volumeMounts": [{"name": "v"}], "lifecycle": {"preStop": 5}},
    {"resources": {"limits": {"nvidia.com/gpu": "two", "cpu": "much"}}},
]


@pytest.mark.parametrize("container", _ODD)
def test_what_is_odd_is_reported_and_never_a_traceback(container: dict[str, Any]) -> None:
    (draft,) = drafts_of(deployment(**container))
    assert messages(draft, Outcome.LOST)


@pytest.mark.parametrize("name", ["../../etc/passwd", "A B", "x" * 300, "a\nkind: Secret"])
def test_hostile_names_become_names(name: str) -> None:
    (draft,) = drafts_of(deployment(name=name))
    assert draft.problems or "/" not in draft.name
    assert "kind: Secret" not in text_of(draft).splitlines()


def test_a_selector_by_expressions_cannot_be_taken_over() -> None:
    data = json.loads(deployment())
    data["items"][0]["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    draft = draft_of(json.dumps(data))
    assert "selector" not in spec_of(draft).get("adopt", {})
    assert "must be deleted" in messages(draft, Outcome.LOST)
