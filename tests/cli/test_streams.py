"""The bar of ``renderer.cli.streams``: for a terminal, and for those who wait."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from renderer.cli import streams


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
