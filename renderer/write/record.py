"""The record of a tree: what is ours in it, and what that was made from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from renderer.errors import OutputTreeFault, Place, Problem, excerpt
from renderer.write.disk import content_of, digest, put
from renderer.write.origin import UNKNOWN, Origin
from renderer.write.refuse import refuse_links

#: The record of what we own below a target's folder: path to SHA-256 of the content. While a run writes,
#: ``pending`` says besides what it is about to put in place, so that a killed run's files are known as ours.
RECORD = ".mcpctl.json"
#: Of the record. 1 had no number, and said nothing of origins.
FORMAT = 2

_TEXTS = ("tool", "templates", "environment")
_MAPS = ("options", "specs")


class Record(NamedTuple):
    """What we own: path to digests that are ours, and the paths that an earlier run did not finish."""

    digests: Mapping[str, tuple[str, ...]] = {}
    pending: tuple[str, ...] = ()
    origin: Origin = UNKNOWN


def read_record(folder: Path) -> Record:
    """The record of the tree; an empty one where there is none. OutputTreeFault where it cannot be trusted."""
    path = folder / RECORD
    if folder.is_symlink() or path.is_symlink():
        refuse_links(folder.parent, [f"{folder.name}/{RECORD}"])
    content = content_of(os.fspath(path))
    if content is None:
        return Record()
    try:
        data: Any = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _not_a_record(path)
    version = data.get("format", 1)
    if type(version) is not int or version < 1:
        raise _not_a_record(path)
    if version > FORMAT:
        raise _newer(path, data.get("tool"))
    return _checked(data, path)


def _checked(data: Mapping[str, Any], path: Path) -> Record:
    parts = [data.get("files"), data.get("pending", {})]
    if not all(isinstance(part, dict) and all(map(_is_entry, part.items())) for part in parts):
        raise _not_a_record(path)
    texts = [data.get(name, "") for name in _TEXTS]
    maps = [data.get(name, {}) for name in _MAPS]
    values = [*texts, *(maps[1].values() if isinstance(maps[1], dict) else [None])]
    if not all(isinstance(value, str) for value in values) or not isinstance(maps[0], dict):
        raise _not_a_record(path)
    files, pending = parts
    assert files is not None, "checked above"
    digests = {name: (recorded,) for name, recorded in files.items()}
    digests |= {name: (*digests.get(name, ()), recorded) for name, recorded in pending.items()}
    return Record(digests, tuple(pending), Origin(*texts, *maps))


def _not_a_record(path: Path) -> OutputTreeFault:
    hint = "restore it from git, or remove it: then no file here counts as ours"
    problem = Problem(Place(os.fspath(path)), "", "tree/record", "this is not a record that mcpctl wrote", hint)
    return OutputTreeFault("the record of the output tree cannot be read", [problem])


def _newer(path: Path, tool: object) -> OutputTreeFault:
    by = f" {excerpt(tool)}" if isinstance(tool, str) and tool else ""
    message = f"a newer mcpctl{by} wrote this record, in a form that this one does not know"
    hint = "use that version, or a later one: this one could not tell what is ours here"
    problem = Problem(Place(os.fspath(path)), "", "tree/record-newer", message, hint)
    return OutputTreeFault("the output tree was written by a newer mcpctl", [problem])


def _is_entry(entry: tuple[str, object]) -> bool:
    """Whether a path of the record stays below the folder, whoever wrote it there, and has a digest."""
    path, recorded = entry
    steps = path.split("/")
    plain = "\0" not in path and path != RECORD and "" not in steps and "." not in steps and ".." not in steps
    return plain and path.isprintable() and isinstance(recorded, str)


def put_record(folder: Path, digests: Mapping[str, str], pending: Mapping[str, str], origin: Origin) -> bool:
    """Writes the record where it says something else; whether it did. Sorted, one line a file: git merges lines."""
    data: dict[str, Any] = {"format": FORMAT, **{name: value for name, value in _said(origin).items() if value}}
    data |= {"files": dict(sorted(digests.items()))}
    data |= {"pending": dict(sorted(pending.items()))} if pending else {}
    text = json.dumps(data, indent=1) + "\n"
    if content_of(os.fspath(folder / RECORD)) == text.encode():
        return False
    put({RECORD: text}, folder)
    return True


def _said(origin: Origin) -> dict[str, Any]:
    said = {name: getattr(origin, name) for name in _TEXTS}
    return said | {name: dict(sorted(getattr(origin, name).items())) for name in _MAPS}


def present(folder: Path, record: Record) -> dict[str, str]:
    """Of the digests that are ours, those of what is there; after a killed run that may be either."""
    first = {path: digests[0] for path, digests in record.digests.items()}
    contents = {path: content_of(os.fspath(folder / path)) for path in record.pending}
    found = {path: digest(content) for path, content in contents.items() if content is not None}
    return first | {path: one for path, one in found.items() if one in record.digests[path]}
