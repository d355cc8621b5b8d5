"""Tables on a terminal, with rich; imported only where there is one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from renderer.cli.streams import ReaderLeft
from renderer.orchestrators.contract import InstanceState, InstanceStatus
from renderer.orchestrators.instances import COLUMNS, row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {
    InstanceState.READY: "green",
    InstanceState.RUNNING: "yellow",
    InstanceState.PENDING: "yellow",
    InstanceState.FAILED: "red",
}


def fits_a_table() -> bool:
    """Whether standard output is a terminal that can draw one."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def print_table(statuses: Sequence[InstanceStatus], now: float) -> None:
    """Once."""
    try:
        _console().print(_table(statuses, now))
    except BrokenPipeError:
        raise ReaderLeft from None


def live(look: Callable[[], list[InstanceStatus]], pause: Callable[[], None]) -> None:
    """Again and again in the same place; the last table stays when Ctrl-C ends it."""
    from rich.live import Live  # 40 ms: rich, which only a terminal needs

    try:
        with Live(console=_console(), auto_refresh=False) as shown:
            while True:
                shown.update(_table(look(), time.time()), refresh=True)
                pause()
    except BrokenPipeError:
        raise ReaderLeft from None


def _console() -> Console:
    from rich.console import Console  # as above

    # rich honours NO_COLOR itself, but not as its authors meant it: an empty one counts as none.
    return Console(file=sys.stdout, no_color=bool(os.environ.get("NO_COLOR")), highlight=False, emoji=False)


def _table(statuses: Sequence[InstanceStatus], now: float) -> Table:
    from rich.box import SIMPLE  # as above
    from rich.table import Table
    from rich.text import Text

    # Text, not str: what a server is called is never markup.
    table = Table(*COLUMNS, box=SIMPLE)
    for status in statuses:
        cells = [Text(cell, overflow="fold") for cell in row(status, now)]
        cells[COLUMNS.index("STATE")].stylize(_STYLES.get(status.state, ""))
        table.add_row(*cells)
    return table
