"""What a graph is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "client", "way", "server", "remote", "host", "pods", "block", "open", "secret", "config", "volume"
]
#: In the words of people.
KINDS: dict[Kind, str] = {
    "client": "client",
    "way": "way in",
    "server": "server",
    "remote": "remote server",
    "host": "host",
    "pods": "pods",
    "block": "addresses",
    "open": "every address",
    "secret": "Secret",
    "config": "ConfigMap",
    "volume": "volume",
}
#: What a server uses, and does not call.
USED: frozenset[Kind] = frozenset({"secret", "config", "volume"})


class Node(NamedTuple):
    """``id`` is unique in a graph, and the same in every run; ``lines`` are what else is known of it."""

    id: str
    kind: Kind
    title: str
    lines: tuple[str, ...] = ()


class Edge(NamedTuple):
    """Who reaches, or uses, what. ``enforced_by`` is empty where nothing keeps others from the same way."""

    source: str
    target: str
    label: str = ""
    enforced_by: tuple[str, ...] = ()
    #: A way over the network, and not a thing that is mounted or read.
    connects: bool = True

    @property
    def is_open(self) -> bool:
        """Whether it is a way that nothing enforces."""
        return self.connects and not self.enforced_by

    @property
    def words(self) -> str:
        """Port and who enforces it."""
        by = ", ".join(self.enforced_by) or ("nothing enforces it" if self.connects else "")
        return ": ".join(filter(None, (self.label, by)))


Part: TypeAlias = Node | Edge


class Graph(NamedTuple):
    """Of one environment (or of none, with an empty name), nodes and edges sorted."""

    name: str
    target: str
    where: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    #: What cannot be drawn, in sentences.
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        place = f"{self.target}, {self.where}" if self.where else self.target
        return f"{self.name} ({place})" if self.name else place

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.id == name)


def graph(name: str, target: str, where: str, parts: Iterable[Part], notes: Sequence[str] = ()) -> Graph:
    """Each node once, with all that is said of it, and each edge once, with everybody who enforces it."""
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
