"""Where data and progress go: data to stdout as UTF-8 whatever the locale, progress to stderr."""

from __future__ import annotations

import os
import sys

from renderer.errors import OutputTreeFault
from renderer.report import REPORTERS, Report, as_text


def emit(text: str) -> None:
    """Data, for a pipe or a file. OutputTreeFault where the file's disk is full."""
    try:
        _write(1, text)
    except BrokenPipeError:
        raise  # the reader has what it wanted, which is no fault
    except OSError as error:
        raise OutputTreeFault(f"standard output cannot be written: {error.strerror}") from error


def say(text: str) -> None:
    """Progress and Problems, for people."""
    _write(2, text)


def tell(report: Report, style: str, *, quiet: bool, stdout: bool) -> None:
    """The report in the chosen style: on stdout where it is the command's data, else on stderr."""
    text = as_text(report, color=_colored(2), quiet=quiet) if style == "text" else REPORTERS[style](report)
    if stdout and style != "text":
        emit(text)
    else:
        say(text)


def _write(descriptor: int, text: str) -> None:
    # Straight to the descriptor: sys.stdout may be None (closed) and speaks the locale's encoding.
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    stream = sys.stdout if descriptor == 1 else sys.stderr
    if stream is not None and hasattr(stream, "buffer"):
        stream.buffer.write(data)
        stream.buffer.flush()
    elif stream is not None:
        stream.write(text)


def _colored(descriptor: int) -> bool:
    # https://no-color.org: any value that is not empty.
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return os.isatty(descriptor)
