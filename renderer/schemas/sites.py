"""From the evaluation path of a schema error to the subschemas that speak about the faulty value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

_BY_NAME = frozenset({"properties", "patternProperties"})
_CHILDREN = frozenset(
    {
        "items",
        "additionalProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "contains",
        "propertyNames",
    }
)
_BRANCHES = frozenset({"allOf", "anyOf", "oneOf"})
_IN_PLACE_BY_NAME = frozenset({"dependentSchemas", "dependencies"})
_IN_PLACE = frozenset({"if", "then", "else"})
#: The keywords that lead to a part of the value; all others speak about the same value.
_DOWNWARD = _BY_NAME | _CHILDREN | {"prefixItems"}


@dataclass(frozen=True, slots=True)
class Site:
    """The subschemas that apply to one value, outermost first, on the way to one error.

    ``base`` is the document against which a ``#`` reference of the innermost one is read. ``secret``
    holds when the value, or the nearest that it lies in with such a mark, has ``x-secret: true``.
    """

    nodes: tuple[Node, ...]
    base: Node
    secret: bool

    @property
    def node(self) -> Node:
        """The innermost subschema: the one with the keyword that failed."""
        return self.nodes[-1]

    def annotation(self, name: str) -> Any:
        """The nearest value of an annotation, or None."""
        return next((node[name] for node in reversed(self.nodes) if name in node), None)


@dataclass(frozen=True, slots=True)
class Atlas:
    """Finds places in a schema document and the ones that it refers to."""

    document: Node
    resources: Mapping[str, Node]

    def follow(self, reference: str, base: Node) -> tuple[Any, Node]:
        """What ``$ref`` names, and the document it stands in; ``{}`` when that cannot be told."""
        uri, _, fragment = reference.partition("#")
        base = self.resources.get(uri, {}) if uri else base
        node: Any = base
        for step in fragment.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            node = node.get(step, {}) if isinstance(node, Mapping) else {}
        return node, base

    def site(self, path: Sequence[str | int]) -> Site:
        """The place of an error, from its evaluation path (``["properties", "a", "$ref", "type"]``)."""
        node, base, nodes = self.document, self.document, [self.document]
        secret = node.get("x-secret") is True
        position = 0
        while position < len(path):
            found, base, length = self._step(node, base, path[position:])
            if not isinstance(found, Mapping):
                break
            if path[position] in _DOWNWARD:
                nodes = []
            node, position = found, position + length
            nodes.append(node)
            secret = node.get("x-secret", secret) is True
        return Site(tuple(nodes), base, secret)

    def _step(self, node: Node, base: Node, path: Sequence[str | int]) -> tuple[Any, Node, int]:
        """The subschema that the first step or two of ``path`` lead to, its base, the steps taken."""
        keyword, value = path[0], node.get(str(path[0]))
        if keyword == "$ref" and isinstance(value, str):
            return *self.follow(value, base), 1
        if len(path) > 1 and isinstance(value, list) and isinstance(path[1], int):
            return value[path[1]], base, 2
        if len(path) > 1 and keyword in _BY_NAME | _IN_PLACE_BY_NAME and isinstance(value, Mapping):
            return value.get(str(path[1])), base, 2
        leads_on = len(path) > 1 and keyword in _CHILDREN | _IN_PLACE
        return (value if leads_on else None), base, 1

    def unfolded(self, node: Any, base: Node) -> Iterator[tuple[Node, Node]]:
        """The subschema and all that apply in its place: references, branches, conditions; each once."""
        todo, seen = [(node, base)], set()
        while todo:
            node, base = todo.pop()
            if not isinstance(node, Mapping) or id(node) in seen:
                continue
            seen.add(id(node))
            yield node, base
            if isinstance(node.get("$ref"), str):
                todo.append(self.follow(node["$ref"], base))
            todo += [(branch, base) for name in sorted(_BRANCHES) for branch in node.get(name, ())]
            todo += [(node[name], base) for name in sorted(_IN_PLACE) if name in node]

    def properties(self, site: Site) -> list[str]:
        """The names of all fields that the schema knows at a site."""
        names: dict[str, None] = {}
        for outer in site.nodes:
            for node, _ in self.unfolded(outer, site.base):
                names.update(dict.fromkeys(node.get("properties", ())))
        return list(names)
