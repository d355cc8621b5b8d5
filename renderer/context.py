"""What the templates of every target read of a server: its document under its own names, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from renderer import assets
from renderer.model import Server

_Complete = Callable[[Any], Any]
#: Keywords whose subschemas hold for the same value, and those under which there may be further fields.
_COMBINED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "then", "else"})
_NESTED = _COMBINED | {"properties", "items", "additionalProperties"}


def document_values(server: Server) -> dict[str, Any]:
    """``spec`` and ``metadata`` with every field of the schema: null where nothing is said and nothing assumed."""
    completed = _complete()(server.data)
    return {"metadata": completed["metadata"], "spec": completed["spec"]}


@cache
def _complete() -> _Complete:
    schema = assets.schema("mcpserver")
    complete = _completer([schema], schema["$defs"])
    assert complete, "a document has fields"
    return complete


def _completer(schemas: Sequence[Any], definitions: Mapping[str, Any]) -> _Complete | None:
    """Adds the missing fields of what may be any of the schemas, at every depth; None where there are none."""
    branches: list[Any] = []
    for schema in schemas:
        branches += [schema] if _COMBINED.isdisjoint(schema) else _branches(schema, definitions)
    fields: dict[str, list[Any]] = {}
    members: list[Any] = []
    for branch in branches:
        for name, schema in branch.get("properties", {}).items():
            fields.setdefault(name, []).append(schema)
        members += [branch[word] for word in ("items", "additionalProperties") if isinstance(branch.get(word), dict)]
    if fields:
        return _completes_mapping(fields, definitions)
    member = _completer(members, definitions) if members else None
    return _completes_members(member) if member else None


def _completes_mapping(fields: Mapping[str, Sequence[Any]], definitions: Mapping[str, Any]) -> _Complete:
    # Of the fields that have fields themselves most specs name few: what completes those is made when it is needed.
    nested = {name: forms for name, forms in fields.items() if any(not _NESTED.isdisjoint(form) for form in forms)}
    known: dict[str, _Complete | None] = {}
    nothing = dict.fromkeys(fields)

    def complete(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        completed = {**value, **nothing, **value}  # in its own order, which counts in the list of alerts
        for name, forms in nested.items():
            if (item := completed[name]) is not None:
                if name not in known:
                    known[name] = _completer(forms, definitions)
                if inner := known[name]:
                    completed[name] = inner(item)
        return completed

    return complete


def _completes_members(member: _Complete) -> _Complete:
    def complete(value: Any) -> Any:
        if isinstance(value, list):
            return [member(item) for item in value]
        return {name: member(item) for name, item in value.items()} if isinstance(value, dict) else value

    return complete


def _branches(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema, and all that hold for the same value or may hold for it."""
    branches, waiting = [], [schema]
    while waiting:
        branch = waiting.pop()
        branches.append(branch)
        if _COMBINED.isdisjoint(branch):
            continue
        inner = [definitions[branch["$ref"].removeprefix("#/$defs/")]] if "$ref" in branch else []
        for word in ("allOf", "anyOf", "oneOf"):
            inner += branch.get(word, ())
        inner += [branch[word] for word in ("then", "else") if word in branch]
        waiting += reversed(inner)
    return branches
