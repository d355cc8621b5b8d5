"""Reads files, folders and standard input into documents, in a fixed order."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import BinaryIO

from renderer import assets
from renderer.errors import Fault, Place, Problem, dotted, excerpt
from renderer.model import Source
from renderer.namedtuples import NamedTuple
from renderer.wording import did_you_mean
from renderer.yaml_reader import SPEC_LIMITS, Limits, read
from renderer.yaml_reader.text import too_large

STDIN_NAME = "<stdin>"
SUFFIXES = (".yaml", ".yml", ".json")
#: The configuration of mcpctl itself may lie in a folder of specs.
_CONFIGURATIONS = tuple(f"mcpctl{suffix}" for suffix in SUFFIXES)
#: So may locks of npm packages.
NOT_SPECS = ("package.json", "package-lock.json")
#: The kinds of documents.
ENVIRONMENT, SERVER = "Environment", "McpServer"
#: In every tree that mcpctl wrote, where no file is a spec.
_RECORDS_OF_A_TREE = {".mcpctl", ".mcpctl.json"}
_LONGEST_SHOWN = 4096
_PIECE = 65_536


class Text(NamedTuple):
    """A file as it was read, or why it could not be read."""

    path: str
    data: bytes | Fault
    in_folder: bool = False


def load(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None,
    limits: Limits = SPEC_LIMITS,
    strict: bool = True,
    prepare: Callable[[bytes], bytes] = bytes,
) -> tuple[list[Source], list[Problem]]:
    """All documents of the paths, as ``texts`` reads them, and all Problems; none ends the loading."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for text in texts(paths, stdin=stdin, limits=limits):
        of_text, faults = documents(text, limits=limits, strict=strict, prepare=prepare)
        sources += of_text
        problems += faults
    return sources, problems


def texts(paths: Sequence[str], *, stdin: BinaryIO | None, limits: Limits = SPEC_LIMITS) -> list[Text]:
    """Each path is a file, a folder or ``-`` for ``stdin``.

    Of a folder the .yaml, .yml and .json files at any depth, without hidden files and trees that mcpctl wrote. In the
    order of the paths, in a folder sorted by path. A file reached twice, by whatever name, is read once.
    """
    loading = _Loading(limits, stdin)
    for path in paths:
        loading.add(path)
    return loading.texts


def documents(
    text: Text, *, limits: Limits = SPEC_LIMITS, strict: bool = True, prepare: Callable[[bytes], bytes] = bytes
) -> tuple[list[Source], list[Problem]]:
    """In their order, with all Problems."""
    path, data, in_folder = text
    if isinstance(data, Fault):
        return [], [_problem(path, 0, 0, data)]
    read_documents, findings = read(prepare(data), strict=strict, limits=limits)
    sources: list[Source] = []
    faults = list(findings)
    for number, document in enumerate(read_documents, start=1):
        if document.data is None:
            continue  # nothing but comments between two '---'
        if isinstance(document.data, dict):
            sources.append(Source(_printable(path), number, document.line, document.data, document.marked))
        else:
            line = document.marks.line if document.marks else document.line
            message = f"expected a mapping, got {'a list' if isinstance(document.data, list) else 'a single value'}"
            hint = "begin the document with 'apiVersion: mcpctl.io/v1alpha1'"
            faults.append((line, 1, Fault((), "yaml/not-a-mapping", message, hint)))
    if not faults and not sources:
        message = "the file is empty, or has only comments"
        faults.append((1, 1, Fault((), "yaml/empty", message, "write a document, or remove the file")))
    if in_folder and os.path.basename(path) in _CONFIGURATIONS:
        # By content, not by the file's name alone: no spec is left out.
        known = assets.schema("config")["properties"].keys()
        own = {"apiVersion", "kind", "spec"}
        sources = [s for s in sources if known.isdisjoint(s.data) or not own.isdisjoint(s.data)]
    if in_folder and sources and all(source.is_foreign for source in sources):
        faults = []  # it is not a spec
    return sources, [_problem(path, line, column, fault) for line, column, fault in faults]


def _problem(path: str, line: int, column: int, fault: Fault) -> Problem:
    where = excerpt(dotted(fault.path), 200)
    return Problem(Place(_printable(path), line, column), where, fault.rule, fault.message, fault.hint, fault.severity)


class _Loading:
    def __init__(self, limits: Limits, stdin: BinaryIO | None) -> None:
        self.limits = limits
        self.stdin = stdin
        self.texts: list[Text] = []
        self.seen: set[tuple[int, int]] = set()  # device and inode
        self.stdin_read = False

    def add(self, path: str) -> None:
        if path == "-":
            self._add_stdin()
        elif os.path.isdir(path):
            paths = _specs_below(
                path,
                lambda error: self._fault(
                    str(error.filename), "load/unreadable", f"the folder cannot be read: {_reason(error)}"
                ),
            )
            for file in paths:
                self._add_file(file, in_folder=True)
            if not paths:
                message = "the folder has no .yaml, .yml or .json file"
                self._fault(path, "load/empty-folder", message, "hidden files and folders are left out")
        else:
            self._add_file(path)

    def _add_stdin(self) -> None:
        if self.stdin is None:
            self._fault(STDIN_NAME, "load/stdin", "there is no standard input", "name a file")
        elif not self.stdin_read:
            self.stdin_read = True
            try:
                data = self.stdin.read(self.limits.max_bytes + 1)
            except (OSError, ValueError) as error:
                self._fault(STDIN_NAME, "load/stdin", f"standard input cannot be read: {_reason(error)}")
                return
            self.texts.append(Text(STDIN_NAME, data))

    def _add_file(self, path: str, *, in_folder: bool = False) -> None:
        try:
            data = self._content(path)
        except FileNotFoundError:
            hint = "the link points to nothing" if os.path.islink(path) else _similar(path)
            # As a variable of a shell that is not set gives it; without quotes nobody would see it.
            self._fault(path or "''", "load/missing", "no such file or folder", hint)
        except (OSError, ValueError) as error:
            self._fault(path, "load/unreadable", f"the file cannot be read: {_reason(error)}")
        else:
            if data is not None:
                self.texts.append(Text(path, data, in_folder))

    def _content(self, path: str) -> bytes | Fault | None:
        """None when it was read before."""
        # Not blocking: opening a FIFO that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(handle)
            identity = (status.st_dev, status.st_ino)
            if identity in self.seen:
                return None
            self.seen.add(identity)
            if not stat.S_ISREG(status.st_mode):
                hint = "pass the text on standard input, with '-'"
                return Fault((), "load/not-a-file", "not a regular file", hint)
            if status.st_size > self.limits.max_bytes:
                return too_large(status.st_size, self.limits)
            return _read(handle, self.limits.max_bytes + 1)  # it may have grown since
        finally:
            os.close(handle)

    def _fault(self, path: str, rule: str, message: str, hint: str = "") -> None:
        self.texts.append(Text(path, Fault((), rule, message, hint)))


def _read(handle: int, most: int) -> bytes:
    """Without a file object, which took a third of the time for a thousand small files."""
    pieces: list[bytes] = []
    while most > 0 and (piece := os.read(handle, min(most, _PIECE))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """By the listing of its folder, mostly; False where that is unknown, or a link leads to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _specs_below(folder: str, on_error: Callable[[OSError], None]) -> list[str]:
    """At any depth, sorted."""
    paths: list[str] = []
    visited: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            status = os.stat(current)
            if (status.st_dev, status.st_ino) in visited:
                continue  # a link that leads back, or a second way to the same folder
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(current) as listed:
                entries = {entry.name: entry for entry in listed}
            if not _RECORDS_OF_A_TREE.isdisjoint(entries) and current != folder:
                continue  # 'render . --out deploy' must be possible twice
        except OSError as error:
            on_error(error)
            continue
        for name in sorted((name for name in entries if not name.startswith(".")), reverse=True):
            entry = entries[name]
            if _is_folder(entry):
                waiting.append(entry.path)
            elif name.lower().endswith(SUFFIXES) and name not in NOT_SPECS:
                paths.append(entry.path)
    return sorted(paths, key=lambda path: path.split(os.sep))


def _similar(path: str) -> str:
    folder, name = os.path.split(path.rstrip(os.sep))
    try:
        near = did_you_mean(name, sorted(os.listdir(folder or os.curdir)))
    except (OSError, ValueError):
        return f"the folder '{_printable(folder)}' does not exist" if folder else ""
    return f"did you mean '{_printable(os.path.join(folder, near))}'?" if near else ""


def _printable(path: str) -> str:
    return excerpt(path.replace(os.sep, "/"), _LONGEST_SHOWN)


def _reason(error: Exception) -> str:
    """Without the path, which the place has."""
    return (getattr(error, "strerror", None) or excerpt(str(error), 80)).lower()


def is_environment(source: Source) -> bool:
    """Also where the kind is misspelt."""
    kind = source.data.get("kind")
    if kind in (ENVIRONMENT, SERVER) or not isinstance(kind, str):
        return kind == ENVIRONMENT
    return did_you_mean(kind, [ENVIRONMENT, SERVER]) == ENVIRONMENT
