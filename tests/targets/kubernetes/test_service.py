"""The Service, and what follows its ports: ways in, network policies, the container."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.model import JSON, NetworkPolicyProvider
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, rules, spec, texts

ROUTE: JSON = {"type": "HTTPRoute", "host": "mcp.example.com", "gateway": {"name": "public"}, "from": []}
ADMIN: dict[str, JSON] = {"name": "admin", "port": 81, "targetPort": 9000}


def objects(provider: NetworkPolicyProvider = "kubernetes", /, **fields: JSON) -> dict[str, Any]:
    """Kind to object."""
    options = OPTIONS._replace(network_policy_provider=provider)
    found = [yaml_read(text) for text in texts("kubernetes", spec(**fields), options=options).values()]
    return {one["kind"]: one for one in found}


def test_the_port_leads_to_the_container_and_routes_follow() -> None:
    found = objects(service={"port": 80}, expose=ROUTE)
    (port,) = found["Service"]["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["appProtocol"]) == (80, "mcp", "http")
    assert found["HTTPRoute"]["spec"]["rules"][0]["backendRefs"] == [{"name": "mcp-demo", "port": 80}]
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "mcp", "containerPort": 8080, "protocol": "TCP"}]
    ingress = objects(service={"port": 80}, expose={"host": "a.example.com", "from": []})["Ingress"]
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] == {"name": "mcp"}


def test_type_annotations_and_protocol() -> None:
    service = objects(
        service={
            "type": "LoadBalancer",
            "nodePort": 30080,
            "sourceRanges": ["203.0.113.0/24"],
            "appProtocol": "agentgateway.dev/mcp",
            "annotations": {"example.com/a": "b"},
        }
    )["Service"]
    assert service["metadata"]["annotations"] == {"example.com/a": "b"}
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]
    (port,) = service["spec"]["ports"]
    assert (port["nodePort"], port["appProtocol"]) == (30080, "agentgateway.dev/mcp")


@pytest.mark.parametrize("provider", ["kubernetes", "cilium"])
def test_further_ports_are_open_to_the_peers_of_the_server_and_to_nobody_else(provider: NetworkPolicyProvider) -> None:
    monitoring: JSON = {"port": 9090, "from": [{"namespace": "monitoring"}]}
    also: JSON = {"name": "http", "port": 8888, "targetPort": 8080}
    found = objects(provider, service={"ports": [ADMIN, also]}, monitoring=monitoring)
    assert found["Service"]["spec"]["ports"][-2:] == [
        {"name": "admin", "port": 81, "targetPort": 9000, "protocol": "TCP"},
        {"name": "http", "port": 8888, "targetPort": 8080, "protocol": "TCP"},
    ]
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [8080, 9090, 9000]
    if provider == "kubernetes":
        own, scraped = (rule["ports"] for rule in found["NetworkPolicy"]["spec"]["ingress"])
        assert [port["port"] for port in own] == ["mcp", 9000]
        assert [port["port"] for port in scraped] == ["metrics"]
    else:
        own, scraped = (rule["toPorts"][0]["ports"] for rule in found["CiliumNetworkPolicy"]["spec"]["ingress"])
        assert [port["port"] for port in own] == ["8080", "9000"]
        assert [port["port"] for port in scraped] == ["9090"]


def test_a_port_that_the_container_has_already_is_not_declared_twice() -> None:
    metrics: JSON = {"name": "again", "port": 91, "targetPort": 9090}
    found = objects(service={"ports": [metrics]}, monitoring={"port": 9090, "from": []})
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [8080, 9090]


def test_clients_from_outside_must_be_admitted() -> None:
    service: JSON = {"type": "LoadBalancer", "sourceRanges": ["203.0.113.0/24"]}
    admitted: JSON = {"ingress": {"from": [{"cidr": "203.0.113.0/24"}]}}
    rule = "kubernetes/service-not-admitted"
    assert rules(rendered("kubernetes", spec(service=service)).problems) == [rule]
    assert rules(rendered("kubernetes", spec(service=service, network=admitted)).problems) == []


def test_compose_says_that_it_has_none() -> None:
    assert rules(rendered("compose", spec(service={"port": 80}, health={"enabled": False})).problems) == [
        "compose/not-rendered"
    ]


def test_annotations_of_one_kind_are_on_its_objects_alone() -> None:
    own: JSON = {"Pod": {"a": "pod"}, "Deployment": {"a": "own"}, "PersistentVolumeClaim": {"b": "c"}}
    document = spec(
        "demo",
        {"annotations": {"a": "all"}},
        annotations=own,
        storage=[{"name": "d", "size": "1Gi", "mountPath": "/d"}],
        serviceAccount={"annotations": {"a": "account"}},
    )
    found = {one["kind"]: one for text in texts("kubernetes", document).values() for one in [yaml_read(text)]}
    notes = {kind: one["metadata"].get("annotations", {}) for kind, one in found.items() if kind != "Namespace"}
    assert {kind: each["a"] for kind, each in notes.items()} == {
        "ServiceAccount": "account",
        "NetworkPolicy": "all",
        "PersistentVolumeClaim": "all",
        "Service": "all",
        "Deployment": "own",
    }
    assert notes["PersistentVolumeClaim"]["b"] == "c"
    assert "b" not in notes["Deployment"]
    assert found["Deployment"]["spec"]["template"]["metadata"]["annotations"] == {"a": "pod"}


@pytest.mark.parametrize("kind", ["StatefulSet", "ServiceMonitor", "PersistentVolumeClaim"])
def test_annotations_of_nothing_are_told(kind: str) -> None:
    problems = rendered("kubernetes", spec(annotations={kind: {"a": "b"}}, network={"egress": {}})).problems
    assert "kubernetes/annotation-of-nothing" in rules(problems)
    assert "compose/not-rendered" in rules(rendered("compose", spec(annotations={kind: {"a": "b"}})).problems)


def test_a_claim_template_takes_no_annotations() -> None:
    storage: JSON = [{"name": "d", "size": "1Gi", "mountPath": "/d"}]
    fields: dict[str, JSON] = {"annotations": {"PersistentVolumeClaim": {"a": "b"}}, "storage": storage}
    (told,) = [
        problem.message
        for problem in rendered("kubernetes", spec(workload="StatefulSet", **fields)).problems
        if problem.rule == "kubernetes/annotation-of-nothing"
    ]
    assert told == "not rendered: the claim templates of a StatefulSet never change"
