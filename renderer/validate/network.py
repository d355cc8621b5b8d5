"""Rules of the network of one server: what it may reach, who may reach it, where it is published."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from renderer.errors import Fault
from renderer.launch import registries_out_of_reach
from renderer.model import Server


def packages_need_their_registry(server: Server) -> Iterator[Fault]:
    """npx and uvx download at the start, package and bridge: with no way to a registry the server never starts."""
    egress = server.network.egress
    if egress is None or egress.cidrs:
        return
    missing = registries_out_of_reach(server)
    if missing:
        yield Fault(
            ("spec", "network", "egress"),
            "spec/package-without-registry",
            f"packages are downloaded at every start, but {' and '.join(missing)} may not be reached",
            "add the missing hosts under network.egress.hosts, name a mirror in env, or build an image",
            at_key=True,
        )


def cidrs_are_blocks(server: Server) -> Iterator[Fault]:
    """An address block has no host bits, and exceptions lie inside it."""
    egress = server.network.egress
    for i, block in enumerate(egress.cidrs if egress else ()):
        where = ("spec", "network", "egress", "cidrs", i)
        outer, faults = address_block(block.cidr, where)
        yield from faults
        for j, text in enumerate(block.excepted):
            inner, faults = address_block(text, (*where, "except", j))
            yield from faults
            if outer and inner and (outer.version != inner.version or not inner.subnet_of(outer) or inner == outer):  # type: ignore[arg-type]
                outside = f"{text} does not lie inside {block.cidr}"
                yield Fault((*where, "except", j), "spec/cidr-except", outside, "remove it")
    for i, peer in enumerate(server.network.ingress):
        if peer.cidr:
            yield from address_block(peer.cidr, ("spec", "network", "ingress", "from", i, "cidr"))[1]


def address_block(
    text: str, where: tuple[str | int, ...]
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network | None, list[Fault]]:
    """The network that a text stands for, and what is wrong with it."""
    try:
        return ipaddress.ip_network(text), []
    except ValueError:
        pass
    try:
        hint = f"write {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        hint = "write an address block such as 10.0.0.0/8"
    return None, [Fault(where, "spec/cidr", f"'{text}' is not an address block", hint)]


def egress_hosts_are_names(server: Server) -> Iterator[Fault]:
    """What the schema's pattern lets through: an address, for which no rule of names holds, and a port of 0."""
    egress = server.network.egress
    for i, host in enumerate(egress.hosts if egress else ()):
        if host.name.rpartition(".")[2].isdigit():
            yield Fault(
                ("spec", "network", "egress", "hosts", i),
                "spec/host-address",
                f"'{host.name}' is an address and no host name",
                "write it under network.egress.cidrs, as a block: {cidr: 192.0.2.1/32, ports: [443]}",
            )
        if not 1 <= host.port <= 65535:
            yield Fault(
                ("spec", "network", "egress", "hosts", i),
                "spec/host-port",
                f"{host.port} is not a port",
                "write 1 to 65535",
            )


def publish_address(server: Server) -> Iterator[Fault]:
    """The schema's pattern lets 999.1.1.1 through."""
    address = server.network.publish.address
    try:
        ipaddress.ip_address(address)
    except ValueError:
        yield Fault(
            ("spec", "network", "publish", "address"),
            "spec/publish-address",
            f"'{address}' is not an IP address",
            "write 127.0.0.1 for this machine only, or 0.0.0.0 for every network",
        )


NETWORK_RULES: tuple[Callable[[Server], Iterator[Fault]], ...] = (
    packages_need_their_registry,
    cidrs_are_blocks,
    egress_hosts_are_names,
    publish_address,
)
