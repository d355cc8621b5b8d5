"""Services that wait for one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.check.compose.references import dependencies
from renderer.check.compose.workload import Workload
from renderer.errors import DocumentPath, Fault

#: For each service those that it needs, in the order of the file, with the place of the first mention.
_Graph = dict[str, dict[str, DocumentPath]]


def cycle_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Each way back to a service that is still waited for, told once."""
    graph = _graph(workloads)
    done: set[str] = set()
    for start in graph:
        if start not in done:
            yield from _cycles_from(start, graph, done)


def _graph(workloads: Sequence[Workload]) -> _Graph:
    graph: _Graph = {}
    for workload in workloads:
        needs = graph.setdefault(workload.name, {})
        for path, name in dependencies(workload):
            needs.setdefault(name, path)
    return graph


def _cycles_from(start: str, graph: _Graph, done: set[str]) -> Iterator[Fault]:
    """Depth first, without recursion: a chain of services may be longer than Python's stack."""
    way, todo = {start: None}, [iter(graph[start].items())]
    while todo:
        name, path = next(todo[-1], ("", ()))
        if not path:
            todo.pop()
            done.add(way.popitem()[0])
        elif name in way:
            yield _cycle(list(way), name, path)
        elif name in graph and name not in done:
            way[name] = None
            todo.append(iter(graph[name].items()))


def _cycle(way: list[str], back_to: str, path: DocumentPath) -> Fault:
    circle = " -> ".join([*way[way.index(back_to) :], back_to])
    return Fault(path, "compose/cycle", f"services wait for one another: {circle}", "remove one of the dependencies")
