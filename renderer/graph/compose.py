"""Connections of a compose server and who enforces them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from renderer.graph.model import Edge, Node, Part
from renderer.graph.scene import Scene, enforcers, ports_of, server_id
from renderer.model import Server
from renderer.targets.compose.names import NETWORK, has_gateway, has_proxy, is_isolated, joined

_OPEN = Node("open ", "open", "every address")


def details(server: Server, scene: Scene) -> tuple[str, ...]:
    del scene
    return (f"{server.replicas} containers",) if server.replicas > 1 else ()


def ways_in(server: Server, scene: Scene) -> Iterator[Part]:
    """The published port, and containers on the project's networks."""
    del scene
    if not server.listens:
        return
    publish = server.network.publish
    if publish:
        address = ipaddress.ip_address(publish.address)
        by = (*("compose network",) * has_gateway(server), *("loopback address",) * address.is_loopback)
        host = f"[{address}]" if address.version == 6 else str(address)
        url = f"http://{host}:{publish.port}{server.transport.path}"
        way = Node(
            f"way {url}", "way", url, ("published port", *(("access: none",) if server.access == "none" else ()))
        )
        reach = "programs of this machine" if address.is_loopback else "networks that reach " + str(address)
        reach = "every network of this machine" if address.is_unspecified else reach
        client = Node(f"client {reach}", "client", reach)
        yield from (client, way)
        yield Edge(client.id, way.id, f"port {publish.port}", ("loopback address",) * address.is_loopback)
        yield Edge(way.id, server_id(server), f"port {server.transport.port}", (*by, *enforcers(server)))
    for name in dict.fromkeys((NETWORK, *joined(server))):
        client = Node(f"client network {name}", "client", f"containers on {name}")
        yield client
        yield Edge(
            client.id, server_id(server), f"port {server.transport.port}", ("compose network", *enforcers(server))
        )


def ways_out(server: Server, scene: Scene) -> Iterator[Part]:
    """Through the egress proxy, nowhere, or everywhere."""
    egress, source = server.network.egress, server_id(server)
    if not is_isolated(server):
        yield _OPEN
        yield Edge(source, _OPEN.id, "every port")
    if egress is None or not has_proxy(server):
        return
    for host in egress.hosts:
        remote = scene.remote(host)
        if not remote:
            yield Node(f"host {host.name}", "host", host.name)
        yield Edge(source, remote or f"host {host.name}", f"port {host.port}", ("egress proxy",))


def notes(server: Server) -> Iterator[str]:
    """Egress rules that compose cannot express."""
    egress = server.network.egress
    ways = [f"{block.cidr} ({ports_of(block)})" for block in (egress.cidrs if egress else ())]
    ways += [f"service {service.name} ({ports_of(service)})" for service in (egress.services if egress else ())]
    if ways:
        why = "its only way out is the egress proxy" if has_proxy(server) else "a compose network is open or closed"
        verb = "cannot reach" if has_proxy(server) else "is not held to"
        yield f"{server.name} {verb} {', '.join(ways)}: {why}"
