"""The records of a tree: which files are ours, with their SHA-256, one file a line, one record a server.

A record lies in the folder of its server and names nothing outside of it, so branches that change different servers
merge. What the servers of an environment share (its namespace, its delivery) has a record of its own, which names no
server. A record under its temporary name is the journal of a run that was killed, or is under way. That of what is
shared is written after all other files: with it, the next run completes what that one left; without, takes it away.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from renderer.errors import OutputTreeFault, Place, Problem
from renderer.write.disk import Folder, digest, nearest, opened, temporary, tree_faults
from renderer.yaml_reader import conflict_line

RECORD = ".mcpctl"
#: Of versions that kept one record a tree; read once more, and replaced.
OLD_RECORD = ".mcpctl.json"
#: ``sha256sum -c`` passes over it, and reads all other lines.
HEADER = "# mcpctl 1: the files that mcpctl wrote here; 'sha256sum -c .mcpctl' compares them"
_HEADER = re.compile(r"# mcpctl (\d+)\b")
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
#: Lists the servers of a tree, so no record could name its hash without naming all of them.
SERVER_LIST = "kustomization.yaml"


class Records(NamedTuple):
    """What is ours in a tree.

    ``digests``: path to the digests that are ours; two after a run that was killed, or in a merge. ``pending``: the
    paths that such a run may not have come to. ``texts``: each unit (the folder of a server; empty for what is shared)
    to the text of its record. ``journals``: the units that a killed run was writing, each to what it was to leave
    there. ``old``: whether there is a record of an earlier version.
    """

    digests: Mapping[str, tuple[str, ...]]
    pending: frozenset[str]
    texts: Mapping[str, bytes]
    journals: Mapping[str, Mapping[str, tuple[str, ...]]]
    old: bool


def unit_of(path: str, depth: int) -> str:
    """The folder whose record names the file: that of its server, ``depth`` folders down; empty for shared files."""
    steps = path.split("/", depth + 1)
    return "/".join(steps[: depth + 1]) if len(steps) > depth + 1 else ""


def record_path(unit: str) -> str:
    """Where the record of a unit lies in the tree."""
    return f"{unit}/{RECORD}" if unit else RECORD


def is_server_list(path: str, depth: int) -> bool:
    """Whether the file is derived from the names of the folders beside it."""
    return not unit_of(path, depth) and path.rpartition("/")[2] == SERVER_LIST


def record_text(unit: str, digests: Mapping[str, Collection[str]]) -> str:
    """The record of one unit: ``digests`` by path of the tree, written relative to the unit and sorted."""
    below = len(unit) + 1 if unit else 0
    lines = sorted({(path[below:], digest) for path, hashes in digests.items() for digest in hashes})
    return "".join([HEADER, "\n", *(f"{digest}  {path}\n" for path, digest in lines)])


def record_texts(files: Mapping[str, str], depth: int) -> dict[str, str]:
    """The records of what was rendered, by unit; that of shared files stands there even if there are none."""
    units: dict[str, dict[str, tuple[str, ...]]] = {"": {}}
    for path, text in files.items():
        unit = unit_of(path, depth)
        if unit or not is_server_list(path, depth):
            units.setdefault(unit, {})[path] = (digest(text.encode()),)
    return {unit: record_text(unit, digests) for unit, digests in units.items()}


def read_records(tree: Folder, depth: int) -> Records:
    """The records of a tree. OutputTreeFault where one cannot be trusted."""
    digests: dict[str, tuple[str, ...]] = {}
    pending: set[str] = set()
    journals: dict[str, dict[str, tuple[str, ...]]] = {}
    texts: dict[str, bytes] = {}
    old = tree.read(OLD_RECORD)
    contents = {unit: tree.read(record_path(unit)) for unit in _units(tree, depth)}
    tree.refuse_links()
    if old is not None:
        digests |= _old_digests(old, tree.path / OLD_RECORD)
    for unit, content in contents.items():
        path = record_path(unit)
        journal = tree.read(temporary(path))
        before = _parsed(content, unit, tree.path / path)
        coming = _parsed(journal, unit, None)
        if content is not None:
            texts[unit] = content
        if journal is not None:
            journals[unit] = coming
            # Without the journal of what is shared, this one may be torn: what is not in it says nothing.
            expected = {**before, **coming} if "" in journals else coming
            pending |= {path for path in expected if before.get(path) != coming.get(path)}
        for path in {**before, **coming}:
            digests[path] = (*before.get(path, ()), *coming.get(path, ()), *digests.get(path, ()))
    return Records(digests, frozenset(pending), texts, journals, old is not None)


def parsed_records(texts: Mapping[str, str | bytes]) -> dict[str, tuple[str, ...]]:
    """What records say, by their paths in the tree; of one that cannot be read, nothing."""
    digests: dict[str, tuple[str, ...]] = {}
    for path, text in texts.items():
        content = text.encode() if isinstance(text, str) else text
        unit = path.removesuffix(RECORD).removesuffix("/")
        try:
            digests |= _old_digests(content, Path(path)) if path == OLD_RECORD else _parsed(content, unit, Path(path))
        except OutputTreeFault:
            continue
    return digests


def servers_in(folder: Path, depth: int, below: str, rendered: Collection[str] = ()) -> list[str]:
    """The servers that the tree has a record of besides ``rendered``; ``below`` is empty, or a target and a slash."""
    with tree_faults(folder, "the output tree could not be read", "tree/not-read"), opened(folder) as tree:
        units = {unit: unit.rpartition("/")[2] for unit in _units(tree, depth) if unit.startswith(below) and unit}
        others = [unit for unit, name in units.items() if name not in rendered]
        ours = {RECORD, temporary(RECORD)}
        return sorted(units[unit] for unit in others if ours & {name for name, _ in tree.entries(unit)})


def trees_in(out: Path) -> list[str]:
    """The folders directly below ``out`` that have a record, sorted. What is a link belongs to somebody else."""
    if not out.is_dir():
        return []
    with nearest(out) as folder:
        names = [name for name, is_folder in folder.entries("") if is_folder]
        return [name for name in names if {(RECORD, False), (OLD_RECORD, False)}.intersection(folder.entries(name))]


def _units(tree: Folder, depth: int) -> list[str]:
    """The folders that may be those of servers, and the tree itself, sorted."""
    units = [""]
    for _ in range(depth + 1):
        units = [f"{unit}/{name}" if unit else name for unit in units for name, inner in tree.entries(unit) if inner]
    return ["", *units]


def _parsed(content: bytes | None, unit: str, place: Path | None) -> dict[str, tuple[str, ...]]:
    """Path of the tree to digests. Of a record in conflict both sides count; a journal (no ``place``) may be torn."""
    digests: dict[str, tuple[str, ...]] = {}
    try:
        lines = (content or b"").decode(errors="strict" if place else "replace").splitlines()
    except UnicodeDecodeError:
        raise _not_a_record(place or Path(unit)) from None
    if lines and place and not conflict_line(content or b""):
        version = _HEADER.match(lines[0])
        if version is None:
            raise _not_a_record(place)
        if int(version[1]) > 1:
            message = "a newer mcpctl wrote this record, in a form that this version does not know"
            hint = "use that version, or a later one"
            problem = Problem(Place(os.fspath(place)), "", "tree/record-newer", message, hint)
            raise OutputTreeFault("the output tree was written by a newer mcpctl", [problem])
    for line in lines:
        entry = _LINE.fullmatch(line)
        if entry and is_below(entry[2]):
            path = f"{unit}/{entry[2]}" if unit else entry[2]
            digests[path] = (*digests.get(path, ()), entry[1])
        elif place and not line.startswith(("#", "<<<<<<<", "=======", ">>>>>>>", "|||||||")):
            raise _not_a_record(place)
    return digests


def is_below(path: str) -> bool:
    """Whether a path of a record stays below its folder, whoever wrote it there."""
    steps = path.split("/")
    return path.isprintable() and {"", ".", ".."}.isdisjoint(steps) and steps[-1] not in (RECORD, OLD_RECORD)


def _old_digests(content: bytes, place: Path) -> dict[str, tuple[str, ...]]:
    """Of the one record that earlier versions kept for a whole tree; in a conflict, of all lines of both sides."""
    try:
        data = json.loads(content)
        parts = [data["files"], data.get("pending", {})]
        entries = [entry for part in parts for entry in part.items()]
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        if not conflict_line(content):
            raise _not_a_record(place) from None
        entries = re.findall(r'^ +"(.+)": "([0-9a-f]{64})",?\r?$', content.decode(errors="replace"), re.MULTILINE)
    digests: dict[str, tuple[str, ...]] = {}
    for path, value in entries:
        if isinstance(value, str) and is_below(path):
            digests[path] = (*digests.get(path, ()), value)
    return digests


def _not_a_record(path: Path) -> OutputTreeFault:
    hint = "restore it from git, or remove it and run 'mcpctl render' again: files that are as rendered are ours then"
    problem = Problem(Place(os.fspath(path)), "", "tree/record", "this is not a record that mcpctl wrote", hint)
    return OutputTreeFault("the record of the output tree cannot be read", [problem])


def names_of(units: Collection[str]) -> list[str]:
    """The servers of units, sorted, each once."""
    return sorted({unit.rpartition("/")[2] for unit in units if unit})
