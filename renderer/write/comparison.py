"""How a tree differs from what was rendered. Contents decide: nobody can hide a difference in a record."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from renderer.errors import OutputTreeFault, Place, Problem
from renderer.write.disk import UNFINISHED, Folder, digest, opened, tree_faults
from renderer.write.records import (
    OLD_RECORD,
    RECORD,
    SERVER_LIST,
    Records,
    is_server_list,
    names_of,
    read_records,
    record_path,
    record_texts,
    unit_of,
)
from renderer.yaml_reader import conflict_line

Why = Literal["missing", "outdated", "edited", "foreign", "stale", "conflict", "line-ends", "stranger"]

REASONS: Mapping[Why, str] = {
    "missing": "it is rendered, but not in the tree",
    "outdated": "the specs render to another text now",
    "edited": "it was edited by hand after mcpctl wrote it",
    "foreign": "mcpctl did not write it, and a rendered file belongs there",
    "stale": "no spec renders it now",
    "conflict": "it has the conflict markers of a merge",
    "line-ends": "only its line ends differ (CRLF)",
    "stranger": "mcpctl did not write it",
}
#: Of paths that seem edited by hand, or a stranger's: those that are ours, as git has merged them of versions of ours.
Merged = Callable[[Collection[str]], Collection[str]]
#: A render overwrites neither, unless told to.
NOT_OURS = ("edited", "foreign")
#: At the head of what mcpctl wrote, also where no record can name the hash of it.
MARK = b"# Made by mcpctl"
#: Without a work tree a head names the server alone.
_SOURCE = re.compile(r"Made by mcpctl from (.+); edit that, not this file\.")
_NO_FILE = ("the spec of server ", "environment ")
#: Characters of a file in which its head is looked for: below the markers of a conflict it is not the first line.
HEAD_WITHIN = 4096


def head(source: str) -> str:
    """What the first line of a file says that it was made from: a path, or words."""
    return f"Made by mcpctl from {source}; edit that, not this file."


def same_but_for_head(before: str, now: str) -> bool:
    """Whether two texts of a file differ in nothing but the source that their first line names."""
    (old, _, old_rest), (new, _, new_rest) = before.partition("\n"), now.partition("\n")
    return old_rest == new_rest and "" != source_in(old) != source_in(new) != ""


def source_in(text: str) -> str:
    """The source that the head of a file names; empty without a head."""
    match = _SOURCE.search(text[:HEAD_WITHIN])
    return match[1] if match else ""


def is_file(source: str) -> bool:
    """Whether what a head says is the path of a file."""
    return bool(source) and not source.startswith(_NO_FILE)


class Difference(NamedTuple):
    """One file of the tree that is not as rendered; ``path`` is relative to the tree.

    ``unfinished``: a run was killed before it came to this file. ``counts``: whether it makes the trees differ; a
    stranger that nobody applies, and line ends that git changed, are only mentioned.
    """

    path: str
    why: Why
    unfinished: bool = False
    counts: bool = True


class Comparison(NamedTuple):
    """How a tree differs, sorted by path, and the servers in it that are not in the input."""

    differences: tuple[Difference, ...]
    others: tuple[str, ...] = ()


def explained(difference: Difference) -> str:
    """The state of the file in one sentence."""
    more = "; an earlier run was stopped before it came to this file" if difference.unfinished else ""
    return f"{REASONS[difference.why]}{more}"


def no_merge(paths: Collection[str]) -> Collection[str]:
    """Where there is no git to be asked."""
    del paths
    return ()


def compare(
    folder: Path,
    files: Mapping[str, str],
    depth: int = 0,
    *,
    whole: bool = True,
    keep: Collection[str] = (),
    merged: Merged = no_merge,
    applies: Callable[[str], bool] | None = None,
) -> Comparison:
    """How the tree at ``folder`` differs from ``files`` (path to text).

    With ``whole``, servers of the tree that are not among the files are stale, but for those to ``keep``; otherwise
    they are none of this run's business. ``applies`` says of a path whether a tool that takes the folder would take
    that file. Raises OutputTreeFault where the tree cannot be read, or contains links.
    """
    with tree_faults(folder, "the output tree could not be read", "tree/not-read"), opened(folder) as tree:
        state = state_of(tree, files, depth, whole=whole, keep=keep, merged=merged)
        strangers = [Difference(path, "stranger", counts=bool(applies and applies(path))) for path in state.strangers]
        return Comparison(tuple(sorted([*state.differences, *strangers])), state.others)


class State(NamedTuple):
    """What was read of a tree, beside what was rendered.

    ``texts`` are the records of what was rendered, by unit. ``strangers`` are the files of nobody known, ``others`` the
    servers in the tree that were not rendered. ``unfinished``: a run was killed, and left files under temporary names.
    """

    records: Records
    texts: Mapping[str, str]
    differences: list[Difference]
    strangers: list[str]
    others: tuple[str, ...]
    unfinished: bool


def state_of(
    tree: Folder,
    files: Mapping[str, str],
    depth: int,
    *,
    whole: bool,
    keep: Collection[str] = (),
    merged: Merged = no_merge,
) -> State:
    """As ``compare``, of a tree that is open."""
    records, texts = read_records(tree, depth), record_texts(files, depth)
    differences = _differences(tree, files, texts, records, depth, whole, keep)
    paths = [*tree.walk()]
    strangers = _strangers(paths, {*files, *records.digests, *(difference.path for difference in differences)})
    unknown = [*strangers, *(difference.path for difference in differences if difference.why == "edited")]
    if unknown and (ours := merged(unknown)):
        more = {path: digest(_lf(content)) for path, content in tree.contents(ours) if content is not None}
        digests = {path: (*records.digests.get(path, ()), hashed) for path, hashed in more.items()}
        records = records._replace(digests={**records.digests, **digests})
        differences = _differences(tree, files, texts, records, depth, whole, keep)
        strangers = [path for path in strangers if path not in digests]
    rendered, units = {*names_of(texts)}, {unit_of(path, depth) for path in records.digests if path not in files}
    others = tuple(name for name in names_of(units) if name not in rendered)
    return State(records, texts, differences, strangers, others, any(path.endswith(UNFINISHED) for path in paths))


def _differences(
    tree: Folder,
    files: Mapping[str, str],
    texts: Mapping[str, str],
    records: Records,
    depth: int,
    whole: bool,
    keep: Collection[str],
) -> list[Difference]:
    # A run answers for what is shared and for its servers, or for all but those to keep.
    names = {*names_of(texts)}
    units = {path: unit_of(path, depth).rpartition("/")[2] for path in records.digests if path not in files}
    stale = [path for path, name in units.items() if not name or name in names or (whole and name not in keep)]
    unlike = {
        path: content for path, content in tree.contents(files) if content is None or content != files[path].encode()
    }
    there = {path: content for path, content in tree.contents(stale) if content is not None}
    tree.refuse_links()
    lists = [path for path in _server_lists(tree, depth) if path not in files]
    differences = []
    for path, content in unlike.items():
        why = _why(path, content, files[path], records, depth)
        differences.append(Difference(path, why, path in records.pending, why != "line-ends"))
    for path, content in there.items():
        ours = as_recorded(content, records.digests[path]) or conflict_line(content)
        differences.append(Difference(path, "stale" if ours else "edited", path in records.pending))
    differences += [Difference(path, "stale") for path in lists]
    # Where a file differs, that says already that the record does.
    explained_units = {unit_of(difference.path, depth) for difference in differences if difference.counts}
    unexplained = {unit: text for unit, text in texts.items() if unit not in explained_units}
    differences += _record_differences(unexplained, records)
    left = [unit for unit in records.texts if whole and unit not in texts and unit not in explained_units]
    left = [unit for unit in left if unit.rpartition("/")[2] not in keep]
    return [*differences, *(Difference(record_path(unit), "stale", unit in records.journals) for unit in left)]


def _why(path: str, content: bytes | None, rendered: str, records: Records, depth: int) -> Why:
    if content is None:
        return "missing"
    if _lf(content) == rendered.encode():
        return "line-ends"
    recorded = records.digests.get(path, ())
    if recorded or is_server_list(path, depth):
        if conflict_line(content):
            return "conflict"
        if is_server_list(path, depth) and content.startswith(MARK):
            return "outdated"
    if not recorded:
        return "foreign"
    return "outdated" if as_recorded(content, recorded) else "edited"


def as_recorded(content: bytes | None, digests: Collection[str]) -> bool:
    """Whether a file is one of those that a record names, but for the line ends that git may have changed."""
    return content is not None and digest(_lf(content)) in digests


def _lf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


def _server_lists(tree: Folder, depth: int) -> list[str]:
    """The lists of servers that we have written, in the folder itself or in those of its targets."""
    parents = [f"{name}/" for name, is_folder in tree.entries("") if is_folder] if depth else [""]
    paths = [f"{parent}{SERVER_LIST}" for parent in parents]
    return [path for path in paths if (tree.read(path) or b"").startswith(MARK)]


def _record_differences(texts: Mapping[str, str], records: Records) -> Iterator[Difference]:
    """Records that do not say what is there."""
    if records.old:
        yield Difference(OLD_RECORD, "outdated")
    for unit, text in texts.items():
        path, content = record_path(unit), records.texts.get(unit)
        if content is not None and _lf(content) == text.encode():
            continue
        if content is not None and conflict_line(content):
            yield Difference(path, "conflict")
        elif not records.old:
            yield Difference(path, "missing" if content is None else "outdated", unit in records.journals)


def _strangers(paths: Iterable[str], known: Collection[str]) -> list[str]:
    """Files that nobody rendered; not the ``.env`` of compose, which holds what is never rendered."""
    unknown = [path for path in paths if path not in known and not path.endswith(UNFINISHED)]
    return [path for path in unknown if path.rpartition("/")[2] not in (RECORD, OLD_RECORD, ".env")]


# ---------------------------------------------------------------------------------------------
# Reading back, to be applied.

_AGAIN = "render the tree again: mcpctl render … --out"


def recorded(folder: Path, depth: int = 0) -> dict[str, str]:
    """The files of a tree that is as its records say, path to text, sorted.

    Raises OutputTreeFault with one Problem for each file that is not: edited, missing, a link, unfinished, not listed.
    """
    with tree_faults(folder, "the tree could not be read", "tree/not-read"), opened(folder) as tree:
        records = read_records(tree, depth)
        if not records.digests:
            problem = Problem(Place(os.fspath(folder / RECORD)), "", "tree/record", "there is no record of mcpctl here")
            raise OutputTreeFault(f"{folder} is no tree that mcpctl rendered", [problem])
        # Read once: what is applied is what was compared.
        contents = dict(tree.contents(records.digests))
        tree.refuse_links("nothing was applied")
        problems = []
        for path, content in contents.items():
            if unlike := _unlike(path, content, records):
                problems.append(Problem(Place(os.fspath(folder / path)), "", *unlike, _AGAIN))
        known = {*records.digests, *_server_lists(tree, depth)}
        for path in _strangers(tree.walk(), known):
            place, hint = Place(os.fspath(folder / path)), "move it out of the tree"
            problems.append(Problem(place, "", "tree/foreign", "no record lists it", hint))
        if problems:
            raise OutputTreeFault("nothing was applied: the tree is not as it was rendered", sorted(problems))
        return {path: (content or b"").decode() for path, content in contents.items()}


def _unlike(path: str, content: bytes | None, records: Records) -> tuple[str, str] | None:
    """Rule and message of a file that is not as its record says."""
    if path in records.pending:
        return "tree/unfinished", "a run was ended before it had written this file"
    if content is None:
        return "tree/missing", "the record lists it, and it is not there"
    if conflict_line(content):
        return "tree/conflict", REASONS["conflict"]
    return None if as_recorded(content, records.digests[path]) else ("tree/edited", REASONS["edited"])
