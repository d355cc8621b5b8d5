"""``mcpctl status``: servers, by the runtime and over MCP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import click

from renderer import __version__
from renderer.cli.runtime import (
    has_client,
    identify,
    instances_of,
    orchestrator_of,
    output_option,
    progress,
    remote_instances,
    runtime_options,
    with_answer,
)
from renderer.cli.streams import emit, emit_data
from renderer.cli.tables import fits_a_table, live, show
from renderer.errors import Exit
from renderer.orchestrators.contract import InstanceFilters, InstanceStatus
from renderer.orchestrators.instances import as_data
from renderer.settings import Settings

#: Seconds between two updates with --watch.
INTERVAL = 2.0
Look = Callable[[], list[InstanceStatus]]


@click.command(
    epilog="""\b
Examples:
  mcpctl status
  mcpctl status time --watch
  mcpctl status time --output json | jq '.servers[0].mcp'
"""
)
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option("--watch", "-w", is_flag=True, help="Refresh until Ctrl-C.")
@click.option(
    "--ask/--no-ask",
    default=True,
    show_default=True,
    help="Ask every running server over MCP: a server that answers is ready.",
)
@output_option
@runtime_options
def status(names: tuple[str, ...], settings: Settings, watch: bool, ask: bool, style: str) -> int:
    """Show servers: 'ready' means that it answered MCP, 'running' that the runtime says so.

    NAMES are those of servers, or instance ids; without any, all of them. In a project its remote servers follow:
    they are 'remote', and are not asked.
    """
    orchestrator = orchestrator_of(settings)
    ask = ask and has_client()
    remotes = remote_instances(names)
    here = [name for name in names if name not in {remote.server for remote in remotes}]
    ids = [identify(orchestrator, name) for name in here]

    def look() -> list[InstanceStatus]:
        if names:
            statuses = list(orchestrator.get_statuses(list(dict.fromkeys(ids)))) if ids else []
        else:
            statuses = list(instances_of(orchestrator, InstanceFilters()))
        return [*([with_answer(orchestrator, server) for server in statuses] if ask else statuses), *remotes]

    if watch:
        _watch(look, style)
    elif style == "json":
        servers = [as_data(server) for server in look()]
        emit_data({"command": "status", "version": __version__, "where": orchestrator.where(), "servers": servers})
    else:
        _show(look())
    return Exit.FINE


def _show(statuses: Sequence[InstanceStatus]) -> None:
    if not statuses:
        progress("no servers")
    show(statuses, time.time())


def _watch(look: Look, style: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """A live table on a terminal; elsewhere changes, as rows, or as one JSON object a line."""
    if style == "text" and fits_a_table():
        live(look, lambda: sleep(INTERVAL))
        return
    before: list[InstanceStatus] | None = None
    while True:
        now = look()
        if now != before and style == "json":
            emit(json.dumps({"servers": [as_data(server) for server in now]}) + "\n")
        elif now != before:
            _show(now)
        before = now
        sleep(INTERVAL)
