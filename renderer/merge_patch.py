"""Merge patches (RFC 7396) of data and of YAML text, whose comments and order are kept.

Text is changed line by line, with a comment for each change. The result is parsed and compared with the patched data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderer.model import JSON, Marks
from renderer.namedtuples import NamedTuple
from renderer.yaml_reader import OUTPUT_LIMITS, Document, read
from renderer.yaml_writer import block, scalar


def merged(data: JSON, patch: JSON) -> JSON:
    if not isinstance(patch, dict):
        return patch
    result = dict(data) if isinstance(data, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def difference(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> dict[str, JSON]:
    """The merge patch from one mapping to the other, which holds no null."""
    changed: dict[str, JSON] = dict.fromkeys(key for key in before if key not in after)
    for key, value in after.items():
        old = before.get(key)
        if key in before and same(old, value):
            continue
        both = isinstance(old, dict) and isinstance(value, dict)
        changed[key] = difference(old, value) if both else value  # type: ignore[arg-type]
    return changed


def same(value: JSON, other: JSON) -> bool:
    """Equal and of equal types: in Python, True equals 1."""
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    return type(value) is type(other) and value == other


def holds_null(value: JSON) -> bool:
    """At any depth; a merge patch cannot write null."""
    if isinstance(value, dict | list):
        return any(map(holds_null, value.values() if isinstance(value, dict) else value))
    return value is None


def merge_text(text: str, patch: Mapping[str, JSON], origin: str) -> str:
    """The text of one block-style document with the patch merged in; ``origin`` is named in comments."""
    document = read_mapping(text, marks=True)
    assert document, "the caller has read it"
    assert document.marks, "they were asked for"
    assert isinstance(document.data, dict), "a mapping was read"
    lines = text.split("\n")
    expected = merged(document.data, dict(patch))
    whole = f"# changed by {origin}\n{block(expected, 0)}\n"
    if not (document.data and expected):  # no lines to keep, or none that stay
        return whole
    edits: list[_Edit] = []
    _merge(_Node(document.data, document.marks, _end(lines, 0, len(lines), 0)), patch, lines, edits, origin)
    # From the end; of edits at one line, the one that comes first in the result is applied last.
    for edit in sorted(edits, key=lambda e: (-e.start, e.end == e.start, e.indent)):
        lines[edit.start : edit.end] = edit.lines
    result = "\n".join(lines)
    written = read_mapping(result)
    if written is None or written.data != expected:
        # A user's template may put several keys on one line: rewrite the whole text.
        return whole
    return result


class _Edit(NamedTuple):
    """Replaces the lines from ``start`` (counted from 0) up to ``end`` (exclusive)."""

    start: int
    end: int
    indent: int
    lines: list[str]


class _Node(NamedTuple):
    """A block mapping and the line after it."""

    data: dict[str, JSON]
    marks: Marks
    end: int


def _merge(node: _Node, patch: Mapping[str, JSON], lines: list[str], edits: list[_Edit], origin: str) -> None:
    children = node.marks.children
    assert isinstance(children, dict), "a template's mapping that is patched has marks"
    starts = sorted(mark.key_line - 1 for mark in children.values())
    indent = next(iter(children.values())).key_column - 1
    added: dict[str, JSON] = {}
    for key, value in patch.items():
        if key not in node.data:
            if value is not None:
                added[key] = merged(None, value)
            continue
        mark = children[key]
        start = mark.key_line - 1
        end = _end(lines, start, next((s for s in starts if s > start), node.end), indent)
        old = node.data[key]
        in_lines = bool(old) and mark.line > mark.key_line  # each key of it has a line of its own
        if value is None:
            edits.append(_Edit(start, end, indent, [f"{' ' * indent}# {scalar(key)} is removed by {origin}"]))
        elif in_lines and isinstance(value, dict) and isinstance(old, dict) and merged(old, value):
            _merge(_Node(old, mark, end), value, lines, edits, origin)
        elif (items := _item_edits(old, value, mark, end, lines, origin)) is not None:
            edits += items
        else:
            note = f"changed by {origin}"
            edits.append(_Edit(start, end, indent, _lines({key: merged(old, value)}, indent, note)))
    if added:
        edits.append(_Edit(node.end, node.end, indent, _lines(added, indent, f"added by {origin}")))


def _item_edits(old: JSON, new: JSON, mark: Marks, end: int, lines: list[str], origin: str) -> list[_Edit] | None:
    """Edits within items and additions after them, so that other items keep their comments.

    None if the list must be rewritten: items were removed, inserted, or changed at their first key.
    """
    if not (isinstance(old, list) and isinstance(new, list) and 0 < len(old) <= len(new)):
        return None
    assert isinstance(mark.children, list), "a list has marks of its items"
    if mark.children[0].line == mark.key_line:  # in brackets behind the key
        return None
    edits: list[_Edit] = []
    indent = mark.children[0].column - 1 - len("- ")
    starts = [item.line - 1 for item in mark.children]
    for was, now, item, stop in zip(old, new, mark.children, [*starts[1:], end], strict=False):
        if same(was, now):
            continue
        if not (isinstance(was, dict) and isinstance(now, dict) and _begins_with_its_key(item)) or holds_null(now):
            return None
        change = difference(was, now)
        if next(iter(was)) in change:  # it shares its line with the dash
            return None
        _merge(_Node(was, item, _end(lines, item.line - 1, stop, indent)), change, lines, edits, origin)
    if more := new[len(old) :]:
        added = [f"{' ' * indent}# added by {origin}", *block(more, indent).split("\n")]
        edits.append(_Edit(end, end, indent, added))
    return edits


def _begins_with_its_key(item: Marks) -> bool:
    """Whether an item is in block style: a flow mapping begins before its first key."""
    if not isinstance(item.children, dict) or not item.children:
        return False
    first = next(iter(item.children.values()))
    return (first.key_line, first.key_column) == (item.line, item.column)


def _lines(data: dict[str, JSON], indent: int, note: str) -> list[str]:
    return [f"{' ' * indent}# {note}", *block(data, indent).split("\n")]


def _end(lines: Sequence[str], start: int, end: int, indent: int) -> int:
    """``end`` without trailing blank lines and comments, which belong to the next key.

    Lines indented deeper than the key (``indent``) count: they may be part of a block scalar.
    """
    while end > start + 1:
        text = lines[end - 1].lstrip(" ")
        if text and not (text.startswith("#") and len(lines[end - 1]) - len(text) <= indent):
            break
        end -= 1
    return end


def read_mapping(text: str, *, marks: bool = False) -> Document | None:
    """The only document of a text; None if it is anything but one mapping."""
    documents, faults = read(text, strict=False, limits=OUTPUT_LIMITS, marks=marks)
    return documents[0] if not faults and len(documents) == 1 and isinstance(documents[0].data, dict) else None
