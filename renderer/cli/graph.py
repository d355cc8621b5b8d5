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
from renderer.later import later
from renderer.report import Report

if TYPE_CHECKING:
    from renderer import graph as _graph
    from renderer.diff import patched
    from renderer.graph import mermaid, svg
    from renderer.graph import text as _text
    from renderer.policy import Levels
else:
    _graph = later("renderer.graph")  # 20 ms, which help does not need
    patched = later("renderer.diff.patched")  # 20 ms, as well
    mermaid = later("renderer.graph.mermaid")  # 3 ms: a run needs one form
    svg = later("renderer.graph.svg")  # 3 ms
    _text = later("renderer.graph.text")  # 2 ms


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
    ("json", "mermaid", "svg", "text"),
    "Format: text for a terminal, mermaid for Markdown on a code host, svg for a page, json for programs.",
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
    forms = {"json": _text.as_json, "mermaid": mermaid.as_mermaid, "svg": svg.as_svg, "text": _text.as_text}
    text = forms[style]([_graph.graph_of(run, patched.effects_of_patches(run)) for run in runs])
    if style == "mermaid" and (why := mermaid.too_large(text)):
        say(f"mcpctl: {why}\n")
    emit(text)
    return 0
