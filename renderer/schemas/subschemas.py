"""From the evaluation path of an error to the subschemas that speak about the faulty value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

#: Keywords that lead to a part of the value, and those that lead to more about the same value; by name or not.
_DOWN_BY_NAME = frozenset({"properties", "patternProperties"})
_DOWN = frozenset({"items", "additionalProperties", "unevaluatedProperties", "contains", "propertyNames"})
_BRANCHES = ("allOf", "anyOf", "oneOf")
_CONDITION = ("if", "then", "else")
_DOWNWARD = _DOWN_BY_NAME | _DOWN | {"prefixItems"}
_BY_NAME = _DOWN_BY_NAME | {"dependentSchemas"}
_LEADS_ON = _DOWN | set(_CONDITION)


@dataclass(frozen=True, slots=True)
class Subschemas:
    """The subschemas that apply to one value, outermost first.

    ``base`` is the document against which a ``#`` reference of the innermost is read. ``secret`` holds when the
    value, or the nearest that it lies in with such a mark, has ``x-secret: true``.
    """

    nodes: tuple[Node, ...]
    base: Node
    secret: bool

    @property
    def innermost(self) -> Node:
        """The one with the keyword that failed."""
        return self.nodes[-1]

    def annotation(self, name: str) -> Any:
        """The nearest value of an annotation, or None."""
        return next((node[name] for node in reversed(self.nodes) if name in node), None)


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds places in a schema document and in those that it refers to."""

    document: Node
    resources: Mapping[str, Node]

    def subschemas(self, path: Sequence[str | int]) -> Subschemas:
        """Of an error, from its evaluation path (``["properties", "a", "$ref", "type"]``)."""
        node, base, nodes = self.document, self.document, [self.document]
        secret = node.get("x-secret") is True
        position = 0
        while position < len(path):
            inner, base, length = self._step(node, base, path[position:])
            if not isinstance(inner, Mapping):
                break
            if path[position] in _DOWNWARD:
                nodes = []
            node, position = inner, position + length
            nodes.append(node)
            secret = node.get("x-secret", secret) is True
        return Subschemas(tuple(nodes), base, secret)

    def _step(self, node: Node, base: Node, path: Sequence[str | int]) -> tuple[Any, Node, int]:
        """The subschema that the first step or two of ``path`` lead to, its base, the steps taken."""
        keyword, value = path[0], node.get(str(path[0]))
        if keyword == "$ref" and isinstance(value, str):
            return *self._follow(value, base), 1
        if len(path) > 1 and isinstance(value, list) and isinstance(path[1], int):
            return value[path[1]], base, 2
        if len(path) > 1 and keyword in _BY_NAME and isinstance(value, Mapping):
            return value.get(str(path[1])), base, 2
        return (value if len(path) > 1 and keyword in _LEADS_ON else None), base, 1

    def _follow(self, reference: str, base: Node) -> tuple[Any, Node]:
        """What ``$ref`` names, and the document it stands in; ``{}`` for what is not there."""
        uri, _, fragment = reference.partition("#")
        base = self.resources.get(uri, {}) if uri else base
        node: Any = base
        for step in fragment.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            node = node.get(step, {}) if isinstance(node, Mapping) else {}
        return node, base

    def unfolded(self, node: Any, base: Node) -> Iterator[Node]:
        """The subschema and all that apply in its place: references, branches, conditions; each once."""
        waiting, seen = [(node, base)], set()
        while waiting:
            node, base = waiting.pop()
            if not isinstance(node, Mapping) or id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            if isinstance(node.get("$ref"), str):
                waiting.append(self._follow(node["$ref"], base))
            waiting += [(branch, base) for name in _BRANCHES for branch in node.get(name, ())]
            waiting += [(node[name], base) for name in _CONDITION if name in node]

    def properties(self, subschemas: Subschemas) -> list[str]:
        """The names of all fields that the schema knows in one mapping."""
        names = (name for outer in subschemas.nodes for name in self.fields_of(outer, subschemas.base))
        return list(dict.fromkeys(names))

    def fields_of(self, node: Node, base: Node) -> list[str]:
        """The names of the fields of one subschema, with those of its branches."""
        return [name for each in self.unfolded(node, base) for name in each.get("properties", ())]
