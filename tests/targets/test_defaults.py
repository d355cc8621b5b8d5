"""What a spec gets that says nothing: no way to cloud metadata in a cluster, and bounds in compose."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model import NetworkPolicyProvider
from renderer.pipeline import render
from renderer.registry import target
from tests.oracles import yaml_read
from tests.specs import OPTIONS, read_specs, spec

METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"]
METADATA += ["fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe"]
OTHERS = ["1.1.1.1", "10.0.0.1", "169.254.20.10", "168.63.129.17", "2606:4700::1111", "fd00::1"]


def policy(provider: NetworkPolicyProvider, **fields: Any) -> Any:
    options = OPTIONS._replace(network_policy_provider=provider)
    documents = render(read_specs(spec("demo", **fields)), target("kubernetes"), options).documents
    objects = [yaml_read(document.text) for document in documents]
    return next(
        o for o in objects if o["kind"].endswith("NetworkPolicy") and o["metadata"]["name"] == "mcp-demo-netpol"
    )


def blocks(rules: Any, *, ports: bool) -> list[Any]:
    peers = [
        peer
        for rule in rules
        if ("ports" in rule or "toPorts" in rule) is ports
        for peer in rule.get("to", rule.get("toCIDRSet", []))
    ]
    return [peer.get("ipBlock", peer) for peer in peers if "ipBlock" in peer or "cidr" in peer]


def reaches(rules: Any, address: str, *, ports: bool = False) -> bool:
    ip = ip_address(address)
    return any(
        ip in ip_network(block["cidr"]) and not any(ip in ip_network(hole) for hole in block.get("except", ()))
        for block in blocks(rules, ports=ports)
    )


@pytest.mark.parametrize("provider", ["kubernetes", "cilium"])
def test_without_a_word_on_egress_cloud_metadata_is_closed(provider: NetworkPolicyProvider) -> None:
    rules = policy(provider)["spec"]["egress"]
    assert [address for address in METADATA if reaches(rules, address)] == []
    assert [address for address in OTHERS if not reaches(rules, address)] == []
    # Those that answer DNS still do.
    assert [address for address in METADATA if reaches(rules, address, ports=True)] == [
        "169.254.169.254",
        "168.63.129.16",
    ]
    (dns,) = [rule for rule in rules if "ports" in rule or "toPorts" in rule]
    ports = dns["ports"] if "ports" in dns else dns["toPorts"][0]["ports"]
    assert {(str(port["port"]), port["protocol"]) for port in ports} == {("53", "UDP"), ("53", "TCP")}


def test_a_list_is_the_specs_own_word() -> None:
    fields: Any = {"network": {"egress": {"cidrs": [{"cidr": "169.254.169.254/32", "ports": [80]}]}}}
    assert reaches(policy("kubernetes", **fields)["spec"]["egress"], "169.254.169.254", ports=True)


@pytest.mark.levels
def test_compose_says_what_it_cannot_close() -> None:
    output = render(read_specs(spec("demo")), target("compose"), OPTIONS)
    assert "NOT ENFORCED: cloud metadata (169.254.169.254)" in output.documents[0].text.replace("\n    # ", " ")
    (problem,) = [problem for problem in output.problems if problem.rule == "policy/unrestricted-egress"]
    assert problem.severity is Severity.WARNING
    assert "169.254.169.254" in problem.message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"network": {"egress": {}}},
        {"network": {"egress": {"hosts": ["api.example.com:443"]}}},
        {"storage": [{"name": "a", "size": "1Gi", "mountPath": "/data"}]},
    ],
)
def test_every_service_of_compose_is_bounded(fields: dict[str, Any]) -> None:
    (document,) = render(
        read_specs(spec("demo", **fields)), target("compose"), OPTIONS._replace(one_stream=True)
    ).documents
    for service in yaml_read(document.text)["services"].values():
        assert service["deploy"]["resources"]["limits"]["pids"] == 1024
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def test_a_patch_sets_other_bounds() -> None:
    limits = {"resources": {"limits": {"pids": 4096}}}
    merge = {"deploy": limits, "logging": {"driver": "journald", "options": None}}
    fields: Any = {"patches": [{"target": "compose", "kind": "service", "merge": merge}]}
    output = render(read_specs(spec("demo", **fields)), target("compose"), OPTIONS._replace(one_stream=True))
    assert {problem.severity for problem in output.problems} <= {Severity.WARNING}
    service = yaml_read(output.documents[0].text)["services"]["mcp-demo"]
    assert (service["deploy"]["resources"]["limits"]["pids"], service["logging"]) == (4096, {"driver": "journald"})
