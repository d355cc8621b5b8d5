"""Tables of servers: plain columns, on a terminal in colour, on a narrow one on several lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import click

from renderer.cli.streams import ReaderLeft, colored, emit
from renderer.orchestrators.contract import InstanceState, InstanceStatus
from renderer.orchestrators.instances import COLUMNS, as_columns, row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STYLES = {
    InstanceState.READY: "green",
    InstanceState.RUNNING: "yellow",
    InstanceState.PENDING: "yellow",
    InstanceState.FAILED: "red",
}
_STATE = COLUMNS.index("STATE")
#: The columns from here on are long, and get lines of their own on a narrow terminal.
_SHORT = COLUMNS.index("IMAGE")


def fits_a_table() -> bool:
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def show(statuses: Sequence[InstanceStatus], now: float) -> None:
    if not statuses:
        return
    if not fits_a_table():
        lines, _ = as_columns([COLUMNS, *(row(status, now) for status in statuses)])
        emit("".join(f"{line}\n" for line in lines))
        return
    try:
        console = _console()
        console.print(_table(console.width, statuses, now))
    except BrokenPipeError:
        raise ReaderLeft from None


def live(look: Callable[[], list[InstanceStatus]], pause: Callable[[], None]) -> None:
    """Updates in place until Ctrl-C; the last table stays."""
    from rich.live import Live  # 40 ms: rich, which only a terminal needs

    try:
        console = _console()
        with Live(console=console, auto_refresh=False) as display:
            while True:
                display.update(_table(console.width, look(), time.time()), refresh=True)
                pause()
    except BrokenPipeError:
        raise ReaderLeft from None


def _console() -> Console:
    from rich.console import Console  # as above

    # rich reads the same variables differently.
    color = colored(sys.stdout)
    system: Literal["auto"] | None = "auto" if color else None
    return Console(
        file=sys.stdout, force_terminal=True, no_color=not color, color_system=system, highlight=False, emoji=False
    )


def _table(width: int, statuses: Sequence[InstanceStatus], now: float) -> Text:
    """In colour; where it is wider than the terminal, each long cell gets a line of its own."""
    from rich.text import Text  # as above

    rows = [row(status, now) for status in statuses]
    lines, widths = as_columns([COLUMNS, *rows])
    narrow = max(map(len, lines)) > width
    if narrow:
        lines, widths = as_columns([cells[:_SHORT] for cells in (COLUMNS, *rows)], [0] * _SHORT)
    start = sum(each + 2 for each in widths[:_STATE])
    # Text, not str: the name of a server is never markup.
    table = Text(f"{lines[0]}\n", "bold")
    for status, cells, line in zip(statuses, rows, lines[1:], strict=True):
        text = Text(f"{line}\n", "not bold")
        text.stylize(_STYLES.get(status.state, ""), start, start + len(status.state.value))
        table.append(text)
        for name, cell in zip(COLUMNS[_SHORT:], cells[_SHORT:], strict=True):
            if narrow and cell != "-":
                table.append(click.wrap_text(f"{name.lower()}: {cell}", width, "  ", "    ") + "\n", "not bold")
    table.rstrip()
    return table
