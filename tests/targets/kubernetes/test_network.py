"""NetworkPolicies: what is open, and that what cannot be enforced is said."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from renderer.model import JSON
from renderer.targets.kubernetes.network import (
    PRIVATE_V4,
    PRIVATE_V6,
    egress_rules,
    hosts_not_enforced,
    ingress_peers,
)
from tests.specs import IMAGE, rendered, rules, server, spec, texts


def egress(**fields: JSON) -> list[dict[str, Any]] | None:
    return egress_rules(server(network={"egress": fields}))


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ({"podLabels": {"a": "b"}}, {"podSelector": {"matchLabels": {"a": "b"}}}),
        ({"podLabels": {}}, {"podSelector": {"matchLabels": {}}}),
        ({"namespace": "n"}, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "n"}}}),
        (
            {"podLabels": {"a": "b"}, "namespace": "n"},
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "n"}},
                "podSelector": {"matchLabels": {"a": "b"}},
            },
        ),
        ({"cidr": "10.0.0.0/8"}, {"ipBlock": {"cidr": "10.0.0.0/8"}}),
    ],
    ids=str,
)
def test_peers(peer: JSON, expected: dict[str, JSON]) -> None:
    assert ingress_peers(server(network={"ingress": {"from": [peer]}})) == [expected]


def test_nobody_connects_to_what_does_not_listen() -> None:
    assert ingress_peers(server(image=IMAGE, transport={"bridge": "none"})) == []


def test_nobody_means_nobody() -> None:
    """An empty 'from' in a NetworkPolicy would mean everybody."""
    policy = texts("kubernetes", spec(network={"ingress": {"from": []}}))["demo/networkpolicy.yaml"]
    assert "  ingress: []\n" in policy
    assert "from" not in policy


def test_unrestricted_and_forbidden_are_different() -> None:
    assert egress_rules(server()) is None
    assert egress() == []


def test_hosts_open_their_ports_to_public_addresses_only() -> None:
    (rule,) = egress(hosts=["b.example:8443", "a.example", "c.example"]) or []
    assert [port["port"] for port in rule["ports"]] == [443, 8443]
    v4, v6 = (peer["ipBlock"] for peer in rule["to"])
    assert v4 == {"cidr": "0.0.0.0/0", "except": list(PRIVATE_V4)}
    assert v6 == {"cidr": "::/0", "except": list(PRIVATE_V6)}
    assert "b.example:8443, a.example:443, c.example:443" in rule["comment"]


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "169.254.169.254", "192.168.0.1", "172.31.0.1", "127.0.0.1", "fd00::1"]
)
def test_private_addresses_stay_closed(address: str) -> None:
    found = ipaddress.ip_address(address)
    assert any(found in ipaddress.ip_network(block) for block in (*PRIVATE_V4, *PRIVATE_V6))


def test_hosts_are_told_in_a_warning_an_annotation_and_a_comment() -> None:
    fields: dict[str, JSON] = {"network": {"egress": {"hosts": ["a.example", "*.b.example:8443"]}}}
    assert hosts_not_enforced(server(**fields)) == ["a.example:443", "*.b.example:8443"]
    output = rendered("kubernetes", spec(**fields))
    assert rules(output.problems) == ["kubernetes/egress-hosts"]
    policy = next(d.text for d in output.documents if d.path.endswith("networkpolicy.yaml"))
    assert "mcpctl.io/egress-hosts-not-enforced: a.example:443,*.b.example:8443" in policy.replace('"', "")
    assert "# NOT ENFORCED BY NAME: a.example:443, *.b.example:8443." in policy


@pytest.mark.parametrize(
    ("block", "peer", "ports"),
    [
        ("10.0.0.0/8", {"cidr": "10.0.0.0/8"}, []),
        ({"cidr": "10.0.0.0/8", "ports": [2, 1]}, {"cidr": "10.0.0.0/8"}, [2, 1]),
        (
            {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]},
            {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]},
            [],
        ),
    ],
    ids=str,
)
def test_cidrs(block: JSON, peer: JSON, ports: list[int]) -> None:
    (rule,) = egress(cidrs=[block]) or []
    assert rule["to"] == [{"ipBlock": peer}]
    assert [port["port"] for port in rule["ports"]] == ports
    assert all(port["protocol"] == "TCP" for port in rule["ports"])


def test_services_are_selected_by_labels() -> None:
    (rule,) = egress(services=[{"name": "db", "namespace": "n", "ports": [5432]}]) or []
    assert rule["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "n"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "db"}},
        }
    ]
    assert rule["ports"] == [{"protocol": "TCP", "port": 5432}]


@pytest.mark.parametrize("egress", [{}, {"hosts": ["a.example"]}, {"cidrs": ["10.0.0.0/8"]}], ids=str)
def test_dns_is_open_whenever_egress_is_restricted(egress: JSON) -> None:
    policy = texts("kubernetes", spec(network={"egress": egress}))["demo/networkpolicy.yaml"]
    assert "k8s-app: kube-dns" in policy
    assert policy.count("port: 53\n") == 2
    assert "- {}" not in policy
