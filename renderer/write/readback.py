"""A tree read back, to be applied: every file as its record says, or a Problem for each that is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from renderer.errors import OutputTreeFault, Place, Problem
from renderer.write.compare import REASONS
from renderer.write.disk import content_of, digest, told
from renderer.write.origin import Origin
from renderer.write.record import RECORD, Record, read_record
from renderer.write.refuse import refuse_links

_AGAIN = "render the tree again: mcpctl render … --out"


class Recorded(NamedTuple):
    """The files of a tree, path to text, sorted; and what they were made from."""

    texts: dict[str, str]
    origin: Origin


def recorded(folder: Path) -> Recorded:
    """The files of a tree that is as its record says.

    Raises OutputTreeFault with one Problem for each file that is not: edited, missing, a link, unfinished, not listed.
    """
    with told(folder, "the tree could not be read", ""):
        record = read_record(folder)
        if not record.digests:
            problem = Problem(Place(os.fspath(folder / RECORD)), "", "tree/record", "there is no record of mcpctl here")
            raise OutputTreeFault(f"{folder} is no tree that mcpctl rendered", [problem])
        refuse_links(folder, record.digests, "nothing was applied")
        # Read once: what is applied is what was compared.
        contents = {path: content_of(os.fspath(folder / path)) for path in sorted(record.digests)}
        problems = [_unfinished(folder, path) for path in record.pending]
        finished = {path: content for path, content in contents.items() if path not in record.pending}
        problems += [p for path, content in finished.items() if (p := _unlike(folder, path, content, record))]
        problems += _unlisted(folder, record)
        if problems:
            raise OutputTreeFault("nothing was applied: the tree is not as it was rendered", sorted(problems))
        return Recorded({path: (content or b"").decode() for path, content in contents.items()}, record.origin)


def _unfinished(folder: Path, path: str) -> Problem:
    message = "a run was ended before it had written this file"
    return Problem(Place(os.fspath(folder / path)), "", "tree/unfinished", message, _AGAIN)


def _unlike(folder: Path, path: str, content: bytes | None, record: Record) -> Problem | None:
    place = Place(os.fspath(folder / path))
    if content is None:
        return Problem(place, "", "tree/missing", "the record lists it, and it is not there", _AGAIN)
    if digest(content) not in record.digests[path]:
        return Problem(place, "", "tree/edited", REASONS["edited"], _AGAIN)
    return None


def _unlisted(folder: Path, record: Record) -> list[Problem]:
    """Files that the record does not know; not the ``.env`` of compose, which holds what is never rendered."""
    found = [
        Path(parent, name)
        for parent, folders, names in os.walk(folder)
        for name in (*names, *(inner for inner in folders if Path(parent, inner).is_symlink()))
    ]
    known = {RECORD, *record.digests}
    strangers = [path for path in found if path.name != ".env" and path.relative_to(folder).as_posix() not in known]
    said = ("", "tree/foreign", "the record does not list it", "move it out of the tree")
    return [Problem(Place(os.fspath(path)), *said) for path in strangers]
