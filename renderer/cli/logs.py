"""``mcpctl logs``: the output of a server, each line with its replica."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import click

from renderer.cli.options import Whole
from renderer.cli.runtime import identify, orchestrator_of, output_option, runtime_options
from renderer.cli.streams import colored, emit
from renderer.errors import Exit, excerpt
from renderer.orchestrators.contract import LogLine, LogOptions
from renderer.settings import Settings

#: Characters of one line.
_LONGEST = 65536
#: Of replicas, in the order of their first lines: cyan, yellow, green, magenta, blue.
_COLORS = (36, 33, 32, 35, 34)
_SINCE = r"(\d{1,6}(\.\d+)?[smh]){1,3}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"


def _since(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(_SINCE, value):
        raise click.BadParameter("write a duration such as 10m, or a time such as 2026-01-31T12:00:00Z")
    return value


@click.command(
    epilog="""\b
Examples:
  mcpctl logs time
  mcpctl logs time --follow --since 10m
  mcpctl logs time --previous --tail 50
"""
)
@click.argument("name", metavar="NAME")
@click.option("--tail", type=Whole(0), metavar="LINES", help="Only the last lines of each replica.")
@click.option("--follow", "-f", is_flag=True, help="Stream new lines until Ctrl-C.")
@click.option("--since", default="", metavar="TIME", callback=_since, help="Only lines since then: 10m, or RFC 3339.")
@click.option("--timestamps", "-t", is_flag=True, help="Print the time of each line.")
@click.option("--previous", "-p", is_flag=True, help="Show the containers before their last restart.")
@click.option("--prefix/--no-prefix", default=True, show_default=True, help="Print the replica of each line.")
@output_option
@runtime_options
def logs(
    name: str,
    settings: Settings,
    tail: int | None,
    follow: bool,
    since: str,
    timestamps: bool,
    previous: bool,
    prefix: bool,
    style: str,
) -> int:
    """Show what a server writes. NAME is that of a server, or an instance id.

    What does not print is escaped. With --output json every line is an object with replica and text.
    """
    orchestrator = orchestrator_of(settings)
    options = LogOptions(tail, follow, since, timestamps, previous)
    text_of: Callable[[LogLine], str] = _Prefixed() if prefix else _plain
    lines = orchestrator.get_logs(identify(orchestrator, name), options)
    try:
        for line in lines:
            emit((json.dumps(line._asdict()) if style == "json" else text_of(line)) + "\n")
    finally:  # whatever ends the reading, Ctrl-C or a closed pipe, ends the program that writes as well
        close: Callable[[], Any] = getattr(lines, "close", lambda: None)
        close()
    return Exit.FINE


def _plain(line: LogLine) -> str:
    # Tabs are what tables of logs are made of. '::' at the start is a command to some code hosts.
    text = "\t".join(excerpt(part, _LONGEST) for part in line.text.split("\t"))
    return f" {text}" if text.startswith("::") else text


class _Prefixed:
    """``replica | text``, each replica in a colour of its own on a terminal."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._colored = colored(sys.stdout)

    def __call__(self, line: LogLine) -> str:
        number = self._seen.setdefault(line.replica, len(self._seen))
        prefix = f"{excerpt(line.replica, 100)} |"
        if self._colored:
            prefix = f"\x1b[{_COLORS[number % len(_COLORS)]}m{prefix}\x1b[0m"
        return f"{prefix} {_plain(line)}"
