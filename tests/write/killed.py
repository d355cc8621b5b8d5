"""What a process that is killed leaves on the disk."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from renderer.write import Allowed
from tests.write import write

PRUNE = Allowed(prune=True, allow_empty=True)
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod")


class _Changes:
    """Calls ``before`` with the number of each change of the disk, and with the descriptor where that is a sync."""

    def __init__(self, before: Callable[[int, int | None], None]) -> None:
        self._before = before
        self._count = 0
        self._lock = threading.Lock()
        self._owner = 0
        self._fsync = os.fsync

    def watch(self) -> None:
        """For the rest of this process: what is added to audit stays."""
        sys.addaudithook(self._audit)
        os.fsync = self._sync  # type: ignore[assignment]

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & os.O_WRONLY
        if event in _CHANGES or writes:
            self._change(None)

    def _sync(self, descriptor: int) -> None:
        self._change(descriptor)
        self._fsync(descriptor)

    def _change(self, descriptor: int | None) -> None:
        if self._owner == threading.get_ident():
            return  # a change that ``before`` makes
        # Several threads sync: the others wait while one of them is looked at.
        with self._lock:
            self._owner = threading.get_ident()
            self._before(self._count, descriptor)
            self._count += 1
            self._owner = 0


def _in_a_child(before: Callable[[int, int | None], None], folder: Path, files: Mapping[str, str], how: Allowed) -> int:
    """The exit code of a run of which each change of the disk is watched."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _Changes(before).watch()
            write(folder, files, allowed=how)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(folder: Path, files: Mapping[str, str], n: int, allowed: Allowed = PRUNE) -> bool:
    """Killed before the n-th change of the disk, where there are so many: no 'finally' runs either."""

    def kill(number: int, descriptor: int | None) -> None:
        if number == n:
            os.kill(os.getpid(), signal.SIGKILL)

    return _in_a_child(kill, folder, files, allowed) == -signal.SIGKILL


def left_by_kills(
    folder: Path, files: Mapping[str, str], root: Path, step: int = 1, allowed: Allowed = PRUNE
) -> list[Path]:
    """The trees that kills before each change of the disk, or each ``step``-th, leave of a run over ``folder``.

    One run is enough: what is on the disk at that moment is copied, because a kill changes nothing there. Before a sync
    only half of that file has reached the disk.
    """

    def copy(number: int, descriptor: int | None) -> None:
        if number % step:
            return
        copied = root / str(number)
        shutil.copytree(folder, copied)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}")) if descriptor is not None else folder
        if path.is_file():
            torn = copied / path.relative_to(folder)
            os.truncate(torn, torn.stat().st_size // 2)

    root.mkdir()
    assert _in_a_child(copy, folder, files, allowed) == 0
    return sorted(root.iterdir(), key=lambda path: int(path.name))
