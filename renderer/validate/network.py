"""Rules of the network: what a server may reach, who may reach it, where it is published."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault
from renderer.launch import registries_out_of_reach
from renderer.model import Peer, Server


def packages_need_their_registry(server: Server) -> Iterator[Fault]:
    """npx and uvx download at the start, package and bridge: with no way to a registry the server never starts."""
    egress = server.network.egress
    if egress is None or egress.cidrs:
        return
    if missing := registries_out_of_reach(server):
        yield Fault(
            ("spec", "network", "egress"),
            "spec/package-without-registry",
            f"packages are downloaded at every start, and network.egress does not allow {' and '.join(missing)}",
            "add the missing hosts to network.egress.hosts, set a mirror in env, or build an image",
            at_key=True,
        )


def cidrs_are_blocks(server: Server) -> Iterator[Fault]:
    """A CIDR block has no host bits, and exceptions lie inside it."""
    egress = server.network.egress
    for i, block in enumerate(egress.cidrs if egress else ()):
        path: DocumentPath = ("spec", "network", "egress", "cidrs", i)
        outer, faults = _cidr(block.cidr, path)
        yield from faults
        for j, text in enumerate(block.excepted):
            inner, faults = _cidr(text, (*path, "except", j))
            yield from faults
            if outer and inner and (outer.version != inner.version or not inner.subnet_of(outer) or inner == outer):  # type: ignore[arg-type]
                yield Fault((*path, "except", j), "spec/cidr-except", f"{text} is not inside {block.cidr}", "remove it")
    for i, cidr in enumerate(server.sandbox.cidrs if server.sandbox else ()):
        yield from _cidr(cidr, ("spec", "sandbox", "egress", "cidrs", i))[1]


def peers_are_blocks(server: Server) -> Iterator[Fault]:
    """As of peers: in every list of who may connect."""
    lists: tuple[tuple[DocumentPath, tuple[Peer, ...] | None], ...] = (
        (("spec", "network", "ingress"), server.network.ingress),
        (("spec", "expose"), server.expose and server.expose.peers),
        (("spec", "monitoring"), server.monitoring and server.monitoring.peers),
    )
    for path, peers in lists:
        for i, peer in enumerate(peers or ()):
            if peer.cidr:
                yield from _cidr(peer.cidr, (*path, "from", i, "cidr"))[1]


def _cidr(text: str, path: DocumentPath) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network | None, list[Fault]]:
    """The network that a text stands for, and what is wrong with it."""
    try:
        return ipaddress.ip_network(text), []
    except ValueError:
        pass
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        hint = "write an address and a prefix length such as 10.0.0.0/8"
        return None, [Fault(path, "spec/cidr", f"'{text}' is not a CIDR block", hint)]
    return None, [Fault(path, "spec/cidr", f"'{text}' is not a CIDR block: it has host bits set", f"write {network}")]


def egress_hosts_are_names(server: Server) -> Iterator[Fault]:
    """What the schema's pattern lets through: an address, for which no rule of names holds, and a port of 0."""
    egress = server.network.egress
    for i, host in enumerate(egress.hosts if egress else ()):
        path = ("spec", "network", "egress", "hosts", i)
        if host.name.rpartition(".")[2].isdigit():
            message = f"'{host.name}' is an IP address, not a host name"
            hint = "write it under network.egress.cidrs: {cidr: 192.0.2.1/32, ports: [443]}"
            yield Fault(path, "spec/host-address", message, hint)
        if not 1 <= host.port <= 65535:
            yield Fault(path, "spec/host-port", f"port {host.port} is out of range", "write 1 to 65535")


def publish_address(server: Server) -> Iterator[Fault]:
    """The schema's pattern lets 999.1.1.1 through."""
    publish = server.network.publish
    if publish is None:
        return
    try:
        ipaddress.ip_address(publish.address)
    except ValueError:
        yield Fault(
            ("spec", "network", "publish", "address"),
            "spec/publish-address",
            f"'{publish.address}' is not an IP address",
            "write 127.0.0.1 for this machine only, or 0.0.0.0 for every network",
        )


RULES = (packages_need_their_registry, cidrs_are_blocks, peers_are_blocks, egress_hosts_are_names, publish_address)
