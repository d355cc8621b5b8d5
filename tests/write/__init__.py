"""Trees of files on a disk that fails, and of which somebody takes away the ground."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from renderer import write as stage
from renderer.write import Allowed, Wanted, Written


def write(folder: Path, files: Mapping[str, str], depth: int = 0, allowed: Allowed = Allowed()) -> Written:  # noqa: B008
    """One tree."""
    (done,) = stage.write([Wanted(folder, files, depth, allowed)])
    return done
