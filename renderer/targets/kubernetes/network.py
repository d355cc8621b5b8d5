"""What a NetworkPolicy can say of the spec's network, and what it cannot."""

from __future__ import annotations

from typing import Any

from renderer.errors import DocumentPath, Fault, Severity
from renderer.model import JSON, Egress, EgressCidr, EgressService, Options, Peer, Server

#: Addresses that a public host name never stands for (IANA's special-purpose registries). Clouds answer with a
#: machine's own credentials in 169.254.0.0/16, 100.64.0.0/10, 192.0.0.0/24 and at 168.63.129.16; 240.0.0.0/4 is
#: given to pods.
PRIVATE_V4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
)
PRIVATE_V6 = ("::1/128", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")
#: Endings of names that only the cluster's own DNS knows.
_INSIDE = (".svc", ".cluster.local")


def ingress_peers(server: Server) -> list[dict[str, JSON]]:
    """``from`` of the ingress rule; empty where nobody may connect."""
    if not server.listens:
        return []
    return [_peer(peer) for peer in server.network.ingress]


def exposed_to(server: Server) -> list[dict[str, JSON]]:
    """The ingress controller or gateway, where the spec names it."""
    return [_peer(peer) for peer in (server.expose.peers if server.expose else None) or ()]


def scraped_by(server: Server) -> list[dict[str, JSON]]:
    """Who reads the metrics, where the spec names it."""
    return [_peer(peer) for peer in (server.monitoring.peers if server.monitoring else None) or ()]


def _peer(peer: Peer) -> dict[str, JSON]:
    if peer.cidr:
        return {"ipBlock": {"cidr": peer.cidr}}
    result: dict[str, JSON] = {}
    if peer.namespace:
        result["namespaceSelector"] = _namespace(peer.namespace)
    if peer.pod_labels is not None:
        result["podSelector"] = {"matchLabels": dict(peer.pod_labels)}
    return result


def _namespace(name: str) -> dict[str, JSON]:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def hosts_not_enforced(server: Server) -> list[str]:
    """The hosts that the spec names: a NetworkPolicy can only open their ports."""
    egress = server.network.egress
    return [f"{host.name}:{host.port}" for host in egress.hosts] if egress else []


def egress_rules(server: Server) -> list[dict[str, Any]] | None:
    """The rules beside DNS, each ``{to, ports, comment}``; None where egress is unrestricted."""
    egress = server.network.egress
    if egress is None:
        return None
    return [*_host_rules(egress), *_cidr_rules(egress), *(_service_rule(s) for s in egress.services)]


def _host_rules(egress: Egress) -> list[dict[str, Any]]:
    if not egress.hosts:
        return []
    names = ", ".join(f"{host.name}:{host.port}" for host in egress.hosts)
    return [
        {
            "comment": f"NOT ENFORCED BY NAME: {names}. A NetworkPolicy knows no host names; these ports are open to "
            "every public address, and closed to private ones.",
            "to": [
                {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE_V4)}},
                {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_V6)}},
            ],
            "ports": _ports(sorted({host.port for host in egress.hosts})),
        }
    ]


def _cidr_rules(egress: Egress) -> list[dict[str, Any]]:
    return [
        {"comment": "", "to": [{"ipBlock": ip_block(block)}], "ports": _ports(block.ports)} for block in egress.cidrs
    ]


def ip_block(block: EgressCidr) -> dict[str, JSON]:
    """As an ``ipBlock`` and a rule of Cilium have it."""
    excepted: dict[str, JSON] = {"except": list(block.excepted)} if block.excepted else {}
    return {"cidr": block.cidr, **excepted}


def _service_rule(service: EgressService) -> dict[str, Any]:
    peer: dict[str, JSON] = {}
    if service.namespace:
        peer["namespaceSelector"] = _namespace(service.namespace)
    peer["podSelector"] = {"matchLabels": dict(service.pod_labels)}
    return {"comment": f"Service {service.name}", "to": [peer], "ports": _ports(service.ports)}


def _ports(ports: Any) -> list[JSON]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def network_limits(server: Server, options: Options) -> list[Fault]:
    """What nobody holds to. Told each time: nobody may believe in a rule that is not there."""
    provider, egress = options.network_policy_provider, server.network.egress
    if provider == "none":
        return [_isolates_nothing(server)]
    if egress is None or not egress.hosts:
        return []
    inside = [_stays_closed(i, host.name) for i, host in enumerate(egress.hosts) if _is_inside(host.name)]
    return inside if provider == "cilium" else [_not_by_name(), *inside]


def _not_by_name() -> Fault:
    return Fault(
        ("spec", "network", "egress", "hosts"),
        "kubernetes/egress-hosts",
        "host names are not enforced: a NetworkPolicy knows only addresses and ports, so these ports are open "
        "to every public address, and closed to private ones",
        "list address blocks under network.egress.cidrs where that is too wide, or use "
        "--network-policy-provider cilium",
        Severity.WARNING,
        at_key=True,
    )


def _is_inside(name: str) -> bool:
    return "." not in name or name.endswith(_INSIDE)


def _stays_closed(position: int, name: str) -> Fault:
    """Cilium knows pods by labels and never by name, and a NetworkPolicy opens public addresses for names."""
    return Fault(
        ("spec", "network", "egress", "hosts", position),
        "kubernetes/egress-host-inside",
        f"'{name}' is a name inside the cluster: no policy opens the way to pods by name, so it stays closed",
        "name the Service under network.egress.services",
        Severity.WARNING,
    )


def _isolates_nothing(server: Server) -> Fault:
    path: DocumentPath = ("spec", "network") if server.given("spec", "network") else ("metadata", "name")
    pods = "its pods and its sandboxed pods" if server.sandbox else "its pods"
    return Fault(
        path,
        "kubernetes/not-isolated",
        f"nothing is isolated: no network policy is rendered, so everybody may connect to {pods}, and they to anything",
        "use --network-policy-provider kubernetes or cilium, or keep policies of your own for them",
        Severity.WARNING,
        at_key=True,
    )
