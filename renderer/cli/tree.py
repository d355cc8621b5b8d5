"""``render --out``: writes or compares trees."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

import click

from renderer import write
from renderer.cli.streams import progress
from renderer.diff.trees import OTHER_TREE, merged, other_folders
from renderer.errors import Exit, OutputTreeFault, Place, Problem, Severity, UsageMistake, excerpt
from renderer.layout import Elsewhere, depth_of, folder_of, layout
from renderer.pipeline import Output, Run
from renderer.registry import TARGETS, target
from renderer.report import Differing, Report
from renderer.write import Allowed, Wanted

__all__ = ["Allowed", "Trees"]


class Trees:
    """The trees below ``out``.

    ``whole``: the input may be all that they are made of. With ``paths`` it is a part nevertheless if other specs still
    describe what else the trees have.
    """

    def __init__(
        self,
        out: Path,
        check: bool,
        allowed: Allowed,
        *,
        whole: bool,
        paths: Sequence[str],
        quiet: bool,
        root: Path | None,
    ) -> None:
        if allowed.prune and not whole:
            raise click.UsageError(
                "--prune removes what the input does not have, and this input is a part: give all of it, without "
                "--environment, without standard input and, in a project, without PATHS"
            )
        self._out = out
        self._check = check
        self._allowed = allowed
        self._whole = whole
        self._root = root
        self._elsewhere = Elsewhere(out, paths) if whole and paths else None
        self._watched: write.Watched = iter if quiet else partial(progress, f"writing {out}")
        self._wanted: list[Wanted] = []
        #: Options, and paths of environments, that the next command needs.
        self._needs: dict[str, None] = {}

    def without_servers(self, run: Run) -> Run:
        """With --allow-empty, a folder without specs is no error."""
        if not self._allowed.allow_empty:
            return run
        problems = tuple(problem for problem in run.specs.problems if problem.rule != "load/empty-folder")
        return run._replace(specs=run.specs._replace(problems=problems))

    def carry_out(self, runs: Sequence[Run], results: Sequence[Output], report: Report) -> tuple[Exit, Report]:
        """Writes all trees, or compares each, and adds to the report; a refusal in one stops all."""
        code = Exit.FINE
        known = {folder_of(self._out, run).name for run in runs}
        # Without environments each target has its tree, and is rendered by a run of its own.
        known |= set() if runs[0].environment else set(TARGETS)
        left = [name for name in write.trees_in(self._out) if name not in known] if self._whole else []
        report = self._with_other_folders(runs, report)
        try:
            if self._allowed.prune:
                self._refuse_part(runs, left)
            each = [partial(self._tree, run, result) for run, result in zip(runs, results, strict=True)]
            faults: list[OutputTreeFault] = []
            for tree in [*each, *(partial(self._left_tree, name) for name in left)]:
                try:
                    tree_code, report = tree(report)
                    code = max(code, tree_code)
                except OutputTreeFault as fault:  # the other trees may have more
                    faults.append(fault)
            if faults:
                raise write.all_of(faults)
            for wanted, done in zip(self._wanted, write.write(self._wanted, self._watched), strict=True):
                report = _done(wanted, done, report)
        except OutputTreeFault as fault:  # in the style that was asked for, like every other Problem
            problems, lines = [*report.problems, *fault.problems], [*report.lines, f"mcpctl: {fault.message}"]
            return fault.exit_code, report._replace(problems=problems, lines=lines)
        if code is Exit.DIFFERENT:
            report = report._replace(next=_next(report, self._needs))
        return code, report

    def _with_other_folders(self, runs: Sequence[Run], report: Report) -> Report:
        """Reports other folders of the project that have trees."""
        if not self._check or self._root is None:
            return report
        servers = {server.name for run in runs for server in run.specs.servers}
        others = other_folders(self._out, self._root, {run.name or run.target for run in runs}, servers)
        return report._replace(lines=[*report.lines, *(f"{folder} {OTHER_TREE}" for folder in others)])

    def _refuse_part(self, runs: Sequence[Run], left: Sequence[str]) -> None:
        missing = {f"server {name}": file for run in runs for name, file in self._described(run).items()}
        for name in left:
            file = self._environment(name)
            missing |= {f"environment {name}": file} if file else self._servers_of(name)
        if missing:
            some = ", ".join(f"{file} ({name})" for name, file in list(missing.items())[:3])
            more = f", and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise click.UsageError(
                f"--prune removes what the input does not have, and the input is a part: it lacks {some}{more}. "
                "Give all of PATHS, or name them once in mcpctl.yaml (docs/gitops.md)"
            )

    def _described(self, run: Run) -> dict[str, str]:
        """Servers of the run's tree that are not in the input, and the file that still describes each."""
        folder = folder_of(self._out, run)
        below = f"{run.target}/" if run.environment else ""
        rendered = {server.name for server in (*run.specs.servers, *run.specs.remotes)}
        names = write.servers_in(folder, depth_of(run.name or run.target), below, rendered)
        return self._specs_of(folder / below, names)

    def _specs_of(self, folder: Path, names: Sequence[str]) -> dict[str, str]:
        if self._elsewhere is None:
            return {}
        files = {name: self._elsewhere.file([folder / name], "McpServer", name) for name in names}
        return {name: file for name, file in files.items() if file}

    def _environment(self, name: str) -> str:
        """The file that still describes an environment that the input lacks; empty for none."""
        if self._elsewhere is None or not depth_of(name):
            return ""
        folder = self._out / name
        return self._elsewhere.file([folder, *(folder / target for target in TARGETS)], "Environment", name)

    def _servers_of(self, name: str) -> dict[str, str]:
        """Servers of a tree that no run renders, and the file outside of the input that describes each."""
        folder, depth = self._out / name, depth_of(name)
        parts = [folder / target for target in TARGETS] if depth else [folder]
        return {
            f"server {server}": file
            for part in parts
            for server, file in self._specs_of(part, write.servers_in(part, 0, "")).items()
        }

    def _tree(self, run: Run, result: Output, report: Report) -> tuple[Exit, Report]:
        below = f"{run.target}/" if run.environment else ""
        folder, depth = folder_of(self._out, run), depth_of(run.name or run.target)
        whole = self._allowed.prune or (self._check and self._whole)
        keep = self._described(run) if whole and not self._allowed.prune else {}
        names = {server.name for server in run.specs.servers}
        others = keep if whole else write.servers_in(folder, depth, below, names)
        folder, files, depth = layout(self._out, run, result, others)
        if not self._check:
            self._wanted.append(Wanted(folder, files, depth, self._allowed, partial(_merged, folder)))
            return Exit.FINE, report

        def applies(path: str) -> bool:
            inside = path.startswith(below)
            return inside and bool(target(run.target).from_tree([path.removeprefix(below)])[0])

        differences = write.compare(
            folder, files, depth, whole=whole, keep=keep, merged=partial(_merged, folder), applies=applies
        ).differences
        rendered = {write.unit_of(path, depth) for path in files}
        emptied = self._allowed.prune or any(write.unit_of(d.path, depth) not in rendered for d in differences)
        if emptied and rendered == {""}:
            self._needs["--allow-empty"] = None
        if keep:
            report = report._replace(lines=[*report.lines, _left_alone(folder, list(keep))])
        return self._compared(folder, differences, report, rendered, depth)

    def _left_tree(self, name: str, report: Report) -> tuple[Exit, Report]:
        """Always reported, and removed only with --prune: the input may be a part of what the tree is made of."""
        folder, file = self._out / name, self._environment(name)
        if self._check and file:
            self._needs[file] = None
            words = f"the input lacks its environment, which {file} describes"
            return Exit.DIFFERENT, _differing(report, [Differing(Place(os.fspath(folder)), "left-out", words)])
        if self._check:
            keep = [server.removeprefix("server ") for server in self._servers_of(name)]
            differences = write.compare(folder, {}, depth_of(name), keep=keep).differences
            stale = [difference for difference in differences if difference.counts]
            if keep:
                return Exit.FINE, report._replace(lines=[*report.lines, _left_alone(folder, keep)])
            stale = stale or [write.Difference(write.RECORD, "stale")]
            self._needs["--prune"] = None
            return self._compared(folder, stale, report, set(), depth_of(name))
        if self._allowed.prune:
            emptied = self._allowed._replace(allow_empty=True)
            self._wanted.append(Wanted(folder, {}, depth_of(name), emptied, is_left_over=True))
            return Exit.FINE, report
        source = "environment" if depth_of(name) else "run without environments"
        message = f"the input has no {source} of this name, and nothing keeps these files up to date"
        hint = f"add {file} to PATHS" if file else "add --prune to remove them, or add what is missing to PATHS"
        problem = Problem(Place(os.fspath(folder)), "", "tree/left-over", message, hint, Severity.WARNING)
        return Exit.FINE, report._replace(problems=[*report.problems, problem])

    def _compared(
        self, folder: Path, differences: Sequence[write.Difference], report: Report, rendered: set[str], depth: int
    ) -> tuple[Exit, Report]:
        """Adds the differences to the report, and what resolves them to ``_needs``; ``rendered`` are the units of this
        run.
        """
        counting = [difference for difference in differences if difference.counts]
        differing = []
        for difference in counting:
            if difference.why == "stale" and write.unit_of(difference.path, depth) not in rendered:
                self._needs["--prune"] = None
            path = folder / difference.path
            option, words = _remedy(path, difference, is_left_over=not rendered)
            self._needs |= dict.fromkeys(filter(None, [option]))
            differing.append(Differing(Place(os.fspath(path)), difference.why, words))
        lines = [
            f"{folder / difference.path}: {write.REASONS['stranger']}; nothing applies it"
            for difference in differences
            if difference.why == "stranger" and not difference.counts
        ]
        crlf = sum(difference.why == "line-ends" for difference in differences)
        if crlf:
            message = f"the line ends of {crlf} files are CRLF, and mcpctl writes LF; nothing else differs in them"
            hint = "add a line '* text eol=lf' to .gitattributes in this folder, then run: git add --renormalize ."
            problem = Problem(Place(os.fspath(folder)), "", "tree/line-ends", message, hint, Severity.WARNING)
            report = report._replace(problems=[*report.problems, problem])
        report = report._replace(lines=[*report.lines, *lines])
        return Exit.DIFFERENT if counting else Exit.FINE, _differing(report, differing)


def _remedy(path: Path, difference: write.Difference, is_left_over: bool) -> tuple[str, str]:
    """The option without which a render keeps the difference, if any, and the state as a sentence.

    ``is_left_over``: the input has no environment for the tree any more.
    """
    words = write.explained(difference)
    if difference.why == "stale" and path.name == write.NAMESPACE_FILE and not is_left_over:
        return "", f"{words}; {write.KEEP_NAMESPACE}, or remove the file with --prune-data"
    if difference.why == "stale" and path.is_file() and write.holds_data(path.read_bytes()):
        return "--prune-data", f"{words}; --prune-data removes it, and what prunes the cluster then deletes its data"
    if difference.why in ("edited", "foreign"):
        if path.is_dir():
            return "", f"{words}; a folder is never overwritten: move it away"
        return "--force", f"{words}; --force overwrites it: move what must stay into the spec (spec.patches) first"
    return "", f"{words}; move it out of the tree, or remove it" if difference.why == "stranger" else words


def _differing(report: Report, more: Sequence[Differing]) -> Report:
    return report._replace(differing=[*report.differing, *more], counts=_added(report, differences=len(more)))


def _merged(folder: Path, paths: Collection[str]) -> Collection[str]:
    """Files that seem edited or a stranger's, and that git merged from recorded versions."""
    try:
        return merged(folder, paths)
    except UsageMistake:  # git cannot say
        return []


def _next(report: Report, needs: Iterable[str]) -> str:
    """The command that updates the tree: this one, without --check and with all options that it needs."""
    strange = [d.place.file for d in report.differing if d.state == "stranger"]
    if len(strange) == len(report.differing):
        return excerpt(f"to bring the tree up to date: move out of it, or remove, {', '.join(strange)}", 1000)
    arguments = [str(argument) for argument in click.get_current_context().obj or () if argument != "--check"]
    arguments += [need for need in needs if need not in arguments]
    return f"to bring the tree up to date: {excerpt(shlex.join(['mcpctl', *arguments]), 1000)}"


def _left_alone(folder: Path, others: Sequence[str]) -> str:
    names = ", ".join(map(excerpt, others[:5])) + (", …" if len(others) > 5 else "")
    count = f"{len(others)} other server{'s' if len(others) > 1 else ''}"
    return f"{folder}: {count} not in the input left alone ({names})"


def _done(wanted: Wanted, done: write.Written, report: Report) -> Report:
    folder, files, depth = wanted[:3]
    changed = [*(f"{folder}/{path}: written" for path in done.written)]
    changed += [f"{folder}/{path}: removed, nothing renders it any more" for path in done.removed]
    lines = list(report.lines)
    if changed:
        servers = _servers(files, depth)
        written, removed = _servers(done.written, depth), _servers(done.removed, depth) - servers
        verbs = {"written": written, "unchanged": servers - written, "removed": removed}
        lines.append(f"{folder}: servers: " + ", ".join(f"{len(names)} {verb}" for verb, names in verbs.items()))
    if done.others:
        lines.append(f"{_left_alone(folder, done.others)}; --prune removes those that no spec describes")
    counts = _added(report, written=len(done.written), removed=len(done.removed), unchanged=done.unchanged)
    return report._replace(files=[*report.files, *changed], lines=lines, counts=counts)


def _servers(paths: Iterable[str], depth: int) -> set[str]:
    return {write.unit_of(path, depth) for path in paths} - {""}


def _added(report: Report, **more: int) -> dict[str, int]:
    counts = dict(report.counts)
    return counts | {noun: counts.get(noun, 0) + number for noun, number in more.items()}
