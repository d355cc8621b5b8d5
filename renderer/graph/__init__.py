"""A graph of who reaches the servers of a run and what they reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from renderer.errors import UsageMistake
from renderer.graph import compose, kubernetes
from renderer.graph.model import Edge, Graph, Node, Part, build_graph
from renderer.graph.scene import dependencies, remote_node, scene_of, server_id, server_node

if TYPE_CHECKING:
    from renderer.pipeline import Run

__all__ = ["DRAWN", "Edge", "Graph", "Node", "graph_of"]

DRAWN = {"kubernetes": kubernetes, "compose": compose}


def graph_of(run: Run, patched: Mapping[str, tuple[str, ...]] | None = None) -> Graph:
    """Of a run without errors. ``patched``: by server, what its patches lead to, if that was rendered."""
    target = DRAWN.get(run.target)
    if target is None:
        raise UsageMistake(f"there is no graph for target {run.target}: choose {' or '.join(sorted(DRAWN))}")
    scene = scene_of(run)
    parts: list[Part] = [remote_node(server) for server in run.specs.remotes]
    notes = []
    for server in run.specs.servers:
        parts += [server_node(server, target.details(server, scene)), *dependencies(server, scene)]
        parts += [*target.ways_in(server, scene), *target.ways_out(server, scene)]
        kinds = ", ".join(sorted({patch.kind for patch in server.patches if patch.target == run.target}))
        if lines := (patched or {}).get(server.name):
            node = Node(f"patch {server.name}", "patch", kinds, lines)
            parts += [node, Edge(server_id(server), node.id, "change it", connects=False)]
        elif kinds and server.name not in (patched or {}):
            notes.append(f"{server.name}: what patches of {kinds} change is not drawn")
        notes += target.notes(server)
    where = f"namespace {run.options.namespace}" if run.target == "kubernetes" else ""
    return build_graph(run.name, run.target, where, parts, notes)
