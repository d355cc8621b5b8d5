"""Reads YAML, and JSON as a part of it, into plain data; refuses what its readers do not agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderer.later import later
from renderer.model import JSON, Marks, position
from renderer.yaml_reader.quick import quick as read_quickly
from renderer.yaml_reader.text import (
    OUTPUT_LIMITS,
    SPEC_LIMITS,
    Document,
    Finding,
    Limits,
    RefusalError,
    Text,
    conflict_line,
    prepared,
)

if TYPE_CHECKING:
    from renderer.yaml_reader import events
else:
    events = later("renderer.yaml_reader.events")  # 24 ms: PyYAML, which a text without doubt does not need

__all__ = [
    "JSON",
    "OUTPUT_LIMITS",
    "SPEC_LIMITS",
    "Document",
    "Finding",
    "Limits",
    "Marks",
    "conflict_line",
    "position",
    "read",
]


def read(
    data: bytes | str, *, strict: bool, limits: Limits = SPEC_LIMITS, marks: bool = True
) -> tuple[list[Document], list[Finding]]:
    """All documents of a text, and all faults that can be told at once, in the order of the text.

    ``strict`` is for what people write; without it the core schema's other spellings of null, true and false
    are read too, as all readers agree on them. A syntax error ends the reading: the documents before it are
    returned, and those with other faults too: a doubtful scalar as text, the first of two equal keys.
    Where there are faults, marks are always kept. Never raises for what a text may contain.
    """
    try:
        text = prepared(data, limits)
    except RefusalError as refused:
        return [], [(refused.line, refused.column, refused.fault)]
    if document := read_quickly(text.data.decode(), strict=strict, limits=limits):
        return [Document(document[0], _Marked(text, strict, limits) if marks else None, document[1])], []
    return events.read_precisely(text, strict=strict, limits=limits, marks=marks)


class _Marked:
    """Where the values of a text stand, which is read when somebody asks. No closure: processes send it."""

    def __init__(self, text: Text, strict: bool, limits: Limits) -> None:
        self._text, self._strict, self._limits = text, strict, limits
        self._marks: Marks | None = None

    def __call__(self) -> Marks:
        if self._marks is None:
            (document, *_), _ = events.read_precisely(self._text, strict=self._strict, limits=self._limits, marks=True)
            self._marks = document.marks
            assert self._marks, "what was read quickly is read precisely too"
        return self._marks
