"""``mcpctl list``: what runs, page by page."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import click

from renderer.cli.options import Whole
from renderer.cli.runtime import (
    has_client,
    orchestrator_of,
    output_option,
    remote_instances,
    runtime_options,
    with_answer,
)
from renderer.cli.streams import emit
from renderer.cli.tables import fits_a_table, show
from renderer.errors import Exit
from renderer.orchestrators.contract import InstanceFilters, InstancePage, InstanceState, Orchestrator
from renderer.orchestrators.instances import COLUMNS, as_columns, as_data, row
from renderer.settings import Settings

#: Filters are the runtime's, and READY is the result of asking a server.
_STATES = [state.value for state in InstanceState if state is not InstanceState.READY]


def _labels(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals) or labels.get(key, value) != value:
            raise click.BadParameter("write KEY=VALUE, each key once")
        labels[key] = value
    return labels


@click.command(
    "list",
    epilog="""\b
Examples:
  mcpctl list
  mcpctl list --state failed -l team=platform
  mcpctl list --ask
  mcpctl list --output json | jq -r '.[].server'
""",
)
@click.option("--server", "servers", multiple=True, metavar="NAME", help="Only this server; may be repeated.")
@click.option(
    "--state", "states", type=click.Choice(_STATES), multiple=True, help="Only in this state; may be repeated."
)
@click.option(
    "--label",
    "-l",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_labels,
    help="Only with this label; may be repeated: all must fit.",
)
@click.option(
    "--page-size",
    type=Whole(1, 5000),
    default=500,
    show_default=True,
    help="Servers per request to the runtime.",
)
@click.option(
    "--ask/--no-ask", default=False, show_default=True, help="Ask every running server over MCP, one after the other."
)
@output_option
@runtime_options
def listing(
    servers: tuple[str, ...],
    states: tuple[str, ...],
    labels: dict[str, str],
    settings: Settings,
    page_size: int,
    ask: bool,
    style: str,
) -> int:
    """List the servers that mcpctl manages, as the runtime sees them; --ask adds what each says over MCP.

    In a project the remote servers of its specs follow, which nothing runs here.

    Rows come page by page, also of thousands. JSON is one list; where it is not closed, the run failed.
    """
    filters = InstanceFilters(servers, tuple(InstanceState(state) for state in states), labels)
    orchestrator = orchestrator_of(settings)
    pages = _pages(orchestrator, filters, page_size, ask=ask and has_client())
    if style == "json":
        before = "[\n"
        for status in (status for page in pages for status in page.instances):
            emit(before + json.dumps(as_data(status)))
            before = ",\n"
        emit("[]\n" if before == "[\n" else "\n]\n")
    elif fits_a_table():
        for page in pages:
            show(page.instances, time.time())
    else:
        widths: list[int] = []
        for page in pages:
            rows = [row(status, time.time()) for status in page.instances]
            if rows:
                lines, widths = as_columns(rows if widths else [COLUMNS, *rows], widths)
                emit("".join(f"{line}\n" for line in lines))
    return Exit.FINE


def _pages(orchestrator: Orchestrator, filters: InstanceFilters, size: int, *, ask: bool) -> Iterator[InstancePage]:
    """Remote servers last."""
    page: InstancePage | None = None
    while page is None or page.next:
        page = orchestrator.list_instances(filters, page.next if page else "", size)
        statuses = (with_answer(orchestrator, status) if ask else status for status in page.instances)
        yield page._replace(instances=tuple(statuses))
    if not filters.states or InstanceState.REMOTE in filters.states:
        yield InstancePage(tuple(remote_instances(filters.servers, filters.labels)))
