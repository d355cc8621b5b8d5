"""Work of strangers in a child process with limits: what runs for ever, or takes all memory, ends there and not here.

The child is a fork: it has what was loaded, and no more. It opens no file, starts nothing useful, and knows no
environment variable; what it answers is bytes, which nobody executes.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NamedTuple, NoReturn, Protocol

#: Bytes in, bytes out. Runs in the child.
Work = Callable[[bytes], bytes]


class Limits(NamedTuple):
    """What one piece of work may take: processor time, memory beyond what the process has, size of the answer."""

    seconds: float = 2.0
    memory: int = 256 << 20
    answer: int = 32 << 20


class TooLong(Exception):
    """The processor time is used up; raised in the child, where the work is, so that it can say where it was."""


class Ended(Exception):
    """The child did not answer; the text says why."""


class _Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


_LENGTH = struct.Struct(">Q")
#: A child that waits for something uses no processor time. Nothing that it runs can wait, so this is for defects.
_LONGEST_WAIT = 120.0


class Confined:
    """A child that does ``work`` on request until it is closed, or until the process that made it ends."""

    def __init__(self, work: Work, limits: Limits) -> None:
        self._limits = limits
        ours, its = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):  # else the child would have a copy of what waits there
            stream and stream.flush()
        self._child = os.fork()
        if not self._child:
            ours.close()
            _serve(its, work, limits)
        its.close()
        self._socket = ours
        self._socket.settimeout(_LONGEST_WAIT)
        self._file = ours.makefile("rwb")

    def ask(self, request: bytes) -> bytes:
        """The answer to one request. Raises Ended where there is none; then there will be no other either."""
        try:
            _put(self._file, request)
            length = _LENGTH.unpack(self._exactly(_LENGTH.size))[0]
            if length > self._limits.answer:
                raise Ended(f"it made more than {self._limits.answer >> 20} MiB")
            return self._exactly(length)
        except OSError as error:
            raise Ended(self._end()) from error

    def close(self) -> None:
        """Ends the child, whatever it does."""
        with suppress(OSError):
            self._file.close()
        self._socket.close()
        self._reap()

    def _exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise BrokenPipeError
        return data

    def _end(self) -> str:
        status = self._reap()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGVTALRM:
            return f"it took more than {self._limits.seconds:g} s of processor time"
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return f"the process that renders it ended ({signal.Signals(number).name if number else 'without a signal'})"

    def _reap(self) -> int:
        if not self._child:
            return 0
        child, self._child = self._child, 0
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            # One that has closed its end is about to end by itself, and how it does is what is to be told.
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        return status


def _serve(channel: socket.socket, work: Work, limits: Limits) -> NoReturn:
    try:
        _confine(limits)
        with channel.makefile("rwb") as file:
            while len(length := file.read(_LENGTH.size)) == _LENGTH.size:
                request = file.read(_LENGTH.unpack(length)[0])
                _allow(limits.seconds)
                answer = work(request)
                _allow(0)
                _put(file, answer)
    finally:
        os._exit(0)


def _confine(limits: Limits) -> None:
    os.environ.clear()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, _raise_too_long)
    # Its own end of the channel is open already, and no limit on new ones closes it.
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    for kind, limit in (
        (resource.RLIMIT_AS, _address_space() + limits.memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        with suppress(OSError, ValueError):  # not every system knows, or lets one lower, each of them
            resource.setrlimit(kind, (limit, limit))


def _address_space() -> int:
    """What the process has, in bytes; where that cannot be known, more than any machine has."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 46


def _allow(seconds: float) -> None:
    """Processor time from now on; 0 for no limit. Code in C that never comes back is ended by the second timer."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds * 2)


def _raise_too_long(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise TooLong


def _put(file: _Writer, data: bytes) -> None:
    file.write(_LENGTH.pack(len(data)))
    file.write(data)
    file.flush()
