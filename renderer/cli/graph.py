"""``mcpctl graph``: who reaches what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from renderer.cli.options import (
    format_option,
    paths_argument,
    policy_option,
    render_options,
    target_option,
    target_options,
)
from renderer.cli.runs import environment_option, problems_of_specs, run_alone, runs_of
from renderer.cli.streams import emit, print_report, say
from renderer.errors import errors_in, exit_code
from renderer.graph import graph_of
from renderer.graph.mermaid import as_mermaid, too_large
from renderer.graph.svg import as_svg
from renderer.graph.text import as_json, as_text
from renderer.later import later
from renderer.policy import Levels
from renderer.report import Report

if TYPE_CHECKING:
    from renderer.diff import patched
else:
    patched = later("renderer.diff.patched")  # 20 ms, which help does not need

#: By the name of ``--format``.
FORMATS = {"json": as_json, "mermaid": as_mermaid, "svg": as_svg, "text": as_text}


@click.command(
    epilog="""\b
Examples:
  mcpctl graph specs/
  mcpctl graph specs/ --format mermaid
  mcpctl graph specs/ --format svg > graph.svg
  mcpctl graph specs/ environments/ --environment production --format svg > production.svg
  mcpctl graph specs/ --target compose --format json | jq '.graphs[].edges'
""",
)
@paths_argument
@format_option(
    FORMATS, "Format: text for a terminal, mermaid for Markdown on a code host, svg for a page, json for programs."
)
@target_option
@target_options
@environment_option
@policy_option
def graph(
    paths: tuple[str, ...],
    style: str,
    target_name: str,
    environments: tuple[str, ...],
    levels: Levels,
    **rendering: Any,
) -> int:
    """Draw who reaches what: clients, ways in, servers, what they may call, and what enforces it.

    PATHS are files, folders or - for stdin. Of environments among them all are drawn, or those that are chosen. Of
    secrets there are names and keys, never values.
    """
    alone = run_alone(target_name, render_options(rendering), levels)
    runs = runs_of(paths, environments, alone, several=True)
    problems = problems_of_specs(runs)
    if code := exit_code(problems):
        print_report(Report("graph", errors_in(problems), {}), "text", quiet=False, stdout=False)
        return code
    text = FORMATS[style]([graph_of(run, patched.effects_of_patches(run)) for run in runs])
    if style == "mermaid" and (why := too_large(text)):
        say(f"mcpctl: {why}\n")
    emit(text)
    return 0
