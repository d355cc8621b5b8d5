"""``mcpctl config``: each setting and its source."""

from __future__ import annotations

import json

import click

from renderer import __version__
from renderer.cli.editor import schema_text
from renderer.cli.runtime import output_option, runtime_options
from renderer.cli.streams import emit, emit_data
from renderer.errors import Exit, excerpt
from renderer.report import LONGEST
from renderer.settings import Rank, Settings

_SOURCES = {
    Rank.TOOL: "environment variable ",
    Rank.ENVIRONMENT: "environment variable ",
    Rank.OPTION: "option ",
}


def _print_schema(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Before the configuration is read, which may be broken."""
    if value:
        emit(schema_text("config"))
        context.exit(Exit.FINE)


@click.command(
    epilog="""\b
Examples:
  mcpctl config
  mcpctl config --orchestrator kubernetes --output json
  mcpctl config --schema > mcpctl.schema.json
"""
)
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON Schema of the configuration file, and nothing else.",
)
@output_option
@runtime_options
def config(settings: Settings, style: str) -> int:
    """Show every setting and its source: option, environment variable, file and line, or default.

    Later ones win: default, the tools' own variables (DOCKER_HOST, KUBECONFIG), file, MCPCTL_ variables, options.
    """
    if style == "json":
        data = {
            "command": "config",
            "version": __version__,
            "file": settings.file,
            "settings": [
                {
                    "name": value.field.name,
                    "value": value.value,
                    "source": value.rank.name.lower(),
                    "origin": value.origin,
                    "variable": value.field.variable,
                    "option": value.field.option,
                }
                for value in settings.values
            ],
        }
        emit_data(data)
        return Exit.FINE
    rows = []
    for value in settings.values:
        plain = value.value if isinstance(value.value, str) else json.dumps(value.value)
        text = "-" if value.value is None else excerpt(plain, LONGEST)
        rows.append((value.field.name, text, f"{_SOURCES.get(value.rank, '')}{excerpt(value.origin, LONGEST)}"))
    name_width, value_width = (max(len(row[i]) for row in rows) for i in range(2))
    lines = [f"{name.ljust(name_width)}  {text.ljust(value_width)}  {origin}\n" for name, text, origin in rows]
    emit(f"file: {excerpt(settings.file, LONGEST) or 'none'}\n" + "".join(lines))
    return Exit.FINE
