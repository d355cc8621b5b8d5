"""Standard input and output. Data goes to stdout as UTF-8, in any locale; progress and Problems to stderr."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO, TextIO, TypeVar

import click

from renderer.errors import OutputTreeFault
from renderer.later import later

if TYPE_CHECKING:
    import json
    import threading
    from pathlib import Path

    from renderer import credentials
    from renderer import report as _report
    from renderer.report import Report
else:
    threading = later("threading")  # 1 ms, which only progress needs
    json = later("json")  # 2 ms, which help does not need
    credentials = later("renderer.credentials")  # 6 ms, and help has nothing to mask
    _report = later("renderer.report")  # 4 ms, which help does not need either

#: Seconds without output to a waiting user.
PATIENCE = 2.0
#: Clears the line of a terminal.
_CLEARED = "\x1b[K"
#: Columns of prose that are still easy to read.
WIDEST = 100
#: In the notes of click's context: whether anything of the data was delivered.
_DELIVERED = "renderer.delivered"
_color = "auto"
_Item = TypeVar("_Item")


class ReaderLeft(Exception):
    """The program that reads our pipe has ended.

    Not BrokenPipeError, at which click ends the process with 1.
    """


class Watch(Exception):
    """The command must run again after each change; ``out`` are folders that it writes."""

    def __init__(self, *out: Path) -> None:
        super().__init__()
        self.out = out


def again_if(watch: bool, paths: Sequence[str], out: Path | None = None) -> None:
    """With ``watch``, raises Watch."""
    if watch and "-" in paths:
        raise click.UsageError("--watch follows files: name them instead of -, or leave --watch out")
    if watch:
        raise Watch(*([out] if out else []))


def specs_in(paths: Sequence[str]) -> BinaryIO | None:
    """Standard input where a path is ``-``; None for no such path, or where it is closed."""
    return sys.stdin.buffer if "-" in paths and sys.stdin is not None else None


def emit(text: str | Iterable[str]) -> None:
    """Data to stdout.

    OutputTreeFault where it cannot be written, ReaderLeft where its reader has ended.
    """
    if sys.stdout is None:
        raise OutputTreeFault("standard output is closed: nothing was delivered")
    if context := click.get_current_context(silent=True):
        context.meta[_DELIVERED] = True
    try:
        _write(sys.stdout, *([text] if isinstance(text, str) else text))
    except BrokenPipeError:
        raise ReaderLeft from None
    except OSError as error:
        raise OutputTreeFault(f"standard output cannot be written: {error.strerror}") from error


def emit_data(data: object) -> None:
    emit(json.dumps(data, indent=2) + "\n")


def delivered() -> bool:
    return bool(click.get_current_context().meta.get(_DELIVERED))


def say(text: str) -> None:
    """Progress and Problems to stderr, without credentials. Errors of the stream are ignored: the exit code remains."""
    if sys.stderr is not None:
        with suppress(OSError):
            _write(sys.stderr, credentials.masked(text))


def print_report(report: Report, style: str, *, quiet: bool, stdout: bool) -> None:
    """On stdout where the report is the command's data, else on stderr."""
    if style == "text":
        text = _report.as_text(report, color=colored(sys.stderr), quiet=quiet)
    else:
        text = _report.REPORTERS[style](report)
    if stdout and style != "text":
        with suppress(ReaderLeft):  # the exit code remains
            emit(credentials.masked(text))
    else:
        say(text)


@contextmanager
def working(activity: str) -> Iterator[None]:
    """Prints a line after two seconds on a terminal, and removes it at the end."""
    context = click.get_current_context(silent=True)
    quiet = bool(context and context.params.get("quiet")) or os.environ.get("TERM") == "dumb"
    if (
        quiet
        or sys.stderr is None
        or not sys.stderr.isatty()
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    begun = monotonic()

    def show(_number: int, _frame: FrameType | None) -> None:
        line = f"{activity}: {monotonic() - begun:.0f} s"[: shutil.get_terminal_size().columns - 1]
        _over(line)

    # A timer and no thread: processes are forked meanwhile. It is not inherited.
    before = signal.signal(signal.SIGALRM, show)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        _over("")


#: The line that 'working' shows now.
_status = ""


def _over(line: str) -> None:
    """Replaces the line of 'working'; bypasses Python's buffers, which may be in use."""
    global _status
    if line != _status and sys.stderr is not None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), f"\r{_CLEARED}{line}".encode("utf-8", "backslashreplace"))
    _status = line


def progress(label: str, items: Sequence[_Item]) -> Iterator[_Item]:
    """A bar appears on a terminal after two seconds."""
    begun = monotonic()
    bar = None
    for number, item in enumerate(items, 1):
        yield item
        if monotonic() - begun > PATIENCE and sys.stderr is not None and sys.stderr.isatty():
            bar = bar or click.progressbar(length=len(items), label=label, file=sys.stderr, show_pos=True)
            bar.update(number - bar.pos)
    if bar:
        bar.render_finish()


def wrapped(text: str, later: str = "", first: str = "") -> str:
    """Wraps on a terminal alone."""
    if sys.stdout is None or not sys.stdout.isatty():
        return "".join(f"{first}{line}\n" for line in text.splitlines())
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return "".join(f"{click.wrap_text(line, width, first, later)}\n" for line in text.splitlines())


def _write(stream: TextIO, *pieces: str) -> None:
    _over("")
    for piece in pieces:
        stream.buffer.write(piece.encode("utf-8", "backslashreplace"))
    stream.buffer.flush()


def choose_color(choice: str | None) -> None:
    """``--color`` of this run: auto, always or never; None where it was not typed."""
    global _color
    _color = choice or _color


def colored(stream: TextIO | None) -> bool:
    """By --color, else FORCE_COLOR, NO_COLOR and TERM, else on a terminal."""
    if _color != "auto" or os.environ.get("FORCE_COLOR"):
        return _color != "never"
    # https://no-color.org: any value that is not empty.
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream is not None and stream.isatty()


def as_stream(texts: Sequence[str]) -> Iterator[str]:
    """One YAML stream; a single document has no separator."""
    for text in texts:
        if len(texts) > 1:
            yield "---\n"
        yield text
