"""``mcpctl validate``: checks specs, and what they render to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from renderer.cli.options import (
    output_option,
    paths_argument,
    policy_option,
    provider_has_a_cluster,
    quiet_option,
    render_options,
    target_options,
    watch_option,
)
from renderer.cli.runs import (
    count_remotes,
    environment_option,
    locked_option,
    rendered,
    run_alone,
    runs_of,
    templates_option,
    with_locked,
    with_templates,
)
from renderer.cli.streams import again_if, print_report
from renderer.errors import UsageMistake, exit_code
from renderer.later import later
from renderer.registry import TARGETS
from renderer.report import Report

if TYPE_CHECKING:
    from renderer import pipeline
    from renderer.pipeline import Output, Run
    from renderer.policy import Levels
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need


@click.command(
    epilog="""\b
Examples:
  mcpctl validate specs/
  mcpctl validate --target kubernetes --target compose github.yaml
  mcpctl validate --target kubernetes --templates templates specs/
  mcpctl validate specs/ environments/
  mcpctl validate specs/ --watch
  mcpctl validate --accepted --target kubernetes specs/
  cat github.yaml | mcpctl validate --output sarif -
""",
)
@paths_argument
@click.option(
    "--target",
    "-t",
    "targets",
    type=click.Choice(sorted(TARGETS)),
    multiple=True,
    help="Also render for this target and check the result; repeatable.",
)
@target_options
@environment_option
@templates_option
@policy_option
@locked_option
@click.option("--accepted", is_flag=True, help="Also list what the specs accept, with the reasons.")
@output_option
@quiet_option
@watch_option
def validate(
    paths: tuple[str, ...],
    targets: tuple[str, ...],
    environments: tuple[str, ...],
    levels: Levels,
    accepted: bool,
    locked: bool,
    templates: str | None,
    style: str,
    quiet: bool,
    watch: bool,
    **rendering: Any,
) -> int:
    """Check specs: list every problem at once, with file, line and what to do.

    PATHS are files, folders or - for stdin. With environments among them, the specs are checked with the values
    of each, rendered for its target. Nothing is written. The report goes to stderr as text,
    to stdout as JSON or SARIF.
    """
    again_if(watch, paths)
    alone = run_alone("", render_options(rendering), levels)
    runs = with_locked(runs_of(paths, environments, alone, several=True), locked)
    provider_has_a_cluster({name for run in runs for name in targets_of(run, targets)})
    runs[0] = runs[0]._replace(specs=with_templates(runs[0].specs, templates))
    results: list[Output] = []
    counts = {"servers": sum(len(run.specs.servers) for run in runs), **count_remotes([run.specs for run in runs])}
    for run in runs:
        results.append(pipeline.Output((), run.specs.problems, environment=run.name))
        for name in targets_of(run, targets):
            result = rendered(run, name)
            results.append(result)
            counts[f"{name} documents"] = counts.get(f"{name} documents", 0) + len(result.documents)
    problems = pipeline.problems_of(results)
    print_report(Report("validate", problems, counts, with_accepted=accepted), style, quiet=quiet, stdout=True)
    return exit_code(problems)


def targets_of(run: Run, wanted: tuple[str, ...]) -> list[str]:
    """The targets to render and check: those typed, and for an environment its own."""
    if run.environment is None:
        return sorted(set(wanted))
    if wanted and run.target not in wanted:
        source = run.environment.source.file
        raise UsageMistake(f"{source}: environment {run.name} is for {run.target}, and --target is for something else")
    return [run.target]
