"""What ends a run before it changes anything: links, files that are not ours, data that would go, a tree emptied."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from renderer.errors import OutputTreeFault, Place, Problem
from renderer.kinds import KINDS

_DATA = "|".join(name for name, kind in KINDS.items() if kind.holds_data)
_HOLDS_DATA = re.compile(rf"^(kind: ({_DATA})|  volumeClaimTemplates:)$".encode(), re.M)


def refuse_links(folder: Path, paths: Iterable[str], outcome: str = "nothing was written") -> None:
    """A link below the tree would lead a write, or a removal, to somewhere else."""
    steps: set[str] = set()
    for path in paths:
        while path and path not in steps:
            steps.add(path)
            path = path.rpartition("/")[0]
    links = sorted(step for step in steps if _is_link(f"{folder}/{step}"))
    if links:
        hint = "remove it: none is followed here"
        problems = [
            Problem(Place(os.fspath(folder / link)), "", "tree/link", "this is a symbolic link", hint) for link in links
        ]
        raise OutputTreeFault(f"{outcome}: the output tree contains symbolic links", problems)


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def refuse_collisions(paths: Collection[str], folder: Path) -> None:
    """Two files that a disk which does not know large from small letters would take for one."""
    first: dict[str, str] = {}
    problems = []
    hint = "rename what it is rendered from"
    for path in sorted(paths):
        other = first.setdefault(folded(path), path)
        if other != path:
            message = f"on a disk that does not tell large from small letters this is the same file as '{other}'"
            problems.append(Problem(Place(os.fspath(folder / path)), "", "tree/same-name", message, hint))
    if problems:
        raise OutputTreeFault("nothing was written: two files would have one name", problems)


def folded(path: str) -> str:
    """What is equal for names that are one on some disk: macOS and Windows fold letters, macOS composes them."""
    return path if path.isascii() and path.islower() else unicodedata.normalize("NFC", path).casefold()


def refuse_strangers(strangers: Sequence[tuple[str, str, str]], folder: Path) -> None:
    """Files that are not ours to change: path, why, and that in words."""
    hint = "move the change into the spec (spec.patches), or overwrite it with --force"
    problems = [
        Problem(Place(os.fspath(folder / path)), "", f"tree/{why}", words, hint) for path, why, words in strangers
    ]
    if problems:
        raise OutputTreeFault("nothing was written: the tree has files that mcpctl must not change", problems)


def refuse_obstacles(paths: Collection[str], folder: Path) -> None:
    """What is no file where one belongs, or no folder: told before the first file is put in place."""
    targets = [folder / path for path in paths]
    parents = {parent for target in targets for parent in target.parents if folder in parent.parents}
    obstacles = [p for p in targets if p.exists() and not p.is_file()]
    obstacles += [p for p in parents if p.exists() and not p.is_dir()]
    if obstacles:
        message = "it is where a rendered file or its folder belongs"
        hint = "move it away: it is not overwritten, not even with --force"
        problems = [Problem(Place(os.fspath(p)), "", "tree/obstacle", message, hint) for p in sorted(obstacles)]
        raise OutputTreeFault("nothing was written", problems)


def holds_data(path: Path) -> bool:
    """Whether a manifest is that of a volume, a namespace or another object whose end takes data with it."""
    return bool(_HOLDS_DATA.search(path.read_bytes()))


def refuse_data_loss(stale: Sequence[str], folder: Path) -> None:
    """Where a controller prunes what leaves the tree, these take data with them, or all that is in them."""
    message = "no spec renders it now, and its object would be deleted with all data"
    hint = "add --prune-data to allow that, or render all specs of the tree"
    problems = [
        Problem(Place(os.fspath(folder / path)), "", "tree/data-loss", message, hint)
        for path in stale
        if holds_data(folder / path)
    ]
    if problems:
        raise OutputTreeFault("nothing was written: files of data would leave the output tree", problems)


def refuse_emptying(before: Collection[str], folder: Path) -> None:
    """No server is left of those that the tree has: a wrong folder, far more often than the end of all of them."""
    message = f"the specs name no server, and the tree has files of {len(before)}"
    hint = "check the path of the specs; to remove all servers, add --allow-empty"
    problem = Problem(Place(os.fspath(folder)), "", "tree/would-empty", message, hint)
    raise OutputTreeFault("nothing was written: the tree would be empty", [problem])
