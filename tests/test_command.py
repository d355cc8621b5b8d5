"""Programs as they are started, fed, read and ended. The programs are real; the waiting is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renderer import command
from renderer.command import Done, ProgramMissing, background, run
from renderer.errors import ApplyFailed, WaitTimedOut

SECONDS = 30.0
#: Tells the number of a child that sleeps, on stdout, whose pipe the child keeps.
WITH_CHILD = "sleep 60 & echo $!; "


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def py(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def is_running(number: int) -> bool:
    """Whether it does anything: a zombie, whose parent has ended, waits for init."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def is_gone(number: int) -> bool:
    deadline = time.monotonic() + SECONDS
    while is_running(number) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(number)


def timed_out(script: str, begun: Path) -> str:
    """What is said where ``script`` runs into its deadline after it wrote ``begun``: a later one on a busy machine."""
    for seconds in (0.3, 3, SECONDS):
        with pytest.raises(WaitTimedOut) as late:
            run(sh(script), seconds=seconds)
        if begun.exists() and begun.read_text():
            break
    return late.value.message


@pytest.fixture(autouse=True)
def no_pipe_is_left() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


# --- run ---


def test_code_and_streams() -> None:
    assert run(sh("echo out; echo err >&2; exit 3"), seconds=SECONDS) == Done(3, "out\n", "err\n", b"out\n")


def test_a_signal_is_a_negative_code() -> None:
    assert run(sh("kill -9 $$"), seconds=SECONDS).code == -signal.SIGKILL


def test_binary_output_is_decoded_with_replacements() -> None:
    assert run(py(r"import os; os.write(1, b'\xff\x00a\xc3')"), seconds=SECONDS).out == "\ufffd\x00a\ufffd"


def test_large_input_and_output_at_once() -> None:
    data = b"x" * 3_000_000
    assert len(run(["cat"], seconds=SECONDS, stdin=data).out) == len(data)


@pytest.mark.parametrize("script", ["exec 0<&-; sleep 0.1; echo done", "echo done"])
def test_input_that_nobody_reads(script: str) -> None:
    assert run(sh(script), seconds=SECONDS, stdin=b"x" * 3_000_000)[:3] == (0, "done\n", "")


def test_without_input_stdin_is_at_its_end() -> None:
    assert run(["cat"], seconds=SECONDS)[:3] == (0, "", "")


def test_arguments_arrive_as_they_are() -> None:
    hostile = ["--x=$(id)", "-", "--", "; rm -rf /", "a b", "*", "`x`", "'\"", "\n", "\x1b[31m", "é", "\udcff", ""]
    told = run(
        py("import os, sys; os.write(1, b'\\0'.join(map(os.fsencode, sys.argv[1:])))", *hostile), seconds=SECONDS
    )
    assert told.out.split("\0") == [text.replace("\udcff", "\ufffd") for text in hostile]


def test_the_environment_is_ours_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    assert run(sh('echo "$OURS$ADDED"'), seconds=SECONDS, env={"ADDED": "2"}).out == "12\n"


def test_a_secret_in_the_environment_or_on_stdin_is_not_in_the_process_listing() -> None:
    told = run(
        sh("cat /proc/$$/cmdline /proc/$PPID/cmdline"), seconds=SECONDS, env={"TOKEN": "hunter2"}, stdin=b"hunter2"
    )
    assert "cmdline" in told.out
    assert "hunter2" not in told.out


@pytest.mark.parametrize("script", ["exec yes", "exec yes >&2"])
def test_too_much_output_ends_it(script: str) -> None:
    with pytest.raises(ApplyFailed, match="sh wrote more than 1 MiB, and was ended"):
        run(sh(script), seconds=SECONDS, limit=1024 * 1024)


def test_the_deadline_ends_it_with_its_children(tmp_path: Path) -> None:
    told = tmp_path / "child"
    message = timed_out(f"{WITH_CHILD} echo $! > {told}; wait", told)
    assert "sh did not answer in time, and was ended" in message
    assert is_gone(int(told.read_text()))


def test_the_deadline_counts_where_the_pipes_are_closed(tmp_path: Path) -> None:
    told = tmp_path / "closed"
    message = timed_out(f"exec >&- 2>&- <&-; echo 1 > {told}; sleep 60", told)
    assert "sh did not end in time, and was ended" in message


def test_what_ignores_the_first_signal_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "GRACE", 0.2)
    told = tmp_path / "number"
    timed_out(f"trap '' TERM; echo $$ > {told}; while :; do sleep 0.05; done", told)
    assert is_gone(int(told.read_text()))


def test_children_that_keep_the_pipes_are_not_waited_for() -> None:
    began = time.monotonic()
    done = run(sh(f"{WITH_CHILD} exit 4"), seconds=SECONDS)
    assert time.monotonic() - began < SECONDS / 2
    assert done.code == 4
    assert is_gone(int(done.out))


def test_all_is_read_of_what_has_ended_before_its_children() -> None:
    done = run(sh(f"{WITH_CHILD} head -c 1000000 /dev/zero"), seconds=SECONDS)
    assert len(done.out) > 1_000_000


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("no-such-program", "no-such-program is not installed, or not on the PATH"),
        ("/dev/null/x", "x is not installed, or not on the PATH"),
        ("/etc", "etc cannot be started: Permission denied"),
        ("/no/\x1b[31m", r"\\x1b\[31m is not installed"),
    ],
)
def test_what_cannot_be_started(program: str, text: str) -> None:
    with pytest.raises(ProgramMissing, match=text):
        run([program], seconds=SECONDS)


def test_what_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\0\1\2")
    path.chmod(0o755)
    with pytest.raises(ProgramMissing, match="text cannot be started: Exec format error"):
        run([str(path)], seconds=SECONDS)


@pytest.mark.parametrize("argument", ["a\0b hunter2", "\ud800 hunter2"])
def test_what_no_argument_can_hold(argument: str) -> None:
    with pytest.raises(ApplyFailed, match="echo cannot be started: a character") as failed:
        run(["echo", argument], seconds=SECONDS)
    assert "hunter2" not in failed.value.message


def test_an_argument_that_is_too_long() -> None:
    with pytest.raises(ProgramMissing, match="echo cannot be started: Argument list too long"):
        run(["echo", "x" * 3_000_000], seconds=SECONDS)


# --- Ctrl-C ---


def interrupt_when(path: Path) -> None:
    """As the user would, once the program has begun."""

    def press() -> None:
        deadline = time.monotonic() + SECONDS
        while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def test_ctrl_c_ends_what_runs(tmp_path: Path) -> None:
    told = tmp_path / "child"
    interrupt_when(told)
    with pytest.raises(KeyboardInterrupt):
        run(sh(f"{WITH_CHILD} echo $! > {told}; wait"), seconds=SECONDS)
    assert is_gone(int(told.read_text()))


def test_ctrl_c_in_the_middle_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self.pid)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(sh("sleep 60"), seconds=SECONDS)
    assert is_gone(started[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_ends_what_is_read(tmp_path: Path) -> None:
    told = tmp_path / "child"
    interrupt_when(told)
    with pytest.raises(KeyboardInterrupt):
        _all_lines(sh(f"{WITH_CHILD} echo $! > {told}; wait"))
    assert is_gone(int(told.read_text()))


def test_a_second_ctrl_c_while_ending_does_not_leave_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told, ended = tmp_path / "number", tmp_path / "ended"
    interrupt_when(told)
    interrupt_when(ended)
    script = f"trap 'echo 1 > {ended}' TERM; echo $$ > {told}; while :; do sleep 0.05; done"
    with pytest.raises(KeyboardInterrupt):
        run(sh(script), seconds=SECONDS)
    assert is_gone(int(told.read_text()))


# --- background ---


def _all_lines(argv: list[str]) -> list[str]:
    found: list[str] = []
    with background(argv) as running:
        while not running.over:
            found += running.lines(SECONDS)
    return found


def test_lines_come_without_their_ends() -> None:
    assert _all_lines(sh(r"printf 'a\r\nb\n\nc'")) == ["a", "b", "", "c"]


def test_lines_may_be_binary() -> None:
    assert _all_lines(sh(r"printf '\377\000\n'")) == ["\ufffd\x00"]


def test_a_line_without_end_comes_in_pieces() -> None:
    found = _all_lines(sh("head -c 300000 /dev/zero"))
    assert len(found) > 1
    assert sum(map(len, found)) == 300_000


def test_nothing_there_is_no_end() -> None:
    with background(["sleep", "60"]) as running:
        assert running.lines() == []
        assert not running.over
        assert os.get_inheritable(running.fileno()) is False
        assert running.end().code == -signal.SIGTERM


def test_its_end_tells_code_and_stderr() -> None:
    with background(sh("echo no >&2; exit 2")) as running:
        while not running.over:
            running.lines(SECONDS)
        assert running.end() == Done(2, "", "no\n")


def test_only_the_end_of_stderr_is_kept() -> None:
    with background(sh("head -c 300000 /dev/zero >&2; echo last >&2")) as running:
        while not running.over:
            running.lines(SECONDS)
        err = running.end().err
    assert len(err) == command.LINE_LIMIT
    assert err.endswith("last\n")


def test_what_does_not_end_by_itself_is_told_as_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "GRACE", 0.2)
    with background(sh("trap '' TERM; echo 1; while :; do sleep 0.05; done")) as running:
        assert running.lines(SECONDS) == ["1"]
        assert running.end().code == -signal.SIGKILL


def test_children_that_keep_the_pipe_are_not_followed() -> None:
    with background(sh(f"{WITH_CHILD} printf rest")) as running:
        found: list[str] = []
        while not running.over:
            found += running.lines(0.1)
        assert running.end().code == 0
    assert found[1:] == ["rest"]
    assert is_gone(int(found[0]))


def test_leaving_early_ends_it_with_its_children() -> None:
    with background(sh(f"{WITH_CHILD} wait")) as running:
        child = int(running.lines(SECONDS)[0])
    assert is_gone(child)
