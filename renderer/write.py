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
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from renderer.errors import OutputTreeFault, Place, Problem

#: The record of what we own below a target's folder: path to SHA-256 of the content. While a run writes,
#: ``pending`` says besides what it is about to put in place, so that a killed run's files are known as ours.
RECORD = ".mcpctl.json"
#: Ending of a file that is being written; what a killed run leaves is removed by the next.
UNFINISHED = ".mcpctl-tmp"
_LARGEST, _NOT_OURS = 64_000_000, "no text of ours"  # bytes; what stands in place of a digest

_HOLDS_DATA = re.compile(
    rb"^(kind: (Namespace|PersistentVolumeClaim|CustomResourceDefinition)|  volumeClaimTemplates:)$", re.M
)

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


@dataclass(frozen=True, slots=True)
class _Record:
    """What we own: path to digests that are ours, and the paths that an earlier run did not finish."""

    digests: Mapping[str, tuple[str, ...]]
    pending: tuple[str, ...] = ()


def compare(folder: Path, files: Mapping[str, str]) -> list[Difference]:
    """How the tree at ``folder`` differs from ``files`` (path to text), sorted by path.

    Raises OutputTreeFault where it cannot be read, or contains links.
    """
    with _told(folder, "the output tree could not be read", ""):
        record = _record(folder)
        _refuse_links(folder, [*files, *record.digests])
        return _differences(folder, files, record)


def recorded(folder: Path) -> dict[str, str]:
    """The files of a tree that is as its record says: path to text, sorted.

    Raises OutputTreeFault with one Problem for each file that is not: edited, missing, a link, unfinished, not listed.
    """
    with _told(folder, "the tree could not be read", ""):
        record = _record(folder)
        if not record.digests:
            problem = Problem(Place(os.fspath(folder / RECORD)), "", "tree/record", "there is no record of mcpctl here")
            raise OutputTreeFault(f"{folder} is no tree that mcpctl rendered", [problem])
        _refuse_links(folder, list(record.digests), "nothing was applied")
        problems = [p for path, digests in record.digests.items() if (p := _unlike(folder, path, digests))]
        problems += _unlisted(folder, record)
        if problems:
            raise OutputTreeFault("nothing was applied: the tree is not as it was rendered", sorted(problems))
        return _texts(folder, record)


def _texts(folder: Path, record: _Record) -> dict[str, str]:
    """Read once more, and held against the record once more: what is applied is what was compared."""
    contents = {path: (folder / path).read_bytes() for path in sorted(record.digests)}
    for path, content in contents.items():
        if hashlib.sha256(content).hexdigest() not in record.digests[path]:
            problem = Problem(Place(os.fspath(folder / path)), "", "tree/edited", "it changes while it is read")
            raise OutputTreeFault("nothing was applied", [problem])
    return {path: content.decode() for path, content in contents.items()}


def _unlike(folder: Path, path: str, digests: tuple[str, ...]) -> Problem | None:
    present = _digest_of(folder / path)
    place, hint = Place(os.fspath(folder / path)), "render the tree again: mcpctl render … --out"
    if present is None:
        return Problem(place, "", "tree/missing", "the record lists it, and it is not there", hint)
    if present not in digests:
        return Problem(place, "", "tree/edited", REASONS["edited"], hint)
    return None


def _unlisted(folder: Path, record: _Record) -> list[Problem]:
    """Files that the record does not know; not the ``.env`` of compose, which holds what is never rendered."""
    found = [
        Path(parent, name)
        for parent, folders, names in os.walk(folder)
        for name in (*names, *(inner for inner in folders if Path(parent, inner).is_symlink()))
    ]
    known = {RECORD, *record.digests}
    strangers = [path for path in found if path.name != ".env" and path.relative_to(folder).as_posix() not in known]
    told = ("", "tree/foreign", "the record does not list it", "move it out of the tree")
    return [Problem(Place(os.fspath(path)), *told) for path in strangers]


def write(folder: Path, files: Mapping[str, str], *, force: bool = False, prune_data: bool = False) -> Written:
    """Makes the tree at ``folder`` hold ``files``; all are written before the first is put in place.

    Raises OutputTreeFault, with one Problem a file, where that would destroy what is not ours
    (``force`` overwrites edited and foreign files, but never follows a link), or where the disk
    does not take it; and, without ``prune_data``, where files of volumes or namespaces would go.
    """
    with _told(folder, "the output tree could not be written", "the next run completes what this one left"):
        _make_folder(folder)
        with _locked(folder):
            return _write_locked(folder, files, force, prune_data)


@contextmanager
def _told(folder: Path, message: str, hint: str) -> Iterator[None]:
    """An error of the file system ends the run as a fault of the tree, at the file that it names."""
    try:
        yield
    except OSError as error:
        place = Place(os.fsdecode(error.filename) if error.filename else os.fspath(folder))
        rule = "tree/not-written" if hint else "tree/not-read"
        problem = Problem(place, "", rule, error.strerror or str(error), hint)
        raise OutputTreeFault(message, [problem]) from error


def _write_locked(folder: Path, files: Mapping[str, str], force: bool, prune_data: bool) -> Written:
    record = _record(folder)
    _refuse_links(folder, [*files, *record.digests])
    differences = _differences(folder, files, record)
    _refuse_strangers([d for d in differences if d.why in ("edited", "foreign")], folder, force)
    if not prune_data:
        _refuse_data_loss([d.path for d in differences if d.path not in files], folder)
    _refuse_obstacles([folder / path for path in files], folder)
    _sweep(folder, record)
    written = {d.path: files[d.path] for d in differences if d.path in files}
    removed = tuple(d.path for d in differences if d.path not in files)
    if written or removed:
        # Known before it is there: killed at any point, the next run takes every file of this one for ours.
        _put_record(folder, _present(folder, record), {path: _digest(text) for path, text in written.items()})
    _put(written, folder)
    for path in removed:
        (folder / path).unlink()
    for path in record.digests:
        if path not in files:
            _remove_empty(folder, (folder / path).parent)
    _put_record(folder, {path: _digest(text) for path, text in files.items()}, {})
    return Written(tuple(written), removed, len(files) - len(written))


def _present(folder: Path, record: _Record) -> dict[str, str]:
    """Of the digests that are ours, those of what is there; after a killed run that may be either."""
    first = {path: digests[0] for path, digests in record.digests.items()}
    found = {path: _digest_of(folder / path) for path in record.pending}
    return first | {path: digest for path, digest in found.items() if digest and digest in record.digests[path]}


def _sweep(folder: Path, record: _Record) -> None:
    """Takes away what a killed run left beside the files that it was to write."""
    for path in (RECORD, *record.pending):
        temporary = _temporary(folder / path)
        if temporary.exists():  # asked first: a tree that needs no change may be read-only
            temporary.unlink()


def _differences(folder: Path, files: Mapping[str, str], record: _Record) -> list[Difference]:
    reasons = {path: _why(folder / path, text, record.digests.get(path, ())) for path, text in files.items()}
    found = [Difference(path, why) for path, why in reasons.items() if why]
    for path, digests in record.digests.items():
        if path not in files and (present := _digest_of(folder / path)):
            found.append(Difference(path, "stale" if present in digests else "edited"))
    return sorted(found, key=lambda d: d.path)


def _why(file: Path, text: str, recorded: tuple[str, ...]) -> Why | None:
    present = _digest_of(file)
    if present is None:
        return "missing"
    if present == _digest(text):
        return None
    if not recorded:
        return "foreign"
    return "outdated" if present in recorded else "edited"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(file: Path) -> str | None:
    """None where nothing stands; what is no regular file, or larger than any of ours, is not opened."""
    try:
        status = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
        return _NOT_OURS
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _record(folder: Path) -> _Record:
    path = folder / RECORD
    if folder.is_symlink() or path.is_symlink():
        _refuse_links(folder.parent, [f"{folder.name}/{RECORD}"])
    if (digest := _digest_of(path)) is None:
        return _Record({})
    try:
        data: Any = json.loads(path.read_bytes()) if digest != _NOT_OURS else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _not_a_record(path)
    parts = [data.get("files"), data.get("pending", {})]
    if not all(isinstance(part, dict) and all(map(_is_entry, part.items())) for part in parts):
        raise _not_a_record(path)
    files, pending = parts
    digests = {name: tuple(part[name] for part in parts if name in part) for name in {**files, **pending}}
    return _Record(digests, tuple(pending))


def _not_a_record(path: Path) -> OutputTreeFault:
    problem = Problem(
        Place(os.fspath(path)),
        "",
        "tree/record",
        "this is not a record that mcpctl wrote",
        "restore it from git, or remove it: then no file here counts as ours",
    )
    return OutputTreeFault("the record of the output tree cannot be read", [problem])


def _is_entry(entry: tuple[str, object]) -> bool:
    """Whether a path of the record stays below the folder, whoever wrote it there, and has a digest."""
    path, digest = entry
    steps = path.split("/")
    plain = "\0" not in path and all(step not in ("", ".", "..") for step in steps) and path != RECORD
    return plain and path.isprintable() and isinstance(digest, str)


def _refuse_links(folder: Path, paths: Sequence[str], outcome: str = "nothing was written") -> None:
    """A link below the tree would lead a write, or a removal, to somewhere else."""
    steps = {folder / step for path in paths for step in (Path(path), *Path(path).parents)} - {folder}
    links = sorted(step for step in steps if step.is_symlink())
    if links:
        problems = [
            Problem(Place(os.fspath(p)), "", "tree/link", "this is a symbolic link", "remove it: none is followed here")
            for p in links
        ]
        raise OutputTreeFault(f"{outcome}: the output tree contains symbolic links", problems)


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


def _refuse_obstacles(targets: Sequence[Path], folder: Path) -> None:
    """What is no file where one belongs, or no folder: told before the first file is put in place."""
    parents = {parent for target in targets for parent in target.parents if folder in parent.parents}
    obstacles = [p for p in targets if p.exists() and not p.is_file()]
    obstacles += [p for p in parents if p.exists() and not p.is_dir()]
    if obstacles:
        hint = "move it away: it is not overwritten, not even with --force"
        problems = [
            Problem(
                Place(os.fspath(p)), "", "tree/obstacle", "it stands where a rendered file or its folder belongs", hint
            )
            for p in sorted(obstacles)
        ]
        raise OutputTreeFault("nothing was written", problems)


def _refuse_data_loss(stale: Sequence[str], folder: Path) -> None:
    """Where a controller prunes what leaves the tree, these take data with them, or all that is in them."""
    problems = [
        Problem(
            Place(os.fspath(folder / path)),
            "",
            "tree/data-loss",
            "nothing renders it any more, and what it stands for would go with all its data",
            "add --prune-data if that is wanted, or render all specs of the tree",
        )
        for path in stale
        if _HOLDS_DATA.search((folder / path).read_bytes())
    ]
    if problems:
        raise OutputTreeFault("nothing was written: files of data would leave the output tree", problems)


def _put(files: Mapping[str, str], folder: Path) -> None:
    """All or nothing, as far as a file system allows: temporary files, synced, then renamed."""
    unfinished: list[tuple[Path, Path]] = []
    try:
        for path, text in files.items():
            target = folder / path
            _make_folder(target.parent)
            unfinished.append((_temporary(target), target))
            _write_new(unfinished[-1][0], text)
        for temporary, target in unfinished:
            temporary.replace(target)
    finally:
        for temporary, _ in unfinished:
            temporary.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}{UNFINISHED}")


def _make_folder(folder: Path) -> None:
    """With the folders above it, and with a mode that does not depend on umask."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _write_new(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # of a run that was killed
    # O_EXCL: whatever appears there in the meantime is not followed. The mode does not depend on umask.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o644)
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)


def _put_record(folder: Path, digests: Mapping[str, str], pending: Mapping[str, str]) -> None:
    parts = {"files": digests, "pending": pending} if pending else {"files": digests}
    text = json.dumps({name: dict(sorted(part.items())) for name, part in parts.items()}, indent=1) + "\n"
    if _digest_of(folder / RECORD) != _digest(text):
        _put({RECORD: text}, folder)


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root:
        if folder.is_dir():
            if any(folder.iterdir()):
                return
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
