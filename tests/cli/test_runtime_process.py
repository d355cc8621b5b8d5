"""The commands of a runtime as programs of their own: closed pipes, Ctrl-C, terminals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ROOT

PROGRAM = [sys.executable, "-m", "tests.cli.fake_runtime"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **more}


def started(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
    heeds = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    more = {"env": environment(folder), **streams, **heeds, **options}
    return subprocess.Popen([*PROGRAM, *arguments], cwd=folder, **more)


@pytest.mark.parametrize(
    "arguments",
    [
        ["endless", "logs", "demo", "--follow"],
        ["endless", "logs", "demo", "--output", "json"],
        ["many", "list"],
        ["many", "list", "--output", "json"],
        ["many", "status", "--no-ask"],
    ],
    ids=" ".join,
)
def test_a_reader_that_leaves_ends_it(tmp_path: Path, arguments: list[str]) -> None:
    process = started(tmp_path, *arguments)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b"docker: the fake daemon\n"
    process.stderr.close()


def test_ctrl_c_ends_the_logs_and_what_writes_them(tmp_path: Path) -> None:
    process = started(tmp_path, "silent", "logs", "demo", "-f")
    assert process.stdout
    assert process.stdout.readline() == b"demo-1 | first\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert err.split(b"\n", 2) == [b"docker: the fake daemon", b"closed", b"\n"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_else_ends_it_ends_what_it_started(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = started(tmp_path, "silent", "logs", "demo", "-f")
    assert process.stdout
    assert process.stdout.readline() == b"demo-1 | first\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, b"")
    assert b"\nclosed\n" in err
    assert b"Traceback" not in err


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    process = started(tmp_path, "silent", "logs", "demo", "-f", preexec_fn=ignore)
    assert process.stdout
    assert process.stdout.readline() == b"demo-1 | first\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def on_a_terminal(folder: Path, *arguments: str, end: bytes = b"", **more: str) -> tuple[int, bytes]:
    """Exit code and what a terminal of 200 columns was shown; Ctrl-C at ``end``."""
    terminal, inner = pty.openpty()
    env = environment(folder, TERM="xterm", COLUMNS="200", **more)
    process = started(folder, *arguments, env=env, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
            if end and end in shown:
                process.send_signal(signal.SIGINT)
                end = b""
    except OSError:  # the other side has closed it
        pass
    finally:
        os.close(terminal)
    return process.wait(60), shown


def test_a_table_on_a_terminal(tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, "one", "status", "--no-ask")
    assert code == 0
    assert b"SERVER  WHERE" in shown
    assert b"\x1b[33mrunning" in shown
    code, shown = on_a_terminal(tmp_path, "one", "status", "--no-ask", NO_COLOR="1")
    assert (code, b"\x1b[3" in shown) == (0, False)
    assert b"running" in shown


def test_a_live_table_until_ctrl_c(tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, "one", "status", "--no-ask", "--watch", end=b"running")
    assert code == 130
    assert b"Traceback" not in shown
    # The cursor is back.
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_replicas_have_colours_on_a_terminal(tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, "silent", "logs", "demo", "-f", end=b"first")
    assert (code, b"\x1b[36mdemo-1 |\x1b[0m first" in shown) == (130, True)
    code, shown = on_a_terminal(tmp_path, "silent", "logs", "demo", "-f", end=b"first", NO_COLOR="1")
    assert b"\x1b[36m" not in shown


@pytest.mark.parametrize(
    ("command", "modules"),
    [("render", {"rich", "renderer.settings", "renderer.orchestrators.contract"}), ("list", {"rich", "mcp", "jinja2"})],
)
def test_no_command_pays_for_what_it_does_not_need(tmp_path: Path, command: str, modules: set[str]) -> None:
    script = f"""
import sys
sys.argv = ["mcpctl", "{command}", "--help"]
from renderer.cli import main
main()
print(sorted({modules!r} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "[]"
