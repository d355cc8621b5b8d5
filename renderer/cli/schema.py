"""``mcpctl schema``: the JSON Schemas of what goes in and what comes out."""

from __future__ import annotations

import click

from renderer import assets
from renderer.cli.output import emit
from renderer.errors import Exit


@click.command(
    epilog="""\b
Examples:
  mcpctl schema > mcpserver.schema.json
  mcpctl schema --list
"""
)
@click.argument("name", type=click.Choice(assets.names("schemas")), default="mcpserver", required=False)
@click.option("--list", "list_names", is_flag=True, help="Print the names of all schemas.")
def schema(name: str, list_names: bool) -> int:
    """Print a JSON Schema, for editors and other tools.

    For completion and checks while typing, name it in the first line of a spec:
    # yaml-language-server: $schema=mcpserver.schema.json
    """
    emit("".join(f"{n}\n" for n in assets.names("schemas")) if list_names else assets.read_schema(name))
    return Exit.FINE
