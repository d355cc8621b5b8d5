"""A graph as a Mermaid flowchart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from renderer.errors import excerpt
from renderer.graph.model import KINDS, USED, Edge, Graph, Kind, Node

_TEXT = "#14181d"
#: Anything that may mean something to Mermaid or Markdown in a quoted label.
_PLAIN = re.compile(r"[^A-Za-z0-9 .,/()=-]|\.(?= )|^[-.]|(?<= )-(?= )|/(?=/)")
_LONGEST = 200
#: Limits of Mermaid, which a document cannot raise.
_MOST_EDGES, _MOST_CHARACTERS = 500, 50_000


def as_mermaid(graphs: Sequence[Graph]) -> str:
    """One flowchart with a subgraph for each environment, if there are several."""
    lines = ["flowchart LR"]
    for i, graph in enumerate(graphs):
        names = {node.id: f"e{i}n{n}" if len(graphs) > 1 else f"n{n}" for n, node in enumerate(graph.nodes)}
        inner = [*(_node(names[node.id], node) for node in graph.nodes), *(_edge(names, e) for e in graph.edges)]
        if len(graphs) > 1:
            inner = [f'subgraph e{i}["{label(graph.title)}"]', *(f"  {line}" for line in inner), "end"]
        lines += [f"  {line}" for line in inner]
        # Double braces would be settings.
        lines += [f"  %% {excerpt(note, _LONGEST).replace('{', '(').replace('}', ')')}" for note in graph.notes]
    lines += [f"  {line}" for line in _classes({node.kind for graph in graphs for node in graph.nodes})]
    return "\n".join(lines) + "\n"


def too_large(text: str) -> str:
    """Why Mermaid would not draw the diagram; empty if it would."""
    edges = len(re.findall(r"^ *\S+ (?:-->|---|-\.->)", text, re.MULTILINE))
    if edges <= _MOST_EDGES and len(text) <= _MOST_CHARACTERS:
        return ""
    amount = f"{edges} edges and {len(text)} characters; Mermaid draws at most {_MOST_EDGES} and {_MOST_CHARACTERS}"
    return f"the diagram has {amount}: choose fewer servers or one environment, or --format svg"


def changed(graph: Graph, added: Sequence[Edge], removed: Sequence[Edge]) -> str:
    """Added edges (thick) and removed ones (dotted); ``graph`` has the nodes of both."""
    kept = {end for edge in (*added, *removed) for end in (edge.source, edge.target)}
    nodes = [node for node in graph.nodes if node.id in kept]
    names = {node.id: f"n{n}" for n, node in enumerate(nodes)}
    lines = ["flowchart LR", *(f"  {_node(names[node.id], node)}" for node in nodes)]
    for edges, arrow, word in ((added, "==>", "new"), (removed, "-.->", "removed")):
        for edge in edges:
            words = label(f"{word}: {edge.words}" if edge.words else word)
            lines.append(f'  {names[edge.source]} {arrow}|"{words}"| {names[edge.target]}')
    lines += [f"  {line}" for line in _classes({node.kind for node in nodes})]
    return "\n".join(lines) + "\n"


def label(text: str) -> str:
    """A quoted label in which any character that Mermaid may interpret is an entity."""
    return _PLAIN.sub(lambda match: f"#{ord(match[0])};", excerpt(text, _LONGEST))


def _node(name: str, node: Node) -> str:
    before, after = KINDS[node.kind].brackets
    kind = f"{KINDS[node.kind].words} " if node.kind in USED or node.kind == "remote" else ""
    texts = [label(f"{kind}{node.title}"), *(label(line) for line in node.lines if line)]
    return f'{name}{before}"{"<br/>".join(texts)}"{after}:::{node.kind}'


def _edge(names: dict[str, str], edge: Edge) -> str:
    """A line for uses, a dotted arrow for a connection that nothing enforces."""
    arrow = ("-.->" if edge.is_open else "-->") if edge.connects else "---"
    words = f'|"{label(edge.words)}"|' if edge.words else ""
    return f"{names[edge.source]} {arrow}{words} {names[edge.target]}"


def _classes(kinds: set[Kind]) -> Iterator[str]:
    for kind, look in KINDS.items():
        if kind in kinds:
            fill, border = look.light
            dashed = ",stroke-dasharray:4 3" if kind == "remote" else ""
            yield f"classDef {kind} fill:{fill},stroke:{border},color:{_TEXT}{dashed}"
