"""Edits values in YAML text, keeping comments, order and notation.

Each edit is verified: the new text must parse to the expected data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from renderer.errors import DocumentPath
from renderer.manifest import as_mapping
from renderer.model import JSON, Marks
from renderer.model.source import nearest
from renderer.yaml_reader import read
from renderer.yaml_writer import block, scalar


class CannotEdit(Exception):
    """The notation of the text does not allow the edit."""


def edited(text: str, document: int, path: DocumentPath, value: Any) -> str:
    """The text with ``value`` replaced or added at ``path``, or removed (None).

    ``document`` counts from 1. Raises CannotEdit.
    """
    if not (before := _data(text)):
        raise CannotEdit
    marks = read(text, strict=True)[0][document - 1].marks
    assert marks, "they were asked for"
    expected = [_changed(data, path, value) if i == document else data for i, data in enumerate(before, 1)]
    there, missing = nearest(marks, path)
    if value is None:
        candidates = _removed(text, nearest(marks, path[:-1])[0], there)
    elif missing:
        candidates = _added(text, marks, path, value)
    else:
        old: Any = before[document - 1]
        for step in path:
            old = old[step]
        candidates = _replaced(text, there, old, value)
    for candidate in candidates:
        if candidate is not None and _data(candidate) == expected:
            return candidate
    raise CannotEdit


def _data(text: str) -> list[JSON]:
    """Empty on any fault."""
    documents, faults = read(text, strict=True)
    return [] if faults else [document.data for document in documents]


def _changed(data: Any, path: DocumentPath, value: Any) -> Any:
    if not path:
        return value
    step, *below = path
    if isinstance(data, list):
        return [_changed(each, tuple(below), value) if i == step else each for i, each in enumerate(data)]
    if value is None and not below:
        return {key: each for key, each in as_mapping(data).items() if key != step}
    return {**as_mapping(data), step: _changed(as_mapping(data).get(str(step)), tuple(below), value)}


def _replaced(text: str, there: Marks, old: Any, new: Any) -> Iterator[str]:
    """Candidates in each notation of the scalar."""
    start = _offset(text, there.line, there.column)
    if text.startswith(str(old), start):  # as it is written there, where that can be read
        yield text[:start] + str(new) + text[start + len(str(old)) :]
    for form, written in ((scalar(old), scalar(new)), (json.dumps(old), json.dumps(new)), (f"'{old}'", f"'{new}'")):
        if text.startswith(form, start):
            yield text[:start] + written + text[start + len(form) :]
    if text.startswith(str(old), start):
        yield text[:start] + scalar(new) + text[start + len(str(old)) :]


def _added(text: str, marks: Marks, path: DocumentPath, value: Any) -> Iterator[str]:
    """Candidates after the last key of the deepest existing mapping, or before its first."""
    depth = next(n for n in range(len(path), -1, -1) if not nearest(marks, path[:n])[1])
    parent = nearest(marks, path[:depth])[0]
    for step in reversed(path[depth + 1 :]):
        value = {str(step): value}
    added: dict[str, JSON] = {str(path[depth]): value}
    children = parent.children if isinstance(parent.children, dict) else {}
    start = _offset(text, parent.line, parent.column)
    if text.startswith("{", start):
        (last,) = [*children.values()][-1:] or [None]
        inside = ", ".join(f"{scalar(key)}: {_flow(each)}" for key, each in added.items())
        if last is None:
            yield text[: start + 1] + inside + text[start + 1 :]
        for end in _ends(text, _offset(text, last.line, last.column)) if last else ():
            yield f"{text[:end]}, {inside}{text[end:]}"
    elif children:
        first = next(iter(children.values()))
        lines, new = text.split("\n"), block(added, first.key_column - 1).split("\n")
        for line in (_last_line(parent), first.key_line - 1):
            yield "\n".join([*lines[:line], *new, *lines[line:]])


def _flow(value: Any) -> str:
    if not isinstance(value, Mapping):
        return scalar(value)
    return f"{{{', '.join(f'{scalar(key)}: {_flow(each)}' for key, each in value.items())}}}"


def _ends(text: str, start: int) -> Iterator[int]:
    """Possible ends of a value in braces: commas, brackets and quotes on its line."""
    line = text.find("\n", start)
    for i in range(start, line if line >= 0 else len(text)):
        if text[i] in ",}" or (i > start and text[i - 1] in "\"']}"):
            yield len(text[:i].rstrip())


def _removed(text: str, parent: Marks, there: Marks) -> Iterator[str]:
    """Whole lines in a block; in braces from the comma on."""
    start = _offset(text, there.key_line, there.key_column)
    if text.startswith("{", _offset(text, parent.line, parent.column)):
        comma = text.rfind(",", 0, start)
        for end in _ends(text, _offset(text, there.line, there.column)) if comma >= 0 else ():
            yield text[:comma] + text[end:]
        return
    lines = text.split("\n")
    for last in range(_last_line(there), min(_last_line(there) + 3, len(lines))):
        yield "\n".join([*lines[: there.key_line - 1], *lines[last:]])


def _last_line(marks: Marks) -> int:
    children = marks.children.values() if isinstance(marks.children, dict) else marks.children or ()
    return max([marks.line, *map(_last_line, children)])


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1
