"""Tables of servers: on a wide terminal, on a narrow one, and for programs and readers."""

from __future__ import annotations

import pytest

from renderer.cli import tables
from renderer.orchestrators.contract import InstanceState
from tests.cli.commands import on_terminal
from tests.cli.fake_runtime import SHAKE, instance

READY = instance("time", state=InstanceState.READY, handshake=SHAKE)
FAILED = instance(
    "a-server-with-a-long-name",
    state=InstanceState.FAILED,
    reason="back-off restarting failed container; its last lines: Error: cannot find module",
    endpoint="https://mcp.example.com/tools/a-server-with-a-long-name/a-team/mcp",
)
NOW = 1769860800.0


def shown(monkeypatch: pytest.MonkeyPatch, columns: int, **environ: str) -> list[str]:
    """The lines on a terminal of that width."""
    with on_terminal(monkeypatch, "stdout", COLUMNS=str(columns), **environ) as read:
        tables.show([READY, FAILED], NOW)
        return read().splitlines()


def test_on_a_wide_terminal_it_is_the_plain_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, 300, NO_COLOR="1")
    tables.show([READY, FAILED], NOW)
    assert lines == capsys.readouterr().out.splitlines()
    assert len(lines) == 3


def test_on_a_narrow_one_long_cells_have_their_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, 80, NO_COLOR="1") == [
        "SERVER                     WHERE  STATE   READY  RESTARTS  AGE",
        "time                       here   ready   1/1    2         0s",
        "  image: example.com/time:1",
        "  endpoint: http://127.0.0.1:1/time",
        "  details: demo-server 1.2, MCP 2025-06-18, 3 tools",
        "a-server-with-a-long-name  here   failed  1/1    2         0s",
        "  image: example.com/a-server-with-a-long-name:1",
        "  endpoint: https://mcp.example.com/tools/a-server-with-a-long-name/a-team/mcp",
        "  details: back-off restarting failed container; its last lines: Error: cannot",
        "    find module",
    ]


def test_states_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 80)
    assert "\x1b[32mready\x1b[0m" in lines[1]
    assert "\x1b[31mfailed\x1b[0m" in lines[5]


def test_a_name_is_never_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch, "stdout", COLUMNS="60") as read:
        tables.show([instance("[red]x[/red]")], NOW)
        assert "[red]x[/red]" in read()


def test_nothing_is_shown_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show([], NOW)
    assert capsys.readouterr().out == ""
