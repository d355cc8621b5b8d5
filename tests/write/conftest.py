"""What all tests of written trees use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def in_memory() -> Iterator[Path | None]:
    """A folder in memory, where there is room for it."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < 2**30:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="mcpctl-tests-", dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(tmp_path: Path, in_memory: Path | None) -> Path:
    """In memory: a disk takes up to ten times as long for the thousands of small files here."""
    return Path(tempfile.mkdtemp(dir=in_memory)) if in_memory else tmp_path
