"""Makes a tree hold what was rendered: what could go wrong is asked before the first file is put in place."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renderer.write import refuse
from renderer.write.compare import REASONS, Difference, differences, judged
from renderer.write.disk import digest, locked, make_folder, put, remove_empty, sync_names, temporary, told
from renderer.write.origin import UNKNOWN, Origin
from renderer.write.record import RECORD, Record, present, put_record, read_record


class Allowed(NamedTuple):
    """What the user has said may happen to the tree."""

    force: bool = False
    prune_data: bool = False
    allow_empty: bool = False
    prune_environments: bool = False


class Written(NamedTuple):
    """What a run did to the tree; paths relative to it, sorted."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int


_NOTHING = Allowed()


def write(
    folder: Path,
    files: Mapping[str, str],
    origin: Origin = UNKNOWN,
    part: Collection[str] | None = None,
    allowed: Allowed = _NOTHING,
) -> Written:
    """Makes the tree at ``folder`` hold ``files``; all are written before the first is put in place.

    With ``part`` files of other servers than those stay as they are. Raises OutputTreeFault, with one Problem
    a file, where that would destroy what is not ours (``force`` overwrites edited and foreign files, but never
    follows a link), or where the disk does not take it; without ``prune_data``, where files of volumes or
    namespaces would go; without ``allow_empty``, where no server is left of those that the tree has.
    """
    with told(folder, "the output tree could not be written", "the next run completes what this one left"):
        make_folder(folder)
        with locked(folder):
            return write_locked(folder, files, origin, part, allowed)


def write_locked(
    folder: Path, files: Mapping[str, str], origin: Origin, part: Collection[str] | None, allowed: Allowed
) -> Written:
    """As ``write``, by a caller who holds the lock of the folder and tells errors of the file system."""
    record = read_record(folder)
    mine = judged(record, origin, part)
    found = differences(folder, files, record, origin, part)
    _refuse(folder, files, found, record, origin, allowed)
    _sweep(folder, record)
    changed = {d.path: files[d.path] for d in found if d.path in files}
    removed = tuple(d.path for d in found if d.path not in files)
    if changed or removed:
        _journal(folder, record, changed)
    put(changed, folder)
    _remove([path for path in mine if path not in files], removed, files, folder)
    _sync([*changed, *removed], folder)
    kept = {path: digests[0] for path, digests in record.digests.items()}
    for path in mine:
        del kept[path]
    put_record(folder, kept | {path: digest(text.encode()) for path, text in files.items()}, {}, origin)
    return Written(tuple(changed), removed, len(files) - len(changed))


def _refuse(
    folder: Path,
    files: Mapping[str, str],
    found: Sequence[Difference],
    record: Record,
    origin: Origin,
    allowed: Allowed,
) -> None:
    """Everything that forbids the run, before anything is changed."""
    refuse.refuse_collisions(files, folder)
    servers = {path.removeprefix(origin.prefix).partition("/")[0] for path in record.digests if "/" in path}
    if origin is not UNKNOWN and not origin.specs and servers and not allowed.allow_empty:
        refuse.refuse_emptying(servers, folder)
    if not allowed.force:
        refuse.refuse_strangers([(d.path, d.why, REASONS[d.why]) for d in found if d.why in _NOT_OURS], folder)
    if not allowed.prune_data:
        refuse.refuse_data_loss([d.path for d in found if d.path not in files], folder)
    refuse.refuse_obstacles(files, folder)


_NOT_OURS = ("edited", "foreign")


def _journal(folder: Path, record: Record, changed: Mapping[str, str]) -> None:
    """Known before it is there: killed at any point, the next run takes every file of this one for ours."""
    pending = {path: digest(text.encode()) for path, text in changed.items()}
    put_record(folder, present(folder, record), pending, record.origin)
    sync_names(folder)


def _sweep(folder: Path, record: Record) -> None:
    """Takes away what a killed run left beside the files that it was to write."""
    for path in (RECORD, *record.pending):
        left = temporary(folder / path)
        if os.path.lexists(left):  # asked first: a tree that needs no change may be read-only
            left.unlink()


def _remove(gone: Sequence[str], removed: Sequence[str], files: Mapping[str, str], folder: Path) -> None:
    """Takes away what is stale, and the folders that it leaves empty."""
    # On a disk that does not tell large from small letters, an old name may be that of a file just written.
    rendered = {refuse.folded(path): path for path in files} if removed else {}
    for path in removed:
        other = rendered.get(refuse.folded(path))
        if other is None or not os.path.samefile(folder / path, folder / other):
            (folder / path).unlink()
    for path in gone:
        remove_empty(folder, (folder / path).parent)


def _sync(paths: Sequence[str], folder: Path) -> None:
    """The names of all that was changed, before the record says that it is so."""
    for parent in sorted({(folder / path).parent for path in paths}):
        if parent.is_dir():
            sync_names(parent)
