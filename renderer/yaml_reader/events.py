"""Plain data, positions and faults from libyaml's events, in one pass.

libyaml's scanner is safe against nesting; PyYAML's composer, which recurses in C, crashes on 30 kB of '['. So
the events are taken one by one, and depth and size are checked before the next one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol, TypeAlias

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from renderer.errors import DocumentPath, Fault, excerpt
from renderer.model import Marks
from renderer.yaml_reader.aliases import Expanding, merged
from renderer.yaml_reader.plain import (
    DOUBTFUL,
    LONGEST_CACHED,
    ambiguous,
    lenient_verdict,
    strict_verdict,
    verdict,
)
from renderer.yaml_reader.syntax import syntax_fault
from renderer.yaml_reader.text import (
    UNCARRIED,
    Document,
    Finding,
    Limits,
    RefusalError,
    Text,
    control_character,
)


class _Parser(Protocol):
    def get_event(self) -> Event: ...


# The parser written in Python is some fifty times slower, but reads the same.
_new_parser: Callable[[bytes], _Parser] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_precisely(text: Text, *, strict: bool, limits: Limits, marks: bool) -> tuple[list[Document], list[Finding]]:
    """As ``read``, of a text in which something may be doubted, or whose marks are asked for."""
    reading = _Reading(text, strict, limits, marks)
    reading.run()
    if reading.too_deep_at:
        # libyaml 0.2.6 has a limit of its own and looks up to 1,024 characters ahead, so it may answer before ours.
        # What lies so far before its mark is still nested deeper than we allow: there ours answers, as on 0.2.5.
        head = text.data.decode()[: reading.too_deep_at - _LEVELS_BEYOND]
        reading = _Reading(text._replace(data=head.encode()), strict, limits, marks)
        reading.run()
    if reading.findings and not marks:
        # The first line of a duplicate key is only known from the marks: faults are rare, so read again.
        return read_precisely(text, strict=strict, limits=limits, marks=True)
    return reading.documents, sorted(reading.findings, key=lambda f: (f[0], f[1]))


#: libyaml allows 1,000 levels, we 64; a character opens at most one.
_LEVELS_BEYOND = 500

_Children: TypeAlias = dict[str, Marks] | list[Marks]
_Frame: TypeAlias = tuple[Any, Any, Any]  # container, key, children of the marks


#: Rule, message and hint.
_ALIAS = ("yaml/alias", "aliases ('*') are not allowed", "repeat the value; put text that begins with '*' in quotes")
_COMPLEX_KEY = (
    "yaml/key",
    "a key must be text, and this is a list or a mapping",
    "put text that begins with '{' or '[' in quotes",
)


class _Reading:
    __slots__ = ("_get", "_keep", "_left", "_limits", "_scalar", "_text", "documents", "findings", "too_deep_at")

    def __init__(self, text: Text, strict: bool, limits: Limits, keep_marks: bool) -> None:
        self.documents: list[Document] = []
        self.findings: list[Finding] = []
        self.too_deep_at = 0  # index of the character at which libyaml's own limit answered
        self._text = text
        self._scalar = strict_verdict if strict else lenient_verdict
        self._limits = limits
        self._left = limits.max_total
        self._keep = keep_marks
        parser = _new_parser(text.data)
        self._get = Expanding(parser).get_event if limits.aliases else parser.get_event

    def run(self) -> None:
        """Reads documents until the stream ends, or until something ends it."""
        try:
            while type(event := self._get()) is not StreamEndEvent:
                if type(event) is DocumentStartEvent:
                    if len(self.documents) >= self._limits.max_documents:
                        message = f"more than {self._limits.max_documents:,} documents in one file"
                        self._refuse(event, "yaml/too-large", message, "split it into several files")
                    if event.version is not None or event.tags:
                        message = "directives (lines that begin with '%') are not allowed"
                        self._tell(event, Fault((), "yaml/directive", message, "remove the line"))
                    self._document(event)
        except RefusalError as refused:
            self._add(refused.line, refused.column, refused.fault)
        except (yaml.YAMLError, ValueError) as error:
            # ValueError: PyYAML decodes some parts (a tag's escapes) outside its own error tree.
            if isinstance(error, yaml.MarkedYAMLError) and "maximum nesting depth" in (error.problem or ""):
                self.too_deep_at = error.problem_mark.index if error.problem_mark else 0
            self._add(*syntax_fault(error, self._text.data))

    def _document(self, start: DocumentStartEvent) -> None:  # noqa: C901
        """Builds one document.

        Long on purpose: this loop is the cost of reading, and a call for each event would double it.
        """
        get, keep, cached, max_depth = self._get, self._keep, self._scalar, self._limits.max_depth
        root: list[Any] = []
        root_marks: list[Marks] = []
        container: Any = root
        children: Any = root_marks
        is_map = False
        key: Any = None  # of a mapping: the key whose value comes next; None when a key comes next
        key_mark: Any = None
        stack: list[_Frame] = []
        event: Any = start
        for used in range(min(self._limits.max_nodes, self._left) + 1):
            event = get()
            kind = type(event)
            if kind is ScalarEvent:
                value = event.value
                if event.tag is not None or event.anchor is not None:
                    self._properties(event, _path(stack, container, key))
                if not event.style:
                    value = cached(value) if len(value) <= LONGEST_CACHED else verdict(value)
                    if value is DOUBTFUL:
                        value = event.value
                        self._doubtful(event, _path(stack, container, key, value), is_map and key is None)
                elif event.style == '"' and not value.isprintable() and (odd := UNCARRIED.search(value)):
                    path = _path(stack, container, key)
                    self._tell(event, control_character(path, odd[0], "remove the escape"))
                if is_map and key is None:
                    key = value if type(value) is str else self._odd_key(event, _path(stack, container))
                    if key in container:
                        self._duplicate(event, _path(stack, container, key), children)
                    key_mark = event.start_mark
                    continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                container, key, children = stack.pop()
                is_map = type(container) is dict
                key = None
                continue
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if is_map and key is None:
                    self._refuse(event, *_COMPLEX_KEY, _path(stack, container))
                if len(stack) >= max_depth:
                    message = f"nested deeper than {max_depth} levels"
                    path = _path(stack, container, key)[:8]
                    self._refuse(event, "yaml/too-deep", message, "make it flatter", path)
                if event.tag is not None or event.anchor is not None:
                    self._properties(event, _path(stack, container, key))
                value = {} if kind is MappingStartEvent else []
            elif kind is DocumentEndEvent:
                self._left -= used
                own_marks = self._widened(root_marks[0]) if keep else None
                data, own_marks = merged(root[0], own_marks) if self._limits.aliases else (root[0], own_marks)
                self.documents.append(Document(data, own_marks, _place(start)[0]))
                return
            else:
                self._refuse(event, *_ALIAS, _path(stack, container, key))
            if is_map:
                # The first of two equal keys wins: what follows a duplicate is still checked, then dropped.
                container.setdefault(key, value)
            else:
                container.append(value)
            inner: Any = None
            if keep:
                inner = None if kind is ScalarEvent else type(value)()
                mark = event.start_mark
                line, column = mark.line + 1, mark.column + 1
                if is_map:
                    own = Marks(key_mark.line + 1, key_mark.column + 1, line, column, inner)
                    children.setdefault(key, own)
                else:
                    children.append(Marks(line, column, line, column, inner))
            if kind is ScalarEvent:
                key = None
            else:
                stack.append((container, key, children))
                container, children, is_map, key = value, inner, kind is MappingStartEvent, None
        message = f"more than {self._limits.max_nodes:,} keys and values in one document"
        if self._left < self._limits.max_nodes:
            message = f"more than {self._limits.max_total:,} keys and values in one file"
        self._refuse(event, "yaml/too-large", message, "split it into several files")

    def _tell(self, event: Event, fault: Fault) -> None:
        self._add(*_place(event), fault)
        if len(self.findings) >= self._limits.max_faults:
            message = f"only the first {len(self.findings)} faults are listed"
            self._refuse(event, "yaml/too-many", message, "fix these first")

    def _add(self, line: int, column: int, fault: Fault) -> None:
        self.findings.append((line, self._text.column(line, column), fault))

    def _refuse(self, event: Event, rule: str, message: str, hint: str, path: DocumentPath = ()) -> NoReturn:
        raise RefusalError(*_place(event), Fault(path, rule, message, hint))

    def _doubtful(self, event: ScalarEvent, path: DocumentPath, is_key: bool) -> None:
        if is_key and event.value == "<<":
            message, hint = "merge keys ('<<') are not allowed", "write the merged entries out"
            self._refuse(event, "yaml/merge", message, hint, path)
        # As a level of a policy rule the word and the boolean mean the same.
        if is_key or event.value != "off" or path[-2:-1] != ("policies",):
            self._tell(event, ambiguous(path, event.value, is_key))

    def _odd_key(self, event: ScalarEvent, path: DocumentPath) -> str:
        """Tells of a key that is not text, and goes on as if it were."""
        text: str = event.value
        quoted = excerpt(text)
        message = f"a key must be text, and {quoted or 'nothing'} is not"
        self._tell(event, Fault((*path, text), "yaml/key", message, f'write "{quoted}" in quotes', at_key=True))
        return text

    def _duplicate(self, event: ScalarEvent, path: DocumentPath, known: dict[str, Marks] | None) -> None:
        # Without marks the text is read once more, and this fault told properly: see read().
        first = known[event.value].key_line if known else 0
        here, _ = _place(event)
        message = f"the key '{excerpt(event.value)}' is on line {first} and again on line {here}"
        self._tell(event, Fault(path, "yaml/duplicate-key", message, "keep one of them", at_key=True))

    def _properties(self, event: Any, path: DocumentPath) -> None:
        # What follows '&', '*' or '!' is not told: it may be a password that nobody put in quotes.
        if event.anchor is not None:
            message = "anchors ('&') are not allowed"
            hint = "remove it; put text that begins with '&' in quotes"
            self._tell(event, Fault(path, "yaml/anchor", message, hint))
        if event.tag is not None:
            message = "explicit tags ('!') are not allowed"
            hint = "remove it; put text that begins with '!' in quotes"
            self._tell(event, Fault(path, "yaml/tag", message, hint))

    def _widened(self, marks: Marks) -> Marks:
        """The marks with columns as in the file, where escapes of JSON were joined before parsing."""
        if not self._text.narrowed:
            return marks
        inner: _Children | None = marks.children
        if isinstance(inner, dict):
            inner = {key: self._widened(child) for key, child in inner.items()}
        elif isinstance(inner, list):
            inner = [self._widened(child) for child in inner]
        key_column = self._text.column(marks.key_line, marks.key_column)
        column = self._text.column(marks.line, marks.column)
        return Marks(marks.key_line, key_column, marks.line, column, inner)


def _place(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _path(stack: list[_Frame], container: Any, key: str | None = None, coming: str = "") -> DocumentPath:
    """The path of what comes next; ``coming`` is the key that has just been read and not been taken yet."""
    steps: list[str | int] = []
    for outer, outer_key, _ in stack[1:]:
        steps.append(outer_key if type(outer) is dict else len(outer) - 1)
    if type(container) is list:
        return (*steps, len(container)) if stack else ()
    return (*steps, key if key is not None else coming) if key is not None or coming else tuple(steps)
