"""``mcpctl delete``: removes objects of servers."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import click

from renderer import __version__
from renderer.cli.runtime import (
    confirm_with,
    orchestrator_of,
    output_option,
    progress,
    refuse_unasked,
    runtime_options,
    yes_option,
)
from renderer.cli.streams import ReaderLeft, emit, emit_data
from renderer.errors import ApplyFailed, Exit, excerpt
from renderer.orchestrators.instances import change_line, changes_as_data, tally
from renderer.settings import Settings


@click.command(
    epilog="""\b
Examples:
  mcpctl delete time
  mcpctl delete time --yes
  mcpctl delete memory --delete-data --yes
"""
)
@click.argument("names", nargs=-1, required=True, metavar="NAMES...")
@click.option("--ignore-not-found", is_flag=True, help="Exit 0 if the servers do not exist.")
@yes_option
@output_option
@runtime_options
def delete(
    names: tuple[str, ...], settings: Settings, yes: bool, delete_data: bool, ignore_not_found: bool, style: str
) -> int:
    """Remove all objects of servers that mcpctl made. Volumes stay unless --delete-data is given.

    NAMES are those of servers. What would go is shown first, and asked for.
    """
    refuse_unasked(yes, "mcpctl delete")
    orchestrator = orchestrator_of(settings)
    applied = orchestrator.delete(names, data=delete_data, tell=progress, confirm=confirm_with(yes, delete_data))
    if style == "json":
        with suppress(ReaderLeft) if applied.failed else nullcontext():
            data = {"command": "delete", "version": __version__, "where": orchestrator.where()}
            emit_data({**data, "changes": changes_as_data(applied)})
    else:
        emit("".join(f"{change_line(change)}\n" for change in applied.changes))
    if applied.failed:
        raise ApplyFailed(f"not all could be removed: {tally(applied)}; fix the reason, then run the command again")
    if not applied.changes and not ignore_not_found:
        raise ApplyFailed(f"mcpctl manages nothing of {', '.join(map(excerpt, names))}; see mcpctl list")
    progress(tally(applied))
    return Exit.FINE
