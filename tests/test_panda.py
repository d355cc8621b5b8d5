"""The object table of seeds/004, from one spec: ``docs/examples/panda.yaml``."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import errors_in
from renderer.model import Options
from renderer.pipeline import Output, Specs, read, render, tree
from renderer.registry import target
from tests.fields import EXAMPLES
from tests.oracles import kubectl_read, yaml_read, yaml_read_all

OWN = "ethpandaops-mcp"
SANDBOX = "mcp-sandboxes"
OPTIONS = Options(OWN, "1.35", create_namespace=True)
#: Every object: kind, namespace (none for those of the cluster) and name.
TABLE = [
    ("Namespace", None, OWN),
    ("ServiceAccount", OWN, "default"),
    ("NetworkPolicy", OWN, "mcpctl-default-deny"),
    ("Namespace", None, SANDBOX),
    ("RuntimeClass", None, "gvisor"),
    ("ServiceAccount", SANDBOX, "default"),
    ("ServiceAccount", OWN, OWN),
    ("Role", SANDBOX, f"{OWN}-sandbox"),
    ("RoleBinding", SANDBOX, f"{OWN}-sandbox"),
    ("ClusterRole", None, f"{OWN}:{OWN}-sandbox"),
    ("ClusterRoleBinding", None, f"{OWN}:{OWN}-sandbox"),
    ("NetworkPolicy", SANDBOX, f"{OWN}-sandbox-deny"),
    ("NetworkPolicy", SANDBOX, f"{OWN}-sandbox-ingress"),
    ("NetworkPolicy", SANDBOX, f"{OWN}-sandbox-egress"),
    ("ResourceQuota", SANDBOX, f"{OWN}-sandbox"),
    ("LimitRange", SANDBOX, f"{OWN}-sandbox"),
    ("NetworkPolicy", OWN, f"{OWN}-netpol"),
    ("ConfigMap", OWN, f"{OWN}-files"),
    ("Service", OWN, OWN),
    ("Deployment", OWN, OWN),
    ("PodDisruptionBudget", OWN, OWN),
    ("HorizontalPodAutoscaler", OWN, OWN),
    ("Ingress", OWN, OWN),
    ("ServiceMonitor", OWN, OWN),
    ("PrometheusRule", OWN, OWN),
]


@cache
def specs() -> Specs:
    return read([str(EXAMPLES / "panda.yaml")])


def output(options: Options = OPTIONS) -> Output:
    return render(specs(), target("kubernetes"), options)


@cache
def objects() -> dict[tuple[str, str | None, str], Any]:
    found = [yaml_read(document.text) for document in output().documents]
    return {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]): o for o in found}


def one(kind: str, namespace: str | None = OWN, name: str = OWN) -> Any:
    return objects()[kind, namespace, name]


def pod() -> Any:
    return one("Deployment")["spec"]["template"]


def test_the_table() -> None:
    assert errors_in(output().problems) == []
    assert list(objects()) == TABLE


@pytest.mark.parametrize("version", kubernetes_versions())
def test_every_version_takes_it(version: str) -> None:
    assert errors_in(output(OPTIONS._replace(kubernetes_version=version)).problems) == []


def test_kubectl_reads_it() -> None:
    text = "".join(f"---\n{document.text}" for document in output().documents)
    read_back = kubectl_read(text)
    assert [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in read_back] == TABLE


@pytest.mark.parametrize("name", [OWN, SANDBOX])
def test_both_namespaces_are_restricted(name: str) -> None:
    labels = one("Namespace", None, name)["metadata"]["labels"]
    for mode in ("enforce", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "v1.35"


def test_rights_in_the_sandbox() -> None:
    rules = one("Role", SANDBOX, f"{OWN}-sandbox")["rules"]
    assert {rule["resources"][0]: rule["verbs"] for rule in rules} == {
        "pods": ["create", "get", "list", "watch", "delete"],
        "pods/exec": ["create"],
        "pods/log": ["get"],
    }
    for binding in (
        one("RoleBinding", SANDBOX, f"{OWN}-sandbox"),
        one("ClusterRoleBinding", None, f"{OWN}:{OWN}-sandbox"),
    ):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": OWN, "namespace": OWN}]
    (rule,) = one("ClusterRole", None, f"{OWN}:{OWN}-sandbox")["rules"]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (["namespaces"], [SANDBOX], ["get"])


def test_walls_of_the_sandbox() -> None:
    deny, ingress, egress = (
        one("NetworkPolicy", SANDBOX, f"{OWN}-sandbox-{name}")["spec"] for name in ("deny", "ingress", "egress")
    )
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert (deny["ingress"], deny["egress"]) == ([], [])
    ((peer,),) = [rule["from"] for rule in ingress["ingress"]]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": OWN}
    assert peer["podSelector"]["matchLabels"].items() <= pod()["metadata"]["labels"].items()
    ports = [[port["port"] for port in rule["ports"]] for rule in egress["egress"]]
    assert ports == [[53, 53], [443, 8443, 9000, 9090, 3100]]
    blocks = [ip_network(peer["ipBlock"]["cidr"]) for peer in egress["egress"][1]["to"]]
    left_out = [ip_network(text) for peer in egress["egress"][1]["to"] for text in peer["ipBlock"]["except"]]
    for address in ("10.1.2.3", "192.168.1.1", "203.0.113.1", "fd12::1", "2001:db8::1"):
        assert any(ip_address(address) in block for block in blocks), address
        assert not any(ip_address(address) in block for block in left_out), address
    for address in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fe80::a9fe:a9fe"):
        assert any(ip_address(address) in block for block in left_out), address


def test_quota_and_limits_of_the_sandbox() -> None:
    hard = one("ResourceQuota", SANDBOX, f"{OWN}-sandbox")["spec"]["hard"]
    sums = {f"{side}.{name}" for side in ("requests", "limits") for name in ("cpu", "memory", "ephemeral-storage")}
    assert set(hard) == {"pods", *sums}
    container, pod_ = one("LimitRange", SANDBOX, f"{OWN}-sandbox")["spec"]["limits"]
    assert {"default", "defaultRequest", "max", "min"} <= set(container)
    assert (pod_["type"], set(pod_["max"])) == ("Pod", {"cpu", "memory", "ephemeral-storage"})
    assert one("RuntimeClass", None, "gvisor")["handler"] == "runsc"


def test_the_config_is_mounted_and_a_change_restarts_the_pods() -> None:
    data = one("ConfigMap", OWN, f"{OWN}-files")["data"]
    assert yaml_read(data["config.yaml"])["sandbox"]["kubernetes"]["namespace"] == SANDBOX
    assert len(pod()["metadata"]["annotations"]["mcpctl.io/config-checksum"]) == 64
    assert any(m["mountPath"] == "/config/config.yaml" for m in pod()["spec"]["containers"][0]["volumeMounts"])


def test_the_deployment() -> None:
    spec = one("Deployment")["spec"]
    assert "replicas" not in spec
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    (term,) = pod()["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    (container,) = pod()["spec"]["containers"]
    assert pod()["spec"]["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] > 0
    assert {"readinessProbe", "livenessProbe"} <= set(container)
    assert container["envFrom"] == [{"secretRef": {"name": OWN}}]
    assert pod()["spec"]["automountServiceAccountToken"] is True
    assert [(port["name"]) for port in container["ports"]] == ["mcp", "metrics"]


def test_availability_and_scaling() -> None:
    assert one("PodDisruptionBudget")["spec"]["minAvailable"] == 2
    scaler = one("HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 10)
    targets = {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in scaler["metrics"]}
    assert targets == {"cpu": 70, "memory": 80}
    up, down = scaler["behavior"]["scaleUp"], scaler["behavior"]["scaleDown"]
    assert up["policies"] == [{"type": "Pods", "value": 2, "periodSeconds": 60}]
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    assert down["stabilizationWindowSeconds"] == 300


def test_the_way_in() -> None:
    assert [port["name"] for port in one("Service")["spec"]["ports"]] == ["mcp", "metrics"]
    ingress = one("Ingress")
    (tls,) = ingress["spec"]["tls"]
    assert tls == {"hosts": ["mcp.example.com"], "secretName": f"{OWN}-tls"}
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    (rule,) = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": OWN, "port": {"name": "mcp"}}


def test_monitoring() -> None:
    (endpoint,) = one("ServiceMonitor")["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")
    (group,) = one("PrometheusRule")["spec"]["groups"]
    alerts = {rule["alert"]: rule for rule in group["rules"]}
    assert list(alerts) == ["MCPServerDown", "MCPHighSessionCount", "MCPHighExecutionLatency", "MCPExecutionErrors"]
    assert alerts["MCPServerDown"]["for"] == "1m"
    assert alerts["MCPHighExecutionLatency"]["for"] == "10m"
    assert {port["name"]: port["port"] for port in one("Service")["spec"]["ports"]}["metrics"] == 2490
    ends = {"MCPHighSessionCount": "> 15", "MCPHighExecutionLatency": "> 30", "MCPExecutionErrors": "> 0.1"}
    for name, end in ends.items():
        assert alerts[name]["expr"].endswith(end)
    assert "histogram_quantile(0.95" in alerts["MCPHighExecutionLatency"]["expr"]


def test_secrets_and_lists_stand_beside() -> None:
    options = OPTIONS._replace(kustomization=True)
    found = {d.path: d.text for d in tree(specs(), output(), target("kubernetes"), options)}
    secrets = [document for document in yaml_read_all(found["panda/secret.yaml.example"]) if document]
    keys = {secret["metadata"]["name"]: secret["stringData"] for secret in secrets}
    assert list(keys) == [OWN, f"{OWN}-tls"]
    assert keys[OWN] == {}, "all keys arrive, whichever there are"
    assert keys[f"{OWN}-tls"] == {"tls.crt": "", "tls.key": ""}
    listed = yaml_read(found["panda/kustomization.yaml"])["resources"]
    shared = ["namespace.yaml", "serviceaccount.yaml", "networkpolicy.yaml"]
    assert len(listed) == len(TABLE) - len(shared)
    assert yaml_read(found["kustomization.yaml"])["resources"] == [*shared, "panda"]
