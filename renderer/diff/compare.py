"""The run of ``mcpctl diff``: each environment's tree before and now, and what the old specs render to now."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renderer import pipeline
from renderer.diff import git, masks
from renderer.diff.causes import Before, Now
from renderer.diff.entries import Diff, Row, Sides, entries, server_of
from renderer.diff.trees import Tree, in_revision, on_disk, other_trees, specs_in
from renderer.environment import name_of
from renderer.errors import UsageMistake, errors_in
from renderer.explain import differences
from renderer.layout import layout
from renderer.model import Source
from renderer.pipeline import Inputs, Output, Run
from renderer.registry import target

_NOT_TOLD_APART = "changes by a new version of mcpctl are not listed apart"


class Base(NamedTuple):
    """A revision, and the specs there; None where they cannot be read, or do not hold."""

    revision: git.Revision
    inputs: Inputs | None


def at_base(revision: git.Revision, paths: Sequence[str], runs: Sequence[Run]) -> Base:
    """The specs of ``paths`` as the revision has them."""
    known = [source for run in runs for source in _documents(run).values()]
    known += [run.environment.source for run in runs if run.environment]
    sources = specs_in(revision, paths, list({id(source): source for source in known}.values()))
    inputs = None if sources is None else pipeline.inputs_of(sources)
    return Base(revision, None if inputs and errors_in(inputs.problems) else inputs)


def compare(
    runs: Sequence[Run],
    outputs: Sequence[Output],
    out: Path,
    base: Base | None,
    *,
    every: bool,
) -> Diff:
    """The differences of all trees, one for each run; with ``every`` also of trees whose environment is gone."""
    revision = base.revision if base else None
    notes: list[str] = []
    if base and base.inputs is None:
        notes.append("the specs at the base could not be read: changes by a new version of mcpctl are not listed apart")
    sides = []
    for run, output in zip(runs, outputs, strict=True):
        folder, rendered, depth = layout(out, run, output)
        now = Now(_documents(run), run.environment)
        tree = _tree(folder, rendered, revision)
        side = Sides(run.name, tree, rendered, {}, Before(), now, depth)
        sides.append(_with_between(side, run, base.inputs, out, notes) if base and base.inputs else side)
    if every and runs[0].environment:
        gone, of_targets = other_trees(out, revision, {run.name for run in runs})
        words = "is a tree of no environment, and nothing renders it now: 'mcpctl render --prune' removes it"
        notes += [f"{out / name} {words}" for name in of_targets]
        for name in gone:
            tree = _tree(out / name, {}, revision)
            sides.append(Sides(name, tree, {}, {}, Before(), Now({}), 1))
    if not any(side.tree.there for side in sides):
        notes.append("there is no tree yet: everything is new")
    against = f"{revision.name} ({revision.commit[:12]})" if revision else f"the tree {out}"
    return Diff(against, tuple(entry for side in sides for entry in entries(side)), tuple(dict.fromkeys(notes)))


def _documents(run: Run) -> dict[str, Source]:
    """The servers' documents as they were written."""
    sources = run.sources or tuple(server.source for server in run.specs.servers)
    return {name_of(source): source for source in sources}


def _tree(folder: Path, rendered: Mapping[str, str], revision: git.Revision | None) -> Tree:
    if revision is None:
        return on_disk(folder, rendered)
    place = git.inside(revision, os.fspath(folder))
    if place is None:
        raise UsageMistake(f"--base: {folder} is not in the git repository that it was looked for in")
    return in_revision(revision, place, rendered)


def _with_between(sides: Sides, run: Run, old: Inputs, out: Path, notes: list[str]) -> Sides:
    """With what the old specs render to now, for servers whose files and whose specs, or environment, are others."""
    before = {name_of(source): source for source in old.sources}
    environment = next((each for each in old.environments if each.name == run.name), None)
    sides = sides._replace(before=Before(before, environment))
    now = sides.now.specs
    changed = {name for name in before if name not in now or before[name].data != now[name].data}
    other = bool(environment and run.environment and environment.source.data != run.environment.source.data)
    if not (changed or other or before.keys() != now.keys()) or bool(run.environment) != bool(environment):
        return sides
    every = other
    sources = old.sources if every else tuple(source for source in old.sources if name_of(source) in changed)
    if environment is None:
        old_run = run._replace(specs=pipeline.plain(old._replace(sources=sources), run.specs.levels))
    else:
        (old_run,) = pipeline.runs_for(old._replace(sources=sources), [environment], run.specs.levels)
    # Of a part of the servers, a patch for another one seems to select nobody.
    if any(not problem.rule.startswith("environment/") for problem in errors_in(old_run.specs.problems)):
        notes.append(f"the specs at the base are not valid for this mcpctl: {_NOT_TOLD_APART}")
        return sides
    differing = {server_of(path, sides.depth) for path in (*sides.tree.texts, *sides.tree.missing)}
    part = tuple(server for server in old_run.specs.servers if every or server.name in differing)
    old_run = old_run._replace(specs=old_run.specs._replace(servers=part, problems=()))
    output = pipeline.render_run(old_run, target(old_run.target))
    if errors_in(output.problems):
        notes.append(f"the specs at the base do not render with this mcpctl: {_NOT_TOLD_APART}")
        return sides
    servers = {server_of(path, sides.depth) for path in sides.tree.digests} - {""}
    between: dict[str, dict[str, str]] = {"": {}, **{server.name: {} for server in part}}
    for path, text in layout(out, old_run, output, servers).files.items():
        between.setdefault(server_of(path, sides.depth), {})[path] = text
    return sides._replace(between=between)


def with_matrix(diff: Diff, runs: Sequence[Run]) -> Diff:
    """With the fields that are not the same in every environment."""
    environments = [run.environment for run in runs if run.environment]
    rows = tuple(
        Row(row.server, row.path or "(is there)", {name: _shown(row.path, value) for name, value in row.values.items()})
        for row in differences(environments, {run.name: run.specs.servers for run in runs})
    )
    rows = tuple(row._replace(values={name: text for name, text in row.values.items() if text}) for row in rows)
    return diff._replace(environments=tuple(each.name for each in environments), rows=rows)


def _shown(path: str, value: object) -> str:
    return "" if value is None else masks.shown("", tuple(path.split(".")), value)
