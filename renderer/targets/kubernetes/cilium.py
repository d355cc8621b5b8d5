"""What a CiliumNetworkPolicy says of the spec's network: all of it, host names included.

After the API reference of ``cilium.io/v2`` (https://docs.cilium.io/en/stable/security/policy/). Selectors without
the label of a namespace mean the policy's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from renderer.model import JSON, Egress, EgressHost, EgressService, Peer, Server
from renderer.targets.kubernetes.network import ip_block

#: Under this label Cilium knows the namespace of a pod.
NAMESPACE = "k8s:io.kubernetes.pod.namespace"
#: As many ports as one list of an API server takes.
_MOST_PORTS = 40


def cilium_view(server: Server) -> dict[str, Any]:
    """``ingress`` and ``egress`` rules, each ``{comment, field, peers, ports}``; no egress (None) is unrestricted."""
    egress = server.network.egress
    if egress is None:
        return {"ingress": _ingress(server), "egress": None}
    return {"ingress": _ingress(server), "egress": [*_api_rule(server), *_egress(egress)]}


def _rule(field: str, peers: list[JSON], ports: Sequence[int], comment: str = "") -> dict[str, Any]:
    return {"comment": comment, "field": field, "peers": peers, "ports": _ports(ports)}


def _ports(ports: Sequence[int]) -> list[JSON]:
    """``toPorts``; empty means every port."""
    entries: list[JSON] = [{"port": str(port), "protocol": "TCP"} for port in ports]
    return [{"ports": entries[i : i + _MOST_PORTS]} for i in range(0, len(entries), _MOST_PORTS)]


def _ingress(server: Server) -> list[dict[str, Any]]:
    port = server.transport.port
    rules = _from(server.network.ingress, port) if server.listens else []
    if server.expose:
        rules += _from(server.expose.peers or (), port, "Clients outside of the cluster come through these.")
    if server.monitoring:
        comment = "Prometheus reads the metrics, and nothing else."
        rules += _from(server.monitoring.peers or (), server.monitoring.port, comment)
    return rules


def _from(peers: Sequence[Peer], port: int, comment: str = "") -> list[dict[str, Any]]:
    """Pods and address blocks stand in rules of their own: one rule means both at once."""
    pods: list[JSON] = [_endpoints(peer.pod_labels or {}, peer.namespace) for peer in peers if not peer.cidr]
    blocks: list[JSON] = [{"cidr": peer.cidr} for peer in peers if peer.cidr]
    given = {"fromEndpoints": pods, "fromCIDRSet": blocks}
    return [_rule(field, found, [port], comment) for field, found in given.items() if found]


def _endpoints(labels: Any, namespace: str | None) -> dict[str, JSON]:
    place = {NAMESPACE: namespace} if namespace else {}
    return {"matchLabels": {**place, **labels}}


def _egress(egress: Egress) -> list[dict[str, Any]]:
    return [*_host_rules(egress.hosts), *_cidr_rules(egress), *(_service_rule(one) for one in egress.services)]


def _api_rule(server: Server) -> list[dict[str, Any]]:
    """A server with a sandbox starts its pods through the API server, which no block of addresses stands for here."""
    if server.sandbox is None:
        return []
    comment = "The Kubernetes API, through which it starts its pods. Cilium knows it by this name."
    return [_rule("toEntities", ["kube-apiserver"], [], comment)]


def _host_rules(hosts: Sequence[EgressHost]) -> list[dict[str, Any]]:
    """One for each port, in their order."""
    rules = []
    for port in sorted({host.port for host in hosts}):
        names: list[JSON] = [_name(host.name) for host in hosts if host.port == port]
        wild = any(host.name.startswith("*.") for host in hosts if host.port == port)
        comment = "A '*' stands for one label: a.b.example.com is not in *.example.com." if wild else ""
        rules.append(_rule("toFQDNs", names, [port], comment))
    return rules


def _name(name: str) -> dict[str, JSON]:
    return {"matchPattern" if name.startswith("*.") else "matchName": name}


def _cidr_rules(egress: Egress) -> list[dict[str, Any]]:
    rules = []
    for block in egress.cidrs:
        comment = "Addresses outside of the cluster: Cilium knows pods and nodes by their labels, not by addresses."
        rules.append(_rule("toCIDRSet", [ip_block(block)], block.ports, comment))
    return rules


def _service_rule(service: EgressService) -> dict[str, Any]:
    pods: list[JSON] = [_endpoints(service.pod_labels, service.namespace)]
    return _rule("toEndpoints", pods, service.ports, f"Service {service.name}")
