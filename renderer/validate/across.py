"""Rules between the servers of one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from renderer.errors import Fault, Problem
from renderer.model import Server


def across_servers(servers: Sequence[Server]) -> list[Problem]:
    """Two servers of one name, or whose objects would have one name: each told, both places named."""
    names = _clashes(
        servers,
        key=lambda s: s.name,
        fault=lambda s: Fault(
            ("metadata", "name"),
            "spec/duplicate-name",
            f"two servers are called '{s.name}'",
            "names are unique in a run: they select the pods",
        ),
    )
    objects = _clashes(
        servers,
        key=lambda s: s.resource_name,
        fault=lambda s: Fault(
            ("spec", "resourceName") if s.given("spec", "resourceName") else ("metadata", "name"),
            "spec/duplicate-resource-name",
            f"the objects of two servers would be called '{s.resource_name}'",
            "choose another metadata.name or spec.resourceName",
        ),
    )
    told = {(p.place.file, p.place.line) for p in names}
    return names + [p for p in objects if (p.place.file, p.place.line) not in told]


def _clashes(
    servers: Sequence[Server], key: Callable[[Server], str], fault: Callable[[Server], Fault]
) -> list[Problem]:
    first: dict[str, Server] = {}
    problems = []
    for server in servers:
        other = first.setdefault(key(server), server)
        if other is not server:
            problem = server.problem(fault(server))
            place = other.problem(fault(other)).place
            problems.append(problem._replace(message=f"{problem.message}; the other one: {place}", related=(place,)))
    return problems
