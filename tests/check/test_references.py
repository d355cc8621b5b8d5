"""What refers to what: no patch leaves a name or a selector that finds nothing, or the pods of others."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.check.api_rules import references, set_faults
from renderer.errors import dotted, errors_in
from renderer.kinds import KINDS
from renderer.model import JSON
from tests.specs import HTTP, IMAGE, PYPI, rendered, spec

#: One of everything that refers to something, with names that the spec makes prerequisites.
FIELDS: dict[str, Any] = {
    "image": IMAGE,
    "transport": HTTP,
    "files": {"/etc/a": {"content": "a"}, "/etc/b": {"configMap": "corporate-ca", "key": "ca.pem"}},
    "env": {"TOKEN": {"secret": "token", "key": "token"}, "REGION": {"configMap": "site", "key": "region"}},
    "envFrom": [{"secret": "settings"}],
    "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data", "accessModes": ["ReadWriteMany"]}],
    "sandbox": {"namespace": "boxes"},
    "serviceAccount": {"automountToken": True},
    "imagePullSecrets": ["registry"],
    "externalSecrets": [
        {"name": "token", "store": {"name": "vault"}, "keys": [{"key": "token", "remoteKey": "a"}]},
    ],
    "expose": {"host": "mcp.example.com", "tls": {"secret": "tls"}},
    "monitoring": {"port": 9090, "path": "/metrics"},
    "autoscaling": {"min": 2, "max": 3, "cpu": 80},
    "disruption": {"minAvailable": 1},
}
ROUTE = {"expose": {"type": "HTTPRoute", "host": "mcp.example.com", "gateway": {"name": "gateway"}}}
STATEFUL = {"workload": "StatefulSet", "autoscaling": None, "disruption": None}
POD = "/spec/template/spec"


def told(kind: str, patch: dict[str, JSON], **fields: Any) -> list[tuple[str, str]]:
    data = {key: value for key, value in {**FIELDS, **fields}.items() if value is not None}
    patches: JSON = [{"kind": kind, **patch}] if patch else []
    problems = errors_in(rendered("kubernetes", spec(**data, patches=patches)).problems)
    return [(problem.rule, problem.path) for problem in problems]


def op(path: str, value: JSON, do: str = "replace") -> dict[str, JSON]:
    return {"json": [{"op": do, "path": path, "value": value}]}


@pytest.mark.parametrize("fields", [{}, ROUTE, STATEFUL, {"serviceAccount": {"create": False, "name": "theirs"}}])
def test_what_the_spec_says_is_there(fields: dict[str, Any]) -> None:
    fields = {**fields, "sandbox": None} if "serviceAccount" in fields else fields
    assert told("", {}, **fields) == []


@pytest.mark.parametrize(
    ("kind", "patch", "path"),
    [
        ("Deployment", op(f"{POD}/serviceAccountName", "other"), "spec.template.spec.serviceAccountName"),
        ("Deployment", op(f"{POD}/serviceAccount", "other", "add"), "spec.template.spec.serviceAccount"),
        (
            "Deployment",
            op(f"{POD}/volumes/-", {"name": "x", "configMap": {"name": "other"}}, "add"),
            "spec.template.spec.volumes[{}].configMap.name",
        ),
        (
            "Deployment",
            op(f"{POD}/volumes/-", {"name": "x", "secret": {"secretName": "other"}}, "add"),
            "spec.template.spec.volumes[{}].secret.secretName",
        ),
        (
            "Deployment",
            op(f"{POD}/volumes/-", {"name": "x", "persistentVolumeClaim": {"claimName": "other"}}, "add"),
            "spec.template.spec.volumes[{}].persistentVolumeClaim.claimName",
        ),
        (
            "Deployment",
            op(f"{POD}/volumes/-", {"name": "x", "projected": {"sources": [{"secret": {"name": "other"}}]}}, "add"),
            "spec.template.spec.volumes[{}].projected.sources[0].secret.name",
        ),
        (
            "Deployment",
            op(f"{POD}/containers/0/envFrom/-", {"configMapRef": {"name": "other"}}, "add"),
            "spec.template.spec.containers[0].envFrom[1].configMapRef.name",
        ),
        (
            "Deployment",
            op(f"{POD}/containers/0/env", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]),
            "spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name",
        ),
        ("Deployment", op(f"{POD}/imagePullSecrets/0/name", "other"), "spec.template.spec.imagePullSecrets[0].name"),
        ("RoleBinding", op("/roleRef/name", "other"), "roleRef.name"),
        (
            "RoleBinding",
            op("/roleRef", {"kind": "ClusterRole", "name": "cluster-admin"}),
            "roleRef.name",
        ),
        ("ClusterRoleBinding", op("/roleRef/name", "cluster-admin"), "roleRef.name"),
        ("RoleBinding", op("/subjects/0/name", "other"), "subjects[0].name"),
        ("RoleBinding", op("/subjects/0/namespace", "kube-system"), "subjects[0].name"),
        (
            "ClusterRoleBinding",
            op("/subjects/0", {"kind": "Group", "name": "system:authenticated"}),
            "subjects[0].name",
        ),
        ("ServiceAccount", {"merge": {"imagePullSecrets": [{"name": "other"}]}}, "imagePullSecrets[0].name"),
        ("Ingress", op("/spec/tls/0/secretName", "other"), "spec.tls[0].secretName"),
        ("ExternalSecret", op("/spec/secretStoreRef/name", "other"), "spec.secretStoreRef.name"),
        (
            "ExternalSecret",
            op("/spec/target/name", "other"),
            "spec.template.spec.containers[0].env[{}].valueFrom.secretKeyRef.name",
        ),
    ],
    ids=str,
)
def test_a_name_that_nobody_renders_and_the_spec_does_not_name(kind: str, patch: dict[str, JSON], path: str) -> None:
    found = [place for rule, place in told(kind, patch) if rule == "api/unknown-reference"]
    before, _, after = path.partition("{}")
    assert any(place.startswith(before) and place.endswith(after) for place in found), found


def test_a_gateway_that_the_spec_does_not_name() -> None:
    assert told("HTTPRoute", op("/spec/parentRefs/0/name", "other"), **ROUTE) == [
        ("api/unknown-reference", "spec.parentRefs[0].name")
    ]


def test_what_may_be_missing_is_no_fault() -> None:
    volume: JSON = {"name": "x", "secret": {"secretName": "other", "optional": True}}
    assert told("Deployment", op(f"{POD}/volumes/-", volume, "add")) == []
    root: JSON = {"name": "x", "configMap": {"name": "kube-root-ca.crt"}}
    assert told("Deployment", op(f"{POD}/volumes/-", root, "add")) == []


@pytest.mark.parametrize(
    ("kind", "merge", "rule", "path"),
    [
        ("Service", {"spec": {"selector": {"app": "x"}}}, "api/selects-nothing", "spec.selector"),
        ("Service", {"spec": {"selector": None}}, "api/selects-nothing", "spec.selector"),
        (
            "PodDisruptionBudget",
            {"spec": {"selector": {"matchLabels": {"a": "x"}}}},
            "api/selects-nothing",
            "spec.selector",
        ),
        ("PodDisruptionBudget", {"spec": {"selector": {"matchLabels": None}}}, "api/selects-others", "spec.selector"),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"scaleTargetRef": {"name": "x"}}},
            "api/unknown-scale-target",
            "spec.scaleTargetRef.name",
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"scaleTargetRef": {"kind": "StatefulSet"}}},
            "api/unknown-scale-target",
            "spec.scaleTargetRef.name",
        ),
        ("ServiceMonitor", {"spec": {"selector": {"matchLabels": {"a": "x"}}}}, "api/selects-nothing", "spec.selector"),
        (
            "NetworkPolicy",
            {"spec": {"podSelector": {"matchLabels": {"a": "x"}}}},
            "api/selects-nothing",
            "spec.podSelector",
        ),
        (
            "Service",
            {"spec": {"ports": [{"name": "x", "port": 1, "targetPort": "x"}]}},
            "api/unknown-port",
            "spec.ports[0].targetPort",
        ),
    ],
    ids=str,
)
def test_what_selects_or_scales_finds_its_pods(kind: str, merge: JSON, rule: str, path: str) -> None:
    patch: dict[str, JSON] = {"merge": merge, **({"name": "mcp-demo-netpol"} if kind == "NetworkPolicy" else {})}
    assert (rule, path) in told(kind, patch)


def test_a_set_without_a_governing_service() -> None:
    patch: dict[str, JSON] = {"merge": {"spec": {"serviceName": "other"}}}
    assert told("StatefulSet", patch, **STATEFUL) == [("api/unknown-service", "spec.serviceName")]


def test_pods_of_another_server() -> None:
    wide: JSON = {
        "kind": "Service",
        "merge": {"spec": {"selector": {"mcpctl.io/server": None, "mcpctl.io/managed": "true"}}},
    }
    output = rendered("kubernetes", spec("a", patches=[wide]), spec("b", package=PYPI, transport={"type": "stdio"}))
    problems = [problem for problem in errors_in(output.problems) if problem.rule == "api/selects-others"]
    assert [problem.path for problem in problems] == ["spec.selector"]
    assert "pods of server 'b' too" in problems[0].message


def _with(pattern: str, name: str) -> Any:
    """What has the name at the place that a pattern of the tables means."""
    step, _, rest = pattern.partition(".")
    inner = _with(rest, name) if rest else name
    return {step.removesuffix("[]"): [inner] if step.endswith("[]") else inner}


ROWS = [("Pod", f"spec.{pattern}", kind) for pattern, kind in references._POD_NAMES.items()]
ROWS += [(owner, pattern, kind) for owner, names in references._NAMES.items() for pattern, kind in names.items()]


@pytest.mark.parametrize(("owner", "pattern", "kind"), ROWS)
def test_each_row_of_the_tables(owner: str, pattern: str, kind: str) -> None:
    api = KINDS[owner].api_version
    document = {"apiVersion": api, "kind": owner, "metadata": {"name": "a", "namespace": "n"}, **_with(pattern, "x")}

    def found(*outside: tuple[str, str, str]) -> list[str]:
        faults = set_faults([document], [frozenset(outside)])
        return [dotted(fault.path) for _, fault in faults if fault.rule == "api/unknown-reference"]

    assert found() == [pattern.replace("[]", "[0]")]
    assert found((kind, "n" if KINDS[kind].namespaced else "", "x")) == []
