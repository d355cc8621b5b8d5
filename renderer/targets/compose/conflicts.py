"""Conflicts between two servers, each with both places."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.errors import DocumentPath, Fault, Problem
from renderer.model import Server
from renderer.targets.compose.names import Ref, origin, publishes_any_port, references, variable

#: Every address of the machine.
_EVERY = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound


def same_variables(servers: Sequence[Server]) -> list[Problem]:
    first: dict[str, tuple[Server, str, Ref]] = {}
    problems = []
    for server in servers:
        for name, ref in references(server):
            owner, where, other = first.setdefault(variable(ref), (server, name, ref))
            if origin(other) != origin(ref):
                fault = Fault(
                    ("spec", "env", name),
                    "compose/same-variable",
                    f"{origin(ref)} and {origin(other)} would both be the variable {variable(ref)}",
                    "rename one of them",
                )
                problems.append(_with_place(server, fault, owner, ("spec", "env", where)))
    return problems


def same_ports(servers: Sequence[Server]) -> list[Problem]:
    """Ports of the machine are shared by all projects."""
    taken: dict[int, list[tuple[Server, str]]] = {}
    problems = []
    for server in servers:
        publish = server.network.publish
        if not server.listens or publish is None or publishes_any_port(server):
            continue
        same_port = taken.setdefault(publish.port, [])
        other = next((s for s, address in same_port if _overlap(address, publish.address)), None)
        same_port.append((server, publish.address))
        if other:
            fault = Fault(
                _port_field(server),
                "compose/same-port",
                f"servers {other.name} and {server.name} would publish the same port of the machine, {publish.port}",
                "set another network.publish.port for one of them, or 'publish: false' where a proxy leads to it",
            )
            problems.append(_with_place(server, fault, other, _port_field(other)))
    return problems


def _overlap(address: str, other: str) -> bool:
    """Whether two host addresses overlap."""
    same_family = (":" in address) == (":" in other)
    return address == other or (same_family and (address in _EVERY or other in _EVERY))


def _port_field(server: Server) -> DocumentPath:
    """The default port is derived from the name."""
    path = ("spec", "network", "publish", "port")
    return path if server.sets(*path) else ("metadata", "name")


def _with_place(server: Server, fault: Fault, other: Server, path: DocumentPath) -> Problem:
    return server.problem(fault)._replace(related=(other.source.place(path),))
