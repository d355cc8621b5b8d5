"""JSON Schemas, compiled once, whose errors become Faults in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from renderer.errors import Fault
from renderer.later import instead

# It reads the date of its own build with what mail is sent with: 8 ms.
with instead("email.utils", parsedate_to_datetime=str):
    import jsonschema_rs


class Schema:
    """A compiled schema.

    ``document`` is the schema itself. ``resources`` are further schemas by the URI under which ``$ref``
    names them; nothing is ever fetched. ``show_values`` says whether messages may quote what the document holds:
    never where the schema marks a place ``x-secret``, and nowhere at all when it is false. ``in_part``: the first
    instance is checked by what its fields need of the schema, as compiling all of a large one takes 25 ms.

    Annotations that the messages use: ``x-expected`` (what a pattern or a ``not`` asks for, in words), ``x-unit``
    and ``x-too-low`` (of a number), ``x-secret``, ``x-instead`` (hints for unknown fields), and ``title`` of the
    branches of a choice.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        resources: Mapping[str, Mapping[str, Any]] | None = None,
        show_values: bool = True,
        in_part: bool = False,
    ) -> None:
        self.document = document
        self.resources = resources or {}
        self.show_values = show_values
        self._in_part = in_part
        self._whole: Any = None
        self._first: tuple[Any, Any] | None = None

    def is_valid(self, instance: Any) -> bool:
        """Whether nothing is wrong: microseconds, so ask this first."""
        if self._in_part and self._first is None:
            self._first = instance, self._compiled(_part_for(instance, self.document))
        part = self._first[1] if self._first and self._first[0] is instance else self._validator()
        return bool(part.is_valid(instance))

    def _validator(self) -> Any:
        if self._whole is None:
            self._whole = self._compiled(self.document)
        return self._whole

    def _compiled(self, document: Mapping[str, Any]) -> Any:
        registry = jsonschema_rs.Registry([(u, dict(d)) for u, d in self.resources.items()])
        return jsonschema_rs.validator_for(dict(document), registry=registry, validate_formats=False, offline=True)

    def faults(self, instance: Any, rule_prefix: str) -> list[Fault]:
        """Everything that is wrong, sorted by path; rules are ``<rule_prefix>/unknown-field`` and so on."""
        if self.is_valid(instance):
            return []
        from renderer.schemas.messages import Messages  # 3 ms, which only a document with faults pays

        messages = Messages(self.document, self.resources, rule_prefix, self.show_values)
        return messages.faults(self._validator().iter_errors(instance))


def condition(schema: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Whether a schema of ours holds, which refers to nothing outside of it."""
    holds: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator(dict(schema)).is_valid
    return holds


_REFERENCE = "#/$defs/"


def references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from references(value)
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield node["$ref"].removeprefix(_REFERENCE)


def with_definitions(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with those definitions alone that it needs: all take longer to compile than most schemas."""
    needed: dict[str, Any] = {}
    todo = [*references(dict(schema))]
    while todo:
        name = todo.pop()
        if name not in needed and name in definitions:
            needed[name] = definitions[name]
            todo += references(needed[name])
    return {**schema, "$defs": needed}


def _part_for(instance: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of the same verdict on the instance: what only fields that it lacks are checked by is left out."""
    definitions = document.get("$defs", {})

    def part(schema: Any, value: Any) -> Any:
        if not isinstance(schema, dict) or not isinstance(value, dict):
            return schema
        own = {word: rule for word, rule in schema.items() if word not in ("$ref", "$defs")}
        if "properties" in own:
            own["properties"] = {
                name: part(field, value[name]) if name in value else True for name, field in own["properties"].items()
            }
        if "$ref" in schema:
            referred = part(definitions[schema["$ref"].removeprefix(_REFERENCE)], value)
            own["allOf"] = [*own.get("allOf", ()), referred]
        return own

    return with_definitions(part(dict(document), instance), definitions)
