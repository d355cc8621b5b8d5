"""Programs that go on while somebody reads: lines as they come, an end in any case."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from renderer.command import LINE_LIMIT, Background, ProgramMissing, background
from renderer.orchestrators.wait import until


def _python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def _runs(process: int) -> bool:
    """A dead one may wait to be collected by whoever inherits it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _all(running: Background) -> list[str]:
    found = []
    while not running.over:
        found += running.lines(30)
    return found


def test_lines_come_as_they_are_written() -> None:
    with background(
        _python("import sys; sys.stdout.write('a\\n'); sys.stdout.flush(); __import__('time').sleep(600)")
    ) as running:
        assert running.lines(30) == ["a"]


def test_pieces_of_lines_are_put_together_and_nothing_is_lost() -> None:
    program = "import sys, time; [(sys.stdout.write(c), sys.stdout.flush()) for c in 'one\\r\\ntwo']"
    with background(_python(program)) as running:
        assert _all(running) == ["one", "two"]
        assert running.end().code == 0


def test_a_line_that_never_ends_is_told_in_pieces() -> None:
    with background(_python("print('x' * 300_000)")) as running:
        found = _all(running)
    assert "".join(found) == "x" * 300_000
    assert all(len(line) <= 3 * LINE_LIMIT for line in found)


def test_its_end_tells_code_and_errors_however_many() -> None:
    program = "import sys; sys.stderr.write('e' * 500_000 + 'last'); print(b'\\xff'); sys.exit(3)"
    with background(_python(program)) as running:
        _all(running)
        done = running.end()
    assert done.code == 3
    assert done.err.endswith("last")
    assert len(done.err) == LINE_LIMIT


def test_the_context_ends_it_and_its_children() -> None:
    program = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    with suppress(KeyboardInterrupt), background(_python(program)) as running:
        while not (lines := running.lines(30)):
            pass
        raise KeyboardInterrupt
    # A signal that was sent is not a process that has ended: on a busy machine that takes a moment.
    assert until(lambda: not _runs(int(lines[0])) or None, seconds=60, interval=0.01)


def test_it_can_be_ended_early() -> None:
    with background(_python("__import__('time').sleep(600)")) as running:
        assert running.lines(0) == []
        assert running.end().code < 0


def test_a_program_that_is_missing() -> None:
    with pytest.raises(ProgramMissing, match="none-such is not installed"), background(["none-such"]):
        raise AssertionError
