"""The bar of ``renderer.cli.streams``: for a terminal, and for those who wait."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from renderer.cli import streams
from tests.cli.commands import on_terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def clock(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


@pytest.mark.parametrize(
    ("stream", "step", "shown"),
    [(Terminal, 1.0, True), (Terminal, 0.1, False), (io.StringIO, 1.0, False)],
)
def test_a_bar_is_for_a_terminal_and_for_work_that_takes_time(
    stream: type[io.StringIO], step: float, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = stream()
    ticks = clock(step)
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(streams, "monotonic", lambda: next(ticks))
    assert list(streams.progress("writing tree", range(10))) == [*range(10)]
    text = stderr.getvalue()
    assert ("writing tree" in text and "10/10" in text and text.endswith("\n")) == shown
    assert bool(text) == shown


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds pass between two looks at the clock."""
    ticks = clock(3.0)
    monkeypatch.setattr(streams, "monotonic", lambda: next(ticks))


@pytest.mark.usefixtures("slow")
def test_work_says_what_it_is_until_something_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch, "stderr") as shown:
        with streams.working("rendering 600 servers"):
            signal.raise_signal(signal.SIGALRM)  # what the timer does after two seconds
            streams.say("done\n")
            signal.raise_signal(signal.SIGALRM)
        assert shown() == ("\r\x1b[Krendering 600 servers: 3 s\r\x1b[Kdone\n\r\x1b[Krendering 600 servers: 6 s\r\x1b[K")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.usefixtures("slow")
def test_work_that_is_quick_says_nothing_and_fails_as_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch, "stderr") as shown:
        with suppress(ValueError), streams.working("reading"):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 1
            raise ValueError
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        streams.say("end\n")
        assert shown() == "end\n"


@pytest.mark.parametrize("why", ["quiet", "dumb", "no terminal"])
def test_work_is_silent_where_nobody_wants_a_line(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    context = click.Context(click.Command("x"))
    context.params["quiet"] = why == "quiet"
    before = signal.getsignal(signal.SIGALRM)
    with on_terminal(monkeypatch, "stderr", TERM="dumb" if why == "dumb" else "xterm"):
        if why == "no terminal":
            monkeypatch.setattr("sys.stderr", io.StringIO())
        with context, streams.working("reading"):
            assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, True),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(
    choice: str, environ: dict[str, str], terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", **environ}.items():
        monkeypatch.setenv(name, value)
    streams.choose_color(choice)
    assert streams.colored(Terminal() if terminal else io.StringIO()) is expected
    streams.choose_color("auto")
