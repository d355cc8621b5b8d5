"""What a line of YAML is by itself: a key, an item of a list, or both, with a value that all readers take alike.

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
