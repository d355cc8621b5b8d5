"""Makes a tree what was rendered. What could go wrong is asked before the first file is put in place."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from renderer.write import refuse
from renderer.write.comparison import (
    NOT_OURS,
    REASONS,
    Difference,
    differences_of,
    mine,
    others_of,
    record_texts,
    with_ours,
)
from renderer.write.disk import (
    UNFINISHED,
    Watched,
    locked,
    make_folder,
    remove_empty,
    sync_names,
    temporary,
    told,
    write_unfinished,
)
from renderer.write.records import (
    OLD_RECORD,
    RECORD,
    Records,
    names_of,
    read_records,
    record_path,
    record_text,
    unit_of,
)


class Allowed(NamedTuple):
    """What the user has said may happen to the tree. ``prune``: servers that are not in the input go."""

    force: bool = False
    prune: bool = False
    prune_data: bool = False
    allow_empty: bool = False


class Written(NamedTuple):
    """What a run did to the tree; paths relative to it, sorted. ``others``: servers that were left alone."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    others: tuple[str, ...] = ()


_NOTHING = Allowed()


def write(
    folder: Path,
    files: Mapping[str, str],
    depth: int = 0,
    allowed: Allowed = _NOTHING,
    watched: Watched = iter,
    ours: Collection[str] = (),
) -> Written:
    """Makes the tree at ``folder`` hold ``files``; all are written before the first is put in place.

    Files that the servers among ``files`` do not render any more are removed with it; other servers only with
    ``prune``. Raises OutputTreeFault, with one Problem a file, where that would destroy what is not ours (``force``
    overwrites edited and foreign files, but never follows a link), or where the disk does not take it; without
    ``prune_data``, where files of volumes or namespaces would go; without ``allow_empty``, where no server is left.
    ``watched`` passes on the paths that are written, one after the other, for those who show how far it is. ``ours``
    are paths that may be overwritten and removed though no record names their content.
    """
    with told(folder, "the output tree could not be written", "the next run completes what this one left"):
        make_folder(folder)
        with locked(folder):
            records = with_ours(read_records(folder, depth), folder, ours)
            return _write_locked(folder, files, records, depth, allowed, watched)


def _write_locked(
    folder: Path, files: Mapping[str, str], records: Records, depth: int, allowed: Allowed, watched: Watched
) -> Written:
    found = differences_of(folder, files, records, depth, whole=allowed.prune)
    _refuse(folder, files, found, records, depth, allowed)
    changed = {d.path: files[d.path] for d in found if d.path in files}
    removed = [d.path for d in found if d.path not in files and d.path.rpartition("/")[2] not in (RECORD, OLD_RECORD)]
    gone = [path for path in mine(files, records, depth, whole=allowed.prune) if path not in files]
    texts = record_texts(files, depth)
    names = {*names_of({unit_of(path, depth) for path in files})}
    new = {
        unit: text
        for unit, text in {**_kept(records, texts, names, depth, allowed), **texts}.items()
        if unit in records.journals or records.texts.get(unit) != text.encode()
    }
    if changed or removed or gone or new or records.old or records.journals:
        _settle(folder, records, depth)
        # The records first: they are the journal, so whatever a killed run leaves is known as ours.
        coming = [record_path(unit) for unit in new]
        write_unfinished(folder, {**{record_path(unit): text for unit, text in new.items()}, **changed}, watched)
        _put_in_place(folder, [*changed], removed, files)
        _sync(folder, [*changed, *removed])
        for path in coming:
            temporary(folder / path).replace(folder / path)
        units = {*records.texts, *records.journals, *(unit_of(path, depth) for path in gone)} - {*texts}
        dropped = [unit for unit in units if allowed.prune or unit.rpartition("/")[2] in names]
        for path in [*map(record_path, dropped), *([OLD_RECORD] if records.old else [])]:
            (folder / path).unlink(missing_ok=True)
        for path in [*gone, *map(record_path, dropped)]:
            remove_empty(folder, (folder / path).parent)
        _sync(folder, [*coming, OLD_RECORD])
    written = tuple(sorted(changed))
    others = () if allowed.prune else others_of(files, records, depth)
    return Written(written, tuple(sorted(removed)), len(files) - len(changed), others)


def _kept(
    records: Records, texts: Mapping[str, str], names: Collection[str], depth: int, allowed: Allowed
) -> dict[str, str]:
    """Records of servers that are left alone, where only that of an earlier version names their files."""
    if not records.old or allowed.prune:
        return {}
    units: dict[str, dict[str, tuple[str, ...]]] = {}
    for path, digests in records.digests.items():
        units.setdefault(unit_of(path, depth), {})[path] = digests
    return {
        unit: record_text(unit, digests)
        for unit, digests in units.items()
        if unit not in texts and unit.rpartition("/")[2] not in names
    }


def _refuse(
    folder: Path,
    files: Mapping[str, str],
    found: list[Difference],
    records: Records,
    depth: int,
    allowed: Allowed,
) -> None:
    """Everything that forbids the run, before anything is changed."""
    refuse.refuse_collisions(files, folder)
    servers = names_of({unit_of(path, depth) for path in records.digests})
    if allowed.prune and servers and not allowed.allow_empty and not names_of({unit_of(path, depth) for path in files}):
        refuse.refuse_emptying(servers, folder)
    if not allowed.force:
        refuse.refuse_strangers([(d.path, d.why, REASONS[d.why]) for d in found if d.why in NOT_OURS], folder)
    if not allowed.prune_data:
        removed = [
            d.path for d in found if d.path not in files and d.path.rpartition("/")[2] not in (RECORD, OLD_RECORD)
        ]
        refuse.refuse_data_loss(removed, folder)
    refuse.refuse_obstacles(files, folder)


def _settle(folder: Path, records: Records, depth: int) -> None:
    """Takes away what a killed run left, after its journal has become a part of the records."""
    for unit in records.journals:
        record = folder / record_path(unit)
        mine = {path: hashes for path, hashes in records.digests.items() if unit_of(path, depth) == unit}
        settled = record.parent / ".settled"
        write_unfinished(record.parent, {settled.name: record_text(unit, mine)})
        temporary(settled).replace(record)
        sync_names(record.parent)
    for parent, _, names in os.walk(folder) if records.journals else ():
        for name in names:
            if name.endswith(UNFINISHED):
                os.unlink(os.path.join(parent, name))


def _put_in_place(folder: Path, changed: list[str], removed: list[str], files: Mapping[str, str]) -> None:
    for path in changed:
        target = folder / path
        temporary(target).replace(target)
    # On a disk that does not tell large from small letters, an old name may be that of a file just written.
    rendered = {refuse.folded(path): path for path in files} if removed else {}
    for path in removed:
        other = rendered.get(refuse.folded(path))
        if other is None or not os.path.samefile(folder / path, folder / other):
            (folder / path).unlink()


def _sync(folder: Path, paths: list[str]) -> None:
    """Makes names outlive a power cut, before the record says that they are there."""
    for parent in sorted({(folder / path).parent for path in paths}):
        if parent.is_dir():
            sync_names(parent)


def remove_tree(folder: Path, depth: int, allowed: Allowed) -> Written:
    """Takes away all that is ours: not what somebody edited, nor data without ``prune_data``."""
    done = write(folder, {}, depth, allowed._replace(prune=True, allow_empty=True))
    with told(folder, "the output tree could not be written", "the next run completes what this one left"):
        # It goes last: as long as it is there, the next run knows that this was a tree.
        (folder / RECORD).unlink(missing_ok=True)
        remove_empty(folder.parent, folder)
    return done
