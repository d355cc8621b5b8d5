"""``render --out``: trees of files, written or compared."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import click

from renderer import write
from renderer.cli.streams import progress
from renderer.diff.trees import merged
from renderer.errors import Exit, OutputTreeFault, Place, Problem, Severity, UsageMistake, excerpt
from renderer.layout import depth_of, folder_of, layout
from renderer.pipeline import Output, Run
from renderer.registry import TARGETS, target
from renderer.report import Differing, Report
from renderer.write import Allowed

__all__ = ["Allowed", "Trees"]


class Trees:
    """What is to become of the trees below ``out``. ``whole``: the input is all that they are made of."""

    def __init__(self, out: Path, check: bool, allowed: Allowed, *, whole: bool, quiet: bool) -> None:
        if not os.fspath(out) or os.fspath(out) == ".":
            raise click.UsageError("--out '' names no folder: the tree needs one of its own")
        if allowed.prune and not whole:
            raise click.UsageError(
                "--prune removes what the input does not have: give all of it, without --environment"
            )
        self._out = out
        self._check = check
        self._allowed = allowed
        self._whole = whole
        self._quiet = quiet

    def without_servers(self, run: Run) -> Run:
        """A folder without specs is no mistake, where the user says so."""
        if not self._allowed.allow_empty:
            return run
        problems = tuple(problem for problem in run.specs.problems if problem.rule != "load/empty-folder")
        return run._replace(specs=run.specs._replace(problems=problems))

    def carry_out(self, runs: Sequence[Run], results: Sequence[Output], report: Report) -> tuple[Exit, Report]:
        """Writes, or compares, one tree after the other, and adds to the report; the fault of one ends it."""
        code = Exit.FINE
        try:
            for run, result in zip(runs, results, strict=True):
                one, report = self._tree(run, result, report)
                code = max(code, one)
            for name in self._left(runs) if self._whole else ():
                one, report = self._left_tree(name, report)
                code = max(code, one)
        except OutputTreeFault as fault:  # in the style that was asked for, like every other Problem
            problems, lines = [*report.problems, *fault.problems], [*report.lines, f"mcpctl: {fault.message}"]
            return fault.exit_code, report._replace(problems=problems, lines=lines)
        if code is Exit.DIFFERENT:
            report = report._replace(next=f"to bring the tree up to date: {_command(report)}")
        return code, report

    def _tree(self, run: Run, result: Output, report: Report) -> tuple[Exit, Report]:
        below = f"{run.target}/" if run.environment else ""
        alone = self._allowed.prune or (self._check and self._whole)
        others = () if alone else write.servers_in(folder_of(self._out, run), depth_of(run.name or run.target), below)
        folder, files, depth = layout(self._out, run, result, others)
        if not self._check:
            watched = iter if self._quiet else partial(progress, f"writing {folder}")
            try:
                done = write.write(folder, files, depth, self._allowed, watched)
            except OutputTreeFault:
                if not _merged(folder, write.compare(folder, files, depth, whole=self._allowed.prune).differences):
                    raise
                done = write.write(folder, files, depth, self._allowed._replace(force=True), watched)
            return Exit.FINE, _done(folder, files, depth, done, report)

        def applies(path: str) -> bool:
            inside = path.startswith(below)
            return inside and bool(target(run.target).from_tree([path.removeprefix(below)])[0])

        found = write.compare(folder, files, depth, whole=self._whole, applies=applies)
        differences = found.differences
        if _merged(folder, differences):
            differences = tuple(d._replace(why="outdated") if d.why == "edited" else d for d in differences)
        return _compared(folder, differences, report)

    def _left(self, runs: Sequence[Run]) -> list[str]:
        """Trees of environments that are not in the input; of a target alone, where the input has environments."""
        known = {folder_of(self._out, run).name for run in runs}
        # Without environments each target has its tree, and is rendered by a run of its own.
        known |= set() if runs[0].environment else set(TARGETS)
        return [name for name in write.trees_in(self._out) if name not in known]

    def _left_tree(self, name: str, report: Report) -> tuple[Exit, Report]:
        """Always mentioned, and removed only when asked for: the input may be a part of what the tree is made from."""
        folder = self._out / name
        if self._check:
            found = write.compare(folder, {}, depth_of(name)).differences
            stale = [difference for difference in found if difference.counts]
            return _compared(folder, stale or [write.Difference(write.RECORD, "stale")], report)
        if self._allowed.prune:
            removed = write.remove_tree(folder, depth_of(name), self._allowed)
            return Exit.FINE, _done(folder, (), depth_of(name), removed, report)
        what = "environment" if depth_of(name) else "run without environments"
        message = f"the input has no {what} of this name, and nothing keeps these files up to date"
        hint = "add --prune to remove them, or add what is missing to PATHS"
        problem = Problem(Place(os.fspath(folder)), "", "tree/left-over", message, hint, Severity.WARNING)
        return Exit.FINE, report._replace(problems=[*report.problems, problem])


def _merged(folder: Path, found: Sequence[write.Difference]) -> bool:
    """Whether what seems edited by hand is what git made of two versions of ours."""
    edited = [difference.path for difference in found if difference.why == "edited"]
    if not edited or any(difference.why == "foreign" for difference in found):
        return False
    try:
        return merged(folder, edited)
    except UsageMistake:  # git cannot say
        return False


def _command(report: Report) -> str:
    """The command line of this run, writing instead of comparing; with ``--prune`` where something is stale."""
    context = click.get_current_context()
    arguments = [str(argument) for argument in context.obj or ()]
    arguments = [argument for argument in arguments if argument != "--check"]
    if any(differing.state == "stale" for differing in report.differing) and "--prune" not in arguments:
        arguments.append("--prune")
    if any(differing.state in ("edited", "foreign") for differing in report.differing) and "--force" not in arguments:
        arguments.append("--force")
    return excerpt(shlex.join(["mcpctl", *arguments]), 1000)


def _compared(folder: Path, found: Sequence[write.Difference], report: Report) -> tuple[Exit, Report]:
    counting = [difference for difference in found if difference.counts]
    differing = [
        Differing(Place(os.fspath(folder / difference.path)), difference.why, write.explained(difference))
        for difference in counting
    ]
    lines = [
        f"{folder / difference.path}: {write.REASONS['stranger']}; nothing applies it"
        for difference in found
        if difference.why == "stranger" and not difference.counts
    ]
    crlf = sum(difference.why == "line-ends" for difference in found)
    if crlf:
        message = f"the line ends of {crlf} files are CRLF, and mcpctl writes LF; nothing else differs in them"
        hint = "add a line '* text eol=lf' to .gitattributes in this folder, then run: git add --renormalize ."
        problem = Problem(Place(os.fspath(folder)), "", "tree/line-ends", message, hint, Severity.WARNING)
        report = report._replace(problems=[*report.problems, problem])
    report = report._replace(
        differing=[*report.differing, *differing],
        lines=[*report.lines, *lines],
        counts=_added(report, differences=len(counting)),
    )
    return Exit.DIFFERENT if counting else Exit.FINE, report


def _done(folder: Path, files: Iterable[str], depth: int, done: write.Written, report: Report) -> Report:
    changed = [*(f"{folder / path}: written" for path in done.written)]
    changed += [f"{folder / path}: removed, nothing renders it any more" for path in done.removed]
    lines = list(report.lines)
    if changed:
        servers = _servers(files, depth)
        written, removed = _servers(done.written, depth), _servers(done.removed, depth) - servers
        verbs = {"written": written, "unchanged": servers - written, "removed": removed}
        lines.append(f"{folder}: servers: " + ", ".join(f"{len(names)} {verb}" for verb, names in verbs.items()))
    if done.others:
        names = ", ".join(map(excerpt, done.others[:5])) + (", …" if len(done.others) > 5 else "")
        count = f"{len(done.others)} other server{'s' if len(done.others) > 1 else ''}"
        lines.append(f"{folder}: {count} not in the input left alone ({names}); --prune removes them")
    counts = _added(report, written=len(done.written), removed=len(done.removed), unchanged=done.unchanged)
    return report._replace(files=[*report.files, *changed], lines=lines, counts=counts)


def _servers(paths: Iterable[str], depth: int) -> set[str]:
    """The folders of the servers that these files belong to; what an environment shares belongs to none."""
    return {write.unit_of(path, depth) for path in paths} - {""}


def _added(report: Report, **more: int) -> dict[str, int]:
    counts = dict(report.counts)
    return counts | {noun: counts.get(noun, 0) + number for noun, number in more.items()}
