"""JSON Schemas, compiled once, whose errors become Faults in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from renderer.errors import DocumentPath, Fault, Severity
from renderer.later import instead, later

if TYPE_CHECKING:
    import decimal
else:
    decimal = later("decimal")  # 2 ms, for a type that no value has


class _Decimal:
    """Stands for decimal.Decimal: nothing that is checked holds one."""

    def __new__(cls, *number: Any) -> Any:
        return decimal.Decimal(*number)


# It reads the date of its own build with what mail is sent with, 8 ms, and asks for the types of values when it is
# first used: that of decimals takes 2 ms.
with instead("email.utils", parsedate_to_datetime=str), instead("decimal", Decimal=_Decimal):
    import jsonschema_rs

    jsonschema_rs.is_valid(True, None)


_REFERENCE = "#/$defs/"
#: What a part has no use for: what it refers to stands in it.
_NOT_RULES = frozenset(
    {
        *("$ref", "$defs", "title", "description", "default", "examples"),
        *("x-expected", "x-unit", "x-too-low", "x-secret", "x-instead", "x-text", "x-values"),
    }
)
#: A definition by its name; None where there is none.
Definitions = Callable[[str], Any]
#: So many instances are checked by what their fields need of the schema: compiling a large one takes 25 ms.
_IN_PART = 2


class Schema:
    """A compiled schema.

    ``document`` is the schema itself. ``definitions`` gives what it refers to as ``#/$defs/NAME``, where that does not
    stand in it; ``resources`` are further schemas by the URI under which ``$ref`` names them; nothing is ever fetched.
    ``show_values`` says whether messages may quote what the document holds: never where the schema marks a place
    ``x-secret``, and nowhere at all when it is false.

    Annotations that the messages use: ``x-expected`` (what a pattern or a ``not`` asks for, in words), ``x-unit``
    and ``x-too-low`` (of a number), ``x-secret``, ``x-instead`` (hints for unknown fields), and ``title`` of the
    branches of a choice.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        definitions: Definitions | None = None,
        resources: Mapping[str, Mapping[str, Any]] | None = None,
        show_values: bool = True,
    ) -> None:
        self._top = document
        self._definitions = definitions or document.get("$defs", {}).get
        self.resources = resources or {}
        self.show_values = show_values
        self._parts: list[tuple[Any, Any]] = []

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The schema with all definitions."""
        return self._top if "$defs" in self._top else with_definitions(self._top, self._definitions)

    def is_valid(self, instance: Any) -> bool:
        """Whether nothing is wrong: microseconds, so ask this first."""
        validator = next((part for known, part in self._parts if known is instance), None)
        if validator is None and len(self._parts) < _IN_PART:
            validator = self._compiled(_Part(self._definitions).document(self._top, instance))
            self._parts.append((instance, validator))
        return bool((validator or self._whole).is_valid(instance))

    @cached_property
    def _whole(self) -> Any:
        return self._compiled(self.document)

    def _compiled(self, document: Mapping[str, Any]) -> Any:
        registry = jsonschema_rs.Registry([(u, dict(d)) for u, d in self.resources.items()])
        return jsonschema_rs.validator_for(dict(document), registry=registry, validate_formats=False, offline=True)

    def faults(self, instance: Any, rule_prefix: str) -> list[Fault]:
        """Everything that is wrong, sorted by path; rules are ``<rule_prefix>/unknown-field`` and so on."""
        if self.is_valid(instance):
            return []
        from renderer.schemas.messages import Messages  # 3 ms, which only a document with faults pays

        messages = Messages(self.document, self.resources, rule_prefix, self.show_values)
        return messages.faults(self._whole.iter_errors(instance))


def condition(schema: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Whether a schema of ours holds, which refers to nothing outside of it."""
    holds: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator(dict(schema)).is_valid
    return holds


def references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from references(value)
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield _name(node["$ref"])


def _name(reference: str) -> str:
    """Of the definition, where it is one of the schema itself."""
    return reference.removeprefix(_REFERENCE).replace("~1", "/").replace("~0", "~")


def with_definitions(
    schema: Mapping[str, Any], definitions: Definitions, referring: Sequence[Any] | None = None
) -> dict[str, Any]:
    """The schema with those definitions alone that it needs: all take longer to compile than most schemas.

    ``referring``: the parts of it that alone may refer to any.
    """
    needed: dict[str, Any] = {}
    todo = [*references(dict(schema) if referring is None else referring)]
    while todo:
        name = todo.pop()
        if name not in needed and (definition := definitions(name)):
            needed[name] = definition
            todo += references(definition)
    return {**schema, "$defs": needed}


#: Keywords with one subschema, and the values that it applies to.
_APPLIES_TO: Mapping[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "items": lambda values: [item for value in values if isinstance(value, list) for item in value],
    "propertyNames": lambda values: [name for value in values if isinstance(value, dict) for name in value],
    **dict.fromkeys(("if", "then", "else", "not"), lambda values: values),
}
_COMBINED = ("allOf", "anyOf", "oneOf")
#: Keywords without subschemas.
_FLAT = frozenset(
    {
        *("type", "enum", "const", "required", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties"),
        "uniqueItems",
    }
)


class _Part:
    """Makes schemas of the same verdict on some values: what only fields that these lack are checked by is left out."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._whole: list[Any] = []  # what was not taken apart, and may refer to definitions

    def document(self, schema: Mapping[str, Any], instance: Any) -> dict[str, Any]:
        """The part of a whole schema that one instance is judged by."""
        return with_definitions(self._part(schema, [instance]), self._definitions, self._whole)

    def _part(self, schema: Any, values: Sequence[Any]) -> Any:
        if not values or not isinstance(schema, dict):
            return schema if values else True
        own = {
            word: rule if word in _FLAT else self._rule(word, schema, values)
            for word, rule in schema.items()
            if word not in _NOT_RULES
        }
        if "$ref" in schema:
            definition = self._definitions(_name(schema["$ref"]))
            referred = self._part(definition, values) if definition else {"$ref": schema["$ref"]}
            own["allOf"] = [*own.get("allOf", ()), referred]
        return own

    def _rule(self, word: str, schema: Mapping[str, Any], values: Sequence[Any]) -> Any:
        rule = schema[word]
        if word in _APPLIES_TO:
            return self._part(rule, _APPLIES_TO[word](values))
        if word in _COMBINED:
            return [self._part(inner, values) for inner in rule]
        if word in ("properties", "additionalProperties"):
            mappings = [value for value in values if isinstance(value, dict)]
            if word == "properties":
                return self._fields(rule, mappings)
            known = schema.get("properties", ())
            return self._part(rule, [value[name] for value in mappings for name in value if name not in known])
        self._whole.append(rule)
        return rule

    def _fields(self, schemas: Mapping[str, Any], mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        present: dict[str, list[Any]] = {}
        for value in mappings:
            for name in value:
                present.setdefault(name, []).append(value[name])
        known = dict.fromkeys(schemas, True)
        return {**known, **{name: self._part(schemas[name], present[name]) for name in present if name in known}}


#: Where a schema lists, at its root, the fields that end in a later version, each with what takes its place:
#: ``{"spec.old": {"successor": "spec.new", "ends": "0.3"}}``. For editors the field itself has ``"deprecated": true``
#: and the same words as ``deprecationMessage``.
DEPRECATED = "x-deprecated"


def deprecation_words(entry: Mapping[str, str]) -> str:
    """What a schema says of such a field, for people."""
    return f"{_deprecation(entry)}; {_successor(entry)}"


def _deprecation(entry: Mapping[str, str]) -> str:
    return f"deprecated: it ends with mcpctl {entry['ends']}"


def _successor(entry: Mapping[str, str]) -> str:
    return f"use {entry['successor']} instead"


def deprecations(schema: Mapping[str, Any], data: object) -> list[Fault]:
    """A warning for each such field that the document has, whether or not the document is valid otherwise."""
    return [
        Fault(path, "schema/deprecated", _deprecation(entry), _successor(entry), Severity.WARNING, at_key=True)
        for field, entry in schema.get(DEPRECATED, {}).items()
        for path in _places(data, field.replace("[]", ".[]").split("."), ())
    ]


def _places(data: object, steps: Sequence[str], path: DocumentPath) -> Iterator[DocumentPath]:
    """Where the document has the field; ``[]`` is each item of a list, ``<name>`` each entry of a mapping."""
    if not steps:
        yield path
        return
    step, *rest = steps
    if isinstance(data, list) and step == "[]":
        for i, item in enumerate(data):
            yield from _places(item, rest, (*path, i))
    elif isinstance(data, dict):
        for name in data if step.startswith("<") else {step} & data.keys():
            yield from _places(data[name], rest, (*path, name))
