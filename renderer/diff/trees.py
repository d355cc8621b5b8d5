"""The old side: a tree on the disk or in a git revision, and the specs there. None of it is trusted."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renderer import locks
from renderer.diff import git
from renderer.load import NOT_SPECS, SUFFIXES
from renderer.model import Source
from renderer.registry import TARGETS
from renderer.write import MARK, OLD_RECORD, RECORD, SERVER_LIST, digest, is_file, parsed_records, source_in, trees_in
from renderer.yaml_reader import SPEC_LIMITS, conflict_line, read


class Tree(NamedTuple):
    """The files that differ from ``rendered``, and those that are no longer rendered.

    ``texts`` holds None for what is no text, or too large; ``missing`` is rendered and did not exist; ``digests`` are
    those of the records, by path. Of files in ``conflict`` the text is that of our side of the merge. ``crlf`` is the
    number of files with CRLF line ends, which the texts do not have.
    """

    texts: Mapping[str, str | None] = {}
    missing: frozenset[str] = frozenset()
    digests: Mapping[str, tuple[str, ...]] = {}
    there: bool = False
    conflict: frozenset[str] = frozenset()
    crlf: int = 0


def _with_lf(tree: Tree, rendered: Mapping[str, str]) -> Tree:
    """CRLF is no change."""
    crlf = {path: text.replace("\r\n", "\n") for path, text in tree.texts.items() if text and "\r\n" in text}
    texts = {path: text for path, text in {**tree.texts, **crlf}.items() if text is None or text != rendered.get(path)}
    return tree._replace(texts=texts, crlf=len(crlf))


#: In a conflict: the markers, the base and the other side.
_THEIRS = re.compile(r"^<{7}.*\n|^(?:\|{7}|={7})(?:.*\n)*?>{7}.*\n?", re.MULTILINE)
#: The lists of servers, which no record names: of a tree without environments, and of one.
_LISTS = (SERVER_LIST, *(f"{name}/{SERVER_LIST}" for name in TARGETS))


def _lists(text: Callable[[str], str | None]) -> list[str]:
    """The lists of servers that mcpctl wrote."""
    return [path for path in _LISTS if (text(path) or "").startswith(MARK.decode())]


def on_disk(folder: Path, rendered: Mapping[str, str]) -> Tree:
    """Of files that are rendered now, and those in the records."""
    records = [path for path in _record_paths(folder) if _text(folder, path)[0] is not None]
    digests = parsed_records({path: _text(folder, path)[0] or "" for path in records})
    texts: dict[str, str | None] = {}
    missing, conflict = set(), set()
    for path in sorted({*rendered, *digests, *_lists(lambda path: _text(folder, path)[0])}):
        text, there = _text(folder, path)
        if not there:
            missing.add(path)
        elif text and conflict_line(text.encode()):
            conflict.add(path)
            # With the comment it differs even where our side is as rendered.
            texts[path] = f"{_THEIRS.sub('', text)}# in conflict\n"
        elif text is None or text != rendered.get(path):
            texts[path] = text
    there = bool(digests) or len(missing) < len(rendered)
    tree = Tree(texts, frozenset(missing.intersection(rendered)), digests, there, frozenset(conflict))
    return _with_lf(tree, rendered)


def _text(folder: Path, path: str) -> tuple[str | None, bool]:
    """The text, and whether anything exists; no link is followed below the folder."""
    full = f"{folder}/{path}"
    try:
        linked = any(os.path.islink(f"{folder}/{step}") for step in _steps(path))
        status = os.lstat(full)
        if linked or not stat.S_ISREG(status.st_mode) or status.st_size > git.LARGEST:
            return None, True
        with open(full, encoding="utf-8", newline="") as file:
            return file.read(git.LARGEST + 1), True
    except (FileNotFoundError, NotADirectoryError):
        return None, False
    except (OSError, ValueError):
        return None, True


def _steps(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def in_revision(revision: git.Revision, folder: str, rendered: Mapping[str, str]) -> Tree:
    """The tree below ``folder`` of the repository; files that are as rendered now are not read."""
    prefix = f"{folder}/" if folder else ""
    files = {path.removeprefix(prefix): blob for path, blob in git.listing(revision, folder).items()}
    records = {path: blob for path, blob in files.items() if path.rpartition("/")[2] in (RECORD, OLD_RECORD)}
    lists = {path: files[path] for path in _LISTS if path in files}
    ours = {path: files[path] for path in rendered if path in files}
    unlike = {path: blob for path, blob in ours.items() if git.blob_of(rendered[path].encode(), blob) != blob}
    texts = git.contents(revision, {**records, **lists, **unlike})
    digests = parsed_records({path: texts[path] or "" for path in records})
    left = {path for path in (*digests, *_lists({path: texts[path] for path in lists}.get)) if path in files}
    left -= ours.keys()
    texts |= git.contents(revision, {path: files[path] for path in left})
    texts = {path: texts[path] for path in sorted({*unlike, *left})}
    missing = frozenset(path for path in rendered if path not in files)
    return _with_lf(Tree(texts, missing, digests, bool(ours or left)), rendered)


def _record_paths(folder: Path) -> list[str]:
    """The records of the tree: its own, and those of the servers one or two folders down."""
    records = [path for pattern in ("", "*/", "*/*/") for path in folder.glob(f"{pattern}{RECORD}")]
    paths = [path.relative_to(folder).as_posix() for path in (*records, *folder.glob(OLD_RECORD))]
    return sorted(path for path in paths if not any(os.path.islink(f"{folder}/{step}") for step in _steps(path)))


def other_trees(folder: Path, revision: git.Revision | None, names: set[str]) -> tuple[list[str], list[str]]:
    """Trees below that are none of ``names``, by their records: of environments, and those named after a target."""
    if revision is None:
        trees = set(trees_in(folder))
    else:
        place = git.inside(revision, os.fspath(folder)) or ""
        prefix = f"{place}/" if place else ""
        steps = [path.removeprefix(prefix).split("/") for path in git.listing(revision, place)]
        trees = {names[0] for names in steps if len(names) == 2 and names[1] in (RECORD, OLD_RECORD)}
    return sorted(trees - names - {*TARGETS}), sorted(trees & {*TARGETS})


#: Of a folder of the project that is not its ``out``.
OTHER_TREE = (
    "has another tree of these specs, which is not rendered any more: once nothing delivers it, remove it ('git rm -r')"
)


def old_folder_on_disk(out: Path, root: Path, names: Collection[str], servers: Collection[str]) -> Path:
    """``out``, or else the only other folder of the project that has these trees."""
    folders = [] if trees_in(out) else other_folders(out, root, names, servers)
    return folders[0] if len(folders) == 1 else out


def other_folders(out: Path, root: Path, names: Collection[str], servers: Collection[str]) -> list[Path]:
    """The folders of a project other than ``out`` with trees of these names, up to two folders down."""
    folders = [path for pattern in ("[!.]*", "[!.]*/[!.]*") for path in root.glob(pattern) if path.is_dir()]
    paths = [f"{folder}/{name}/{path}" for folder in folders for name in names for path in _record_paths(folder / name)]
    places = sorted(map(Path, _have(paths, names, servers)))
    return [folder for folder in places if os.path.realpath(folder) != os.path.realpath(out)]


def old_folder(
    revision: git.Revision, out: Path, names: Collection[str], servers: Collection[str], likely: Path | None
) -> Path:
    """Where the revision has these trees: in ``out``, else in the folder of its project file (``likely``), else in the
    only folder with trees of these servers that no longer exists.
    """
    place = git.inside(revision, os.fspath(out))
    if place is None or _have(git.listing(revision, place), names, servers).intersection([place]):
        return out
    moved = likely and git.inside(revision, os.fspath(likely))
    if likely and moved and _have(git.listing(revision, moved), names, servers).intersection([moved]):
        return likely
    left = [Path(revision.top, folder) for folder in _have(git.listing(revision, ""), names, servers)]
    left = [folder for folder in left if not trees_in(folder)]
    return Path(os.path.relpath(left[0])) if len(left) == 1 else out


def _have(files: Iterable[str], names: Collection[str], servers: Collection[str]) -> set[str]:
    """The folders with trees of these names, by the records of these servers in them."""
    folders = set()
    for path in files:
        *steps, name = path.split("/")
        if name == RECORD and steps[-1] in servers:
            at = next((i for i in range(max(0, len(steps) - 3), len(steps) - 1) if steps[i] in names), None)
            folders |= {"/".join(steps[:at])} if at is not None else set()
    return folders


# ---------------------------------------------------------------------------------------------
# Specs as a revision has them, at the same paths; a file that is the same now is not read again.


def specs_in(revision: git.Revision, paths: Sequence[str], now: Sequence[Source]) -> list[Source] | None:
    """In the order of the paths; None where they are unknown: stdin, outside of the repository, or unreadable."""
    known: dict[str, list[Source]] = {}
    for source in now:
        known.setdefault(source.file, []).append(source)
    sources: list[Source] = []
    seen: set[str] = set()
    for path in paths:
        place = None if path == "-" else git.inside(revision, path)
        if place is None:
            return None
        files = git.listing(revision, place)
        files = {name: blob for name, blob in files.items() if name not in seen and _is_spec(name, place)}
        seen.update(files)
        documents = _documents(revision, files, path, place, known)
        if documents is None:
            return None
        sources += documents
    return sources


def sources_in(revision: git.Revision, out: Path, names: Collection[str]) -> list[str]:
    """The files that the heads of the tree name as the sources of these servers and environments.

    A head gives the path from the project or repository of that time: the nearest folder that has such files.
    """
    place = git.inside(revision, os.fspath(out)) or ""
    files = git.listing(revision, place)
    # A server's folder has its files; an environment's those of its namespace and delivery, up to one folder down.
    wanted = {path: blob for path, blob in files.items() if set(path.split("/")[-3:-1]) & {*names}}
    heads = {source_in(text or "") for text in git.contents(revision, wanted).values()}
    sources = {source for source in heads if is_file(source)}
    every = git.listing(revision, "") if sources else {}
    for root in (place, *_steps(place), ""):
        paths = sorted({f"{root}/{source}".lstrip("/") for source in sources} & every.keys())
        if paths:
            return [os.path.relpath(os.path.join(revision.top, path)) for path in paths]
    return []


def _is_spec(name: str, place: str) -> bool:
    if name == place:
        return True
    below = name.removeprefix(f"{place}/" if place else "").split("/")
    return (
        name.lower().endswith(SUFFIXES)
        and below[-1] not in NOT_SPECS
        and not any(step.startswith(".") for step in below)
    )


def _documents(
    revision: git.Revision, files: Mapping[str, str], path: str, place: str, known: Mapping[str, list[Source]]
) -> list[Source] | None:
    below = {name: name.removeprefix(place).lstrip("/") for name in files}
    labels = {name: (os.path.join(path, below[name]) if below[name] else path).replace(os.sep, "/") for name in files}
    same = {name for name, blob in files.items() if labels[name] in known and _is_same(labels[name], blob)}
    texts = git.contents(revision, {name: blob for name, blob in files.items() if name not in same})
    sources: list[Source] = []
    for name in sorted(files, key=lambda name: name.split("/")):
        if name in same:
            sources += [_with_locks(source, revision) for source in known[labels[name]]]
            continue
        text = texts[name]
        documents, faults = read(text or "", strict=True, limits=SPEC_LIMITS)
        if faults or text is None:
            return None
        sources += [
            _with_locks(Source(labels[name], number, document.line, document.data, document.marked), revision)
            for number, document in enumerate(documents, 1)
            if isinstance(document.data, dict)
        ]
    return sources


def _with_locks(source: Source, revision: git.Revision) -> Source:
    """With its lock of the revision; a lock outside of the repository is that of today."""
    names = {path: git.inside(revision, path) for path in locks.paths(source)}
    files = {name: blob for name in names.values() if name for blob in [git.listing(revision, name).get(name)] if blob}
    texts = git.contents(revision, files) if files else {}
    return source._replace(beside={path: texts.get(name) for path, name in names.items() if name})


def _is_same(path: str, blob: str) -> bool:
    try:
        with open(path, "rb") as file:
            return git.blob_of(file.read(git.LARGEST + 1), blob) == blob
    except (OSError, ValueError):
        return False


def merged(folder: Path, paths: Collection[str]) -> list[str]:
    """The files of a tree that git merged, and nobody edited: in both sides of the merge each is as recorded."""
    sides = git.merge_of(folder) if paths else None
    below = git.inside(sides[0], os.fspath(folder)) if sides else None
    if not sides or below is None:
        return []
    names = {path: f"{below}/{path}" if below else path for path in paths}
    known: list[Mapping[str, str]] = [git.result_of(sides[0], below)]
    recorded: set[str] = set()
    by_hand: set[str] = set()
    for side in sides:
        files = git.listing(side, below)
        known.append(files)
        records = {path: blob for path, blob in files.items() if path.rpartition("/")[2] == RECORD}
        texts = git.contents(side, records | {name: files[name] for name in names.values() if name in files})
        start = len(below) + 1 if below else 0
        digests = parsed_records({path[start:]: texts[path] or "" for path in records})
        for path, name in names.items():
            if name in files:
                text = texts[name]
                as_recorded = text is not None and digest(text.encode()) in digests.get(path, ())
                (recorded if as_recorded else by_hand).add(path)
    by_git = []
    for path in sorted(recorded - by_hand):
        blobs, file = {files[names[path]] for files in known if names[path] in files}, folder / path
        if blobs and not file.is_symlink() and git.blob_of(file.read_bytes(), next(iter(blobs))) in blobs:
            by_git.append(path)
    return by_git
