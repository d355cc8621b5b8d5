"""Texts of one document in which nothing can be doubted, read several times as fast as by events.

Most lines recur in every document. So what a line is by itself is read once (a key, an item of a list, or both, with a
value that all readers take alike), and lines are put together by where they begin. A text of which that cannot be done
is read by ryaml as a whole. Neither knows limits and places: a text that may go beyond them, or have any fault, is left
to the precise reader.

ryaml has libyaml's own scanner (in Rust), so it divides a line as the precise reader does. It knows no doubtful
scalars: a line that may hold one is left to the precise reader.
"""

from __future__ import annotations

import re
from types import NoneType
from typing import Any

import ryaml

from renderer.later import pattern
from renderer.namedtuples import NamedTuple
from renderer.yaml_reader.plain import DOUBTFUL, lenient_verdict, strict_verdict
from renderer.yaml_reader.text import Limits

#: Between these no plain scalar goes on, or it would hold one of them.
_FLOW = str.maketrans(",[]{}", "     ")
#: After these, or at the start of a line, a value or a key begins.
_BEGINNING = frozenset(["", *":-?,[{"])
#: What most lines are: a key, an item or both, with a word or a quoted text.
_PLAIN_LINE = pattern(
    r"( *)(- )?(?:([A-Za-z][A-Za-z0-9_./-]*):(?: |$))?"
    r"(?:(-{0,2}[A-Za-z0-9/][A-Za-z0-9_./:=-]*)(?<!:)|\"([ !#-\[\]-~]*)\")?"
)
#: All escapes but those that cannot make a character that is refused.
_ESCAPE = pattern(r'\\(?!["\\nrt/])')
#: Of texts whose lines follow, as they are.
_LITERALS = (": |", ": |-", "- |", "- |-")


#: What the value of a line is: a scalar; what is indented below, or null; a list or mapping within the line; the text
#: below, with one line break at its end or with none.
SCALAR, BELOW, FLOW, LITERAL, STRIPPED = range(5)
#: The levels between an item of a list and the keys of the mapping that begins in its line.
ITEM_TO_KEYS = 3


class Line(NamedTuple):
    """``level``: twice the column of its key, or of its '-' and one more. ``key``: None of an item without one."""

    holds: int
    level: int
    key: str | None
    value: Any


#: A blank line or a comment.
BLANK = Line(SCALAR, -2, None, None)
#: What is something else, or may be doubted: no collection has its level.
DOUBTED = Line(SCALAR, -3, None, None)


def line_of(text: str, *, strict: bool) -> Line:
    """What the line is wherever it stands, but in a text."""
    if plain := _PLAIN_LINE.fullmatch(text):
        return _plain(plain, strict)
    entry = text.lstrip(" ")
    if entry[:1] == "#":
        return BLANK
    if not is_fine_line(text, strict):
        return DOUBTED
    return _alone(text, entry)


def _plain(parts: re.Match[str], strict: bool) -> Line:
    indent, dash, key, word, quoted = parts.groups()
    verdict = strict_verdict if strict else lenient_verdict
    value = verdict(word) if word is not None else quoted
    is_below = word is None and quoted is None
    if is_below and not dash and key is None:
        return BLANK
    if value is DOUBTFUL or (key is None and (is_below or not dash)) or (key and type(verdict(key)) is not str):
        return DOUBTED
    return Line(BELOW if is_below else SCALAR, 2 * len(indent) + bool(dash), key, value)


def _alone(text: str, entry: str) -> Line:
    """As ryaml reads the line; ``entry`` is what follows its indentation."""
    is_literal = entry.endswith(_LITERALS) and "#" not in entry
    try:
        value = ryaml.loads(text.rstrip("|-") if is_literal else text)  # type: ignore[attr-defined]
    except ValueError:
        return DOUBTED
    level, is_item, key = 2 * (len(text) - len(entry)), entry.startswith("- "), None
    if is_item:
        # More blanks would move the keys that follow to another column.
        if type(value) is not list or entry[2:3] == " ":
            return DOUBTED
        level, value, entry = level + 1, value[0], entry[2:]
    if type(value) is dict and entry[0] != "{":
        ((key, value),) = value.items()
    elif not is_item or (type(value) is list and entry[0] != "["):
        return DOUBTED
    holds = _held(entry, value, is_literal)
    return DOUBTED if holds is None or type(key) not in (str, NoneType) else Line(holds, level, key, value)


def _held(entry: str, value: Any, is_literal: bool) -> int | None:
    """What stands in the line or below; None of texts below that are folded, and of what a comment may hide."""
    if is_literal:
        return (STRIPPED if entry[-1] == "-" else LITERAL) if value is None else None
    if (value is None and "#" in entry) or (value == "" and ("|" in entry or ">" in entry)):
        return None
    if value is None and entry[-1] == ":":
        return BELOW
    return FLOW if type(value) in (dict, list) else SCALAR


def is_fine_line(line: str, strict: bool) -> bool:
    """Whether every scalar that may stand in it means the same to all readers."""
    plain = _PLAIN_LINE.fullmatch(line)
    if plain and _plain(plain, strict) is not DOUBTED:
        return True
    if "\\" in line and _ESCAPE.search(line):
        return False
    # A plain scalar ends at a blank, at ':' before one, and in flow style at ','. So each is one of these words, but
    # for texts of several words, of which only dates with a time are doubtful, and those begin with a date.
    words = line.replace('":', '" ').replace("':", "' ").translate(_FLOW).split()
    return all(_is_fine(word, strict) or not _begins_a_value(word, line) for word in words)


def _is_fine(word: str, strict: bool) -> bool:
    """Whether it means the same to all readers as a plain scalar, or as the end of a key."""
    if word[0] in "&*!%?:":
        return False
    verdict = strict_verdict if strict else lenient_verdict
    # A key that is a number, true, false or null is refused.
    return type(verdict(word[:-1])) is str if word[-1] == ":" else verdict(word) is not DOUBTFUL


def _begins_a_value(word: str, line: str) -> bool:
    """Whether it stands where a value or a key may begin, and not in a comment or further on in a text."""
    if line.lstrip()[0] == "#":
        return False
    start = line.find(word)
    while start >= 0:
        # In flow style a ':' ends a key by itself, but for one in a text.
        if line[start - 1 : start] != ":" if word[0] == ":" else line[:start].rstrip()[-1:] in _BEGINNING:
            return True
        start = line.find(word, start + 1)
    return False


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
