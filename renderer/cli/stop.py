"""``mcpctl stop``: stops servers; their data stays."""

from __future__ import annotations

from contextlib import suppress

import click

from renderer import __version__
from renderer.cli.runtime import identify, orchestrator_of, output_option, progress, runtime_options
from renderer.cli.streams import ReaderLeft, emit_data
from renderer.errors import Exit, McpctlError
from renderer.orchestrators.contract import Orchestrator
from renderer.settings import Settings


@click.command(
    epilog="""\b
Examples:
  mcpctl stop time
  mcpctl stop --orchestrator kubernetes --context kind-dev time github
"""
)
@click.argument("names", nargs=-1, required=True, metavar="NAMES...")
@output_option
@runtime_options
def stop(names: tuple[str, ...], settings: Settings, style: str) -> int:
    """End servers gracefully, and wait until they are gone. Their configuration and data stay.

    NAMES are those of servers, or instance ids. Start them again with mcpctl start or apply.
    """
    orchestrator = orchestrator_of(settings)
    ids = list(dict.fromkeys(identify(orchestrator, name) for name in names))
    stopped: list[str] = []
    try:
        for instance in ids:
            orchestrator.stop_server(instance)
            stopped.append(instance)
            progress(f"{instance}: stopped")
    except (McpctlError, KeyboardInterrupt) as failed:
        if left := ids[len(stopped) + 1 :]:
            progress(f"not tried: {', '.join(left)}")
        if style == "json":
            with suppress(ReaderLeft):  # the exit code remains
                _emit(orchestrator, stopped, str(failed) or "interrupted")
        raise
    if style == "json":
        _emit(orchestrator, stopped, "")
    return Exit.FINE


def _emit(orchestrator: Orchestrator, stopped: list[str], error: str) -> None:
    data = {"command": "stop", "version": __version__, "where": orchestrator.where(), "stopped": stopped}
    emit_data({**data, "error": error})
