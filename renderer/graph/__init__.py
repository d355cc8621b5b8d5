"""Who reaches what: a graph of the servers of a run, and the forms in which it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from renderer.errors import UsageMistake
from renderer.graph import compose, kubernetes
from renderer.graph.parts import Edge, Graph, Node, Part, graph
from renderer.graph.scene import remote_node, scene_of, server_id, server_node, used

if TYPE_CHECKING:
    from renderer.pipeline import Run

__all__ = ["DRAWN", "Edge", "Graph", "Node", "graph_of"]

#: Targets of which there are graphs.
DRAWN = {"kubernetes": kubernetes, "compose": compose}


def graph_of(run: Run, patched: Mapping[str, tuple[str, ...]] | None = None) -> Graph:
    """Of a run whose specs hold: who reaches its servers, and what these may call and use.

    ``patched`` has lines on what the patches of a server lead to, where somebody has rendered it.
    """
    around = DRAWN.get(run.target)
    if around is None:
        raise UsageMistake(f"there is no graph for target {run.target}: choose {' or '.join(sorted(DRAWN))}")
    scene = scene_of(run)
    parts: list[Part] = [remote_node(server) for server in run.specs.remotes]
    notes = []
    for server in run.specs.servers:
        parts += [server_node(server, around.about(server, scene)), *used(server, scene)]
        parts += [*around.ways_in(server, scene), *around.ways_out(server, scene)]
        kinds = ", ".join(sorted({patch.kind for patch in server.patches if patch.target == run.target}))
        if lines := (patched or {}).get(server.name):
            node = Node(f"patch {server.name}", "patch", kinds, lines)
            parts += [node, Edge(server_id(server), node.id, "change it", connects=False)]
        elif kinds and server.name not in (patched or {}):
            notes.append(f"{server.name}: what patches of {kinds} change is not drawn")
        notes += around.notes(server)
    where = f"namespace {run.options.namespace}" if run.target == "kubernetes" else ""
    return graph(run.name, run.target, where, parts, notes)
