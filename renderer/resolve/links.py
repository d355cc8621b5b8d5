"""Other servers that a server may call, written out as the hosts, blocks and pods that they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress

from renderer import pins
from renderer.errors import Fault, Problem, Severity
from renderer.labels import SERVER_LABEL
from renderer.model import EgressCidr, EgressHost, EgressService, Options, Remote, Server
from renderer.wording import did_you_mean

#: Of a name that nobody in the input has: a warning, as the input may be a part; nothing is rendered with it.
UNKNOWN = "spec/unknown-server"
_RULE = "spec/unreachable-server"
_CLUSTER = ".svc.cluster.local"

Way = EgressHost | EgressCidr | EgressService


def link(servers: Sequence[Server], *, complete: bool) -> tuple[list[Server], list[Problem]]:
    """The servers with ``network.egress.servers`` written out, and the names with which that cannot be.

    Where the input is not ``complete`` nobody can say that a name is unknown.
    """
    known = {server.name: server for server in servers}
    linked: list[Server] = []
    problems: list[Problem] = []
    for server in servers:
        egress = server.network.egress if server.complete else None
        ways = [_way(server, i, known) for i, _ in enumerate(egress.servers)] if egress else []
        if egress and ways:
            egress = egress._replace(
                hosts=tuple(dict.fromkeys((*egress.hosts, *(way for way in ways if isinstance(way, EgressHost))))),
                cidrs=(*egress.cidrs, *(way for way in ways if isinstance(way, EgressCidr))),
                services=(*egress.services, *(way for way in ways if isinstance(way, EgressService))),
            )
            server = server._replace(network=server.network._replace(egress=egress))
            faults = [way for way in ways if isinstance(way, Fault) and (complete or way.rule != UNKNOWN)]
            problems += map(server.problem, faults)
        linked.append(server)
    return linked, problems


def _way(server: Server, index: int, known: dict[str, Server]) -> Way | Fault | None:
    """None where the other server has faults of its own."""
    egress = server.network.egress
    assert egress, "it has the index"
    name, path = egress.servers[index], ("spec", "network", "egress", "servers", index)
    other = known.get(name)
    if other is None or other is server:
        near = did_you_mean(name, sorted(known.keys() - {server.name}))
        hint = f"did you mean '{near}'?" if near else "add its spec to PATHS, or remove the name"
        return Fault(path, UNKNOWN, f"no other server of the input is called '{name}'", hint, Severity.WARNING)
    if not other.complete:
        return None
    if other.remote:
        host = other.remote.host
        is_loopback = host == "localhost"
        with suppress(ValueError):
            is_loopback = is_loopback or ipaddress.ip_address(host).is_loopback
        if is_loopback:
            message = f"{name} is at {host}, which inside of a container is the container itself"
            return Fault(path, _RULE, message, "write a name or an address under which others reach the machine")
        return way_to(other.remote)
    if not other.listens:
        message = f"{name} speaks stdio without a bridge: nothing can connect to it"
        return Fault(path, _RULE, message, f"give {name} a bridge (transport.bridge), or remove the name")
    port = pins.GUARD_PORT if other.guard else other.transport.port
    labels = {SERVER_LABEL: name}
    return EgressService(other.resource_name, other.namespace, labels, (port,), of_server=True)


def way_to(remote: Remote) -> Way:
    """What is opened for a remote server: its host, its address, or pods of the cluster."""
    host, port = remote.host, remote.port
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return EgressCidr(f"{address}/{address.max_prefixlen}", (), (port,))
    service, _, namespace = host.removesuffix(_CLUSTER).removesuffix(".svc").partition(".")
    if host.endswith((_CLUSTER, ".svc")) or not namespace:  # a policy opens the way to pods by labels alone
        return EgressService(service, namespace or None, {"app.kubernetes.io/name": service}, (port,))
    return EgressHost(host, port)


def place_links(server: Server, options: Options) -> Server:
    """With the namespace at those pods of other servers that lie in another one than this server."""
    egress = server.network.egress
    if egress is None or not any(service.of_server for service in egress.services):
        return server
    own = options.namespace if options.namespace_typed else options.namespace_of(server)
    services = []
    for service in egress.services:
        there = options.namespace if options.namespace_typed else service.namespace or options.namespace
        namespace = None if there == own else there
        services.append(service._replace(namespace=namespace) if service.of_server else service)
    return server._replace(network=server.network._replace(egress=egress._replace(services=tuple(services))))
