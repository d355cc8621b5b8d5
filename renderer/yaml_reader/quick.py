"""Texts of one document in which nothing can be doubted, read twice as fast as by events.

ryaml has libyaml's own scanner (in Rust), so it divides a text as the precise reader does. It knows neither doubtful
scalars nor limits and places: a text that may hold one of them, or any fault, is left to the precise reader.
"""

from __future__ import annotations

from typing import Any

import ryaml

from renderer.later import pattern
from renderer.yaml_reader.plain import DOUBTFUL, lenient_verdict, strict_verdict
from renderer.yaml_reader.text import Limits

#: Between these no plain scalar goes on, or it would hold one of them.
_FLOW = str.maketrans(",[]{}", "     ")
#: After these, or at the start of a line, a value or a key begins.
_BEGINNING = frozenset(["", *":-?,[{"])
#: What most lines are: a key and a word, or a key alone, none of them short enough to be a number, null, true or false.
_PLAIN_LINE = pattern(
    r" *(?:- )?(?!(?i:true|null|false):)[A-Za-z][A-Za-z0-9_./-]{3,}:(?: [A-Za-z][A-Za-z0-9_./-]{5,})?"
)
#: All escapes but those that cannot make a character that is refused.
_ESCAPE = pattern(r'\\(?!["\\nrt/])')
#: A level of nesting takes a column, a '-' with its blank, or a bracket: without these there are at most 64.
_DEEP = ("\n" + " " * 46, "- - - -")
_MOST_BRACKETS = 10
_BRACKET = pattern(r"[\[\]{}]")
_MOST_EVENTS = 2  # that one character can make

#: Lines that no reader doubts, whether or not what people write is read: most recur in every document.
_fine: dict[bool, set[str]] = {False: set(), True: set()}
_MOST_LINES = 10_000


def quick(text: str, *, strict: bool, limits: Limits) -> tuple[Any, int] | None:
    """The data of the text, and the line where its document begins; None where the precise reader must decide."""
    too_large = len(text) * _MOST_EVENTS > limits.max_nodes or _nests_deeper(text, limits.max_depth)
    if too_large or text[:1] == "\ufeff":
        return None
    lines = text.split("\n")
    fine = _fine[strict]
    unknown = {*lines} - fine
    for line in unknown:
        if not (_PLAIN_LINE.fullmatch(line) or _is_fine_line(line, strict)):
            return None
    if len(fine) > _MOST_LINES:
        fine.clear()  # what recurs is soon there again; the other lines are of servers that are done
    fine |= unknown
    try:
        data = ryaml.loads(text)  # type: ignore[attr-defined]  # its stub does not say so
    except ValueError:  # InvalidYamlError is one, and a key that is a list is another
        return None
    if not data or type(data) not in (dict, list):  # nothing at all, or one scalar
        return None
    flat = "{" not in text and text.count("[") <= _MOST_BRACKETS and not any(deep in text for deep in _DEEP)
    if not flat and not _is_plain(data, limits.max_depth):
        return None
    begins = (number for number, line in enumerate(lines, 1) if line.strip()[:1] not in ("", "#"))
    return data, next(begins, 1)


def _nests_deeper(text: str, most: int) -> bool:
    """Whether brackets may nest deeper: the time that ryaml takes for those grows with the square of their depth."""
    if text.count("[") + text.count("{") <= most:
        return False
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > most:
            return True
    return False


def _is_fine_line(line: str, strict: bool) -> bool:
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


def _is_plain(data: Any, depth: int) -> bool:
    """Whether all keys are text, and no more levels are nested than ``depth``."""
    if type(data) is dict:
        return depth > 0 and all(type(k) is str and _is_plain(v, depth - 1) for k, v in data.items())
    return type(data) is not list or (depth > 0 and all(_is_plain(item, depth - 1) for item in data))
