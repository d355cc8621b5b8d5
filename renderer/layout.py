"""Where the files of a run lie in a tree, and the line at the head of each that says which spec to edit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from renderer.environment import name_of
from renderer.load import SUFFIXES, load
from renderer.model import Rendered
from renderer.model.source import API_GROUP
from renderer.pipeline import Output, Run, tree
from renderer.registry import TARGETS, target
from renderer.write import HEAD_WITHIN, OLD_RECORD, RECORD, head, is_file, source_in

#: A project begins here, or else the work tree of git.
_ROOTS = ("mcpctl.yaml", ".git")
#: Files without a template that take a comment; all others are content of somebody else.
_COMMENTS = {
    "PREREQUISITES.md": "<!-- {} -->\n",
    "secret.yaml.example": "# {}\n",
    ".env.example": "# {}\n",
}
#: Folders around the input that are searched for other specs: of a home folder not all.
_MOST_FOLDERS = 2000


class Layout(NamedTuple):
    """One tree: its folder, path below it to text, and how many folders stand before that of a server."""

    folder: Path
    files: Mapping[str, str]
    depth: int


def folder_of(out: Path, run: Run) -> Path:
    """The folder that has records of its own: the environment's, or without one the target's."""
    return out / (run.name or run.target)


def depth_of(name: str) -> int:
    """How many folders stand before that of a server, in the tree of that name."""
    return 0 if name in TARGETS else 1


def layout(out: Path, run: Run, output: Output, others: Iterable[str] = ()) -> Layout:
    """The files of a run in the tree below ``out``; ``others`` are servers that the tree keeps besides."""
    folder = folder_of(out, run)
    depth = depth_of(run.name or run.target)
    documents = tree(run.specs, output, target(run.target), run.options, others)
    heads, files = _heads(out, run), {}
    for document in documents:
        form = "# {}\n" if document.template else _COMMENTS.get(document.path.rpartition("/")[2])
        first_line = form.format(heads.get(document.path.partition("/")[0], heads[""])) if form else ""
        files[path_in_tree(document, run)] = first_line + document.text
    return Layout(folder, files, depth)


def path_in_tree(document: Rendered, run: Run) -> str:
    """The path below the tree's folder: an environment has one for the target, and beside it what delivers that."""
    if run.environment is None:
        return document.path
    return document.path.removeprefix("../") if document.path.startswith("../") else f"{run.target}/{document.path}"


def _heads(out: Path, run: Run) -> dict[str, str]:
    """By server, and "" for shared files; the same on every machine, and for every version of mcpctl."""
    root = _root(os.path.realpath(out))
    real_folder = cache(os.path.realpath)  # of a thousand specs in it
    files = {server.name: _relative(server.source.file, root, real_folder) for server in run.specs.servers}
    heads = {name: head(file or f"the spec of server {name}") for name, file in files.items()}
    if run.environment:
        file = _relative(run.environment.source.file, root)
        return {**heads, "": head(file or f"environment {run.name}")}
    return {**heads, "": "Made by mcpctl; change the options of 'mcpctl render', not this file."}


def _root(folder: str) -> str:
    """The nearest folder, that one or above it, in which a project or a work tree begins; empty without one."""
    for marker in _ROOTS:
        for parent in (Path(folder), *Path(folder).parents):
            if os.path.lexists(parent / marker):
                return str(parent)
    return ""


def _relative(file: str, root: str, real_folder: Callable[[str], str] = os.path.realpath) -> str:
    """The path of a spec from there, with ``/``; empty where it lies elsewhere, or is no file."""
    real = os.path.join(real_folder(os.path.dirname(file)), os.path.basename(file))
    real = os.path.realpath(real) if os.path.islink(real) else real
    below = os.path.join(root, "")
    path = real[len(below) :].replace(os.sep, "/") if root and real.startswith(below) and os.path.isfile(real) else ""
    return path if path.isprintable() and "-->" not in path else ""


class Elsewhere:
    """The specs and environments that a tree was made from and that ``paths``, the input, does not name.

    The heads of its files say where they are. Outside of a work tree no head does: then the documents around the input
    are searched for the name.
    """

    def __init__(self, out: Path, paths: Sequence[str]) -> None:
        self._out = os.path.realpath(out)
        self._root = _root(self._out)
        self._paths = [os.path.realpath(path) for path in paths if path != "-"]

    def file(self, folders: Sequence[Path], kind: str, name: str) -> str:
        """The file outside of the input that still describes what these folders hold; empty where none does."""
        source = next(filter(None, map(_source_of, folders)), "")
        if not source or not self._root:
            return self._near.get((kind, name), "")
        real = os.path.join(self._root, source)
        return os.path.relpath(real) if os.path.isfile(real) and not self._is_input(real) else ""

    def _is_input(self, file: str) -> bool:
        real = os.path.realpath(file)
        return any(real == path or real.startswith(os.path.join(path, "")) for path in self._paths)

    @cached_property
    def _near(self) -> dict[tuple[str, str], str]:
        """The file of each document near the input, by kind and name."""
        around = os.path.dirname(self._out)
        inside = [path for path in self._paths if os.path.join(path, "").startswith(os.path.join(around, ""))]
        folders = dict.fromkeys([around, *(os.path.dirname(path) for path in self._paths if path not in inside)])
        files = [file for file in _files_below(folders) if not self._is_input(file) and _may_be_spec(file)]
        return {
            (str(source.data.get("kind")), name_of(source)): os.path.relpath(source.file)
            for source in reversed(load(files, stdin=None)[0])
        }


def _source_of(folder: Path) -> str:
    """What the heads of the files in a folder of a tree name, relative to the root; empty where they name nothing."""
    for path in sorted(folder.glob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                source = source_in(file.read(HEAD_WITHIN).decode(errors="replace"))
            if is_file(source):
                return source
    return ""


def _files_below(folders: Iterable[str]) -> Iterator[str]:
    """Files with the ending of a spec, those of the nearest folders first; nothing hidden, no link, no tree of ours."""
    waiting = list(folders)
    for folder in waiting:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # what may not be read is not what the tree was made from
        if any(entry.name in (RECORD, OLD_RECORD) for entry in entries):
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting += [entry.path] if len(waiting) < _MOST_FOLDERS else []
            elif entry.is_file(follow_symlinks=False) and entry.name.lower().endswith(SUFFIXES):
                yield entry.path


def _may_be_spec(file: str) -> bool:
    """Without parsing it: most files around a spec are none."""
    try:
        with open(file, "rb") as opened:
            return API_GROUP.encode() in opened.read(1 << 20)
    except OSError:
        return False
