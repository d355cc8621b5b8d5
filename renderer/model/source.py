"""Documents as they were loaded, with the places of all that stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from renderer.errors import DocumentPath, Fault, Place, Problem, dotted
from renderer.namedtuples import NamedTuple

#: Plain data: what YAML and JSON can say alike.
JSON: TypeAlias = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None


#: What mcpctl's own documents say of themselves.
API_GROUP = "mcpctl.io/"
KINDS = ("McpServer", "Environment")


class Marks(NamedTuple):
    """Where a value stands in its text; lines and columns count from 1.

    A list item, and the root of a document, is its own key. ``file`` and ``path`` are empty for the document's own:
    what an environment has put in stands elsewhere.
    """

    key_line: int
    key_column: int
    line: int
    column: int
    children: dict[str, Marks] | list[Marks] | None = None
    file: str = ""
    path: DocumentPath = ()
    #: Whether it is a null of an environment, which took away what stood here.
    removed: bool = False


def position(marks: Marks | None, path: DocumentPath, at_key: bool = False) -> tuple[int, int]:
    """Line and column of what ``path`` names; of its key when asked. (0, 0) when no marks were kept.

    A path that leads to nothing (a field that is missing) gets the place of the nearest ancestor's key.
    """
    if marks is None:
        return 0, 0
    nearest_marks, missing = nearest(marks, path)
    key_line, key_column, line, column, *_ = nearest_marks
    return (key_line, key_column) if at_key or missing else (line, column)


def nearest(marks: Marks, path: DocumentPath) -> tuple[Marks, bool]:
    """The marks of what ``path`` names; those of its nearest ancestor, and True, where it is missing."""
    for step in path:
        child = _child(marks.children, step)
        if child is None:
            return marks, True
        marks = child
    return marks, False


def _child(children: dict[str, Marks] | list[Marks] | None, step: str | int) -> Marks | None:
    if isinstance(step, str):
        return children.get(step) if isinstance(children, dict) else None
    inside = isinstance(children, list) and 0 <= step < len(children)
    return children[step] if inside and isinstance(children, list) else None


#: Begins the end of a message that says which environment has a part in it.
WITH = " (with environment"


class Overlay(NamedTuple):
    """Whose values are merged into a document: the environment's name, and where it says so."""

    environment: str
    places: tuple[Place, ...]


class Secrets(NamedTuple):
    """What looks like a secret in some data."""

    data: dict[str, JSON]
    faults: tuple[Fault, ...]


class Source(NamedTuple):
    """One document as it was loaded. ``document`` counts from 1 within the file; ``line`` is where it starts.

    ``file`` is the path as the user gave it, with ``/`` and with control characters escaped: fit to be shown.
    ``overlay`` is set where an environment changed the data; the marks then lead into both files. ``beside`` has the
    text of files that the document names, by path, where they are not those on the disk (None: there was none).
    ``secrets`` hold for the data that they name: not for data that took its place.
    """

    file: str
    document: int
    line: int
    data: dict[str, JSON]
    marked: Marks | Callable[[], Marks] | None = None
    overlay: Overlay | None = None
    beside: Mapping[str, str | None] = {}
    secrets: Secrets | None = None

    @property
    def marks(self) -> Marks | None:
        """Where its values stand; found when they are first asked for."""
        return self.marked() if callable(self.marked) else self.marked

    @property
    def is_foreign(self) -> bool:
        """Whether it says that it is something else: no kind and no API group of mcpctl's."""
        known = self.data.get("kind") in KINDS
        return not known and not str(self.data.get("apiVersion")).startswith(API_GROUP)

    def place(self, path: DocumentPath, at_key: bool = False) -> Place:
        """Where in the file ``path`` stands, or its nearest ancestor."""
        line, column = position(self.marks, path, at_key)
        file = nearest(self.marks, path)[0].file if self.marks else ""
        return Place(file or self.file, line or self.line, column)

    def sets(self, *path: str) -> bool:
        """Whether the document itself sets ``path`` (and not a default)."""
        node: JSON = self.data
        for step in path:
            if not isinstance(node, dict) or step not in node:
                return False
            node = node[step]
        return True

    def problem(self, fault: Fault) -> Problem:
        """The Fault (its path counts from the document's root) with its place: in the file, or in the environment's."""
        place = self.place(fault.path, fault.at_key)
        problem = Problem(place, dotted(fault.path), fault.rule, fault.message, fault.hint, fault.severity)
        metadata = self.data.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) and self.data.get("kind") == "McpServer" else ""
        problem = problem._replace(digest=fault.digest, owner=str(name))
        return _brought(problem, fault.path, self, self.overlay) if self.overlay else problem


def _brought(problem: Problem, path: DocumentPath, source: Source, overlay: Overlay) -> Problem:
    """A Problem that the environment may have a part in, with both places."""
    assert source.marks, "what an environment changes is loaded with marks"
    marks = nearest(source.marks, path)[0]
    if problem.rule.endswith("/missing-field"):
        removed = marks.children.items() if isinstance(marks.children, dict) else ()
        named = [mark for key, mark in removed if mark.removed and f"'{key}'" in problem.message]
        marks = named[-1] if named else marks
    if marks.file:
        place = Place(marks.file, marks.key_line, marks.key_column) if marks.removed else problem.place
        related = (source.place(("metadata", "name")),)
        return problem._replace(place=place, path=dotted(marks.path), related=related, subject=problem.path)
    if problem.rule.startswith("schema/"):
        return problem  # the value is the spec's own, and wrong by itself
    words = f"{WITH} {overlay.environment}, which changes this server at {overlay.places[0]})"
    return problem._replace(message=problem.message + words, related=overlay.places)
