"""Nodes and edges of a graph, and how each kind of node looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "client", "way", "server", "remote", "host", "pods", "block", "open", "secret", "config", "volume", "patch"
]


class Look(NamedTuple):
    """Colours are (fill, border) on light and dark pages; ``brackets`` give the shape in Mermaid."""

    words: str
    brackets: tuple[str, str]
    light: tuple[str, str]
    dark: tuple[str, str]
    column: int = 3


_REACHED = (("(", ")"), ("#e4f5e9", "#2c7a45"), ("#14311e", "#74cf91"))
#: In drawing order.
KINDS: dict[Kind, Look] = {
    "client": Look("client", ("([", "])"), ("#eef2f7", "#5b6b7f"), ("#232b35", "#8fa2b7"), column=0),
    "way": Look("way in", ("{{", "}}"), ("#fff4d6", "#9a6b00"), ("#3a2e0c", "#e0b34a"), column=1),
    "server": Look("server", ("[", "]"), ("#dcebff", "#1f5fbf"), ("#12294a", "#78aefc"), column=2),
    "remote": Look("remote server", ("[[", "]]"), ("#e9e2ff", "#6a3fc2"), ("#2a1f4d", "#b59cff")),
    "host": Look("host", *_REACHED),
    "pods": Look("pods", *_REACHED),
    "block": Look("addresses", *_REACHED),
    "open": Look("every address", ("(", ")"), ("#ffe3e0", "#b3261e"), ("#46140f", "#ff8a80")),
    "secret": Look("Secret", ("[/", "/]"), ("#f6e6f2", "#93317a"), ("#3b1832", "#e59bd2")),
    "config": Look("ConfigMap", ("[/", "/]"), ("#f3f0e6", "#756a3c"), ("#2f2b18", "#cfc38c")),
    "volume": Look("volume", ("[(", ")]"), ("#e3f3f5", "#1c6f7c"), ("#0f2f34", "#6fc9d7")),
    "patch": Look("patches of", ("[/", "\\]"), ("#ffe9d6", "#a34a00"), ("#40230b", "#ffb26b")),
}
#: Used, not called.
USED: frozenset[Kind] = frozenset({"secret", "config", "volume", "patch"})


class Node(NamedTuple):
    """``id``: unique in a graph and stable between runs. ``lines``: further facts."""

    id: str
    kind: Kind
    title: str
    lines: tuple[str, ...] = ()


class Edge(NamedTuple):
    """``enforced_by`` is empty if nothing keeps others from connecting likewise."""

    source: str
    target: str
    label: str = ""
    enforced_by: tuple[str, ...] = ()
    #: A network connection; False: mounted or read.
    connects: bool = True

    @property
    def is_open(self) -> bool:
        return self.connects and not self.enforced_by

    @property
    def by(self) -> str:
        return ", ".join(self.enforced_by) or ("nothing enforces it" if self.connects else "")

    @property
    def words(self) -> str:
        return ": ".join(filter(None, (self.label, self.by)))


Part: TypeAlias = Node | Edge


class Graph(NamedTuple):
    """Of one environment, or of none with an empty name. Nodes and edges are sorted."""

    name: str
    target: str
    where: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    #: Sentences on what cannot be drawn.
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        place = f"{self.target}, {self.where}" if self.where else self.target
        return f"{self.name} ({place})" if self.name else place

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.id == name)


def build_graph(name: str, target: str, where: str, parts: Iterable[Part], notes: Sequence[str] = ()) -> Graph:
    """Merges nodes of one id and drops duplicate edges."""
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str, str, bool], Edge] = {}
    for part in parts:
        if isinstance(part, Node):
            known = nodes.get(part.id)
            lines = dict.fromkeys((*known.lines, *part.lines) if known else part.lines)
            nodes[part.id] = part._replace(lines=tuple(lines))
        else:
            edges.setdefault((part.source, part.target, part.label, part.connects), part)
    order = list(KINDS)
    drawn = sorted(nodes.values(), key=lambda node: (order.index(node.kind), node.title, node.id))
    return Graph(name, target, where, tuple(drawn), tuple(edges[key] for key in sorted(edges)), tuple(notes))
