"""Where the files of a run lie in a tree, and the line at the head of each that says which spec to edit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from renderer.model import Rendered
from renderer.pipeline import Output, Run, tree
from renderer.registry import TARGETS, target

#: A project begins here, or else the work tree of git.
_ROOTS = ("mcpctl.yaml", ".git")
#: Files without a template that take a comment; all others are content of somebody else.
_COMMENTS = {
    "PREREQUISITES.md": "<!-- {} -->\n",
    "secret.yaml.example": "# {}\n",
    ".env.example": "# {}\n",
}


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
    heads = _heads(out, run)
    files = {path_in_tree(document, run): _with_head(document, heads) for document in documents}
    return Layout(folder, files, depth)


def path_in_tree(document: Rendered, run: Run) -> str:
    """The path below the tree's folder: an environment has one for the target, and beside it what delivers that."""
    if run.environment is None:
        return document.path
    return document.path.removeprefix("../") if document.path.startswith("../") else f"{run.target}/{document.path}"


def _with_head(document: Rendered, heads: Mapping[str, str]) -> str:
    name = document.path.rpartition("/")[2]
    form = "# {}\n" if document.template else _COMMENTS.get(name)
    if form is None:
        return document.text
    server = document.path.partition("/")[0]
    return form.format(heads.get(server, heads[""])) + document.text


def _heads(out: Path, run: Run) -> dict[str, str]:
    """By server, and "" for shared files; the same on every machine, and for every version of mcpctl."""
    root = _root(os.path.realpath(out))
    files = {server.name: _relative(server.source.file, root) for server in run.specs.servers}
    heads = {name: _head(file or f"the spec of server {name}") for name, file in files.items()}
    if run.environment:
        file = _relative(run.environment.source.file, root)
        return {**heads, "": _head(file or f"environment {run.name}")}
    return {**heads, "": "Made by mcpctl; change the options of 'mcpctl render', not this file."}


def _head(source: str) -> str:
    return f"Made by mcpctl from {source}; edit that, not this file."


def _root(folder: str) -> str:
    """The nearest folder, that one or above it, in which a project or a work tree begins; empty without one."""
    for marker in _ROOTS:
        for parent in _and_above(folder):
            if os.path.lexists(os.path.join(parent, marker)):
                return parent
    return ""


def _and_above(folder: str) -> Iterable[str]:
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _relative(file: str, root: str) -> str:
    """The path of a spec from there, with ``/``; empty where it lies elsewhere, or is no file."""
    real = os.path.realpath(file)
    inside = bool(root) and os.path.isfile(real) and real.startswith(os.path.join(root, ""))
    path = os.path.relpath(real, root).replace(os.sep, "/") if inside else ""
    return path if path.isprintable() and "-->" not in path else ""
