"""Anchors, aliases and merge keys of documents that others wrote: written out, within the limits of any other text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import yaml

if TYPE_CHECKING:
    from renderer.model import Marks

_MERGE = "<<"
#: Events in the place of all aliases of a file: nobody writes so many by hand, and a few lines can ask for a gigabyte.
_MOST_REPEATED = 20_000
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class Parser(Protocol):
    """What gives one event after the other."""

    def get_event(self) -> Any: ...


class Expanding:
    """The events of a parser, with those of an anchor again in the place of each alias.

    Whoever reads counts them as any others, so that a few lines cannot become a gigabyte.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._known: dict[str, list[Any]] = {}
        #: Anchors that are still open: name, events so far, depth.
        self._open: list[tuple[str, list[Any], int]] = []
        self._depth = 0
        self._waiting: list[Any] = []
        self._left = _MOST_REPEATED

    def get_event(self) -> Any:
        """The next event; one of an unknown alias, of one inside of itself, or of one too many is left as it is."""
        event = self._waiting.pop() if self._waiting else self._parser.get_event()
        if isinstance(event, yaml.DocumentStartEvent):
            self._known, self._open, self._depth = {}, [], 0
        if isinstance(event, yaml.AliasEvent):
            repeated = self._known.get(event.anchor or "", [])
            if not 0 < len(repeated) <= self._left:
                return event
            self._left -= len(repeated)
            self._waiting += reversed(repeated)
            return self.get_event()
        return self._recorded(_plain(event))

    def _recorded(self, event: Any) -> Any:
        event, anchor = event
        if isinstance(event, _OPENING):
            self._depth += 1
        if anchor:
            self._open.append((anchor, [], self._depth if isinstance(event, _OPENING) else self._depth + 1))
        for _, events, _ in self._open:
            events.append(event)
        if isinstance(event, _CLOSING):
            self._depth -= 1
        if isinstance(event, (yaml.ScalarEvent, *_CLOSING)):
            while self._open and self._open[-1][2] == self._depth + 1:
                name, events, _ = self._open.pop()
                self._known[name] = events
        return event


def _plain(event: Any) -> tuple[Any, str | None]:
    """The event without its anchor, and the anchor; a merge key is text like any other."""
    anchor = getattr(event, "anchor", None)
    if isinstance(event, yaml.ScalarEvent):
        style = '"' if event.value == _MERGE and not event.style else event.style
        event = yaml.ScalarEvent(None, event.tag, event.implicit, event.value, event.start_mark, event.end_mark, style)
    elif isinstance(event, _OPENING) and anchor:
        event = type(event)(None, event.tag, event.implicit, event.start_mark, event.end_mark, event.flow_style)
    return event, anchor


def merged(data: Any, marks: Marks | None) -> tuple[Any, Marks | None]:
    """The data with the entries of merge keys in their places; an entry of the mapping itself wins."""
    children: Any = marks.children if marks else None
    if isinstance(data, list):
        pairs = [merged(item, children[i] if children else None) for i, item in enumerate(data)]
        return [pair[0] for pair in pairs], _with(marks, [pair[1] for pair in pairs])
    if not isinstance(data, dict):
        return data, marks
    entries = {key: merged(value, children[key] if children else None) for key, value in data.items()}
    base, base_marks = entries.pop(_MERGE, (None, None))
    # A mapping, or several of which the first wins.
    several = isinstance(base, list)
    bases = base if several else [base]
    places: Any = base_marks.children if several and base_marks else None
    for value, mark in zip(bases, places or [base_marks] * len(bases), strict=True):
        if not isinstance(value, dict):
            continue
        inner: Any = mark.children if mark else None
        for key in value:
            entries.setdefault(key, (value[key], inner[key] if inner else None))
    return {key: pair[0] for key, pair in entries.items()}, _with(
        marks, {key: pair[1] for key, pair in entries.items()}
    )


def _with(marks: Marks | None, children: Any) -> Marks | None:
    return marks._replace(children=children) if marks else None
