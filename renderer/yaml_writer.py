"""The one quoting mechanism: every value that reaches a rendered text goes through here.

A text is written plain only where PyYAML, YAML 1.2, Go (kubectl) and compose all read that string, in block
and in flow context and as a key; otherwise in double quotes, with escapes that all of them read back.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from renderer.later import pattern

if TYPE_CHECKING:
    from renderer.model import JSON

# Begins like a word, a path or an option; no comma, bracket or '?' (Go's flow context); no ': ' or ' #'.
_PLAIN = pattern(
    r"""(?: [A-Za-z_/.0-9] | -(?=[A-Za-z-]) )
        (?: [A-Za-z0-9_/.=+@~$()'*&!;^%|-] | :(?=[^\ :]) | \ (?=[^\ #:]) )* """,
    re.VERBOSE,
)
# With one of the left out letters a text is no number, date or infinity in any dialect.
_MAY_BE_NUMBER = pattern(r"[-.0-9][^g-hj-mq-su-wyG-HJ-MQ-SU-WY/=@(]*")
_NOT_TEXT = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"},
)
_MARKERS = ("---", "...")
_LONGEST_PLAIN = 200

# Invisible, line-breaking, direction-changing, or not yet a character. Fixed ranges, not str.isprintable():
# that follows the Unicode version of the Python at hand, and the output must not.
_ODD = (
    "\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
)
_ESCAPED = pattern(f'["\\\\{_ODD}\U00010000-\U0010ffff]')
_NOT_LITERAL = pattern(f"[{_ODD}\U00020000-\U0010ffff]")
# White space at a line's end is lost in editors and in review; a tab may not begin a line everywhere.
_LOST_SPACES = (" \n", "\t\n", "\n\t")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

# Readers give up looking for the ':' of a key after 1024 characters; an explicit '? ' has no such bound.
_LONGEST_KEY = 1000
_LONGEST_NUMBER = 60
_HIGHEST, _LOWEST = 2**63 - 1, -(2**63)


def scalar(value: str | int | float | bool | None) -> str:
    """One value on one line, fit for block and flow context and, when it is text, as a key.

    Raises ValueError for what YAML cannot say alike to all readers: a lone surrogate, a number that is not
    finite or beyond 64 bits.
    """
    if isinstance(value, str):
        # Jinja's 'safe' text would take what is put around it for HTML, and escape that.
        return _TEXTS[value if type(value) is str else str(value)]
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not _LOWEST <= value <= _HIGHEST:
            raise ValueError("an integer beyond 64 bits is not read alike by all YAML readers")
        return str(int(value))
    if not math.isfinite(value):
        raise ValueError("a number that is not finite is not read alike by all YAML readers")
    # No exponent: PyYAML reads 1e3 as text. Minus zero keeps its sign in some readers only.
    text = format(decimal.Decimal(repr(float(value))), "f") if value else "0.0"
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number of so many digits is not read alike by all YAML readers")
    return text if "." in text else f"{text}.0"


def _text(text: str) -> str:
    plain = len(text) <= _LONGEST_PLAIN and _PLAIN.fullmatch(text) and not text.startswith(_MARKERS)
    if plain and text.lower() not in _NOT_TEXT and not _MAY_BE_NUMBER.fullmatch(text):
        return text
    if _is_ordinary(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'"{_ESCAPED.sub(_escape, text)}"'


class Texts(dict[str, str]):
    """What ``write`` makes of texts: the same names, labels and images recur in every object of a server."""

    _MOST, _LONGEST = 16384, 200

    def __init__(self, write: Callable[[str], str]) -> None:
        super().__init__()
        self._write = write

    def __missing__(self, text: str) -> str:
        written = self._write(text)
        if len(text) <= self._LONGEST:
            if len(self) >= self._MOST:
                self.clear()
            self[text] = written
        return written


_TEXTS = Texts(_text)


def _is_ordinary(text: str) -> bool:
    """Whether all is printable ASCII, which depends on no version of Unicode: so most texts need no pattern of 1 ms."""
    return text.isascii() and text.isprintable()


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"a lone surrogate (U+{code:04X}) cannot be written as YAML")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def block(value: JSON, indent: int = 0) -> str:
    """Nested plain data as block YAML: each line begins with ``indent`` spaces; the caller ends the last one.

    Keys keep their order. Empty collections are ``{}`` and ``[]``; text of several lines is a literal block
    where all readers give it back unchanged. Raises ValueError as scalar() does.
    """
    lines: list[str] = []
    if isinstance(value, dict) and value:
        _mapping(value, " " * indent, lines)
    elif isinstance(value, list) and value:
        _sequence(value, " " * indent, lines)
    else:
        lines.append(" " * indent + _leaf(value))
    return "\n".join(lines)


def _leaf(value: JSON) -> str:
    if isinstance(value, dict):
        return "{}"
    return "[]" if isinstance(value, list) else scalar(value)


def _mapping(entries: dict[str, JSON], pad: str, lines: list[str]) -> None:
    for key, value in entries.items():
        name = _TEXTS[key] if type(key) is str else scalar(key)
        if len(name) > _LONGEST_KEY:
            lines.append(f"{pad}? {name}")
            name = ""
        if type(value) is str and "\n" not in value:  # most are
            lines.append(f"{pad}{name}: {_TEXTS[value]}")
        else:
            _entry(f"{pad}{name}:", value, pad, lines)


def _entry(start: str, value: JSON, pad: str, lines: list[str]) -> None:
    if isinstance(value, dict) and value:
        lines.append(start)
        _mapping(value, f"{pad}  ", lines)
    elif isinstance(value, list) and value:
        lines.append(start)
        _sequence(value, f"{pad}  ", lines)
    elif isinstance(value, str) and "\n" in value and _is_literal(value):
        lines += _literal(start, value, pad)
    else:
        lines.append(f"{start} {_leaf(value)}")


def _sequence(items: list[JSON], pad: str, lines: list[str]) -> None:
    inner = f"{pad}  "
    for item in items:
        if type(item) is str and "\n" not in item:
            lines.append(f"{pad}- {_TEXTS[item]}")
        elif isinstance(item, dict | list) and item:
            first = len(lines)
            if isinstance(item, dict):
                _mapping(item, inner, lines)
            else:
                _sequence(item, inner, lines)
            # The first line of the item stands on the line of its dash.
            lines[first] = f"{pad}- {lines[first][len(inner) :]}"
        else:
            _entry(f"{pad}-", item, pad, lines)


def _is_literal(text: str) -> bool:
    # Line ends that '|+' would keep depend on what follows the block: a template's blank line would be added.
    if text == "\n" or text.endswith("\n\n") or any(lost in f"\n{text}\n" for lost in _LOST_SPACES):
        return False
    characters = text.replace("\n", "").replace("\t", "")
    return _is_ordinary(characters) or not _NOT_LITERAL.search(characters)


def _literal(start: str, text: str, pad: str) -> list[str]:
    # Without the number the readers would take the first line's own indentation for the block's.
    indicator = "2" if text[0] in " \n" else ""
    chomping = "" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    return [f"{start} |{indicator}{chomping}", *(f"{pad}  {line}" if line else "" for line in lines)]


@lru_cache(maxsize=32)  # most guards of a fleet have the same configuration
def text_value(text: str, indent: int = 0) -> str:
    """What stands behind ``key: ``: one scalar, or a literal block whose lines begin with ``indent`` spaces."""
    if "\n" in text and _is_literal(text):
        return "\n".join(_literal("", text, " " * (indent - 2)))[1:]
    return scalar(text)


_NOT_IN_COMMENT = pattern(f"[{_ODD}]")


@lru_cache(maxsize=256)  # wrapping takes longer than most values, and texts of ours recur in every server
def comment(text: str, indent: int = 0, width: int = 100) -> str:
    """The text as comment lines of at most ``width`` columns (longer words are not broken).

    Line feeds in the text begin new comment lines; what else could end the comment becomes an escape.
    """
    start = " " * indent + "# "
    lines: list[str] = []
    for paragraph in text.replace("\r\n", "\n").expandtabs(2).split("\n"):
        line = paragraph if _is_ordinary(paragraph) else _NOT_IN_COMMENT.sub(_in_ascii, paragraph)
        lines += _wrapped(line, max(width - len(start), 20))
    return "\n".join((start + line).rstrip() for line in lines)


def _wrapped(line: str, width: int) -> list[str]:
    """As ``textwrap.wrap`` without breaking words, whose import and patterns take 2 ms."""
    first, *words = line.split(" ")
    lines = [first]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        elif word:
            lines.append(word)
    return lines if lines[0].strip() else lines[1:] or lines


def _in_ascii(odd: re.Match[str]) -> str:
    return odd[0].encode("unicode_escape").decode("ascii")
