"""Merge patches (RFC 7396) of rendered text, so that comments and order of the template stay; JSON Patches
(RFC 6902) become merge patches first.

The patch is applied to the text line by line, each change announced by a comment; then the result
is parsed and compared with the patch applied to the data, so that a mistake here cannot pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from renderer.errors import Defect, DocumentPath, Fault
from renderer.model import JSON, Marks, Patch, Rendered, Server
from renderer.yaml_reader import OUTPUT_LIMITS, Document, read
from renderer.yaml_writer import block, scalar


def patch_documents(documents: Sequence[Rendered], server: Server, target: str) -> tuple[list[Rendered], list[Fault]]:
    """The documents after the server's patches for this target; a patch without match is a Fault."""
    patched, faults = list(documents), []
    for patch in server.patches:
        if patch.target != target:
            continue
        # By what was rendered, so that an earlier patch that changes a name does not hide the object.
        identities = [document.identity for document in documents]
        matches = [i for i, (kind, name, *_) in enumerate(identities) if _matches(patch, kind, name)]
        if not matches:
            faults.append(no_match(patch, _names_by_kind(identities)))
        for i in matches:
            patched[i], unfit = apply(patched[i], patch, server)
            faults += unfit
    return patched, faults


def apply(document: Rendered, patch: Patch, server: Server, below: DocumentPath = ()) -> tuple[Rendered, list[Fault]]:
    """The document with the patch applied at ``below``, and with a note of what it changed.

    A JSON Patch that does not fit is a Fault, and changes nothing.
    """
    merge: dict[str, JSON] = dict(patch.merge)
    faults: list[Fault] = []
    paths = [(path, ("merge", *path)) for path in _leaves(patch.merge)]
    if patch.json:
        from renderer.json_patch import as_merge, touched  # few specs have one

        merge, faults = as_merge(_inside(document, below), patch)
        paths = [(path, ("json", i)) for i, operation in enumerate(patch.json) for path in touched(operation)]
    if not merge:
        return document, faults
    for step in reversed(below):
        merge = {str(step): merge}
    text = merge_text(document.text, merge, f"spec.patches[{patch.position}] of server {server.name}")
    origin = ("spec", "patches", patch.position)
    changes = [((*below, *path), server.source.place((*origin, *place), at_key=True)) for path, place in paths]
    return document._replace(text=text, changes=(*document.changes, *changes)), faults


def _inside(document: Rendered, below: DocumentPath) -> dict[str, JSON]:
    data: Any = _read(document.text).data
    for step in below:
        data = data[step]
    return dict(data or {})


def _leaves(merge: Mapping[str, JSON]) -> Iterator[DocumentPath]:
    """The paths at which a merge patch says something else than 'go further down'."""
    for key, value in merge.items():
        if isinstance(value, dict) and value:
            yield from ((key, *path) for path in _leaves(value))
        else:
            yield (key,)


def _matches(patch: Patch, kind: str, name: str) -> bool:
    return patch.kind == kind and patch.name in (None, name)


def no_match(patch: Patch, names_by_kind: Mapping[str, Sequence[str]]) -> Fault:
    """The Fault of a patch that changes nothing, with what there is to patch: names by kind."""
    wrong_kind = patch.kind not in names_by_kind
    known = sorted(names_by_kind if wrong_kind else names_by_kind[patch.kind])
    close = difflib.get_close_matches(patch.kind if wrong_kind else patch.name or "", known, 1, 0.6)
    hint = f"did you mean '{close[0]}'? " if close else ""
    what = f"no {patch.kind} is rendered" if wrong_kind else f"no {patch.kind} is called '{patch.name}'"
    return Fault(
        ("spec", "patches", patch.position, "kind" if wrong_kind else "name"),
        "spec/patch-without-match",
        f"{what} for this server, so the patch changes nothing",
        f"{hint}there is: {', '.join(known)}",
    )


def _names_by_kind(identities: Sequence[tuple[str, ...]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for kind, name, *_ in identities:
        names.setdefault(kind, []).append(name)
    return names


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


def merge_text(text: str, patch: Mapping[str, JSON], origin: str) -> str:
    """The text of one block-style document with the patch merged in; ``origin`` goes into comments."""
    document = _read(text, marks=True)
    assert isinstance(document.data, dict), "a template makes a mapping"
    assert document.marks, "they were asked for"
    lines = text.split("\n")
    expected = merged(document.data, dict(patch))
    if not (document.data and expected):  # no lines to keep, or none that stay
        return f"# changed by {origin}\n{block(expected, 0)}\n"
    edits: list[_Edit] = []
    _merge(_Node(document.data, document.marks, _end(lines, 0, len(lines), 0)), patch, lines, edits, origin)
    # From the end to the start; where several meet, what stands first in the result is put in last.
    for edit in sorted(edits, key=lambda e: (-e.start, e.end == e.start, e.indent)):
        lines[edit.start : edit.end] = edit.lines
    result = "\n".join(lines)
    if _read(result).data != expected:
        raise Defect(f"{origin} could not be merged into the text of the template")
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
        if value is None:
            edits.append(_Edit(start, end, indent, [f"{' ' * indent}# {scalar(key)} is removed by {origin}"]))
        elif isinstance(value, dict) and _is_block(old, mark) and merged(old, value):
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

    None where the list must be written anew: items went, came before others, or changed from the first key on.
    """
    if not (isinstance(old, list) and isinstance(new, list) and _has_lines(mark) and 0 < len(old) <= len(new)):
        return None
    from renderer.json_patch import difference, holds_null, same  # few patches change a list

    assert isinstance(mark.children, list), "a list has marks of its items"
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


def _has_lines(mark: Marks) -> bool:
    """Whether each item has a line of its own, below that of the key."""
    return isinstance(mark.children, list) and bool(mark.children) and mark.children[0].line > mark.key_line


def _begins_with_its_key(item: Marks) -> bool:
    """Whether an item is a block mapping: one in braces begins before its first key."""
    if not isinstance(item.children, dict) or not item.children:
        return False
    first = next(iter(item.children.values()))
    return (first.key_line, first.key_column) == (item.line, item.column)


def _is_block(old: JSON, mark: Marks) -> TypeGuard[dict[str, JSON]]:
    """Whether it is a mapping of which each key has a line of its own, so that it can be merged line by line."""
    return isinstance(old, dict) and bool(old) and mark.line > mark.key_line


def _lines(data: dict[str, JSON], indent: int, note: str) -> list[str]:
    return [f"{' ' * indent}# {note}", *block(data, indent).split("\n")]


def _end(lines: Sequence[str], start: int, end: int, indent: int) -> int:
    """``end`` without the blank lines and comments before it, which belong to what comes next.

    What is indented deeper than ``indent``, that of the key, is no comment on its successor: it may be
    the last line of a text.
    """
    while end > start + 1 and _is_between(lines[end - 1], indent):
        end -= 1
    return end


def _is_between(line: str, indent: int) -> bool:
    text = line.lstrip(" ")
    return not text or (text.startswith("#") and len(line) - len(text) <= indent)


def _read(text: str, *, marks: bool = False) -> Document:
    documents, faults = read(text, strict=False, limits=OUTPUT_LIMITS, marks=marks)
    if faults or len(documents) != 1:
        raise Defect("a template made text that is not one YAML document")
    return documents[0]
