"""The run of ``mcpctl diff``: each environment's tree before and now, and what the old specs render to now."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renderer import pipeline
from renderer.diff import git, masks
from renderer.diff.causes import Before, Now, linked
from renderer.diff.entries import Diff, Entry, Move, Row, Sides, entries, moves, server_of
from renderer.diff.graphs import graph_changes
from renderer.diff.objects import changes
from renderer.diff.text import listed
from renderer.diff.trees import (
    OTHER_TREE,
    Tree,
    in_revision,
    old_folder,
    old_folder_on_disk,
    on_disk,
    other_folders,
    other_trees,
    sources_in,
    specs_in,
)
from renderer.environment import name_of
from renderer.errors import InputInvalid, UsageMistake, errors_in
from renderer.explain import differences
from renderer.layout import layout
from renderer.model import Source
from renderer.pipeline import Inputs, Output, Run
from renderer.project import Project, read_project, same_paths
from renderer.registry import TARGETS, target
from renderer.write import trees_in

_NOT_TOLD_APART = "changes by a new version of mcpctl are not listed apart"


#: By folders in the tree, kind and name: whether the input does not cover that document.
Left = Callable[[Sequence[Path], str, str], bool]


class Out(NamedTuple):
    """The folders of the trees now and before, the latter in a revision or on the disk."""

    now: Path
    before: Path
    revision: git.Revision | None


class Base(NamedTuple):
    """A revision, its specs (None where they cannot be read, or are invalid), and the folder of its trees.

    ``settings``: changed settings of the project.
    """

    revision: git.Revision
    inputs: Inputs | None
    out: Path
    settings: str = ""


def at_base(
    revision: git.Revision, paths: Sequence[str], runs: Sequence[Run], out: Path, project: Project | None
) -> Base:
    """The specs of ``paths`` in the revision; those in other files are found by the heads of its tree."""
    places = [os.fspath(out), *(path for path in paths if path != "-"), *([project.file] if project else [])]
    inside = (git.inside(revision, place) for place in places)
    git.list_folders(revision, [place for place in inside if place is not None])
    old = project_at(revision, project) if project else None
    paths = old.paths if project and old and old.specs and same_paths(paths, project.paths) else paths
    known = [source for run in runs for source in _documents(run).values()]
    known += [run.environment.source for run in runs if run.environment]
    known = list({id(source): source for source in known}.values())
    out = old_folder(revision, out, *_names(runs), likely=Path(old.out) if old and old.out else None)
    sources = specs_in(revision, paths, known)
    names = {name_of(source) for source in known}
    if sources is not None and (absent := names.difference(map(name_of, sources))):
        more = specs_in(revision, sources_in(revision, out, absent), known) or []
        sources += [source for source in more if name_of(source) in absent]
    inputs = None if sources is None else pipeline.inputs_of(sources)
    return Base(revision, None if inputs and errors_in(inputs.problems) else inputs, out, _settings(old, project))


def _names(runs: Sequence[Run]) -> tuple[set[str], set[str]]:
    """Of the trees, and of the servers in them."""
    return {run.name or run.target for run in runs}, {name for run in runs for name in _documents(run)}


def _settings(old: Project | None, project: Project | None) -> str:
    if not old or not project:
        return ""
    pairs = {
        "kubernetesVersion": (old.kubernetes_version, project.kubernetes_version),
        "networkPolicyProvider": (old.network_policy_provider, project.network_policy_provider),
    }
    names = " and ".join(name for name, (before, now) in pairs.items() if before != now)
    return f"{names} of {project.file} changed" if names else ""


def project_at(revision: git.Revision, known: Project) -> Project | None:
    """None where the file does not exist, or is invalid."""
    place = git.inside(revision, known.file)
    files = git.listing(revision, place) if place else {}
    text = git.contents(revision, files).get(place or "")
    try:
        return None if text is None else read_project(known.file, text)
    except InputInvalid:
        return None


def compare(
    runs: Sequence[Run],
    outputs: Sequence[Output],
    out: Path,
    base: Base | None,
    *,
    every: bool,
    root: Path | None,
    is_left: Left,
) -> Diff:
    """The differences of all trees, one for each run; with ``every`` also of trees whose environment was removed.

    ``root`` is the folder of the project, in which all trees but ``out`` are old ones. ``is_left``: servers and
    environments of the trees that the input does not cover.
    """
    revision = base.revision if base else None
    notes: list[str] = []
    if base and base.inputs is None:
        notes.append("the specs at the base could not be read: changes by a new version of mcpctl are not listed apart")
    old_out = base.out if base else old_folder_on_disk(out, root, *_names(runs)) if root else out
    left_trees = _gone(runs, old_out, revision, is_left, notes) if every else []
    sides, left_out, moved = [], set[str](), list[Move]()
    for run, output in zip(runs, outputs, strict=True):
        side, left = _side(run, output, Out(out, old_out, revision), is_left)
        left_out |= left
        name = _renamed_from(side, run, old_out, revision, left_trees)
        if name:
            left_trees.remove(name)
            side = side._replace(tree=_tree(old_out / name, side.rendered, revision))
            moved.append(Move("environment", name, run.name, _kept(side)))
        old_name = name or run.name
        sides.append(_with_between(side, run, old_name, base, out, notes) if base and base.inputs else side)
    sides += [Sides(name, _tree(old_out / name, {}, revision), {}, {}, Before(), Now({}), 1) for name in left_trees]
    notes += _remarks(sides, left_out)
    moved_tree = os.path.realpath(old_out) != os.path.realpath(out)
    if moved_tree:
        moved.insert(0, Move("tree", os.fspath(old_out), os.fspath(out), sum(map(_kept, sides))))
    stale = {old_out} if moved_tree and trees_in(old_out) else set()
    stale |= set(other_folders(out, root, *_names(runs)) if root else ())
    notes += [f"{folder} {OTHER_TREE}" for folder in sorted(stale)]
    against = f"{revision.name} ({revision.commit[:12]})" if revision else f"the tree {old_out}"
    changed = tuple(entry for side in sides for entry in entries(side))
    notes += _without_effect(sides, changed)
    graphs = graph_changes(runs, base.inputs if base else None)
    return Diff(against, changed, tuple(dict.fromkeys(notes)), moves=(*moved, *moves(sides)), graphs=graphs)


def _without_effect(sides: Sequence[Sides], changed: Sequence[Entry]) -> Iterator[str]:
    """Changed fields of a spec that change no file of a tree."""
    affected = {(entry.tree, entry.server) for entry in changed if entry.leg == "spec"}
    trees: dict[str, list[str]] = {}
    for side in sides:
        for name, source in side.now.specs.items():
            old = (side.before.specs or {}).get(name)
            fields = changes(old.data, source.data) if old else ()
            fields = tuple(field for field in fields if field.path[:2] != ("spec", "remote"))  # listed elsewhere
            if (side.name, name) in affected or not fields:
                continue
            names = listed(list(dict.fromkeys(field.where for field in fields)), str)
            trees.setdefault(f"{names} of {name} changed", []).append(side.name)
    for words, environments in trees.items():
        where = f" of {listed(environments, str)}" if any(environments) else ""
        yield f"{words}, and nothing in the tree{where} does"


def _remarks(sides: Sequence[Sides], left_out: Collection[str]) -> Iterator[str]:
    if left_out:
        amount = f"{len(left_out)} server{'s' if len(left_out) > 1 else ''}"
        yield f"{amount} of the tree, not in the input, left out here: {listed(sorted(left_out), str)}"
    if not any(side.tree.there for side in sides):
        yield "there is no tree yet: everything is new"
    if crlf := sum(side.tree.crlf for side in sides):
        files = f"{crlf} file{'s' if crlf > 1 else ''} of the tree"
        yield f"CRLF line ends in {files} are taken for LF: 'mcpctl render --check' says how to keep LF"


def _side(run: Run, output: Output, out: Out, is_left: Left) -> tuple[Sides, set[str]]:
    """One tree before and now, and its servers that the input does not cover."""
    folder, rendered, depth = layout(out.now, run, output)
    tree = _tree(out.before / folder.name, rendered, out.revision)
    below = folder / run.target if run.environment else folder
    others = {server_of(path, depth) for path in tree.digests} - {server_of(path, depth) for path in rendered}
    left = {name for name in others if is_left([below / name], "McpServer", name)}
    if left:
        # What lists all servers keeps these too.
        rendered = layout(out.now, run, output, left).files
        tree = _tree(out.before / folder.name, rendered, out.revision)
        texts = {path: text for path, text in tree.texts.items() if server_of(path, depth) not in left}
        tree = tree._replace(texts=texts)
    return Sides(run.name, tree, rendered, {}, Before(), Now(_documents(run), run.environment), depth), left


def _gone(runs: Sequence[Run], out: Path, revision: git.Revision | None, is_left: Left, notes: list[str]) -> list[str]:
    """The trees of removed environments; the notes name trees without an environment."""
    others, of_targets = other_trees(out, revision, {run.name for run in runs})
    if runs[0].environment:
        words = "belongs to no environment, and is not rendered any more: 'mcpctl render --prune' removes it"
        notes += [f"{out / name} {words}" for name in of_targets]
    folders = {name: [out / name, *(out / name / each for each in TARGETS)] for name in others}
    return [name for name in others if not is_left(folders[name], "Environment", name)]


def _renamed_from(side: Sides, run: Run, out: Path, revision: git.Revision | None, left_trees: Sequence[str]) -> str:
    """The removed environment with the most similar files, where this one has no tree yet; empty for none."""
    if side.tree.there or not run.environment or not side.rendered:
        return ""
    trees = {name: _tree(out / name, side.rendered, revision) for name in left_trees}
    unlike = {name: 2 * len(tree.missing) + len(tree.texts) for name, tree in trees.items()}
    name = min(unlike, key=lambda name: (unlike[name], name), default="")
    return name if name and unlike[name] <= len(side.rendered) else ""


def _kept(side: Sides) -> int:
    return sum(path not in side.tree.missing for path in side.rendered)


def _documents(run: Run) -> dict[str, Source]:
    """By server, as written."""
    sources = run.sources or tuple(server.source for server in (*run.specs.servers, *run.specs.remotes))
    return {name_of(source): source for source in sources}


def _tree(folder: Path, rendered: Mapping[str, str], revision: git.Revision | None) -> Tree:
    if revision is None:
        return on_disk(folder, rendered)
    place = git.inside(revision, os.fspath(folder))
    if place is None:
        raise UsageMistake(f"--base: {folder} is not in the git repository that it was looked for in")
    return in_revision(revision, place, rendered)


def _with_between(sides: Sides, run: Run, name: str, base: Base, out: Path, notes: list[str]) -> Sides:
    """With what the old specs render to now, for servers of which files and specs, or the environment, differ.

    ``name`` is that of the environment at the base.
    """
    old = base.inputs
    assert old
    before = {name_of(source): source for source in old.sources}
    environment = next((each for each in old.environments if each.name == name), None)
    sides = sides._replace(before=Before(before, environment, base.settings))
    now = sides.now.specs
    changed = {name for name in before if name not in now or before[name].data != now[name].data}
    other = bool(environment and run.environment and environment.source.data != run.environment.source.data)
    if not (changed or other or before.keys() != now.keys()) or bool(run.environment) != bool(environment):
        return sides
    every = other
    changed |= {name for name in before if name in now and (linked(before[name]) | linked(now[name])) & changed}
    needed = changed.union(*(linked(before[name]) for name in changed))
    sources = old.sources if every else tuple(source for source in old.sources if name_of(source) in needed)
    if environment is None:
        old_run = run._replace(specs=pipeline.plain(old._replace(sources=sources), run.specs.levels))
    else:
        (old_run,) = pipeline.runs_for(old._replace(sources=sources), [environment], run.specs.levels)
    # With only some of the servers, the patch for another one selects none.
    if any(not problem.rule.startswith("environment/") for problem in errors_in(old_run.specs.problems)):
        notes.append(f"the specs at the base are not valid for this mcpctl: {_NOT_TOLD_APART}")
        return sides
    differing = {server_of(path, sides.depth) for path in (*sides.tree.texts, *sides.tree.missing)}
    differing = differing if every else differing & changed
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
    environments = [run.environment for run in runs if run.environment]
    rows = []
    for row in differences(environments, {run.name: (*run.specs.servers, *run.specs.remotes) for run in runs}):
        path = tuple(row.path.split("."))
        values = {name: masks.one_line("", path, value) for name, value in row.values.items() if value is not None}
        rows.append(Row(row.server, row.path or "(exists)", {name: text for name, text in values.items() if text}))
    return diff._replace(environments=tuple(each.name for each in environments), rows=tuple(rows))
