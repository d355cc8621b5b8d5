"""``mcpctl explain``: the origin of a server's values, or the differences between environments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from renderer.cli.options import project, quiet_option, render_options, text_or_json
from renderer.cli.runs import (
    choose,
    environment_option,
    in_project,
    problems_of_specs,
    run_alone,
    templates_option,
    with_templates,
)
from renderer.cli.streams import emit, print_report, specs_in
from renderer.errors import DocumentPath, Exit, Problem, UsageMistake, errors_in, excerpt, exit_code
from renderer.later import later
from renderer.model import Source
from renderer.registry import TARGETS, target
from renderer.report import Report
from renderer.wording import suggestion

if TYPE_CHECKING:
    from renderer import explain as _explain
    from renderer import pipeline, provenance
    from renderer.environment import selectors
    from renderer.pipeline import Inputs, Run
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need
    _explain = later("renderer.explain")  # 3 ms, as well
    provenance = later("renderer.provenance")  # 10 ms, which only a line of a file needs
    selectors = later("renderer.environment.selectors")  # 3 ms, as well

#: A line of a file; no name of a server has a slash or a colon.
_LINE = re.compile(r"(.*[./].*):([0-9]{1,9})")


@click.command(
    epilog="""\b
Examples:
  mcpctl explain github specs/
  mcpctl explain github.replicas specs/ environments/
  mcpctl explain github.replicas --environment production specs/ environments/
  mcpctl explain deploy/production/kubernetes/github/deployment.yaml:42 specs/ environments/
  mcpctl explain 'github.files["/config/app.yaml"]' specs/
  mcpctl explain --differences github specs/ environments/
  mcpctl explain --differences all specs/ environments/ --output json
""",
)
@click.argument("field", metavar="SERVER[.FIELD]|FILE:LINE")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@environment_option
@click.option(
    "--differences",
    is_flag=True,
    help="List the fields that differ between environments instead, as a table; SERVER may be 'all'.",
)
@templates_option
@text_or_json("Format: text for a terminal, json for programs.")
@quiet_option
def explain(
    field: str,
    paths: tuple[str, ...],
    environments: tuple[str, ...],
    differences: bool,
    templates: str | None,
    style: str,
    quiet: bool,
) -> int:
    """Print the values of SERVER, or of one field: where each value comes from, and what it replaces.

    PATHS are files, folders or - for stdin; without any those of the project, or the current folder.

    A value comes from the spec, from a
    default of its schema, or from a default, a patch or an image of the environment; without --environment all
    environments are explained. FILE:LINE is a line of a rendered tree: the template's line, and every field that has a
    part in it. The answer goes to stdout, problems go to stderr; with any error there is no answer.
    """
    line = _LINE.fullmatch(field)
    if not line and re.search("[./]", field) and Path(field).is_file():
        raise UsageMistake(f"{excerpt(field, 200)} is a file: add the number of a line, as in FILE:12")
    known = None if paths else project()
    paths = paths or (known.paths if known and known.specs else (".",))
    inputs = pipeline.read_inputs(paths, specs_in(paths))
    name, path = ("", ()) if line else _explain.split(field)
    if errors_in(inputs.problems):  # a faulty environment cannot be chosen: first what is wrong with it
        _tell(inputs.problems, quiet)
        return exit_code(inputs.problems)
    inputs, alone = in_project(inputs, run_alone("kubernetes", render_options({}), {}))
    wanted = choose(inputs, environments, several=True) if environments or inputs.environments else []
    if differences and len(wanted) < 2:
        raise UsageMistake("--differences compares environments: name several, or add their files to PATHS")
    runs = pipeline.runs(inputs, wanted, alone)
    runs[0] = runs[0]._replace(specs=with_templates(runs[0].specs, templates))
    problems = problems_of_specs(runs)
    code = exit_code(problems)
    if not code and line:
        emit(_line(line[1], int(line[2]), runs, style))
    elif not code and differences:
        every = {run.name: (*run.specs.servers, *run.specs.remotes) for run in runs}
        servers = {run: [s for s in several if name in ("all", s.name)] for run, several in every.items()}
        if name != "all":
            _source(inputs, name)
        rows = _explain.differences(wanted, servers, path)
        names = [environment.name for environment in wanted]
        rows = [row for row in rows if name == "all" or row.server]
        emit(_explain.matrix(names, rows) if style == "text" else _explain.matrix_json(names, rows))
    elif not code:
        emit(_explained(_source(inputs, name), path, runs, style))
    _tell(problems, quiet)
    return code


def _line(file: str, number: int, runs: Sequence[Run], style: str) -> str:
    folders = Path(file).parts
    if runs[0].environment is None:
        runs = [runs[0]._replace(target=name) for name in TARGETS if name in folders or not {*TARGETS} & {*folders}]
    there = [run for run in runs if not run.name or run.name in folders] or runs
    outputs = [pipeline.render_run(run, target(run.target)) for run in there]
    line = provenance.explain_line(file, number, there, outputs)
    as_text = provenance.line_as_text if style == "text" else provenance.line_as_json
    return as_text(file, number, line)


def _explained(source: Source, path: DocumentPath, runs: Sequence[Run], style: str) -> str:
    name = selectors.name_of(source)
    explained = [
        (run.name, _explain.explain(source, path, run.environment))
        for run in runs
        if any(server.name == name for server in (*run.specs.servers, *run.specs.remotes))
    ]
    if not explained:
        where = "to this environment" if len(runs) == 1 else "to any of the environments"
        raise UsageMistake(f"the server {name} does not belong {where}: see spec.servers")
    return _explain.as_text(explained) if style == "text" else _explain.as_json(name, explained)


def _source(inputs: Inputs, name: str) -> Source:
    """UsageMistake for an unknown server."""
    known = {selectors.name_of(source): source for source in inputs.sources}
    if name not in known:
        near = suggestion(name, known) or f"; there is: {', '.join(sorted(known)) or 'none'}"
        raise UsageMistake(f"no server is called '{excerpt(name)}'{near}")
    return known[name]


def _tell(problems: Sequence[Problem], quiet: bool) -> None:
    """Only errors: warnings belong to other commands."""
    if exit_code(problems) is not Exit.FINE:
        print_report(Report("explain", problems, {}), "text", quiet=quiet, stdout=False)
