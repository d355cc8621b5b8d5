"""Who enforces network rules: NetworkPolicies, CiliumNetworkPolicies with host names, or nobody, which is told."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import Severity, errors_in
from renderer.model import JSON, NetworkPolicyProvider
from tests.oracles import yaml_read
from tests.specs import IMAGE, OPTIONS, rendered, rules, spec, texts

CILIUM = OPTIONS._replace(network_policy_provider="cilium")
NONE = OPTIONS._replace(network_policy_provider="none")
PATH = "demo/ciliumnetworkpolicy.yaml"
SANDBOX: JSON = {"namespace": "boxes"}
DNS = 1

#: Under this label Cilium knows the namespace of a pod.
NAMESPACE = "k8s:io.kubernetes.pod.namespace"


def policy(**fields: JSON) -> Any:
    return yaml_read(texts("kubernetes", spec(**fields), options=CILIUM)[PATH])


def egress(**fields: JSON) -> list[Any]:
    """The rules after the one for DNS."""
    found: list[Any] = policy(network={"egress": fields})["spec"]["egress"]
    return found[DNS:]


def tcp(*ports: str) -> list[JSON]:
    return [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}]


@pytest.mark.parametrize(
    ("provider", "kind"), [("kubernetes", "NetworkPolicy"), ("cilium", "CiliumNetworkPolicy"), ("none", "")]
)
def test_each_provider_has_its_own_object(provider: Any, kind: str) -> None:
    assert provider in get_args(NetworkPolicyProvider)
    output = rendered("kubernetes", spec(), options=OPTIONS._replace(network_policy_provider=provider))
    kinds = [yaml_read(document.text)["kind"] for document in output.documents if "/" in document.path]
    assert [found for found in kinds if "Policy" in found] == ([kind] if kind else [])
    assert errors_in(output.problems) == []


@pytest.mark.parametrize("version", kubernetes_versions())
def test_every_version_takes_it(version: str) -> None:
    network: JSON = {"egress": {"hosts": ["a.example"], "cidrs": ["192.0.2.0/24"], "services": [{"name": "db"}]}}
    output = rendered("kubernetes", spec(network=network), options=CILIUM._replace(kubernetes_version=version))
    assert errors_in(output.problems) == []


def test_hosts_are_enforced_and_so_nothing_is_told() -> None:
    output = rendered("kubernetes", spec(network={"egress": {"hosts": ["a.example", "*.b.example"]}}), options=CILIUM)
    assert rules(output.problems) == []
    text = next(document.text for document in output.documents if document.path == PATH)
    assert "not-enforced" not in text
    assert "NOT ENFORCED" not in text
    assert "# A '*' stands for one label" in text


def test_hosts_are_names_and_patterns_by_port() -> None:
    hosts: JSON = ["b.example:8443", "a.example", "*.c.example"]
    assert egress(hosts=hosts) == [
        {"toFQDNs": [{"matchName": "a.example"}, {"matchPattern": "*.c.example"}], "toPorts": tcp("443")},
        {"toFQDNs": [{"matchName": "b.example"}], "toPorts": tcp("8443")},
    ]


@pytest.mark.parametrize("given", [{}, {"hosts": ["a.example"]}, {"cidrs": ["10.0.0.0/8"]}], ids=str)
def test_cilium_reads_the_answers_of_the_dns(given: JSON) -> None:
    dns = policy(network={"egress": given})["spec"]["egress"][0]
    assert [entry["matchLabels"]["k8s:k8s-app"] for entry in dns["toEndpoints"]] == ["kube-dns", "node-local-dns"]
    assert {entry["matchLabels"][NAMESPACE] for entry in dns["toEndpoints"]} == {"kube-system"}
    ((ports),) = dns["toPorts"]
    assert [(one["port"], one["protocol"]) for one in ports["ports"]] == [("53", "UDP"), ("53", "TCP")]
    assert ports["rules"] == {"dns": [{"matchPattern": "*"}]}


def test_unrestricted_egress_is_said_and_not_left_out() -> None:
    assert policy()["spec"]["egress"][0] == {"toEntities": ["cluster", "kube-apiserver"]}
    assert egress() == []


def test_blocks_keep_their_exceptions() -> None:
    blocks: JSON = ["192.0.2.0/24", {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"], "ports": [5432]}]
    assert egress(cidrs=blocks) == [
        {"toCIDRSet": [{"cidr": "192.0.2.0/24"}]},
        {"toCIDRSet": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}], "toPorts": tcp("5432")},
    ]


def test_a_server_with_a_sandbox_reaches_the_api_server_and_no_other_does() -> None:
    network: JSON = {"egress": {"cidrs": ["192.0.2.10/32"]}}
    api, block = policy(network=network, sandbox=SANDBOX)["spec"]["egress"][DNS:]
    assert api == {"toEntities": ["kube-apiserver"]}
    assert "toCIDRSet" in block
    assert "kube-apiserver" not in str(policy(network=network))


def test_a_list_of_ports_is_cut_where_it_is_too_long() -> None:
    (rule,) = egress(cidrs=[{"cidr": "10.0.0.0/8", "ports": list(range(1, 42))}])
    assert [len(part["ports"]) for part in rule["toPorts"]] == [40, 1]


def test_services_are_endpoints() -> None:
    assert egress(services=[{"name": "db", "namespace": "n", "ports": [5432]}, {"name": "q"}]) == [
        {"toEndpoints": [{"matchLabels": {NAMESPACE: "n", "app.kubernetes.io/name": "db"}}], "toPorts": tcp("5432")},
        {"toEndpoints": [{"matchLabels": {"app.kubernetes.io/name": "q"}}]},
    ]


def test_namespaces_by_their_labels() -> None:
    labels = "k8s:io.cilium.k8s.namespace.labels."
    everywhere = {"key": NAMESPACE, "operator": "Exists"}
    peers: JSON = [
        {"podLabels": {"a": "b"}, "namespaceLabels": {"c": "d"}},
        {"namespaceLabels": {"c": "d"}},
        {"namespaceLabels": {}},
        {"podLabels": {"a": "b"}, "namespaceLabels": {}},
    ]
    (rule,) = policy(network={"ingress": {"from": peers}})["spec"]["ingress"]
    assert rule["fromEndpoints"] == [
        {"matchLabels": {f"{labels}c": "d", "a": "b"}},
        {"matchLabels": {f"{labels}c": "d"}},
        {"matchLabels": {}, "matchExpressions": [everywhere]},
        {"matchLabels": {"a": "b"}, "matchExpressions": [everywhere]},
    ]
    services: JSON = [{"name": "db", "namespaceLabels": {"c": "d"}}]
    assert egress(services=services) == [
        {"toEndpoints": [{"matchLabels": {f"{labels}c": "d", "app.kubernetes.io/name": "db"}}]}
    ]


def test_pods_and_blocks_come_in_by_rules_of_their_own() -> None:
    """One rule with both would admit only pods that have such an address."""
    peers: JSON = [{"podLabels": {"a": "b"}}, {"cidr": "10.0.0.0/8"}, {"namespace": "n"}, {"podLabels": {}}]
    assert policy(network={"ingress": {"from": peers}})["spec"]["ingress"] == [
        {
            "fromEndpoints": [
                {"matchLabels": {"a": "b"}},
                {"matchLabels": {NAMESPACE: "n"}},
                {"matchLabels": {}},
            ],
            "toPorts": tcp("8080"),
        },
        {"fromCIDRSet": [{"cidr": "10.0.0.0/8"}], "toPorts": tcp("8080")},
    ]


@pytest.mark.parametrize(
    "fields",
    [{"network": {"ingress": {"from": []}}}, {"image": IMAGE, "transport": {"bridge": "none"}}],
    ids=["nobody", "nothing listens"],
)
def test_nobody_means_nobody(fields: dict[str, JSON]) -> None:
    """An empty list would mean to Cilium that everything is open."""
    assert policy(**fields)["spec"]["ingress"] == [{}]


def test_the_way_in_and_the_metrics_have_rules() -> None:
    ingress = policy(
        network={"ingress": {"from": []}},
        expose={"host": "a.example.com", "tls": {"secret": "t"}, "from": [{"namespace": "ingress-nginx"}]},
        monitoring={"port": 9090, "from": [{"namespace": "monitoring"}]},
    )["spec"]["ingress"]
    assert [(rule["fromEndpoints"][0]["matchLabels"][NAMESPACE], rule["toPorts"]) for rule in ingress] == [
        ("ingress-nginx", tcp("8080")),
        ("monitoring", tcp("9090")),
    ]


def test_none_is_told_for_each_server() -> None:
    documents = [spec(), spec("other", network={"egress": {"hosts": ["a.example"]}}), spec("third", sandbox=SANDBOX)]
    output = rendered("kubernetes", *documents, options=NONE)
    told = [problem for problem in output.problems if problem.rule == "kubernetes/not-isolated"]
    assert [(p.path, p.severity) for p in told] == [
        ("metadata.name", Severity.WARNING),
        ("spec.network", Severity.WARNING),
        ("metadata.name", Severity.WARNING),
    ]
    assert "sandboxed" in told[2].message
    assert errors_in(output.problems) == []
    assert "NetworkPolicy" not in "".join(document.text for document in output.documents)


def test_a_sandbox_keeps_its_policies_where_somebody_enforces_them() -> None:
    paths = texts("kubernetes", spec(sandbox=SANDBOX), options=CILIUM)
    assert len([path for path in paths if "sandbox-networkpolicy" in path]) == 3
