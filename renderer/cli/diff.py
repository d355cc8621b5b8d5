"""``mcpctl diff``: what a change of specs does to the tree, and what that leads to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from renderer import diff as diffing
from renderer import pipeline
from renderer.cli.environments import environment_option, place_in_tree, run_alone, runs_of
from renderer.cli.options import (
    paths_argument,
    policy_option,
    quiet_option,
    render_options,
    target_option,
    target_options,
)
from renderer.cli.render import exit_code
from renderer.cli.streams import emit, tell
from renderer.cli.templates import templates_option, with_templates
from renderer.cli.tree import origin_of
from renderer.diff import git, masks
from renderer.diff.specs import old_sources
from renderer.errors import Exit, UsageMistake, errors_in
from renderer.model import NetworkPolicyProvider, Source
from renderer.pipeline import Inputs, Output, Run, Specs
from renderer.policy import Levels
from renderer.registry import target
from renderer.report import Report


class Old(NamedTuple):
    """The specs at the base: their documents; None where there is no base, or they do not hold there."""

    revision: git.Revision | None = None
    inputs: Inputs | None = None


@click.command(
    epilog="""\b
Examples:
  mcpctl diff specs/ --out deploy/
  mcpctl diff specs/ --out deploy/ --base origin/main
  mcpctl diff specs/ environments/ --out deploy/ --base origin/main --format markdown
  mcpctl diff specs/ environments/ --out deploy/ --environments
  mcpctl diff specs/ --out deploy/ --base "$(git merge-base origin/main HEAD)" --format json
""",
)
@paths_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The tree, as written by 'mcpctl render --out DIR': what is rendered now is compared with it.",
)
@click.option(
    "--base",
    metavar="REV",
    help="Compare with the tree as this git revision has it, and read the specs there too, so that changes of specs "
    "are told apart from those that mcpctl itself makes.",
)
@click.option(
    "--environments",
    "matrix",
    is_flag=True,
    help="Tell besides which fields differ between the environments, as a table.",
)
@click.option(
    "--format",
    "--output",
    "-o",
    "style",
    type=click.Choice(sorted(diffing.FORMATS)),
    default="text",
    show_default=True,
    help="For people, for a comment of a pull request, or as data.",
)
@target_option
@target_options
@environment_option
@templates_option
@policy_option
@quiet_option
def diff(
    paths: tuple[str, ...],
    out: Path,
    base: str | None,
    matrix: bool,
    style: str,
    target_name: str,
    namespace: str,
    kubernetes_version: str,
    network_policy_provider: NetworkPolicyProvider,
    create_namespace: bool,
    environments: tuple[str, ...],
    templates: str | None,
    levels: Levels,
    quiet: bool,
) -> int:
    """Tell what changes between a tree and what specs render to now: why, and what that leads to.

    PATHS are files, folders or - for stdin. The answer goes to stdout, problems go to stderr; nothing is written. The
    exit code is 1 where anything differs, even if it is only a comment. No secret is shown.
    """
    revision = None if base is None else git.revision(base, out)
    options = render_options(namespace, kubernetes_version, create_namespace, network_policy_provider, one_stream=False)
    runs = runs_of(paths, environments, run_alone(target_name, options, levels), several=True)
    runs[0] = runs[0]._replace(specs=with_templates(runs[0].specs, templates))
    if matrix and sum(run.environment is not None for run in runs) < 2:
        raise UsageMistake("--environments compares environments: name several, or add their files to PATHS")
    results = [pipeline.render_run(run, target(run.target)) for run in runs]
    problems = pipeline.problems_of(results)
    if code := exit_code(problems):
        tell(Report("diff", problems, {}), "text", quiet=quiet, stdout=False)
        return code
    found = _found(runs, results, out, _old(revision, paths, runs), templates, every=not environments)
    if matrix:
        found = _with_matrix(found, runs)
    emit(diffing.FORMATS[style](found))
    return Exit.DIFFERENT if found.entries else Exit.FINE


def _old(revision: git.Revision | None, paths: Sequence[str], runs: Sequence[Run]) -> Old:
    if revision is None:
        return Old()
    now = {id(source): source for run in runs for source in _documents(run).values()}
    now |= {id(run.environment.source): run.environment.source for run in runs if run.environment}
    sources = old_sources(revision, paths, list(now.values()))
    inputs = None if sources is None else pipeline.inputs_of(sources)
    return Old(revision, None if inputs and errors_in(inputs.problems) else inputs)


def _documents(run: Run) -> dict[str, Source]:
    """The servers' documents as they were written."""
    from renderer.environment import name_of

    sources = run.sources or tuple(server.source for server in run.specs.servers)
    return {name_of(source): source for source in sources}


def _found(
    runs: Sequence[Run], results: Sequence[Output], out: Path, old: Old, templates: str | None, *, every: bool
) -> diffing.Diff:
    """The differences of all trees, one for each run, and of trees whose environment is gone."""
    notes: list[str] = []
    if old.revision and old.inputs is None:
        notes.append("the specs at the base could not be read: changes of mcpctl itself are not told apart")
    sides = [_sides(run, result, out, old, templates, notes) for run, result in zip(runs, results, strict=True)]
    if every and runs[0].environment:
        names = set(diffing.environments_in(out, old.revision)) - {run.name for run in runs}
        sides += [_gone(name, out, old) for name in sorted(names)]
    if not any(side.tree.there for side in sides):
        notes.append("there is no tree yet: everything is new")
    entries = [entry for side in sides for entry in diffing.entries(side)]
    return diffing.Diff(_against(out, old.revision), tuple(entries), tuple(dict.fromkeys(notes)))


def _against(out: Path, revision: git.Revision | None) -> str:
    return f"{revision.name} ({revision.commit[:12]})" if revision else f"the tree {out}"


def _tree(folder: Path, rendered: Mapping[str, str], revision: git.Revision | None) -> diffing.Tree:
    if revision is None:
        return diffing.on_disk(folder, rendered)
    place = git.inside(revision, os.fspath(folder))
    if place is None:
        raise UsageMistake(f"--base: {folder} is not in the git repository that it was looked for in")
    return diffing.in_revision(revision, place, rendered)


def _sides(run: Run, result: Output, out: Path, old: Old, templates: str | None, notes: list[str]) -> diffing.Sides:
    documents = pipeline.tree(run.specs, result, target(run.target), run.options)
    folder, rendered = place_in_tree(out, run, documents)
    tree = _tree(folder, rendered, old.revision)
    depth = 1 if run.environment else 0
    now = diffing.Now(_documents(run), origin_of(run, templates), run.environment and run.environment.source)
    sides = diffing.Sides(run.name, tree, rendered, {}, diffing.Before(), now, depth)
    if old.inputs is None:
        return sides
    before = _before(run, old.inputs)
    return sides._replace(before=before, between=_between(run, old.inputs, sides._replace(before=before), out, notes))


def _gone(name: str, out: Path, old: Old) -> diffing.Sides:
    tree = _tree(out / name, {}, old.revision)
    return diffing.Sides(name, tree, {}, {}, diffing.Before(), diffing.Now({}, tree.origin), 1)


def _before(run: Run, old: Inputs) -> diffing.Before:
    from renderer.environment import name_of

    specs = {name_of(source): source.data for source in old.sources}
    environment = next((one.source.data for one in old.environments if one.name == run.name), None)
    return diffing.Before(specs, environment)


def _between(run: Run, old: Inputs, sides: diffing.Sides, out: Path, notes: list[str]) -> dict[str, dict[str, str]]:
    """What the old specs render to now, for servers whose files and whose specs, or environment, are others."""
    before, now = sides.before.specs or {}, sides.now.specs
    changed = {name for name in before if name not in now or before[name] != now[name].data}
    other = run.environment is not None and sides.before.environment != run.environment.source.data
    if not (changed or other or before.keys() != now.keys()) or (run.environment and not sides.before.environment):
        return {}
    # What delivers an environment is made from all of its servers.
    every = other or bool(run.environment and run.environment.delivery)
    specs, old_run = _old_specs(run, old, None if every else changed)
    differing = {diffing.server_of(path, sides.depth) for path in (*sides.tree.texts, *sides.tree.missing)}
    part = tuple(server for server in specs.servers if every or server.name in differing)
    whole = specs if every else _whole(run, specs, before, changed)
    if errors_in(specs.problems):
        notes.append("the specs at the base do not hold for this mcpctl: its own changes are not told apart")
        return {}
    old_run = old_run._replace(specs=specs._replace(servers=part, problems=()))
    result = pipeline.render_run(old_run, target(old_run.target))
    if errors_in(result.problems):
        notes.append("the specs at the base do not render with this mcpctl: its own changes are not told apart")
        return {}
    documents = pipeline.tree(old_run.specs, result, target(old_run.target), old_run.options, whole)
    files = place_in_tree(out, old_run, documents)[1]
    found: dict[str, dict[str, str]] = {"": {}, **{server.name: {} for server in part}}
    for path, text in files.items():
        found.setdefault(diffing.server_of(path, sides.depth), {})[path] = text
    return found


def _old_specs(run: Run, old: Inputs, wanted: set[str] | None) -> tuple[Specs, Run]:
    """The servers as they were, all or those of these names, with the Problems that matter for rendering them."""
    from renderer.environment import name_of

    sources = tuple(source for source in old.sources if wanted is None or name_of(source) in wanted)
    inputs = old._replace(sources=sources)
    if run.environment is None:
        return pipeline.plain(inputs, run.specs.levels), run
    environment = next(one for one in old.environments if one.name == run.name)
    (old_run,) = pipeline.runs_for(inputs, [environment], run.specs.levels)
    # Of a part of the servers, a patch for another one seems to select nobody.
    problems = tuple(problem for problem in old_run.specs.problems if not problem.rule.startswith("environment/"))
    return old_run.specs._replace(problems=problems), old_run


def _whole(run: Run, specs: Specs, before: Mapping[str, object], changed: set[str]) -> Specs:
    """All servers as they were: those whose spec is another, and the others as they are."""
    servers = {server.name: server for server in run.specs.servers if server.name not in changed}
    servers |= {server.name: server for server in specs.servers}
    return specs._replace(servers=tuple(servers[name] for name in sorted(before) if name in servers))


def _with_matrix(found: diffing.Diff, runs: Sequence[Run]) -> diffing.Diff:
    from renderer.explain import differences

    environments = [run.environment for run in runs if run.environment]
    rows = differences(environments, {run.name: run.specs.servers for run in runs})
    names = tuple(one.name for one in environments)
    shown = tuple(
        diffing.Row(
            row.server,
            row.path or "(is there)",
            {
                name: masks.shown("", tuple(row.path.split(".")), value)
                for name, value in row.values.items()
                if value is not None
            },
        )
        for row in rows
    )
    return found._replace(environments=names, rows=shown)
