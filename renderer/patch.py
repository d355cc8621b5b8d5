"""Merge patches (RFC 7396) of rendered text, so that comments and order of the template stay.

The patch is applied to the text line by line, each change announced by a comment; then the result
is parsed and compared with the patch applied to the data, so that a mistake here cannot pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.errors import Defect, Fault
from renderer.model import JSON, Marks, Patch, Rendered, Server
from renderer.yaml_reader import Document, read
from renderer.yaml_writer import block, scalar


def patch_documents(documents: Sequence[Rendered], server: Server, target: str) -> tuple[list[Rendered], list[Fault]]:
    """The documents after the server's patches for this target; a patch without match is a Fault."""
    patched, faults = list(documents), []
    for patch in server.patches:
        if patch.target != target:
            continue
        matches = [i for i, document in enumerate(patched) if _matches(patch, _read(document.text).data)]
        if not matches:
            faults.append(_no_match(patch, [_read(d.text).data for d in patched]))
        for i in matches:
            text = merge_text(patched[i].text, patch.merge, f"spec.patches[{patch.position}] of server {server.name}")
            patched[i] = patched[i]._replace(text=text)
    return patched, faults


def _matches(patch: Patch, data: Any) -> bool:
    return patch.kind == data["kind"] and patch.name in (None, data["metadata"]["name"])


def _no_match(patch: Patch, objects: Sequence[Any]) -> Fault:
    kinds = sorted({o["kind"] for o in objects})
    names = sorted({o["metadata"]["name"] for o in objects if o["kind"] == patch.kind})
    wrong_kind = patch.kind not in kinds
    known, word = (kinds, patch.kind) if wrong_kind else (names, patch.name or "")
    close = difflib.get_close_matches(word, known, 1, 0.6)
    hint = f"did you mean '{close[0]}'? " if close else ""
    what = f"no {patch.kind} is rendered" if wrong_kind else f"no {patch.kind} is called '{patch.name}'"
    return Fault(
        ("spec", "patches", patch.position, "kind" if wrong_kind else "name"),
        "spec/patch-without-match",
        f"{what} for this server, so the patch changes nothing",
        f"{hint}there is: {', '.join(known)}",
    )


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
    assert isinstance(document.data, dict) and document.marks, "a template makes a mapping"
    lines = text.split("\n")
    edits: list[_Edit] = []
    _merge(_Node(document.data, document.marks, _end(lines, 0, len(lines))), patch, lines, edits, origin)
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        lines[edit.start : edit.end] = edit.lines
    result = "\n".join(lines)
    if _read(result).data != merged(document.data, dict(patch)):
        raise Defect(f"{origin} could not be merged into the text of the template")
    return result


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines ``start`` up to ``end`` (from 0, end not included) are replaced."""

    start: int
    end: int
    lines: list[str]


@dataclass(frozen=True, slots=True)
class _Node:
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
        end = _end(lines, start, next((s for s in starts if s > start), node.end))
        old = node.data[key]
        if isinstance(value, dict) and isinstance(old, dict) and old and mark.line > mark.key_line:
            _merge(_Node(old, mark, end), value, lines, edits, origin)
        elif value is None:
            edits.append(_Edit(start, end, [f"{' ' * indent}# {scalar(key)} is removed by {origin}"]))
        else:
            edits.append(_Edit(start, end, _lines({key: merged(old, value)}, indent, f"changed by {origin}")))
    if added:
        edits.append(_Edit(node.end, node.end, _lines(added, indent, f"added by {origin}")))


def _lines(data: dict[str, JSON], indent: int, note: str) -> list[str]:
    return [f"{' ' * indent}# {note}", *block(data, indent).split("\n")]


def _end(lines: Sequence[str], start: int, end: int) -> int:
    """``end`` without the comments and blank lines before it, which belong to what comes next."""
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _read(text: str, *, marks: bool = False) -> Document:
    documents, faults = read(text, strict=False, marks=marks)
    if faults or len(documents) != 1:
        raise Defect("a template made text that is not one YAML document")
    return documents[0]
