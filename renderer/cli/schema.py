"""``mcpctl schema``: the JSON Schemas of what goes in and what comes out, and the reference of the specs."""

from __future__ import annotations

import click

from renderer import assets
from renderer.cli.streams import emit
from renderer.errors import Exit
from renderer.reference import markdown


@click.command(
    epilog="""\b
Examples:
  mcpctl schema > mcpserver.schema.json
  mcpctl schema --format markdown > docs/spec.md
  mcpctl schema --list
"""
)
@click.argument(
    "name", type=click.Choice(assets.names("schemas")), default="mcpserver", required=False, metavar="[NAME]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "markdown"]),
    default="json",
    show_default=True,
    help="The JSON Schema, or a reference of every field.",
)
@click.option("--list", "list_names", is_flag=True, help="Print the names of all schemas.")
def schema(name: str, form: str, list_names: bool) -> int:
    """Print a JSON Schema, for editors and other tools, or a reference in Markdown.

    For completion and checks in an editor, name it in the first line of a spec:
    # yaml-language-server: $schema=mcpserver.schema.json
    """
    if form == "markdown" and name.startswith("output/"):  # schemas of others, who document them
        raise click.UsageError(f"--format markdown is for the schemas of specs; {name} is a schema of rendered objects")
    if list_names:
        emit("".join(f"{known}\n" for known in assets.names("schemas")))
    else:
        emit(markdown(assets.schema(name)) if form == "markdown" else assets.read_schema(name))
    return Exit.FINE
