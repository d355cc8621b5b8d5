"""Fills in defaults, from the schema alone.

The schema's ``default`` keywords are compiled once into closures. Besides ``properties`` and
``items`` they follow ``$ref``, ``allOf``, ``oneOf`` (the branch that accepts the value) and
``if``/``then``/``else``, so that a default may depend on another field, and still stand in the
schema where editors and people read it. A number that may stand for a text (``x-text``: ``cpu: 2``) becomes that text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from renderer import assets
from renderer.model import JSON
from renderer.schemas import condition, with_definitions

Filler = Callable[[Any], None]


@cache
def defaults_of(name: str) -> Callable[[JSON], JSON]:
    """Fills in those of a built-in schema, which is compiled once."""
    return compile_defaults(assets.schema(name))


def compile_defaults(schema: Mapping[str, Any]) -> Callable[[JSON], JSON]:
    """A function from valid data to a deep copy of it with every default filled in."""
    filler = _Compiler(schema).filler(schema)

    def fill(data: JSON) -> JSON:
        filled: JSON = _copied(data)
        filler(filled)
        return filled

    return fill


#: Keywords under which there may be defaults; most subschemas have none of them.
_NESTED = frozenset({"$ref", "properties", "items", "additionalProperties", "oneOf", "allOf", "if"})


class _Compiler:
    """Turns one schema document into fillers; the schemas have no recursive definitions."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("$defs", {})
        self._fillers: dict[str, Filler] = {}

    def filler(self, schema: Mapping[str, Any]) -> Filler:
        """The filler of one subschema; the order is: own fields, children, then conditions."""
        steps: list[Filler] = []
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            if name not in self._fillers:
                self._fillers[name] = self.filler(self._definitions[name])
            steps.append(self._fillers[name])
        if "properties" in schema:
            steps += self._properties(schema["properties"])
        if "items" in schema:
            steps += _present(self.filler(schema["items"]), list, lambda data: data)
        if isinstance(schema.get("additionalProperties"), dict):
            known = set(schema.get("properties", ()))
            inner = self.filler(schema["additionalProperties"])
            steps += _present(inner, dict, lambda data: [v for k, v in data.items() if k not in known])
        if "oneOf" in schema:
            steps += self._one_of(schema["oneOf"])
        steps += [f for f in map(self.filler, schema.get("allOf", ())) if f is not _nothing]
        if "if" in schema:
            steps += self._condition(schema)
        return _sequence(steps)

    def _properties(self, properties: Mapping[str, Mapping[str, Any]]) -> list[Filler]:
        """What holds no defaults of its own is most of them: filled in by one loop, as a call for each takes longer."""
        alone: dict[str, JSON] = {}
        steps = []
        if texts := [name for name, schema in properties.items() if self._referred(schema).get("x-text")]:
            steps.append(_as_text(texts))
        for name, schema in properties.items():
            default = self._default(schema) if "$ref" in schema else schema.get("default")
            if self._has_nested(schema):
                steps.append(self._property(name, default, schema))
            elif default is not None:
                alone[name] = default
        return [_plain(alone), *steps] if alone else steps

    def _has_nested(self, schema: Mapping[str, Any]) -> bool:
        """Whether there may be defaults below."""
        return not _NESTED.isdisjoint(self._referred(schema))

    def _referred(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The definition, where a subschema refers to one and has no fields itself."""
        while "$ref" in schema and schema.keys() & _NESTED == {"$ref"}:
            schema = self._definitions[schema["$ref"].removeprefix("#/$defs/")]
        return schema

    def _property(self, name: str, default: JSON, schema: Mapping[str, Any]) -> Filler:
        made: list[Any] = []  # its filler, and the default as that fills it further, once a spec needs them: few do

        def fill(data: Any) -> None:
            if not isinstance(data, dict) or (name not in data and default is None):
                return
            if not made:
                inner = self.filler(schema)
                inner(value := _copied(default))
                made.extend((inner, value))
            if name in data:
                made[0](data[name])
            else:
                data[name] = _copied(made[1])

        return fill

    def _default(self, schema: Mapping[str, Any]) -> JSON:
        if "default" in schema:
            value: JSON = schema["default"]
            return value
        if "$ref" in schema:
            return self._default(self._definitions[schema["$ref"].removeprefix("#/$defs/")])
        return None

    def _one_of(self, branches: list[Mapping[str, Any]]) -> list[Filler]:
        fillers = [self.filler(branch) for branch in branches]
        if all(f is _nothing for f in fillers):
            return []
        tests = [self._validator(branch) for branch in branches]

        def fill(data: Any) -> None:
            if not isinstance(data, dict | list):
                return  # there is nothing in it to fill
            for test, filler in zip(tests, fillers, strict=True):
                if test(data):
                    filler(data)
                    return

        return [fill]

    def _condition(self, schema: Mapping[str, Any]) -> list[Filler]:
        then, otherwise = (self.filler(schema.get(word, {})) for word in ("then", "else"))
        if then is _nothing and otherwise is _nothing:
            return []
        holds = self._validator(schema["if"])

        def fill(data: Any) -> None:
            (then if holds(data) else otherwise)(data)

        return [fill]

    def _validator(self, schema: Mapping[str, Any]) -> Callable[[Any], bool]:
        """Compiled when first asked: most specs never come to most conditions."""
        compiled: list[Callable[[Any], bool]] = []
        required = schema.get("required", ())
        names = [*schema.get("properties", ()), *required]
        in_part = schema.keys() <= {"properties", "required"}

        def holds(data: Any) -> bool:
            # The validator copies what it is given, and conditions look at one or two fields of a whole spec.
            if in_part and isinstance(data, dict):
                data = {name: data[name] for name in names if name in data}
                if not data:
                    return not required
            if not compiled:
                compiled.append(condition(with_definitions(schema, self._definitions.get)))
            return compiled[0](data)

        return holds


_NESTING = (dict, list)


def _copied(data: Any) -> Any:
    """A deep copy: neither specs nor schemas hold the cycles for which ``copy.deepcopy`` would look."""
    if isinstance(data, dict):
        return {name: _copied(value) if isinstance(value, _NESTING) else value for name, value in data.items()}
    return [_copied(value) for value in data] if isinstance(data, list) else data


def _plain(defaults: Mapping[str, JSON]) -> Filler:
    """The filler of fields whose defaults are not filled any further."""
    scalars = {name: value for name, value in defaults.items() if not isinstance(value, dict | list)}
    nested = [(name, value) for name, value in defaults.items() if name not in scalars]

    def fill(data: Any) -> None:
        if not isinstance(data, dict):
            return
        for name, value in scalars.items():
            if name not in data:
                data[name] = value
        for name, default in nested:
            if name not in data:
                data[name] = _copied(default)

    return fill


def _as_text(names: Sequence[str]) -> Filler:
    def fill(data: Any) -> None:
        if isinstance(data, dict):
            for name in names:
                value = data.get(name)
                if isinstance(value, int | float):
                    data[name] = str(int(value) if value == int(value) else value)

    return fill


def _nothing(data: Any) -> None:
    """The filler of a subschema that holds no default."""


def _sequence(steps: list[Filler]) -> Filler:
    useful = tuple(step for step in steps if step is not _nothing)
    if not useful:
        return _nothing
    if len(useful) == 1:
        return useful[0]

    def fill(data: Any) -> None:
        for step in useful:
            step(data)

    return fill


def _present(inner: Filler, kind: type, members: Callable[[Any], Any]) -> list[Filler]:
    """Applies ``inner`` to every member of a list or of the other values of a mapping."""
    if inner is _nothing:
        return []

    def fill(data: Any) -> None:
        if isinstance(data, kind):
            for member in members(data):
                inner(member)

    return [fill]
