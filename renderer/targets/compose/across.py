"""What the servers of one project cannot both have."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.errors import DocumentPath, Fault, Problem
from renderer.model import Server
from renderer.targets.compose.references import Ref, origin, references, variable
from renderer.targets.compose.service import publishes_any_port

_EVERY = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound


def clashes(servers: Sequence[Server]) -> list[Problem]:
    """Variables and ports of the machine that would stand for two things; each with both places."""
    return [*_variables(servers), *_ports(servers)]


def _variables(servers: Sequence[Server]) -> list[Problem]:
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
                problems.append(_beside(server, fault, owner, ("spec", "env", where)))
    return problems


def _ports(servers: Sequence[Server]) -> list[Problem]:
    taken: dict[int, list[Server]] = {}
    problems = []
    for server in servers:
        if not server.listens or publishes_any_port(server):
            continue
        publish = server.network.publish
        same_port = taken.setdefault(publish.port, [])
        other = next((s for s in same_port if _meet(s.network.publish.address, publish.address)), None)
        same_port.append(server)
        if other:
            fault = Fault(
                _port_field(server),
                "compose/same-port",
                f"servers {other.name} and {server.name} would publish one port of the machine, {publish.port}",
                "set network.publish.port of one of them, or use --out DIR, where each is a project of its own",
            )
            problems.append(_beside(server, fault, other, _port_field(other)))
    return problems


def _meet(one: str, other: str) -> bool:
    """Whether two addresses of the machine have a port in common."""
    same_family = (":" in one) == (":" in other)
    return one == other or (same_family and (one in _EVERY or other in _EVERY))


def _port_field(server: Server) -> DocumentPath:
    for path in (("network", "publish", "port"), ("transport", "port")):
        if server.given("spec", *path):
            return ("spec", *path)
    return ("spec", "network", "publish", "port")


def _beside(server: Server, fault: Fault, other: Server, path: DocumentPath) -> Problem:
    return server.problem(fault)._replace(related=(other.source.place(path),))
