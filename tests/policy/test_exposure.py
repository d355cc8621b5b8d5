"""What a patch opens to everybody, hands to somebody else, or takes down of a namespace's walls."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model import JSON, NetworkPolicyProvider
from tests.specs import HTTP, OPTIONS, PYPI, rendered, spec

ENFORCE = "pod-security.kubernetes.io/enforce"
FIELDS: dict[str, Any] = {
    "image": f"registry.example.com/demo@sha256:{'a' * 64}",
    "transport": HTTP,
    "network": {"egress": {}},
    "access": "none",
    "sandbox": {"namespace": "pods"},
    "expose": {"host": "a.example", "from": [{"namespace": "ingress"}], "tls": {}},
}


def told(kind: str, how: JSON, name: str = "", provider: NetworkPolicyProvider = "kubernetes", **more: Any) -> set[str]:
    """Rules that fire with the patch, and not without."""
    options = OPTIONS._replace(network_policy_provider=provider)
    patch: dict[str, JSON] = {"kind": kind, "json" if isinstance(how, list) else "merge": how}
    patch |= {"name": name} if name else {}
    patched = rendered("kubernetes", spec(**{**FIELDS, **more}, patches=[patch]), options=options).problems
    more.pop("accept", None)  # without the patch it would accept nothing
    return {p.rule for p in patched if p.severity is not Severity.ACCEPTED} - without_patch(json.dumps(more), provider)


@cache
def without_patch(more: str, provider: NetworkPolicyProvider) -> set[str]:
    options = OPTIONS._replace(network_policy_provider=provider)
    return {p.rule for p in rendered("kubernetes", spec(**{**FIELDS, **json.loads(more)}), options=options).problems}


def put(path: str, value: JSON = None, op: str = "replace") -> JSON:
    return [{"op": op, "path": path, **({} if op == "remove" else {"value": value})}]


EVERYBODY: JSON = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}
OF_OTHERS: JSON = {"kind": "ServiceAccount", "name": "default", "namespace": "kube-system"}
PODS_OWN: JSON = {"kind": "ServiceAccount", "name": "default", "namespace": "pods"}
WIDE, WIDER, OPEN, LIMITS = (
    f"policy/{rule}" for rule in ("wide-rights", "cluster-wide-rights", "published-everywhere", "limits")
)
CASES: list[tuple[str, JSON, str, str]] = [
    ("NetworkPolicy", {"spec": {"ingress": [{}]}}, "mcp-demo-netpol", OPEN),
    ("NetworkPolicy", {"spec": {"ingress": [{"from": []}]}}, "mcp-demo-netpol", OPEN),
    ("NetworkPolicy", {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]}}, "mcp-demo-netpol", OPEN),
    ("NetworkPolicy", {"spec": {"policyTypes": ["Egress"]}}, "mcp-demo-netpol", OPEN),
    ("NetworkPolicy", {"spec": {"ingress": [{}]}}, "mcp-demo-sandbox-ingress", OPEN),
    ("Service", {"spec": {"type": "ExternalName", "externalName": "other.example"}}, "", OPEN),
    ("Ingress", put("/spec/rules/0/host", op="remove"), "", OPEN),
    ("Ingress", {"spec": {"defaultBackend": {"service": {"name": "mcp-demo", "port": {"name": "mcp"}}}}}, "", OPEN),
    ("RoleBinding", {"subjects": [OF_OTHERS]}, "", WIDE),
    ("RoleBinding", {"subjects": [PODS_OWN]}, "", WIDE),
    ("RoleBinding", put("/subjects/-", EVERYBODY, "add"), "", WIDE),
    ("ClusterRoleBinding", {"subjects": [EVERYBODY]}, "", WIDER),
    ("ClusterRoleBinding", put("/subjects/0/namespace", "kube-system"), "", WIDER),
    ("ClusterRole", {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}, "", WIDER),
    ("ClusterRole", {"metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}}}, "", WIDER),
    ("Ingress", {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/configuration-snippet": "x"}}}, "", WIDER),
    ("Ingress", {"metadata": {"annotations": {"nginx.org/server-snippets": "x"}}}, "", WIDER),
    ("Ingress", {"metadata": {"annotations": {"haproxy-ingress.github.io/config-backend": "x"}}}, "", WIDER),
    ("Namespace", {"metadata": {"labels": {ENFORCE: "privileged"}}}, "", "pod-security/namespace"),
    ("Namespace", {"metadata": {"labels": {ENFORCE: "baseline"}}}, "", "pod-security/namespace"),
    ("Namespace", {"metadata": {"labels": {ENFORCE: None}}}, "", "pod-security/namespace"),
    ("ServiceAccount", {"automountServiceAccountToken": True}, "default", "policy/service-account-token"),
    ("ServiceAccount", {"automountServiceAccountToken": None}, "default", "policy/service-account-token"),
    ("ResourceQuota", {"spec": {"hard": None}}, "", LIMITS),
    ("ResourceQuota", {"spec": {"hard": {"pods": None}}}, "", LIMITS),
    ("ResourceQuota", {"spec": {"scopes": ["BestEffort"]}}, "", LIMITS),
    ("LimitRange", {"spec": {"limits": []}}, "", LIMITS),
    ("LimitRange", put("/spec/limits/0/max", op="remove"), "", LIMITS),
]


VERSION = f"{ENFORCE}-version"
CASES += [
    ("Namespace", {"metadata": {"labels": {VERSION: version}}}, "", "pod-security/namespace")
    for version in ("v1.0", "v1.20", "v0.99", "1.99", "oldest", "")
]
CASES += [
    ("Namespace", {"metadata": {"labels": {ENFORCE: level}}}, "", "pod-security/namespace")
    for level in ("Restricted", "", "restricted ")
]


@pytest.mark.parametrize(("kind", "how", "name", "rule"), CASES, ids=str)
def test_what_a_patch_opens_is_found_and_accepted(kind: str, how: JSON, name: str, rule: str) -> None:
    assert rule in told(kind, how, name)
    policy = "policy/pod-security" if rule.startswith("pod-security/") else rule
    assert "policy/accepts-nothing" not in told(kind, how, name, accept=[{"rule": policy, "reason": "our own reason"}])


PASSED = "policy/guard-passed"
POD = "/spec/template/spec"
PORT = 8080
ORIGINS: JSON = {"origins": ["https://app.example.com"]}
GUARD_CASES: list[tuple[str, JSON, str]] = [
    ("Service", put("/spec/ports/0/targetPort", PORT), ""),
    ("Service", put("/spec/ports/0/targetPort", str(PORT)), ""),
    ("Service", put("/spec/ports/-", {"name": "own", "port": PORT}, "add"), ""),
    ("NetworkPolicy", put("/spec/ingress/0/ports/-", {"protocol": "TCP", "port": PORT}, "add"), "mcp-demo-netpol"),
    ("NetworkPolicy", put("/spec/ingress/0/ports/-", {"port": 1, "endPort": 65535}, "add"), "mcp-demo-netpol"),
    ("NetworkPolicy", put("/spec/ingress/0/ports/-", {"protocol": "TCP"}, "add"), "mcp-demo-netpol"),
    ("NetworkPolicy", put("/spec/ingress/0/ports", op="remove"), "mcp-demo-netpol"),
    ("Deployment", put(f"{POD}/initContainers", op="remove"), ""),
    ("Deployment", put(f"{POD}/initContainers/0/args/1", "/tmp/other.yaml"), ""),
    ("Deployment", put(f"{POD}/initContainers/0/command", ["sleep"], "add"), ""),
    ("Deployment", put(f"{POD}/hostNetwork", value=True, op="add"), ""),
    ("ConfigMap", {"data": {"guard.yaml": "static_resources: {}"}}, "mcp-demo-guard"),
]


@pytest.mark.parametrize(("kind", "how", "name"), GUARD_CASES, ids=str)
def test_a_patch_that_passes_the_guard_is_found_and_accepted(kind: str, how: JSON, name: str) -> None:
    assert PASSED in told(kind, how, name, access=ORIGINS)
    accept: JSON = [{"rule": PASSED, "reason": "our own reason"}]
    assert {PASSED, "policy/accepts-nothing"}.isdisjoint(told(kind, how, name, access=ORIGINS, accept=accept))


def test_a_patch_of_cilium_that_passes_the_guard() -> None:
    ports: JSON = [{"ports": [{"port": str(PORT), "protocol": "TCP"}]}]
    ingress: JSON = [{"fromEndpoints": [{"matchLabels": {"app": "a"}}], "toPorts": ports}]
    assert PASSED in told("CiliumNetworkPolicy", {"spec": {"ingress": ingress}}, "", "cilium", access=ORIGINS)


def test_a_server_on_loopback_is_passed_when_it_leaves_it() -> None:
    def of_package(kind: str, how: JSON, name: str = "") -> set[str]:
        fields = {name: value for name, value in FIELDS.items() if name not in ("image", "transport")}
        plain = {**fields, "package": PYPI, "network": {}, "access": ORIGINS}
        patch: JSON = {"kind": kind, "json": how, **({"name": name} if name else {})}
        before = {p.rule for p in rendered("kubernetes", spec(**plain)).problems}
        return {p.rule for p in rendered("kubernetes", spec(**plain, patches=[patch])).problems} - before

    assert PASSED in of_package("Deployment", put(f"{POD}/containers/0/args/1", "0.0.0.0"))
    assert PASSED not in of_package("Deployment", put(f"{POD}/containers/0/args/-", "--verbose", "add"))
    assert PASSED not in of_package("NetworkPolicy", put("/spec/ingress/0/ports", op="remove"), "mcp-demo-netpol")


@pytest.mark.parametrize(
    ("merge", "passes"),
    [
        ({"ports": ["127.0.0.1:9999:8080"]}, True),
        ({"networks": {"mcpctl-network": {}}}, True),
        ({"stop_grace_period": "45s"}, False),
        ({"networks": {"mcp-demo.internal": {"priority": 1}}}, False),
    ],
    ids=str,
)
def test_a_patch_of_compose_that_passes_the_guard(merge: JSON, passes: bool) -> None:
    patch: JSON = {"target": "compose", "kind": "service", "name": "mcp-demo", "merge": merge}
    networks: list[JSON] = [{}, {"egress": {}}]
    for network in networks:
        fields = {"image": FIELDS["image"], "transport": HTTP, "access": ORIGINS, "network": network}
        problems = rendered("compose", spec(**fields, patches=[patch])).problems
        assert (PASSED in {p.rule for p in problems}) == passes


@pytest.mark.parametrize("ingress", [[{"fromEntities": ["world"]}], [{"fromCIDR": ["0.0.0.0/0"]}]], ids=str)
def test_what_a_patch_of_cilium_opens(ingress: JSON) -> None:
    assert OPEN in told("CiliumNetworkPolicy", {"spec": {"ingress": ingress}}, "", "cilium")
    assert OPEN not in told("CiliumNetworkPolicy", {"spec": {"ingress": [{}]}}, "", "cilium")


CLAIM: dict[str, JSON] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SNAPSHOT: JSON = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "other"}
TAKEN: list[dict[str, JSON]] = [
    {"dataSource": {"kind": "PersistentVolumeClaim", "name": "mcp-other-data"}},
    {"dataSource": SNAPSHOT},
    {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "other", "namespace": "theirs"}},
    {"dataSourceRef": SNAPSHOT},
    {"volumeName": "pv-1"},
    {"selector": {"matchLabels": {"a": "b"}}},
    {"selector": {}},
]
DATA = "policy/data-of-others"
STORED: dict[str, Any] = {"storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}]}


@pytest.mark.parametrize("taken", TAKEN, ids=str)
def test_data_of_others_through_a_claim(taken: dict[str, JSON]) -> None:
    template: JSON = [
        {"op": "add", "path": f"/spec/volumeClaimTemplates/0/spec/{k}", "value": v} for k, v in taken.items()
    ]
    ephemeral: JSON = {"name": "x", "ephemeral": {"volumeClaimTemplate": {"spec": {**CLAIM, **taken}}}}
    accept: JSON = [{"rule": DATA, "reason": "our own reason"}]
    cases: list[tuple[str, JSON, dict[str, Any]]] = [
        ("PersistentVolumeClaim", {"spec": taken}, STORED),
        ("StatefulSet", template, {**STORED, "workload": "StatefulSet"}),
        ("Deployment", put("/spec/template/spec/volumes/-", ephemeral, "add"), STORED),
    ]
    for kind, how, more in cases:
        assert told(kind, how, **more) == {DATA}
        assert told(kind, how, **more, accept=accept) == set()


def test_data_of_others_through_a_claim_that_is_there() -> None:
    other: JSON = {"name": "x", "persistentVolumeClaim": {"claimName": "mcp-other-data"}}
    own: JSON = {"name": "x", "persistentVolumeClaim": {"claimName": "mcp-demo-data"}}
    meant: JSON = [{"name": "d", "existingClaim": "theirs", "mountPath": "/d"}]
    assert DATA in told("Deployment", put("/spec/template/spec/volumes/-", other, "add"), **STORED)
    assert DATA in told(
        "Deployment", put("/spec/template/spec/volumes/0/persistentVolumeClaim/claimName", "x"), **STORED
    )
    assert told("Deployment", put("/spec/template/spec/volumes/-", own, "add"), **STORED) == set()
    again: JSON = {"name": "x", "persistentVolumeClaim": {"claimName": "theirs"}}
    assert DATA not in told("Deployment", put("/spec/template/spec/volumes/-", again, "add"), storage=meant)
    assert told("PersistentVolumeClaim", {"spec": {"volumeMode": "Filesystem", "volumeName": ""}}, **STORED) == set()


def test_what_a_namespace_may_say_of_pod_security() -> None:
    for name, value in ((VERSION, None), (VERSION, "latest"), (VERSION, "v1.99"), (f"{ENFORCE[:-7]}warn", None)):
        assert told("Namespace", {"metadata": {"labels": {name: value}}}) == set()


def test_what_is_within_bounds_is_not() -> None:
    assert OPEN not in told(
        "NetworkPolicy", {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}}, "mcp-demo-netpol"
    )
    assert LIMITS not in told("ResourceQuota", {"spec": {"hard": {"pods": "3"}}})
    assert WIDER not in told(
        "Ingress", {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"}}}
    )
    assert "policy/service-account-token" not in told(
        "ServiceAccount", {"metadata": {"annotations": {"a.example/b": "c"}}}
    )


def test_the_same_through_fields() -> None:
    label = {"labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}
    note = {"nginx.ingress.kubernetes.io/server-snippet": "x"}
    expose = {**FIELDS["expose"], "annotations": note}
    for metadata, fields, path in (
        (label, {}, 'metadata.labels["rbac.authorization.k8s.io/aggregate-to-view"]'),
        ({"annotations": note}, {}, 'metadata.annotations["nginx.ingress.kubernetes.io/server-snippet"]'),
        ({}, {"expose": expose}, 'spec.expose.annotations["nginx.ingress.kubernetes.io/server-snippet"]'),
    ):
        problems = rendered("kubernetes", spec("demo", metadata, **{**FIELDS, **fields})).problems  # type: ignore[arg-type]
        assert [p.path for p in problems if p.rule == WIDER] == [path]
