"""Which servers a run over a part of the specs must render, so that the tree becomes what a whole run makes of it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from renderer.write.disk import told
from renderer.write.origin import Origin
from renderer.write.record import read_record


def changed_servers(folder: Path, origin: Origin, asked: Collection[str]) -> frozenset[str] | None:
    """The servers that were asked for, and those whose spec is not the recorded one; None where it must be all.

    ``origin`` names all specs, not only those that were asked for. All must be rendered where something else
    than specs changed, where the record does not say, and where an earlier run was killed.
    """
    with told(folder, "the output tree could not be read", ""):
        record = read_record(folder)
    before = record.origin
    if record.pending or before._replace(specs={}) != origin._replace(specs={}, prefix=""):
        return None
    return frozenset(asked).union(name for name, spec in origin.specs.items() if before.specs.get(name) != spec)
