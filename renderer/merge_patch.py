"""Merge patches (RFC 7396), of data and of text: comments and order of the text stay.

Text is changed line by line, each change announced by a comment; then the result is parsed and compared with the patch
applied to the data, so that a mistake here cannot pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderer.model import JSON, Marks
from renderer.namedtuples import NamedTuple
from renderer.yaml_reader import OUTPUT_LIMITS, Document, read
from renderer.yaml_writer import block, scalar


def merged(data: JSON, patch: JSON) -> JSON:
    """RFC 7396: mappings merge, null removes, everything else replaces."""
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
    """The merge patch that turns one mapping into the other, which holds no null."""
    changed: dict[str, JSON] = dict.fromkeys(key for key in before if key not in after)
    for key, value in after.items():
        old = before.get(key)
        if key in before and same(old, value):
            continue
        both = isinstance(old, dict) and isinstance(value, dict)
        changed[key] = difference(old, value) if both else value  # type: ignore[arg-type]
    return changed


def same(value: JSON, other: JSON) -> bool:
    """Equal, and of one type: to Python, true is 1."""
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    return type(value) is type(other) and value == other


def holds_null(value: JSON) -> bool:
    """Whether there is a null at any depth, which a merge patch cannot write."""
    if isinstance(value, dict | list):
        return any(map(holds_null, value.values() if isinstance(value, dict) else value))
    return value is None


def merge_text(text: str, patch: Mapping[str, JSON], origin: str) -> str:
    """The text of one block-style document with the patch merged in; ``origin`` goes into comments."""
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
    # From the end to the start; where several meet, what stands first in the result is put in last.
    for edit in sorted(edits, key=lambda e: (-e.start, e.end == e.start, e.indent)):
        lines[edit.start : edit.end] = edit.lines
    result = "\n".join(lines)
    written = read_mapping(result)
    if written is None or written.data != expected:
        # A template of a user may put several keys on one line; then the text is written again as a whole.
        return whole
    return result


class _Edit(NamedTuple):
    """Lines ``start`` up to ``end`` (from 0, end not included) are replaced by ``lines`` at ``indent``."""

    start: int
    end: int
    indent: int
    lines: list[str]


class _Node(NamedTuple):
    """A block mapping, its marks, and the line behind its last one."""

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
    """What changes inside single items, and new items behind them, so that the comments of all others stay.

    None where the list must be written again: items went, came before others, or changed from the first key on.
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
    """Whether an item is a block mapping: one in braces begins before its first key."""
    if not isinstance(item.children, dict) or not item.children:
        return False
    first = next(iter(item.children.values()))
    return (first.key_line, first.key_column) == (item.line, item.column)


def _lines(data: dict[str, JSON], indent: int, note: str) -> list[str]:
    return [f"{' ' * indent}# {note}", *block(data, indent).split("\n")]


def _end(lines: Sequence[str], start: int, end: int, indent: int) -> int:
    """``end`` without the blank lines and comments before it, which belong to what comes next.

    What is indented deeper than ``indent``, that of the key, is no comment on its successor: it may be
    the last line of a text.
    """
    while end > start + 1:
        text = lines[end - 1].lstrip(" ")
        if text and not (text.startswith("#") and len(lines[end - 1]) - len(text) <= indent):
            break
        end -= 1
    return end


def read_mapping(text: str, *, marks: bool = False) -> Document | None:
    """The one document of a text; None where it is something else, which a template of a user may make."""
    documents, faults = read(text, strict=False, limits=OUTPUT_LIMITS, marks=marks)
    return documents[0] if not faults and len(documents) == 1 and isinstance(documents[0].data, dict) else None
