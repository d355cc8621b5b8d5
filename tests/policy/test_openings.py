"""What a patch opens to everybody, hands to somebody else, or takes down of a namespace's walls."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model import JSON, NetworkPolicyProvider
from tests.specs import HTTP, OPTIONS, rendered, spec

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
    plain = rendered("kubernetes", spec(**{**FIELDS, **more}), options=options).problems
    patched = rendered("kubernetes", spec(**{**FIELDS, **more}, patches=[patch]), options=options).problems
    return {p.rule for p in patched if p.severity is not Severity.ACCEPTED} - {p.rule for p in plain}


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


@pytest.mark.parametrize(("kind", "how", "name", "rule"), CASES, ids=str)
def test_what_a_patch_opens_is_found_and_accepted(kind: str, how: JSON, name: str, rule: str) -> None:
    assert rule in told(kind, how, name)
    policy = "policy/pod-security" if rule.startswith("pod-security/") else rule
    assert "policy/accepts-nothing" not in told(kind, how, name, accept=[{"rule": policy, "reason": "our own reason"}])


@pytest.mark.parametrize("ingress", [[{"fromEntities": ["world"]}], [{"fromCIDR": ["0.0.0.0/0"]}]], ids=str)
def test_what_a_patch_of_cilium_opens(ingress: JSON) -> None:
    assert OPEN in told("CiliumNetworkPolicy", {"spec": {"ingress": ingress}}, "", "cilium")
    assert OPEN not in told("CiliumNetworkPolicy", {"spec": {"ingress": [{}]}}, "", "cilium")


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
