"""The specs as a git revision has them, at the same paths; a file that is the same now is not read again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from renderer.diff import git
from renderer.load import SUFFIXES
from renderer.model import Source
from renderer.yaml_reader import SPEC_LIMITS, read


def old_sources(found: git.Revision, paths: Sequence[str], now: Sequence[Source]) -> list[Source] | None:
    """All documents in the order of the paths; None where they cannot be known: stdin, elsewhere, or not readable."""
    known: dict[str, list[Source]] = {}
    for source in now:
        known.setdefault(source.file, []).append(source)
    sources: list[Source] = []
    seen: set[str] = set()
    for path in paths:
        place = None if path == "-" else git.inside(found, path)
        if place is None:
            return None
        files = {
            name: blob for name, blob in git.listing(found, place).items() if name not in seen and _is_spec(name, place)
        }
        seen.update(files)
        read_now = _of_files(found, files, path, place, known)
        if read_now is None:
            return None
        sources += read_now
    return sources


def _is_spec(name: str, place: str) -> bool:
    if name == place:
        return True
    below = name.removeprefix(f"{place}/" if place else "").split("/")
    return name.lower().endswith(SUFFIXES) and not any(step.startswith(".") for step in below)


def _of_files(
    found: git.Revision, files: Mapping[str, str], path: str, place: str, known: Mapping[str, list[Source]]
) -> list[Source] | None:
    shown = {name: _shown(path, name.removeprefix(place).lstrip("/")) for name in files}
    same = {name for name, blob in files.items() if shown[name] in known and _is_same(shown[name], blob)}
    texts = git.contents(found, {name: blob for name, blob in files.items() if name not in same})
    sources: list[Source] = []
    for name in sorted(files, key=lambda name: name.split("/")):
        if name in same:
            sources += known[shown[name]]
            continue
        text = texts[name]
        documents, faults = read(text or "", strict=True, limits=SPEC_LIMITS)
        if faults or text is None:
            return None
        for number, document in enumerate(documents, 1):
            if isinstance(document.data, dict):
                sources.append(Source(shown[name], number, document.line, document.data, document.marks))
    return sources


def _shown(path: str, below: str) -> str:
    """As the loader shows it."""
    return (os.path.join(path, below) if below else path).replace(os.sep, "/")


def _is_same(path: str, blob: str) -> bool:
    try:
        with open(path, "rb") as file:
            return git.blob_of(file.read(git.LARGEST + 1), blob) == blob
    except (OSError, ValueError):
        return False
