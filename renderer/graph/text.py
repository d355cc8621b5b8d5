"""A graph as text, readable by screen readers, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from renderer import __version__
from renderer.errors import excerpt
from renderer.graph.model import KINDS, Edge, Graph, Node
from renderer.model import JSON

_LONGEST = 400


def as_text(graphs: Sequence[Graph]) -> str:
    lines: list[str] = []
    for graph in graphs:
        lines += [*([""] if lines else []), graph.title]
        for node in graph.nodes:
            if node.kind in ("server", "remote"):
                lines += ["", *_server(graph, node)]
        lines += ["", *graph.notes] if graph.notes else []
    return "".join(f"{excerpt(line, _LONGEST)}\n" for line in lines)


def _server(graph: Graph, node: Node) -> Iterator[str]:
    yield f"{KINDS[node.kind].words} {node.title}: {'; '.join(filter(None, node.lines))}"
    incoming = [edge for edge in graph.edges if edge.target == node.id]
    outgoing = [edge for edge in graph.edges if edge.source == node.id]
    groups = {
        "reached by": [line for edge in incoming for line in _reached(graph, edge)],
        "may call": [_line(graph.node(edge.target), edge) for edge in outgoing if edge.connects],
        "uses": [_line(graph.node(edge.target), edge) for edge in outgoing if not edge.connects],
    }
    for title, lines in groups.items():
        yield from [f"  {title}", *(f"    - {line}" for line in lines)] if lines else []


def _reached(graph: Graph, edge: Edge) -> Iterator[str]:
    """For a way in also the clients behind it."""
    node = graph.node(edge.source)
    line = _line(node, edge)
    before = [other for other in graph.edges if other.target == node.id] if node.kind == "way" else []
    yield line
    yield from (f"  from {_line(graph.node(other.source), other)}" for other in before)


def _line(node: Node, edge: Edge) -> str:
    about = f" ({', '.join(node.lines)})" if node.lines and node.kind not in ("server", "remote") else ""
    kind = "" if node.kind in ("client", "way", "host", "block", "open") else f"{KINDS[node.kind].words} "
    return f"{kind}{node.title}{about}" + (f", {edge.words}" if edge.words else "")


def as_json(graphs: Sequence[Graph]) -> str:
    """See ``schemas/graph.schema.json``."""
    listed: list[JSON] = [
        {
            "environment": graph.name,
            "target": graph.target,
            "where": graph.where,
            "nodes": [{**node._asdict(), "lines": list(node.lines)} for node in graph.nodes],
            "edges": [edge_data(edge) for edge in graph.edges],
            "notes": list(graph.notes),
        }
        for graph in graphs
    ]
    return json.dumps({"version": __version__, "graphs": listed}, indent=2) + "\n"


def edge_data(edge: Edge) -> dict[str, JSON]:
    return {
        "source": edge.source,
        "target": edge.target,
        "label": edge.label,
        "enforcedBy": list(edge.enforced_by),
        "connects": edge.connects,
    }
