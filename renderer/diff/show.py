"""A Diff as text for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from renderer.diff import masks
from renderer.diff.causes import Cause
from renderer.diff.entries import Entry, Field
from renderer.diff.fields import ABSENT
from renderer.diff.fold import Diff, Group, counts, folded
from renderer.diff.wording import changed, details, headline, same_in, summary, tool_words
from renderer.errors import excerpt
from renderer.model import JSON

#: Of one group in text; JSON has all.
_MOST_LINES = 60
_LONGEST = 400


def as_text(diff: Diff) -> str:
    """Headlines, below each its consequences and fields; then a summary."""
    lines: list[str] = []
    groups = folded(diff.entries)
    tool = [group for group in groups if group.first.leg == "tool"]
    for group in groups:
        if tool and group is tool[0]:
            lines += [f"without any change of a spec: {'; '.join(tool_words(diff)) or 'see below'}"]
        lines += _group(group)
    lines += [f"note: {note}" for note in diff.notes]
    if diff.rows is not None:
        lines += _matrix(diff)
    lines += summary(diff, str)
    return "".join(f"{_no_command(excerpt(line, _LONGEST))}\n" for line in lines)


def _no_command(line: str) -> str:
    """A CI of GitHub obeys lines that begin with two colons, or ``##[``: no name in an old tree gives it orders."""
    return f"\\{line}" if line.lstrip().startswith(("::", "##[")) else line


def _group(group: Group) -> Iterator[str]:
    first = group.first
    place = next((f"{cause.place}: " for cause in first.causes if cause.place and len(group.entries) == 1), "")
    yield f"{place}{headline(group, str)}"
    if len(group.places) > 1:
        yield f"    {same_in(group, str)}"
    lines = [*details(first), *(line for field in first.fields for line in changed(field))]
    yield from (f"    {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"    … {len(lines) - _MOST_LINES} more lines (--format json has all)"


def _matrix(diff: Diff) -> Iterator[str]:
    yield "fields that are not the same in every environment:"
    for row in diff.rows or ():
        values = ", ".join(f"{name}: {value or 'not set'}" for name, value in row.values.items())
        yield f"    {row.server or '(environment)'} {row.path}: {values}"


def as_json(diff: Diff) -> str:
    """All entries, each in full; values of secrets are hidden here as well."""
    data: dict[str, JSON] = {
        "command": "diff",
        "against": diff.against,
        "different": bool(diff.entries),
        **counts(diff),
        "notes": list(diff.notes),
        "entries": [_entry(entry) for group in folded(diff.entries) for entry in group.entries],
    }
    if diff.rows is not None:
        data["environments"] = list(diff.environments)
        data["differences"] = [
            {"server": row.server, "path": row.path, "values": dict(row.values)} for row in diff.rows
        ]
    return json.dumps(data, indent=2) + "\n"


def _entry(entry: Entry) -> JSON:
    return {
        "tree": entry.tree,
        "server": entry.server,
        "by": entry.leg,
        "state": entry.state,
        **({"renamedFrom": entry.renamed_from} if entry.renamed_from else {}),
        "causes": [_cause(cause) for cause in entry.causes],
        "consequences": [{"name": one.name, "detail": masks.words(one.detail)} for one in entry.consequences],
        "files": list(entry.files),
        "fields": [_field(field) for field in entry.fields],
    }


def _cause(cause: Cause) -> JSON:
    place: JSON = None
    if cause.place:
        place = {"file": cause.place.file, "line": cause.place.line, "column": cause.place.column}
    return {"name": cause.name, "what": list(cause.what), "of": cause.of, "place": place}


def _field(field: Field) -> JSON:
    change = field.change
    found: dict[str, JSON] = {"object": field.object, "path": change.where}
    several = (
        masks.lines(field.kind, change.path, change.old, change.new) if change.path or field.kind == "file" else None
    )
    if several is not None:
        return {**found, "lines": list(several)}
    for name, value in (("old", change.old), ("new", change.new)):
        if value is not ABSENT:
            found[name] = masks.shown(field.kind, change.path, value)
    return found
