"""Stage write: rendered documents into a tree of files, or compared with one.

The tree belongs to whoever keeps it in git. We write and remove only what our own record
(``.mcpctl.json``, one a target) names with its hash; what somebody edited, and what is not ours,
is told and left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from renderer.errors import OutputTreeFault, Place, Problem

#: The record of what we own below a target's folder: path to SHA-256 of the content.
RECORD = ".mcpctl.json"
#: Ending of a file that is being written; what a killed run leaves is removed by the next.
UNFINISHED = ".mcpctl-tmp"

Why = Literal["missing", "outdated", "edited", "foreign", "stale"]

REASONS: Mapping[Why, str] = {
    "missing": "it is rendered, but not in the tree",
    "outdated": "the spec, the options or mcpctl changed since it was written",
    "edited": "somebody changed it by hand since mcpctl wrote it",
    "foreign": "mcpctl did not write it, and it stands where a rendered file belongs",
    "stale": "nothing renders it any more",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One file of the tree that is not as rendered; ``path`` is relative to the tree."""

    path: str
    why: Why


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did to the tree; paths relative to it, sorted."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int


def compare(folder: Path, files: Mapping[str, str]) -> list[Difference]:
    """How the tree at ``folder`` differs from ``files`` (path to text), sorted by path."""
    return _differences(folder, files, _record(folder))


def write(folder: Path, files: Mapping[str, str], *, force: bool = False) -> Written:
    """Makes the tree at ``folder`` hold ``files``; all are written before the first is put in place.

    Raises OutputTreeFault, with one Problem a file, where that would destroy what is not ours
    (``force`` overwrites edited and foreign files, but never follows a link), or where the disk
    does not take it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _write_locked(folder, files, force)
    except OSError as error:
        place = Place(os.fspath(error.filename or folder))
        problem = Problem(place, "", "tree/not-written", f"{error.strerror or error}", "nothing was put in place")
        raise OutputTreeFault("the output tree could not be written", [problem]) from error


def _write_locked(folder: Path, files: Mapping[str, str], force: bool) -> Written:
    _refuse_links(folder, files)
    record = _record(folder)
    differences = _differences(folder, files, record)
    _refuse_strangers([d for d in differences if d.why in ("edited", "foreign")], folder, force)
    written = tuple(d.path for d in differences if d.why != "stale")
    removed = tuple(d.path for d in differences if d.why == "stale" and (folder / d.path).exists())
    _put({path: files[path] for path in written}, folder)
    # The record first grows and only then shrinks: killed in between, every file of ours is in it.
    _put_record(folder, {**record, **{path: _digest(text) for path, text in files.items()}})
    for path in removed:
        (folder / path).unlink()
        _remove_empty(folder, (folder / path).parent)
    _put_record(folder, {path: _digest(text) for path, text in files.items()})
    return Written(written, removed, len(files) - len(written))


def _differences(folder: Path, files: Mapping[str, str], record: Mapping[str, str]) -> list[Difference]:
    reasons = {path: _why(folder / path, text, record.get(path)) for path, text in files.items()}
    found = [Difference(path, why) for path, why in reasons.items() if why]
    for path, digest in record.items():
        if path not in files and (present := _digest_of(folder / path)):
            found.append(Difference(path, "stale" if present == digest else "edited"))
    return sorted(found, key=lambda d: d.path)


def _why(file: Path, text: str, recorded: str | None) -> Why | None:
    present = _digest_of(file)
    if present is None:
        return "missing"
    if present == _digest(text):
        return None
    if recorded is None:
        return "foreign"
    return "outdated" if present == recorded else "edited"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _record(folder: Path) -> dict[str, str]:
    path = folder / RECORD
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        data = None
    files = data.get("files") if isinstance(data, dict) else None
    if not isinstance(files, dict) or not all(_is_inside(p) and isinstance(d, str) for p, d in files.items()):
        problem = Problem(
            Place(os.fspath(path)),
            "",
            "tree/record",
            "this is not a record that mcpctl wrote",
            "restore it from git, or remove it: then no file here counts as ours",
        )
        raise OutputTreeFault("the record of the output tree cannot be read", [problem])
    return files


def _is_inside(path: str) -> bool:
    """Whether a path of the record stays below the folder, whoever wrote it there."""
    return not path.startswith("/") and ".." not in path.split("/") and path not in ("", RECORD)


def _refuse_links(folder: Path, files: Mapping[str, str]) -> None:
    """A link below the tree would lead a write to somewhere else."""
    parents = {folder / Path(path).parent for path in files} | {folder}
    links = sorted(p for p in {*parents, *(folder / path for path in files)} if p != folder and p.is_symlink())
    if links:
        problems = [
            Problem(Place(os.fspath(p)), "", "tree/link", "this is a symbolic link", "remove it: none is followed here")
            for p in links
        ]
        raise OutputTreeFault("nothing was written: the output tree contains symbolic links", problems)


def _refuse_strangers(strangers: Sequence[Difference], folder: Path, force: bool) -> None:
    if not strangers or force:
        return
    problems = [
        Problem(
            Place(os.fspath(folder / d.path)),
            "",
            f"tree/{d.why}",
            REASONS[d.why],
            "move the change into the spec (spec.patches), or overwrite it with --force",
        )
        for d in strangers
    ]
    raise OutputTreeFault("nothing was written: the output tree holds files that are not ours to change", problems)


def _put(files: Mapping[str, str], folder: Path) -> None:
    """All or nothing, as far as a file system allows: temporary files, synced, then renamed."""
    unfinished: list[tuple[Path, Path]] = []
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.append((target.with_name(f".{target.name}{UNFINISHED}"), target))
            _write_new(unfinished[-1][0], text)
        for temporary, target in unfinished:
            temporary.replace(target)
    finally:
        for temporary, _ in unfinished:
            temporary.unlink(missing_ok=True)


def _write_new(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # of a run that was killed
    # O_EXCL: whatever appears there in the meantime is not followed. The mode does not depend on umask.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o644)
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)


def _put_record(folder: Path, digests: Mapping[str, str]) -> None:
    text = json.dumps({"files": dict(sorted(digests.items()))}, indent=1) + "\n"
    if _digest_of(folder / RECORD) != _digest(text):
        _put({RECORD: text}, folder)


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run at a time in a tree; the lock is on the folder itself and leaves nothing behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        problem = Problem(Place(os.fspath(folder)), "", "tree/locked", "another mcpctl is writing here", "try again")
        raise OutputTreeFault("nothing was written", [problem]) from error
    try:
        yield
    finally:
        os.close(descriptor)
