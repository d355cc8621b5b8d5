"""The one place that starts programs: argument lists, never a shell; a deadline, and bounds on the output.

Also checks the shape of JSON that they print.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, Any, Protocol

from renderer.errors import ApplyFailed, DocumentPath, WaitTimedOut, excerpt
from renderer.namedtuples import NamedTuple

#: The variable with a token for guarded servers, which no program gets.
ACCESS_TOKEN = "MCPCTL_ACCESS_TOKEN"  # noqa: S105 - its name
#: Bytes of one output: a list of thousands of objects is 20 MB.
OUTPUT_LIMIT = 64 * 1024 * 1024
#: Bytes of one line; a log line may be a binary file.
LINE_LIMIT = 64 * 1024
#: Seconds that a program has to end after SIGTERM.
GRACE = 5.0
#: Seconds between two checks whether a silent program has ended while its children keep its pipes open.
LOOK = 0.25
_CHUNK = 64 * 1024


class ProgramMissing(ApplyFailed):
    """Not installed, or not executable."""


class Done(NamedTuple):
    """A program that has ended. ``code`` is negative for a signal; texts are decoded with replacements."""

    code: int
    out: str
    err: str
    #: Standard output, undecoded.
    raw: bytes = b""


def run(
    argv: Sequence[str],
    *,
    seconds: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    limit: int = OUTPUT_LIMIT,
) -> Done:
    """Runs a program to its end and keeps its output.

    ``env`` is added to our own environment, for what must not appear in a process listing. Raises ProgramMissing;
    WaitTimedOut after ``seconds``; ApplyFailed at more than ``limit`` bytes of output. Whatever ends this call early,
    such as Ctrl-C, ends the program and its children too.
    """
    with _started(argv, env, subprocess.PIPE) as process:
        streams = {process.stdout: bytearray(), process.stderr: bytearray()}
        deadline = time.monotonic() + seconds
        _exchange(process, argv[0], stdin, streams, deadline, limit)
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise WaitTimedOut(f"{_name(argv[0])} did not end in time, and was ended") from None
        out, err = (bytes(kept) for kept in streams.values())
        return Done(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), out)


class Background:
    """A running program; ``fileno`` lets a selector wait for several at once."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        assert process.stdout
        self._process = process
        self._out = process.stdout
        self._errors = errors
        self._rest = b""
        self.over = False

    def fileno(self) -> int:
        return self._out.fileno()

    def lines(self, seconds: float = 0.0) -> list[str]:
        """New lines without their ends; waits at most ``seconds`` for some. ``over`` at its end."""
        if self.over or not (self._is_there(seconds) or self.over):
            return []
        chunk = b"" if self.over else os.read(self._out.fileno(), _CHUNK)
        self.over = not chunk
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        # A line without an end comes in pieces.
        if self._rest and (self.over or len(self._rest) > LINE_LIMIT):
            whole, self._rest = [*whole, self._rest], b""
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]

    def _is_there(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            if selector.select(seconds):
                return True
            # Once it has ended, output of its children is not waited for.
            self.over = self._process.poll() is not None and not selector.select(0)
            return not self.over and bool(selector.select(0))

    def end(self) -> Done:
        """Ends it if it runs; the exit code and the end of its stderr."""
        if not self.over:
            _signal(self._process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - LINE_LIMIT))
        code = self._process.poll()
        return Done(-signal.SIGKILL if code is None else code, "", self._errors.read().decode("utf-8", "replace"))


@contextmanager
def background(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Iterator[Background]:
    """A program that runs until the context ends, which ends it and its children."""
    with tempfile.TemporaryFile() as errors, _started(argv, env, subprocess.DEVNULL, errors.fileno()) as process:
        yield Background(process, errors)


@contextmanager
def _started(
    argv: Sequence[str], env: Mapping[str, str] | None, stdin: int, stderr: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with _signals_held() as release:
        try:
            # A group of its own: Ctrl-C reaches us alone, and we end the program together with its children.
            process = subprocess.Popen(  # noqa: S603 - a list, and no shell
                list(argv),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if stderr is None else stderr,
                env={**{name: text for name, text in os.environ.items() if name != ACCESS_TOKEN}, **(env or {})},
                process_group=0,
            )
        except (FileNotFoundError, NotADirectoryError):
            raise ProgramMissing(f"{_name(argv[0])} is not installed, or not on the PATH") from None
        except OSError as error:
            raise ProgramMissing(f"{_name(argv[0])} cannot be started: {error.strerror or error}") from error
        except ValueError:  # its own text may quote the argument
            raise ApplyFailed(f"{_name(argv[0])} cannot be started: a character that no argument can hold") from None
        try:
            release()
            yield process
        finally:
            _end(process)


@contextmanager
def _signals_held() -> Iterator[Callable[[], None]]:
    """Handlers run after ``release``: one that interrupts a start would leave a program that nobody ends."""
    if threading.current_thread() is not threading.main_thread():  # handlers run in the main thread alone
        yield lambda: None
        return
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    held = {number: handler for number, handler in handlers.items() if callable(handler)}

    def release() -> None:
        while held:
            signal.signal(*held.popitem())
        while received:
            signal.raise_signal(received.pop())

    try:
        for number in held:
            signal.signal(number, lambda number, _: received.append(number))
        yield release
    finally:
        release()


def _exchange(
    process: subprocess.Popen[bytes],
    program: str,
    stdin: bytes,
    streams: Mapping[IO[bytes] | None, bytearray],
    deadline: float,
    limit: int,
) -> None:
    """Writes and reads at once: either pipe may be full while the other one waits."""
    left = memoryview(stdin)
    assert process.stdin
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            assert stream
            selector.register(stream, selectors.EVENT_READ, streams[stream])
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            ready = selector.select(min(LOOK, max(0.0, deadline - time.monotonic())))
            if not ready and process.poll() is not None and not selector.select(0):
                break  # its children keep the pipes open, and what it wrote itself has been read
            if not ready and time.monotonic() >= deadline:
                raise WaitTimedOut(f"{_name(program)} did not answer in time, and was ended")
            for key, _ in ready:
                if key.data is None:
                    left = left[_feed(process.stdin, left) :]
                    over = not left
                else:
                    over = not _read(key.fd, key.data, limit, program)
                if over:
                    selector.unregister(key.fileobj)
                    _close(key.fileobj)


def _read(pipe: int, kept: bytearray, limit: int, program: str) -> bytes:
    chunk = os.read(pipe, _CHUNK)
    kept += chunk
    if len(kept) > limit:
        raise ApplyFailed(f"{_name(program)} wrote more than {limit // 1024 // 1024} MiB, and was ended")
    return chunk


def _feed(pipe: IO[bytes], left: memoryview) -> int:
    """The number of bytes written; all of them when the reader is gone, as its exit code says why."""
    try:
        return os.write(pipe.fileno(), left[:_CHUNK])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(left)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL, to its children too; closes the pipes."""
    try:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
    finally:
        # The number of the group is not given to another program as long as anybody is in it.
        _signal(process, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            _close(pipe)


def _close(pipe: Any) -> None:
    if pipe:
        with suppress(OSError):
            pipe.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


#: The shape of JSON: a type, [item], or {key: shape}; a key that ends with '!' is required, ``...`` is any key.
Shape = Any
_TYPES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number with a fraction",
}
#: Levels of nested lists and objects; Kubernetes has twenty.
_DEEPEST = 100


def parsed(text: str, shape: Shape, doing: str, program: str) -> Any:
    """ApplyFailed where the shape differs."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ApplyFailed(f"{doing}: {program}'s answer is not JSON ({excerpt(text.strip(), 80)})") from None
    return checked(data, shape, doing, program)


def checked(data: Any, shape: Shape, doing: str, program: str) -> Any:
    """The same for parsed data; removes null values."""
    if problem := _oddity(data, shape) or _too_deep(data):
        raise ApplyFailed(f"{doing}: {program}'s answer cannot be read: {problem}; is it really {program}?")
    return data


def _oddity(data: Any, shape: Shape, path: DocumentPath = ()) -> str:
    """Where ``data`` differs from the shape, and how; empty where it does not."""
    wanted = shape if isinstance(shape, type) else type(shape)
    fits = wanted is object or (isinstance(data, wanted) and not (wanted is int and isinstance(data, bool)))
    if not fits:
        actual = "null" if data is None else _TYPES[type(data)]
        return f"{_spelled(path)} is {actual}, and should be {_TYPES[wanted]}"
    if isinstance(shape, list):
        return next((odd for i, item in enumerate(data) if (odd := _oddity(item, shape[0], (*path, i)))), "")
    for name, inner in shape.items() if isinstance(shape, dict) else ():
        keys = list(data) if name is ... else [name.removesuffix("!")]
        for key in keys:
            if data.get(key) is None:
                data.pop(key, None)
                if key != name and name is not ...:
                    return f"{_spelled(path)} has no {key}"
            elif odd := _oddity(data[key], inner, (*path, key)):
                return odd
    return ""


def _spelled(path: DocumentPath) -> str:
    """Only where something is odd: to look for tokens in every key would take longer than all else."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{excerpt(step)}" for step in path)
    return "".join(steps).removeprefix(".") or "the whole"


def _too_deep(data: Any) -> str:
    level = [data]
    for _ in range(_DEEPEST):
        parts = [part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer)]
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return ""
    return f"it is nested more than {_DEEPEST} levels deep"


def _name(program: str) -> str:
    return excerpt(os.path.basename(program))


class Run(Protocol):
    """``run``, or a fake in tests."""

    def __call__(
        self, argv: list[str], *, seconds: float, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Done: ...


class Start(Protocol):
    """``background``, or a fake in tests."""

    def __call__(
        self, argv: list[str], *, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Background]: ...
