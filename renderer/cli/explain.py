"""``mcpctl explain``: a server's values and where they come from, or where environments differ."""

from __future__ import annotations

from collections.abc import Sequence

import click

from renderer import explain as explaining
from renderer import pipeline
from renderer.cli.environments import choose, environment_option
from renderer.cli.options import quiet_option, text_or_json
from renderer.cli.render import exit_code
from renderer.cli.streams import emit, specs_in, tell
from renderer.environment import Environment, name_of
from renderer.errors import DocumentPath, Exit, Problem, UsageMistake, errors_in, excerpt
from renderer.model import Source
from renderer.pipeline import Inputs, Output
from renderer.report import Report
from renderer.wording import suggestion


@click.command(
    epilog="""\b
Examples:
  mcpctl explain github specs/
  mcpctl explain github.replicas --environment production specs/ environments/
  mcpctl explain 'github.files["/config/app.yaml"]' specs/
  mcpctl explain --differences github specs/ environments/
  mcpctl explain --differences all specs/ environments/ --output json
""",
)
@click.argument("field", metavar="SERVER[.FIELD]")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@environment_option
@click.option(
    "--differences",
    is_flag=True,
    help="List the fields that differ between environments instead, as a table; SERVER may be 'all'.",
)
@text_or_json("Format: text for a terminal, json for programs.")
@quiet_option
def explain(
    field: str, paths: tuple[str, ...], environments: tuple[str, ...], differences: bool, style: str, quiet: bool
) -> int:
    """Show the values of SERVER, or of one field: where each is set, and which value it overrides.

    PATHS are files, folders or - for stdin (default: the current folder). A value comes from the spec, from a
    default of its schema, or from a default, a patch or an image of the environment. The answer goes to stdout,
    problems go to stderr; with any error there is no answer.
    """
    given = paths or (".",)
    inputs = pipeline.read_inputs(given, specs_in(given))
    name, path = explaining.split(field)
    if errors_in(inputs.problems):  # a faulty environment cannot be chosen: first what is wrong with it
        _tell(inputs.problems, quiet)
        return exit_code(inputs.problems)
    wanted = choose(inputs, environments, several=differences) if environments or inputs.environments else []
    if differences and len(wanted) < 2:
        raise UsageMistake("differences are between environments: name several, or add their files to PATHS")
    runs = pipeline.runs_for(inputs, wanted)
    specs = [run.specs for run in runs] or [pipeline.plain(inputs)]
    outputs = [Output((), run.specs.problems, environment=run.name) for run in runs]
    problems = pipeline.problems_of(outputs or [Output((), specs[0].problems)])
    code = exit_code(problems)
    if not code and differences:
        servers = {run.name: [s for s in run.specs.servers if name in ("all", s.name)] for run in runs}
        if name != "all":
            _source(inputs, name)
        emit(_matrix(wanted, explaining.differences(wanted, servers, path), name, style))
    elif not code:
        there = {server.name for server in specs[0].servers}
        emit(_explained(_source(inputs, name, there), path, wanted[0] if wanted else None, style))
    _tell(problems, quiet)
    return code


def _matrix(environments: Sequence[Environment], rows: Sequence[explaining.Difference], name: str, style: str) -> str:
    names = [environment.name for environment in environments]
    rows = [row for row in rows if name == "all" or row.server]
    return explaining.matrix(names, rows) if style == "text" else explaining.matrix_json(names, rows)


def _explained(source: Source, path: DocumentPath, environment: Environment | None, style: str) -> str:
    fields = explaining.explain(source, path, environment)
    if style == "text":
        return explaining.as_text(fields)
    return explaining.as_json(name_of(source), environment.name if environment else "", fields)


def _source(inputs: Inputs, name: str, there: set[str] | None = None) -> Source:
    """The document of that server; a UsageMistake with what was most likely meant."""
    found = {name_of(source): source for source in inputs.sources}
    if name not in found:
        near = suggestion(name, found) or f"; there is: {', '.join(sorted(found)) or 'none'}"
        raise UsageMistake(f"no server is called '{excerpt(name)}'{near}")
    if there is not None and name not in there:
        raise UsageMistake(f"the server {name} does not belong to this environment: see its spec.servers")
    return found[name]


def _tell(problems: Sequence[Problem], quiet: bool) -> None:
    """Warnings belong to other commands; what stopped this one must be told."""
    stopping = exit_code(problems) is not Exit.FINE
    if stopping:
        tell(Report("explain", problems, {}), "text", quiet=quiet, stdout=False)
