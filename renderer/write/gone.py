"""Environments that are in a tree and not in the input any more: found by their records, told, and taken away."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from renderer.write.compare import CAUSES, Cause, Difference, differences
from renderer.write.disk import locked, remove_empty, told
from renderer.write.record import RECORD, read_record
from renderer.write.tree import Allowed, Written, write_locked

_WHY = Cause("environment", CAUSES["environment"].replace("changed", "is gone"))


def environments_left(out: Path, known: Collection[str]) -> list[str]:
    """The folders of ``out``, sorted, of which a record says that they are of an environment, but for ``known``."""
    with told(out, "the output tree could not be read", ""):
        if not out.is_dir():
            return []
        names = sorted(path.name for path in out.iterdir() if path.name not in known and _has_record(path))
        return [name for name in names if read_record(out / name).origin.environment]


def _has_record(folder: Path) -> bool:
    """What is a link belongs to somebody else."""
    return not folder.is_symlink() and folder.is_dir() and (folder / RECORD).is_file()


def compare_left(folder: Path) -> list[Difference]:
    """The files that such an environment has left, its record among them."""
    with told(folder, "the output tree could not be read", ""):
        record = read_record(folder)
        found = differences(folder, {}, record, record.origin, None)
    return sorted([Difference(RECORD, "stale", (_WHY,)), *(one._replace(causes=(_WHY,)) for one in found)])


def remove_left(folder: Path, allowed: Allowed) -> Written:
    """Takes its files away, as every stale one: not those that somebody edited, nor data without ``prune_data``."""
    hint = "the next run completes what this one left"
    with told(folder, "the output tree could not be written", hint), locked(folder):
        # The record goes last: as long as it is there, the next run knows what is ours.
        done = write_locked(folder, {}, read_record(folder).origin, None, allowed._replace(allow_empty=True))
        (folder / RECORD).unlink()
        remove_empty(folder.parent, folder)
    return done._replace(removed=(*done.removed, RECORD))
