"""The child process: it answers, it ends where it must, and it reaches nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from renderer.confined import Confined, Ended, Limits, TooLong

#: Processor time that a test waits for at most; no test waits for the clock.
SHORT = Limits(seconds=0.05, memory=64 << 20, answer=1000)


@contextmanager
def child(work: Callable[[bytes], bytes]) -> Iterator[Confined]:
    made = Confined(work, SHORT)
    try:
        yield made
    finally:
        made.close()


def told(work: Callable[[bytes], bytes]) -> bytes:
    """What the child answers, or the name of the exception that the work raised there."""

    def tried(request: bytes) -> bytes:
        try:
            return work(request)
        except Exception as error:
            return type(error).__name__.encode()

    with child(tried) as made:
        return made.ask(b"x")


def for_ever(_: bytes) -> bytes:
    while True:
        pass


def deaf(_: bytes) -> bytes:
    """Swallows what says that time is up, as a bare except in somebody's code would."""
    while True:
        try:
            for_ever(b"")
        except TooLong:
            continue


def test_requests_are_answered_in_order() -> None:
    with child(lambda request: request[::-1]) as made:
        assert [made.ask(text) for text in (b"ab", b"", b"c" * 900)] == [b"ba", b"", b"c" * 900]


def test_an_endless_loop_is_told_where_it_is() -> None:
    assert told(for_ever) == b"TooLong"


def test_the_next_request_has_its_own_time() -> None:
    def work(request: bytes) -> bytes:
        try:
            return for_ever(b"") if request == b"loop" else b"fine"
        except TooLong:
            return b"stopped"

    with child(work) as made:
        assert [made.ask(text) for text in (b"loop", b"", b"loop", b"")] == [b"stopped", b"fine", b"stopped", b"fine"]


def test_work_that_does_not_listen_is_ended() -> None:
    with child(deaf) as made, pytest.raises(Ended, match=r"more than 0\.05 s of processor time"):
        made.ask(b"")


def test_memory_has_a_limit() -> None:
    assert told(lambda _: b"a" * (1 << 30)) == b"MemoryError"


def test_an_answer_has_a_limit() -> None:
    with child(lambda _: b"a" * 1001) as made, pytest.raises(Ended, match="more than"):
        made.ask(b"")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_dies_is_told(number: signal.Signals) -> None:
    def dies(_: bytes) -> bytes:
        os.kill(os.getpid(), number)
        return b""

    with child(dies) as made:
        with pytest.raises(Ended, match=number.name):
            made.ask(b"")
        with pytest.raises(Ended):
            made.ask(b"")


def test_a_child_that_raises_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with child(lambda _: bytes(1 // 0)) as made, pytest.raises(Ended, match="without a signal"):
        made.ask(b"")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "work",
    [
        lambda _: Path("/etc/passwd").read_bytes(),
        lambda _: os.listdir("/")[0].encode(),
        lambda _: bytes(os.open("/tmp/written", os.O_CREAT | os.O_WRONLY)),
        lambda _: subprocess.run(["true"], capture_output=True, check=True).stdout,
        lambda _: os.environ["PATH"].encode(),
    ],
    ids=["read", "list", "write", "run", "environment"],
)
def test_nothing_is_in_reach(work: Callable[[bytes], bytes]) -> None:
    assert told(work) in (b"OSError", b"KeyError")


def test_what_it_prints_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    def prints(_: bytes) -> bytes:
        os.write(1, b"out")
        os.write(2, b"err")
        return b"done"

    assert told(prints) == b"done"
    assert capfd.readouterr() == ("", "")


def test_no_child_is_left() -> None:
    with child(for_ever) as made:
        process = made._child
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
