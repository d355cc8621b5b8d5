"""Texts of one document in which nothing can be doubted, read several times as fast as by events.

Most lines recur in every document. So what a line is by itself is read once, and lines are put together by where they
begin. A text of which that cannot be done is read by ryaml as a whole. Neither knows limits and places: a text that may
go beyond them, or have any fault, is left to the precise reader.
"""

from __future__ import annotations

from typing import Any

import ryaml

from renderer.later import pattern
from renderer.yaml_reader.lines import BELOW, BLANK, FLOW, ITEM_TO_KEYS, STRIPPED, Line, is_fine_line, line_of
from renderer.yaml_reader.text import Limits

#: A level of nesting takes a column, a '-' with its blank, or a bracket: without these there are at most 64.
_DEEP = ("\n" + " " * 46, "- - - -")
_MOST_BRACKETS = 10
_BRACKET = pattern(r"[\[\]{}]")
_MOST_EVENTS = 2  # that one character can make

#: Lines that no reader doubts, whether or not what people write is read.
_fine: dict[bool, set[str]] = {False: set(), True: set()}
_MOST_LINES = 10_000


def quick(text: str, *, strict: bool, limits: Limits) -> tuple[Any, int] | None:
    """The data of the text, and the line where its document begins; None where the precise reader must decide."""
    brackets = text.count("[") + text.count("{")
    too_large = len(text) * _MOST_EVENTS > limits.max_nodes
    if too_large or text[:1] == "\ufeff" or (brackets > limits.max_depth and _nests_deeper(text, limits.max_depth)):
        return None
    lines = text.split("\n")
    try:
        data = None if "\t" in text or "\r" in text else _joined(lines, strict)
    except _DoubtError:
        data = None
    if data is None:
        data = _read_whole(text, lines, strict)
    if not data or type(data) not in (dict, list):  # nothing at all, or one scalar
        return None
    flat = "{" not in text and brackets <= _MOST_BRACKETS and not any(deep in text for deep in _DEEP)
    if not flat and not _is_plain(data, limits.max_depth):
        return None
    begins = (number for number, line in enumerate(lines, 1) if line.strip()[:1] not in ("", "#"))
    return data, next(begins, 1)


def _read_whole(text: str, lines: list[str], strict: bool) -> Any:
    """As ryaml reads it; None where a line may be doubted, or ryaml has a fault."""
    fine = _fine[strict]
    unknown = {*lines} - fine
    if not all(is_fine_line(line, strict) for line in unknown):
        return None
    if len(fine) > _MOST_LINES:
        fine.clear()  # what recurs is soon there again; the other lines are of servers that are done
    fine |= unknown
    try:
        return ryaml.loads(text)  # type: ignore[attr-defined]  # its stub does not say so
    except ValueError:  # InvalidYamlError is one, and a key that is a list is another
        return None


class _DoubtError(Exception):
    """The precise reader must decide."""


class _Lines(dict[str, Line]):
    """What lines are by themselves: most recur in every document."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict

    def __missing__(self, text: str) -> Line:
        if len(self) > _MOST_LINES:
            self.clear()  # what recurs is soon there again; the other lines are of servers that are done
        line = self[text] = line_of(text, strict=self.strict)
        return line


#: Of what people write (True) and of what was rendered.
_known = {strict: _Lines(strict=strict) for strict in (False, True)}


def _joined(texts: list[str], strict: bool) -> Any:
    """The data of lines that are each something by themselves. _DoubtError where some only are with others."""
    root: list[Any] = [None]
    holder: Any
    below: str | int | None
    # The lists and mappings that a line may go on, the innermost last, each with its level.
    collections: list[tuple[int, Any]] = [(-1, root)]
    holder, here, below, after = root, -1, 0, 0
    for number, line in enumerate(map(_known[strict].__getitem__, texts)):
        if line is BLANK or number < after:
            continue
        holds, level, key, value = line
        if level != here:
            holder = _collection(collections, level, holder, below)
        if holds >= FLOW:
            value, after = _longer(line, texts, number + 1)
        if key is None:
            holder.append(value)
        else:
            if level % 2:
                level += ITEM_TO_KEYS
                inner: dict[str, Any] = {}
                holder.append(inner)
                collections.append((level, inner))
                holder = inner
            if key in holder:
                raise _DoubtError
            holder[key] = value
        here, below = level, key if holds == BELOW else None
    return root[0]


def _collection(collections: list[tuple[int, Any]], level: int, holder: Any, below: Any) -> Any:
    """What the line is in: what begins with it, the value of ``below``, or an open one, after which inner ones end."""
    if level > collections[-1][0] and below is not None:
        inner: Any = [] if level % 2 else {}
        holder[below] = inner
        collections.append((level, inner))
        return inner
    while level < collections[-1][0] > 0:
        collections.pop()
    if level != collections[-1][0]:
        raise _DoubtError
    return collections[-1][1]


def _longer(line: Line, texts: list[str], number: int) -> tuple[Any, int]:
    """A copy of the value that is in the line, or the text below, and the number of the line after it."""
    if line.holds == FLOW:
        return _copied(line.value), number
    level = line.level + (ITEM_TO_KEYS if line.level % 2 and line.key is not None else 0)
    first = texts[number] if number < len(texts) else ""
    width = len(first) - len(first.lstrip(" "))
    margin = first[:width]
    rest = range(number, len(texts))
    end = next((n for n in rest if texts[n] and not texts[n].startswith(margin)), len(texts))
    text = "\n".join([inner[width:] for inner in texts[number:end]])
    at_end = end == len(texts)
    following = texts[-1] if at_end else texts[end]
    # Lines of blanks, before the text or in it, and a text without a line break at its end follow rules of their own.
    blanks = first == margin or following.isspace() or " \n" in f"{text}\n"
    if blanks or width <= level // 2 or (at_end and following):
        raise _DoubtError
    text = text.rstrip("\n")
    return text if line.holds == STRIPPED else f"{text}\n", end


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if type(value) is list else value


def _nests_deeper(text: str, most: int) -> bool:
    """Whether brackets may nest deeper: the time that ryaml takes for those grows with the square of their depth."""
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > most:
            return True
    return False


def _is_plain(data: Any, depth: int) -> bool:
    """Whether all keys are text, and no more levels are nested than ``depth``."""
    if type(data) is dict:
        return depth > 0 and all(type(k) is str and _is_plain(v, depth - 1) for k, v in data.items())
    return type(data) is not list or (depth > 0 and all(_is_plain(item, depth - 1) for item in data))
