"""Fields that end in a later version: a schema lists them at its root, each with what takes its place.

``"x-deprecated": {"spec.old": {"successor": "spec.new", "ends": "0.3"}}``. For editors the field itself has
``"deprecated": true`` and these words as ``deprecationMessage``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.errors import DocumentPath, Fault, Severity

KEYWORD = "x-deprecated"


def words(entry: Mapping[str, str]) -> str:
    """What a schema says of such a field, for people."""
    return f"{_message(entry)}; {_hint(entry)}"


def _message(entry: Mapping[str, str]) -> str:
    return f"deprecated: it ends with mcpctl {entry['ends']}"


def _hint(entry: Mapping[str, str]) -> str:
    return f"use {entry['successor']} instead"


def deprecations(schema: Mapping[str, Any], data: object) -> list[Fault]:
    """A warning for each such field that the document has, whether or not the document is valid otherwise."""
    return [
        Fault(path, "schema/deprecated", _message(entry), _hint(entry), Severity.WARNING, at_key=True)
        for field, entry in schema.get(KEYWORD, {}).items()
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
