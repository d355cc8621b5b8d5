"""The old side: a tree as it is on the disk, or as a git revision has it. Nothing in it is trusted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from renderer.diff import git
from renderer.write import RECORD, UNKNOWN, Origin

_TEXTS = ("tool", "templates", "environment")
_MAPS = ("options", "specs")


class Tree(NamedTuple):
    """The files that differ from ``rendered``, and those that it has no more.

    ``texts`` holds None for what is no text, or too large; ``missing`` is rendered and was not there; ``digests``
    are those of the record, by path.
    """

    texts: Mapping[str, str | None] = {}
    missing: frozenset[str] = frozenset()
    origin: Origin = UNKNOWN
    digests: Mapping[str, str] = {}
    there: bool = False


def on_disk(folder: Path, rendered: Mapping[str, str]) -> Tree:
    """What stands in the folder: files that are rendered now, and those that the record names besides."""
    origin, digests = _record(_text(folder, RECORD)[0])
    texts: dict[str, str | None] = {}
    missing = set()
    for path in sorted({*rendered, *digests}):
        text, there = _text(folder, path)
        if not there:
            missing.add(path)
        elif text is None or text != rendered.get(path):
            texts[path] = text
    there = bool(digests) or len(missing) < len(rendered)
    return Tree(texts, frozenset(missing.intersection(rendered)), origin, digests, there)


def _text(folder: Path, path: str) -> tuple[str | None, bool]:
    """The text and whether there is anything; no link is followed below the folder."""
    full = f"{folder}/{path}"
    try:
        linked = any(os.path.islink(f"{folder}/{step}") for step in _steps(path))
        status = os.lstat(full)
        if linked or not stat.S_ISREG(status.st_mode) or status.st_size > git.LARGEST:
            return None, True
        with open(full, encoding="utf-8", newline="") as file:
            return file.read(git.LARGEST + 1), True
    except (FileNotFoundError, NotADirectoryError):
        return None, False
    except (OSError, ValueError):
        return None, True


def _steps(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def in_revision(found: git.Revision, folder: str, rendered: Mapping[str, str]) -> Tree:
    """What the revision has below ``folder`` of the repository; what is as rendered now is not even read."""
    prefix = f"{folder}/" if folder else ""
    files = {path.removeprefix(prefix): blob for path, blob in git.listing(found, folder).items()}
    record = git.contents(found, {RECORD: files[RECORD]})[RECORD] if RECORD in files else None
    origin, digests = _record(record)
    ours = {path: files[path] for path in sorted({*rendered, *digests}) if path in files}
    unlike = {
        path: blob
        for path, blob in ours.items()
        if path not in rendered or git.blob_of(rendered[path].encode(), blob) != blob
    }
    missing = frozenset(path for path in rendered if path not in files)
    return Tree(git.contents(found, unlike), missing, origin, digests, bool(ours))


def _record(text: str | None) -> tuple[Origin, dict[str, str]]:
    """What the record says; of one that cannot be read, nothing: this is about what changed, not about who may."""
    try:
        data: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return UNKNOWN, {}
    if not isinstance(data, dict):
        return UNKNOWN, {}
    texts: list[Any] = [value if isinstance(value := data.get(name), str) else "" for name in _TEXTS]
    maps: list[Any] = [value if isinstance(value := data.get(name), dict) else {} for name in _MAPS]
    files = data.get("files")
    entries = files.items() if isinstance(files, dict) else ()
    digests = {path: digest for path, digest in entries if isinstance(digest, str) and _stays_below(path)}
    return Origin(*texts, *maps), digests


def _stays_below(path: str) -> bool:
    return path.isprintable() and path != RECORD and {"", ".", ".."}.isdisjoint(path.split("/"))


def environments_in(folder: Path, found: git.Revision | None) -> list[str]:
    """The environments that have a tree below the folder: those whose record says so."""
    names = _folders_on_disk(folder) if found is None else _folders_in(folder, found)
    return sorted(name for name, text in names.items() if _record(text)[0].environment)


def _folders_on_disk(folder: Path) -> dict[str, str | None]:
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return {name: _text(folder, f"{name}/{RECORD}")[0] for name in names}


def _folders_in(folder: Path, found: git.Revision) -> dict[str, str | None]:
    place = git.inside(found, os.fspath(folder)) or ""
    prefix = f"{place}/" if place else ""
    files = git.listing(found, place)
    records = {
        path: blob
        for path, blob in files.items()
        if path.endswith(f"/{RECORD}") and path.removeprefix(prefix).count("/") == 1
    }
    return {path.removeprefix(prefix).partition("/")[0]: text for path, text in git.contents(found, records).items()}
