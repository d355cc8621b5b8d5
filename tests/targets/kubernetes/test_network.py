"""NetworkPolicies: what is open, and that what cannot be enforced is said."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from renderer.model import JSON, NetworkPolicyProvider
from tests.oracles import yaml_read
from tests.specs import IMAGE, OPTIONS, rendered, rules, spec, texts

#: IANA's special-purpose registries, and where clouds answer a machine about itself.
PRIVATE_V4 = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
]
PRIVATE_V6 = ["::1/128", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"]


def policy(**fields: JSON) -> str:
    return texts("kubernetes", spec(**fields))["demo/networkpolicy.yaml"]


def policy_spec(**fields: JSON) -> dict[str, Any]:
    return dict(yaml_read(policy(**fields))["spec"])


def egress(**fields: JSON) -> list[dict[str, Any]]:
    """The rules behind the one for DNS."""
    others: list[dict[str, Any]]
    _, *others = policy_spec(network={"egress": fields})["egress"]
    return others


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
        ({"namespaceLabels": {"a": "b"}}, {"namespaceSelector": {"matchLabels": {"a": "b"}}}),
        ({"namespaceLabels": {}}, {"namespaceSelector": {"matchLabels": {}}}),
        (
            {"podLabels": {"a": "b"}, "namespaceLabels": {"c": "d"}},
            {"namespaceSelector": {"matchLabels": {"c": "d"}}, "podSelector": {"matchLabels": {"a": "b"}}},
        ),
        ({"cidr": "10.0.0.0/8"}, {"ipBlock": {"cidr": "10.0.0.0/8"}}),
    ],
    ids=str,
)
def test_peers(peer: JSON, expected: dict[str, JSON]) -> None:
    assert policy_spec(network={"ingress": {"from": [peer]}})["ingress"][0]["from"] == [expected]


def test_nobody_connects_to_what_does_not_listen() -> None:
    assert policy_spec(image=IMAGE, transport={"bridge": "none"})["ingress"] == []


def test_nobody_means_nobody() -> None:
    """An empty 'from' in a NetworkPolicy would mean everybody."""
    text = policy(network={"ingress": {"from": []}})
    assert "  ingress: []\n" in text
    assert "from" not in text


def test_unrestricted_and_forbidden_are_different() -> None:
    everywhere, dns = policy_spec()["egress"]  # tests/targets/test_defaults.py has the addresses
    assert (everywhere["to"][0], "ports" in everywhere) == ({"namespaceSelector": {}}, False)
    assert {port["port"] for port in dns["ports"]} == {53}
    assert egress() == []


def test_hosts_open_their_ports_to_public_addresses_only() -> None:
    (rule,) = egress(hosts=["b.example:8443", "a.example", "c.example"])
    assert [port["port"] for port in rule["ports"]] == [443, 8443]
    v4, v6 = (peer["ipBlock"] for peer in rule["to"])
    assert v4 == {"cidr": "0.0.0.0/0", "except": PRIVATE_V4}
    assert v6 == {"cidr": "::/0", "except": PRIVATE_V6}
    text = policy(network={"egress": {"hosts": ["b.example:8443", "a.example", "c.example"]}})
    assert "b.example:8443, a.example:443, c.example:443" in text


def test_hosts_are_told_in_a_warning_an_annotation_and_a_comment() -> None:
    fields: dict[str, JSON] = {"network": {"egress": {"hosts": ["a.example", "*.b.example:8443"]}}}
    output = rendered("kubernetes", spec(**fields))
    assert rules(output.problems) == ["kubernetes/egress-hosts"]
    text = next(d.text for d in output.documents if d.path == "demo/networkpolicy.yaml")
    assert "mcpctl.io/egress-hosts-not-enforced: a.example:443,*.b.example:8443" in text.replace('"', "")
    assert "# NOT ENFORCED BY NAME: a.example:443, *.b.example:8443." in text


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
    (rule,) = egress(cidrs=[block])
    assert rule["to"] == [{"ipBlock": peer}]
    assert [port["port"] for port in rule.get("ports", ())] == ports
    assert all(port["protocol"] == "TCP" for port in rule.get("ports", ()))


def test_services_are_selected_by_labels() -> None:
    (rule,) = egress(services=[{"name": "db", "namespace": "n", "ports": [5432]}])
    assert rule["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "n"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "db"}},
        }
    ]
    assert rule["ports"] == [{"protocol": "TCP", "port": 5432}]


@pytest.mark.parametrize("egress", [{}, {"hosts": ["a.example"]}, {"cidrs": ["10.0.0.0/8"]}], ids=str)
def test_dns_is_open_whenever_egress_is_restricted(egress: JSON) -> None:
    text = policy(network={"egress": egress})
    assert "k8s-app: kube-dns" in text
    assert text.count("port: 53\n") == 2
    assert "- {}" not in text


@pytest.mark.parametrize("provider", ["kubernetes", "cilium"])
def test_a_name_inside_the_cluster_stays_closed_and_is_told(provider: NetworkPolicyProvider) -> None:
    names: JSON = ["db:5432", "db.data.svc:5432", "db.data.svc.cluster.local:5432", "api.example:443"]
    options = OPTIONS._replace(network_policy_provider=provider)
    output = rendered("kubernetes", spec(network={"egress": {"hosts": names}}), options=options)
    inside = [p.path for p in output.problems if p.rule == "kubernetes/egress-host-inside"]
    assert inside == [f"spec.network.egress.hosts[{i}]" for i in range(3)]


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "100.100.100.200", "127.0.0.1", "168.63.129.16", "169.254.169.254", "172.31.0.1", "192.0.0.192"),
        *("192.168.1.1", "198.18.0.1", "224.0.0.1", "240.1.1.1", "255.255.255.255", "0.0.0.0"),
        *("::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "64:ff9b:1::a9fe:a9fe"),
    ],
)
def test_what_is_not_public_is_closed_to_hosts(address: str) -> None:
    (rule,) = egress(hosts=["a.example"])
    blocks = [peer["ipBlock"] for peer in rule["to"]]
    one = ipaddress.ip_address(address)
    assert any(one in ipaddress.ip_network(block["cidr"]) for block in blocks)
    assert any(one in ipaddress.ip_network(excepted) for block in blocks for excepted in block["except"])


UDP: dict[str, JSON] = {
    "cidrs": [{"cidr": "10.0.0.0/24", "udpPorts": [161]}, {"cidr": "10.1.0.0/24", "ports": [22], "udpPorts": [161]}],
    "services": [{"name": "statsd", "udpPorts": [8125]}],
}


def test_udp_is_open_where_it_is_listed_and_tcp_is_not_then() -> None:
    assert [[(port["protocol"], port["port"]) for port in rule["ports"]] for rule in egress(**UDP)] == [
        [("UDP", 161)],
        [("TCP", 22), ("UDP", 161)],
        [("UDP", 8125)],
    ]
    options = OPTIONS._replace(network_policy_provider="cilium")
    text = texts("kubernetes", spec(network={"egress": UDP}), options=options)["demo/ciliumnetworkpolicy.yaml"]
    rules_of = [rule["toPorts"] for rule in yaml_read(text)["spec"]["egress"][1:]]
    assert [[(p["protocol"], p["port"]) for some in each for p in some["ports"]] for each in rules_of] == [
        [("UDP", "161")],
        [("TCP", "22"), ("UDP", "161")],
        [("UDP", "8125")],
    ]


def test_a_url_is_not_reached_by_udp() -> None:
    block: JSON = [{"cidr": "10.0.0.0/24", "udpPorts": [161]}]
    fields: dict[str, JSON] = {"env": {"URL": "http://10.0.0.5:80"}, "network": {"egress": {"cidrs": block}}}
    assert "spec/unreachable-url" in rules(rendered("kubernetes", spec(**fields)).problems)
