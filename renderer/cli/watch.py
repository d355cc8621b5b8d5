"""``--watch``: runs the command again when something changes that it has read."""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from renderer import assets
from renderer.cli.streams import say
from renderer.errors import excerpt

#: Seconds between two checks.
INTERVAL = 0.5
#: Of a file: time of change, size, inode; of a folder: its names; empty where neither exists.
Stamp = tuple[object, ...]


class _Reading:
    """Notes what is opened and listed, as it was then, so that a change while the command runs counts too.

    It is an audit hook of Python, which hears of each opened file and listed folder: no command needs to name what it
    reads.
    """

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp] = {}
        self.without: tuple[str, ...] = ()
        self.active = False
        sys.addaudithook(self._notice)

    def _notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = arguments[0] if arguments[0] is not None else os.curdir
        written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if written or not isinstance(path, str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(path))
        if path not in self.stamps and not path.startswith(self.without):
            self.active = False  # what follows opens it too
            self.stamps[path] = self.stamp(path)
            self.active = True

    def stamp(self, path: str) -> Stamp:
        """Equal while nothing changes there."""
        try:
            if os.path.isdir(path):
                names = sorted(os.listdir(path))
                return tuple(name for name in names if os.path.join(path, name, "") not in self.without)
            status = os.stat(path)
            return (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            return ()


_reading: list[_Reading] = []


def again(run: Callable[[], int], out: Iterable[Path], sleep: Callable[[float], None] = time.sleep) -> int:
    """Runs, and again after each change, until Ctrl-C or until the reader ends. ``out`` are folders that it writes."""
    if not _reading:  # an observer stays for as long as the process
        _reading.append(_Reading())
    reading = _reading[0]
    own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own += [str(Path(__file__).parents[1]), *(os.path.join(assets.folder(), kind) for kind in assets.KINDS)]
    reading.without = tuple(os.path.join(os.path.abspath(folder), "") for folder in (*own, *map(str, out)))
    while True:
        reading.stamps, reading.active = {}, True
        try:
            run()
        finally:
            reading.active = False
        say("watching for changes; Ctrl-C ends\n")
        while not (changed := [path for path, known in reading.stamps.items() if reading.stamp(path) != known]):
            sleep(INTERVAL)
        first = next((path for path in changed if not os.path.isdir(path)), changed[0])
        say(f"\n{excerpt(os.path.relpath(first), 200)} changed\n")
