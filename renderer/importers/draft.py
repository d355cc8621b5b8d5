"""Draft: a spec made of one definition, and a report on each field of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from renderer.errors import DocumentPath, Fault, Place, Problem
from renderer.importers.naming import name_of
from renderer.manifest import as_mapping, items
from renderer.model import JSON, Source

API_VERSION, KIND = "mcpctl.io/v1alpha1", "McpServer"
#: The origin of an imported spec.
NAME_ANNOTATION, FORMAT_ANNOTATION = "mcpctl.io/imported-name", "mcpctl.io/imported-from"
#: OCI annotations.
TITLE, VERSION, REPOSITORY, WEBSITE = (
    f"org.opencontainers.image.{key}" for key in ("title", "version", "source", "url")
)
#: A path step: append to the list.
END = 1 << 30
_LONGEST_DESCRIPTION = 1024
#: The reason for harmless losses.
CATALOGUE = "data for catalogues: nothing that runs reads it"
_UNKNOWN = "no field of the format that mcpctl knows"


class Choices(NamedTuple):
    """``package``: a number from 1 or a registry type; empty: the best. ``offline``: start no program."""

    package: str = ""
    remote: bool = False
    offline: bool = False


class Outcome(StrEnum):
    MAPPED = "mapped"
    DEFAULTED = "defaulted"
    DECISION = "decision"
    LOST = "not-expressible"


class Entry(NamedTuple):
    """The report on one field. ``harmless``: lost, but nothing that runs reads it."""

    place: Place
    source: DocumentPath
    outcome: Outcome
    target: DocumentPath | None = None
    message: str = ""
    harmless: bool = False


class Draft(NamedTuple):
    """A spec, or the ``problems`` for which there is none.

    ``comments`` are placed above the field of their path; if that is missing, at the end of its parent.
    """

    name: str
    original: str
    format: str
    place: Place
    document: dict[str, JSON]
    comments: Mapping[DocumentPath, str]
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def losses(self) -> list[Entry]:
        """Lost fields that matter."""
        return [entry for entry in self.entries if entry.outcome is Outcome.LOST and not entry.harmless]

    def of(self, outcome: Outcome) -> list[Entry]:
        return [entry for entry in self.entries if entry.outcome is outcome]


class Reading:
    """Writes a spec while a definition is read, and reports on each field.

    Source paths are relative to ``root``, target paths to the spec's document. Readings of several sources that make
    one spec share it: ``into`` is the first.
    """

    def __init__(self, source: Source, root: DocumentPath = (), into: Reading | None = None) -> None:
        self.source = source
        self.root = root
        self.document: dict[str, JSON] = into.document if into else {}
        self.comments: dict[DocumentPath, str] = into.comments if into else {}
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []

    def get(self, *path: str | int) -> JSON:
        return _at(self.source.data, (*self.root, *path))

    def text(self, *path: str | int) -> str:
        """The scalar there as text; empty for anything else."""
        return plain_text(self.get(*path))

    def mapping(self, *path: str | int) -> dict[str, JSON]:
        """The mapping there; empty for anything else."""
        return as_mapping(self.get(*path))

    def items(self, *path: str | int) -> Iterator[tuple[DocumentPath, JSON]]:
        """Path and value of each item of the list there."""
        yield from (((*path, number), item) for number, item in enumerate(items(self.get(*path))))

    def write(self, target: DocumentPath, value: JSON) -> None:
        """Writes without a report."""
        put(self.document, target, value)

    def written(self, target: DocumentPath) -> JSON:
        return _at(self.document, target)

    @property
    def spec(self) -> dict[str, Any]:
        spec = self.document.setdefault("spec", {})
        assert isinstance(spec, dict)
        return spec

    def map(self, source: DocumentPath, target: DocumentPath, value: JSON, message: str = "") -> None:
        """Writes a value that the source says; a field that it does not have is not reported."""
        self.note(source, put(self.document, target, value), message)

    def carry(self, source: DocumentPath, target: DocumentPath) -> None:
        """Copies the value there, if any."""
        if (value := self.get(*source)) is not None:
            self.map(source, target, value)

    def carry_names(self, source: DocumentPath, target: DocumentPath) -> None:
        """Appends the ``name`` of each item of the list there."""
        for path, _ in self.items(*source):
            self.map(path, (*target, END), self.text(*path, "name"))

    def carry_text(self, source: DocumentPath, target: DocumentPath) -> None:
        """Copies the text there, if any."""
        if text := self.text(*source):
            self.map(source, target, text)

    def describe(self, source: DocumentPath) -> None:
        """Copies the description, cut to the length that a spec allows."""
        short = " ".join(self.text(*source).split())
        if len(short) > _LONGEST_DESCRIPTION:
            cut = f"{short[: _LONGEST_DESCRIPTION - 1]}…"
            self.map(source, ("spec", "description"), cut, "cut to 1,024 characters")
        elif short:
            self.map(source, ("spec", "description"), short)

    def is_withdrawn(self, status: DocumentPath) -> bool:
        """Whether the definition is deprecated or deleted; then a person is asked for its successor."""
        text = self.text(*status).lower()
        withdrawn = text in ("deprecated", "deleted")
        if withdrawn:
            self.decide(status, ("metadata",), None, f"the definition is {text}: is there a successor?")
        return withdrawn

    def note(self, source: DocumentPath, target: DocumentPath | None, message: str = "") -> None:
        """Reports that the field, if it is there, is covered by ``target`` (None: needs no field)."""
        if self._has(source):
            self._add(source, Outcome.MAPPED, target, message)

    def default(self, target: DocumentPath, value: JSON, why: str) -> None:
        """Writes a value that the source does not say."""
        self._add((), Outcome.DEFAULTED, put(self.document, target, value), why)

    def assume(self, target: DocumentPath, why: str) -> None:
        """Reports that the spec's own default applies, which a person may not expect."""
        self._add((), Outcome.DEFAULTED, target, why)

    def decide(self, source: DocumentPath, target: DocumentPath, value: JSON, question: str) -> None:
        """Writes the value (None: nothing) with a question for a person as a comment."""
        if value is not None:
            target = put(self.document, target, value)
        self.comment(target, f"decide: {question}")
        self._add(source, Outcome.DECISION, target, question)

    def leave(self, source: DocumentPath, target: DocumentPath, question: str) -> None:
        """Reports a question without writing anything."""
        self._add(source, Outcome.DECISION, target, question)

    def comment(self, target: DocumentPath, text: str) -> None:
        """Adds a comment, if there is a text, above the field and below earlier ones."""
        if text:
            before = self.comments.get(target)
            self.comments[target] = f"{before}\n{text}" if before else text

    def lose(self, source: DocumentPath, why: str, harmless: bool = False) -> None:
        """Reports a field, if it is there, that a spec cannot express."""
        if self._has(source):
            self._add(source, Outcome.LOST, None, why, harmless)

    def lose_all(self, keys: Iterable[str], why: str, root: DocumentPath = ()) -> None:
        """Reports those of the fields that have a value, as harmless."""
        self.lose_each(dict.fromkeys(keys, why), root, harmless=True)

    def lose_each(self, reasons: Mapping[str, str], root: DocumentPath = (), harmless: bool = False) -> None:
        """Reports those of the fields that have a value, each with its reason."""
        for key, why in reasons.items():
            if self.get(*root, key) is not None:
                self.lose((*root, key), why, harmless)

    def has_entry(self, source: DocumentPath) -> bool:
        return any(entry.source == (*self.root, *source) for entry in self.entries)

    def supersede(self, target: DocumentPath, source: DocumentPath, why: str) -> None:
        """Reports as lost what other fields wrote there."""
        for number, entry in enumerate(self.entries):
            if entry.source and entry.target == target and entry.source != (*self.root, *source):
                self.entries[number] = entry._replace(outcome=Outcome.LOST, target=None, message=why)
        self.comments.pop(target, None)

    def refuse(self, source: DocumentPath, rule: str, message: str, hint: str = "") -> None:
        """Adds a problem: the definition becomes no spec."""
        self.problems.append(self.source.problem(Fault((*self.root, *source), rule, message, hint)))

    def fill_in(self) -> None:
        """What every spec of a running server needs and registries do not say."""
        if not {"size", "resources", "remote"} & self.spec.keys():
            self.default(("spec", "size"), "small", "128Mi and 100m: the definition says no size")
        if "remote" not in self.spec and self.written(("spec", "network", "egress")) is None:
            why = "the definition names no hosts, so it may connect to every address; name them under hosts"
            self.assume(("spec", "network", "egress"), why)

    def finish(self) -> list[Entry]:
        """All entries; fields without a report are lost."""
        reported = {entry.source for entry in self.entries if entry.source}
        above = {path[:length] for path in reported for length in range(len(path))}

        def walk(path: DocumentPath, node: JSON) -> Iterator[DocumentPath]:
            if path in reported or _is_empty(node):
                return
            if path in above and isinstance(node, dict | list):
                for step, child in node.items() if isinstance(node, dict) else enumerate(node):
                    yield from walk((*path, step), child)
            elif path != self.root:
                yield path

        for path in list(walk(self.root, self.get())):
            self._add(path[len(self.root) :], Outcome.LOST, None, _UNKNOWN)
        return self.entries

    def _has(self, source: DocumentPath) -> bool:
        """Whether the field is there; one without a value is."""
        above = self.get(*source[:-1])
        is_item = isinstance(above, list) and isinstance(source[-1], int) and source[-1] < len(above)
        return not source or is_item or (isinstance(above, dict) and source[-1] in above)

    def _add(
        self, source: DocumentPath, outcome: Outcome, target: DocumentPath | None, message: str, harmless: bool = False
    ) -> None:
        whole = (*self.root, *source) if source else ()
        place = self.source.place(whole or self.root, at_key=True)
        self.entries.append(Entry(place, whole, outcome, target, message, harmless))


def _is_empty(node: JSON) -> bool:
    """Null, or lists and mappings of nothing else."""
    if isinstance(node, dict | list):
        return all(map(_is_empty, node.values() if isinstance(node, dict) else node))
    return node is None


def draft_of(original: str, format_name: str, *readings: Reading) -> Draft:
    """The Draft of the readings, named after the original name."""
    first = readings[0]
    entries = tuple(entry for reading in readings for entry in reading.finish())
    problems = tuple(problem for reading in readings for problem in reading.problems)
    name = name_of(original)
    metadata = as_mapping(first.document.get("metadata"))
    own = {NAME_ANNOTATION: original, FORMAT_ANNOTATION: format_name}
    document: dict[str, JSON] = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            **metadata,
            "annotations": {**own, **as_mapping(metadata.get("annotations"))},
        },
        "spec": first.document.get("spec", {}),
    }
    return Draft(
        name, original, format_name, first.source.place(first.root), document, first.comments, entries, problems
    )


def _at(node: JSON, path: DocumentPath) -> JSON:
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def put(document: dict[str, JSON], path: DocumentPath, value: JSON) -> DocumentPath:
    """Sets the value, makes parents, and returns the path. END appends to a list."""
    node: Any = document
    steps: list[str | int] = []
    for step, following in zip(path, (*path[1:], None), strict=True):
        content: JSON = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(node, list) != isinstance(step, int):
            raise TypeError(f"{path} leads through a {type(node).__name__}")
        if isinstance(step, int):
            step = min(step, len(node))
            node[step:] = node[step:] or [content]
        elif step not in node:
            node[step] = content
        if following is None:
            node[step] = content
        node = node[step]
        steps.append(step)
    return tuple(steps)


def with_values(fields: Mapping[str, JSON]) -> dict[str, JSON]:
    """Without the fields that are null, false or empty."""
    return {key: value for key, value in fields.items() if value}


def port_number(value: JSON) -> int:
    """The number of a port, also as text; 0 for anything else."""
    text = plain_text(value)
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else 0


def plain_text(value: JSON) -> str:
    """A scalar as YAML and JSON write it; empty for null, lists and mappings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
