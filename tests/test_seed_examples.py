"""The example manifests of seeds/000 (namespace, RBAC, network policy, sample pod), from two specs."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import errors_in
from renderer.pipeline import read, render
from renderer.registry import target
from tests.fields import EXAMPLES
from tests.oracles import yaml_read
from tests.specs import OPTIONS

POD = "mcp-sample-pod"


@cache
def objects(name: str, version: str = OPTIONS.kubernetes_version) -> dict[tuple[str, str], Any]:
    """By kind and name."""
    options = OPTIONS._replace(kubernetes_version=version)
    output = render(read([str(EXAMPLES / f"{name}.yaml")]), target("kubernetes"), options)
    assert errors_in(output.problems) == []
    found = [yaml_read(document.text) for document in output.documents]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@pytest.mark.parametrize("name", ["sample-pod", "pod-manager"])
@pytest.mark.parametrize("version", kubernetes_versions())
def test_every_version_takes_them(name: str, version: str) -> None:
    assert objects(name, version)


def test_the_pod_stands_among_these() -> None:
    assert list(objects("sample-pod")) == [
        ("Namespace", OPTIONS.namespace),
        ("ServiceAccount", "default"),
        ("NetworkPolicy", "mcpctl-default-deny"),
        ("ServiceAccount", POD),
        ("NetworkPolicy", f"{POD}-netpol"),
        ("PersistentVolumeClaim", f"{POD}-models"),
        ("Service", POD),
        ("Pod", POD),
    ]


def test_the_pod() -> None:
    pod = objects("sample-pod")["Pod", POD]
    labels = pod["metadata"]["labels"]
    assert (labels["mcpctl.io/server"], labels["mcpctl.io/managed"]) == ("sample-pod", "true")
    names = ("name", "component", "managed-by")
    assert [labels[f"app.kubernetes.io/{name}"] for name in names] == [POD, "mcp-server", "mcpctl"]
    spec = pod["spec"]
    assert (spec["serviceAccountName"], spec["restartPolicy"]) == (POD, "Always")
    security = {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
    assert security.items() <= spec["securityContext"].items()
    (container,) = spec["containers"]
    assert container["name"] == "mcp-server"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].items() >= {"memory": "2Gi", "cpu": "1"}.items()


def test_the_gpu() -> None:
    spec = objects("sample-pod")["Pod", POD]["spec"]
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-H100-80GB-HBM3"]}
    ]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_the_network_policy() -> None:
    spec = objects("sample-pod")["NetworkPolicy", f"{POD}-netpol"]["spec"]
    assert spec["podSelector"] == {"matchLabels": {"mcpctl.io/server": "sample-pod"}}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = spec["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"mcpctl.io/component": "local-proxy"}}}]
    _, block, service = spec["egress"]
    assert block["to"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
    assert service["to"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "postgres"}}


def test_the_claim() -> None:
    claim = objects("sample-pod")["PersistentVolumeClaim", f"{POD}-models"]
    assert claim["metadata"]["annotations"] == {"mcpctl.io/purpose": "mcp-server-cache"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast-ssd",
        "resources": {"requests": {"storage": "20Gi"}},
    }
    (volume, *_) = objects("sample-pod")["Pod", POD]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": f"{POD}-models"}


def test_rights_are_given_to_the_one_account_and_in_the_one_namespace() -> None:
    found = objects("pod-manager")
    name = "mcp-pod-manager-sandbox"
    role, binding = found["Role", name], found["RoleBinding", name]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "mcp-pods"
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    account = found["ServiceAccount", "mcp-pod-manager"]["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    assert binding["subjects"] == [subject]
    assert {resource for rule in role["rules"] for resource in rule["resources"]} == {"pods", "pods/exec", "pods/log"}
