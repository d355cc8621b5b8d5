"""``render --out``: trees of files, written or compared; whole, or the part that a hook passes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click

from renderer import pipeline, write
from renderer.errors import Exit, OutputTreeFault, Place, Problem, Severity
from renderer.model import JSON, Server
from renderer.pipeline import Output, Run, place_in_tree
from renderer.registry import target
from renderer.render import is_shadowed
from renderer.report import Differing, Report


class Tree(NamedTuple):
    """One folder with a record, made by one run. ``part`` are the servers that are rendered; None is all of them."""

    run: Run
    folder: Path
    origin: write.Origin
    part: frozenset[str] | None

    @property
    def rendered(self) -> Run:
        """The run over the part alone."""
        if self.part is None:
            return self.run
        part = self.part
        servers = tuple(server for server in self.run.specs.servers if server.name in part)
        return self.run._replace(specs=self.run.specs._replace(servers=servers))


class Trees:
    """What is to become of the trees below ``out``; ``part_of``: the specs that PATHS are a part of, if they are."""

    def __init__(
        self, out: Path, check: bool, allowed: write.Allowed, part_of: Sequence[str], templates: str | None
    ) -> None:
        self._out = out
        self._check = check
        self._allowed = allowed
        self._part_of = part_of
        self._templates = templates
        self._trees: list[Tree] = []
        #: All environments that there are; None where the run does not know.
        self._environments: frozenset[str] | None = None

    def refuse_outside(self, paths: Sequence[str]) -> None:
        """A whole run would not see what lies outside, and would take it out of the tree again."""
        whole = [os.path.realpath(path) for path in self._part_of]
        for path in paths if whole else ():
            if path == "-" or not _is_below(os.path.realpath(path), whole):
                raise click.UsageError(f"'{path}' is not below {', '.join(self._part_of)}, of which PATHS are a part")

    def plan(self, runs: Sequence[Run], paths: Sequence[str], *, every: bool) -> list[Run]:
        """The runs over what must be rendered. With ``every`` the runs are over all environments of the input."""
        names = frozenset(run.name for run in runs if run.environment)
        self._environments = names if every and names else None
        runs = [_without_servers(run) for run in runs] if self._allowed.allow_empty else runs
        self._trees = [self._planned(run, paths) for run in runs]
        return [tree.rendered for tree in self._trees]

    def _planned(self, run: Run, paths: Sequence[str]) -> Tree:
        folder, _ = place_in_tree(self._out, run, ())
        origin = origin_of(run, self._templates)
        part = None
        # A patch, or a user's template, may change what an object is called: then only all of them show a clash.
        if self._part_of and not _needs_all(run):
            with suppress(OutputTreeFault):  # told when the tree is written or compared
                part = write.changed_servers(folder, origin, _asked(run.specs.servers, paths))
        return Tree(run, folder, origin, part)

    def carry_out(self, results: Sequence[Output], report: Report) -> tuple[Exit, Report]:
        """Writes, or compares, one tree after the other, and adds to the report; the fault of one ends it."""
        code = Exit.FINE
        try:
            for tree, result in zip(self._trees, results, strict=True):
                found, report = self._one(tree, result, report)
                code = max(code, found)
            for name in self._left():
                found, report = self._gone(self._out / name, report)
                code = max(code, found)
        except OutputTreeFault as fault:  # told in the style that was asked for, like every other Problem
            problems, lines = [*report.problems, *fault.problems], [*report.lines, f"mcpctl: {fault.message}"]
            return fault.exit_code, report._replace(problems=problems, lines=lines)
        return code, report

    def _left(self) -> list[str]:
        """Folders of environments that are not in the input any more."""
        return write.environments_left(self._out, self._environments) if self._environments is not None else []

    def _gone(self, folder: Path, report: Report) -> tuple[Exit, Report]:
        """Told always, and removed only when asked for: the input may be a part of what the tree is made from."""
        if self._check:
            return _compared(folder, write.compare_left(folder), report)
        if self._allowed.prune_environments:
            return Exit.FINE, _done(folder, write.remove_left(folder, self._allowed), report)
        problem = Problem(Place(os.fspath(folder)), "", *_LEFT, Severity.WARNING)
        return Exit.FINE, report._replace(problems=[*report.problems, problem])

    def _one(self, tree: Tree, result: Output, report: Report) -> tuple[Exit, Report]:
        run = tree.rendered
        documents = pipeline.tree(run.specs, result, target(run.target), run.options, tree.run.specs)
        folder, files = place_in_tree(self._out, run, documents)
        if self._check:
            return _compared(folder, write.compare(folder, files, tree.origin, tree.part), report)
        return Exit.FINE, _done(folder, write.write(folder, files, tree.origin, tree.part, self._allowed), report)


#: Rule, message and hint.
_LEFT = (
    "tree/environment-gone",
    "no environment of the input is called so any more, and nothing keeps these files up to date",
    "add --prune-environments to remove them; where the input has only some of them, choose with --environment",
)


def _compared(folder: Path, found: Sequence[write.Difference], report: Report) -> tuple[Exit, Report]:
    differing = [*report.differing, *(_differing(folder, difference) for difference in found)]
    report = report._replace(differing=differing, counts=_added(report, differences=len(found)))
    return Exit.DIFFERENT if found else Exit.FINE, report


def _done(folder: Path, done: write.Written, report: Report) -> Report:
    lines = [*report.lines, *(f"{folder / path}: written" for path in done.written)]
    lines += [f"{folder / path}: removed, nothing renders it any more" for path in done.removed]
    counts = _added(report, written=len(done.written), removed=len(done.removed), unchanged=done.unchanged)
    return report._replace(lines=lines, counts=counts)


def _needs_all(run: Run) -> bool:
    """What delivers a tree names all that is in it; and see where this is asked."""
    delivered = run.environment is not None and run.environment.delivery is not None
    return delivered or is_shadowed() or any(server.patches for server in run.specs.servers)


def _without_servers(run: Run) -> Run:
    """A folder without specs is no mistake, where the user says so."""
    problems = tuple(problem for problem in run.specs.problems if problem.rule != "load/empty-folder")
    return run._replace(specs=run.specs._replace(problems=problems))


def origin_of(run: Run, templates: str | None) -> write.Origin:
    """What the run renders its files from."""
    own: dict[str, str] | None = None
    environment: JSON = None
    if run.environment:
        from renderer.environment import name_of

        environment = run.environment.source.data
        names = {server.name for server in run.specs.servers}
        own = {name: write.digest_of_spec(s.data) for s in run.sources if (name := name_of(s)) in names}
    texts: Mapping[str, str] = {}
    if templates is not None:
        from renderer.shadows import read_folder

        texts = read_folder(templates)[0].texts
    prefix = f"{run.target}/" if run.environment else ""
    return write.origin_of_run(run.target, run.specs.servers, run.options, environment, own, texts, prefix)


def _asked(servers: Sequence[Server], paths: Sequence[str]) -> set[str]:
    """The servers of those files and folders."""
    wanted = [os.path.realpath(path) for path in paths]
    folders: dict[str, str] = {}
    return {server.name for server in servers if _is_below(_real(server.source.file, folders), wanted)}


def _is_below(real: str, wanted: Sequence[str]) -> bool:
    return any(real == path or real.startswith(os.path.join(path, "")) for path in wanted)


def _real(file: str, folders: dict[str, str]) -> str:
    """As realpath, which looks at every folder above every file: a thousand files lie in few, each looked at once."""
    folder, name = os.path.split(file)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    real = os.path.join(folders[folder], name)
    return os.path.realpath(real) if os.path.islink(real) else real


def _differing(folder: Path, difference: write.Difference) -> Differing:
    place = Place(os.fspath(folder / difference.path))
    causes = [cause.name for cause in difference.causes]
    return Differing(place, difference.why, causes, write.explained(difference))


def _added(report: Report, **more: int) -> dict[str, int]:
    counts = dict(report.counts)
    return counts | {noun: counts.get(noun, 0) + number for noun, number in more.items()}
