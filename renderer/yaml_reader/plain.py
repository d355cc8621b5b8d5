"""What a plain (unquoted) scalar means, where PyYAML, YAML 1.2, Go (kubectl) and compose agree on it.

The patterns are wider than any one dialect: a text is doubtful as soon as one reader may take it for
something else than a string. tests/yaml_reader/test_plain.py holds the table, asked of the real readers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from renderer.errors import DocumentPath, Fault, dotted, excerpt
from renderer.later import pattern


class _Doubt(Enum):
    DOUBTFUL = "doubtful"


#: The verdict on a plain scalar that the readers do not agree on.
DOUBTFUL: Final = _Doubt.DOUBTFUL
Verdict: TypeAlias = str | int | float | bool | Literal[_Doubt.DOUBTFUL] | None

_AGREED: dict[str, bool | None] = {"": None, "null": None, "true": True, "false": False}
# The core schema's other spellings: all readers agree on them, but in a spec there is one way to write each.
_OTHER_SPELLINGS: dict[str, bool | None] = {
    "~": None, "Null": None, "NULL": None, "True": True, "TRUE": True, "False": False, "FALSE": False,
}  # fmt: skip
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST_NUMBER = 64

_TRUE_WORDS = frozenset({"y", "yes", "on", "true"})
_FALSE_WORDS = frozenset({"n", "no", "off", "false"})
_NULL_WORDS = frozenset({"~", "null"})
_SPECIAL = frozenset({"=", "<<"})
_WORDS = _TRUE_WORDS | _FALSE_WORDS | _NULL_WORDS | _SPECIAL
_LONGEST_WORD = max(map(len, _WORDS))

_BASE_60 = pattern(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = pattern(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?", re.DOTALL)
_NOT_FINITE = pattern(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)
# Asked without underscores, which YAML 1.1 and Go leave out wherever they stand. Go reads 0b-1 as -1.
_NUMBER = pattern(
    r"""[-+]? (?: 0[xX][-+]?[0-9a-fA-F]+ | 0[oO][-+]?[0-7]+ | 0[bB][-+]?[01]+
              | (?: [0-9]+ (?: \.[0-9]* )? | \.[0-9]+ ) (?: [eE][-+]?[0-9]+ )? )""",
    re.VERBOSE,
)
# PyYAML and ruamel take these for numbers, and then fail.
_HOLLOW = pattern(r"[-+]?(?:0[xXoObB])?_+")
_MAY_BE_NUMBER = frozenset("0123456789+-.")
#: The characters of all of these but of dates, which have a '-' after the year.
_IN_NUMBERS = frozenset("0123456789+-._:xXoOaAbBcCdDeEfFiInN")


def verdict(text: str) -> Verdict:
    """What all readers make of a plain scalar: text, a number, true, false, null; or DOUBTFUL."""
    if text in _AGREED:
        return _AGREED[text]
    if text[0] in _MAY_BE_NUMBER:
        if _is_integer(text):
            # Length first: Python refuses to convert thousands of digits, with an exception.
            return int(text) if len(text) <= 20 and _LOWEST <= int(text) <= _HIGHEST else DOUBTFUL
        whole, _, fraction = text.partition(".")
        if fraction.isascii() and fraction.isdigit() and (_is_integer(whole) or whole == "-0"):
            # Minus zero keeps its sign in some readers and loses it in others.
            number = float(text) if len(text) <= _LONGEST_NUMBER else -0.0
            return number if number or math.copysign(1, number) > 0 else DOUBTFUL
        if not text.strip("+-") or not (_IN_NUMBERS.issuperset(text) or text[4:5] == "-"):
            return text
        patterns = (_DATE, _BASE_60, _NOT_FINITE, _HOLLOW)
        doubtful = _NUMBER.fullmatch(text.replace("_", "")) or any(p.fullmatch(text) for p in patterns)
        return DOUBTFUL if doubtful else text
    return DOUBTFUL if len(text) <= _LONGEST_WORD and text.casefold() in _WORDS else text


def _is_integer(text: str) -> bool:
    """Without a sign before 0, and without further zeros: so all readers take it."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and (digits[0] != "0" or text == "0")


# The same scalars recur in every document; long ones do not, and would only fill the memory.
LONGEST_CACHED = 128
strict_verdict: Callable[[str], Verdict] = lru_cache(maxsize=8192)(verdict)


@lru_cache(maxsize=8192)
def lenient_verdict(text: str) -> Verdict:
    """The same, and the core schema's other spellings of null, true and false."""
    return _OTHER_SPELLINGS[text] if text in _OTHER_SPELLINGS else verdict(text)


def ambiguous(path: DocumentPath, text: str, is_key: bool) -> Fault:
    """The fault of a doubtful plain scalar: what kubectl reads, and what to write instead.

    The value itself is left out when it is long, or when its key suggests a secret.
    """
    private = bool(_SECRETIVE.search(dotted(path))) or not (is_key or _QUIET_FIELDS.isdisjoint(path))
    # The words of YAML itself tell nobody anything.
    shown = (not private or text.casefold() in _WORDS) and len(text) <= 30
    what, instead = _reading(text, shown)
    subject = excerpt(text) if shown else "this plain value"
    quoted = f'write "{excerpt(text)}" in quotes' if shown else "put it in quotes"
    hint = f"{quoted}, or {instead}" if instead and shown and not is_key else quoted
    return Fault(path, "yaml/ambiguous", f"YAML readers disagree on {subject}: {what}", hint, at_key=is_key)


#: Fields of a spec whose values are never quoted (the schema marks them x-secret).
_QUIET_FIELDS = frozenset({"env", "envFrom", "args", "command", "files", "patches"})
_SECRETIVE = pattern(r"pass|secret|token|key|cred|auth|pwd|pin\b", re.IGNORECASE)


def _reading(text: str, shown: bool) -> tuple[str, str]:
    """What is read, as a clause, and the plain spelling that says the same ('' when there is none)."""
    word = text.casefold() if len(text) <= _LONGEST_WORD else ""
    if word in _TRUE_WORDS | _FALSE_WORDS:
        value = "true" if word in _TRUE_WORDS else "false"
        usual = text in (text.lower(), text.upper(), text.capitalize())
        return f"{'kubectl reads' if usual else 'some read'} the boolean {value}", value
    if word in _NULL_WORDS:
        return ("kubectl reads null" if text in _OTHER_SPELLINGS else "some read null"), "null"
    if word in _SPECIAL:
        return "YAML 1.1 gives it a meaning of its own", ""
    if _NOT_FINITE.fullmatch(text):
        return "kubectl refuses numbers that are not finite", ""
    if _BASE_60.fullmatch(text):
        return "YAML 1.1 reads a number in base 60, kubectl reads text", ""
    if _DATE.fullmatch(text):
        return "some read a date, kubectl reads text", ""
    return _reading_of_number(text, shown)


def _reading_of_number(text: str, shown: bool) -> tuple[str, str]:
    if _is_integer(text):
        return "the number does not fit into 64 bits", ""
    number = _as_go_reads(text) if len(text) <= _LONGEST_NUMBER else None
    if number is None:
        return "some read a number, others text or another number", ""
    if not math.isfinite(number):
        return "some read an infinite number, kubectl reads text", ""
    written = str(int(number)) if number == int(number) and abs(number) < 10**15 else repr(number)
    # After a leading zero the decimal number is meant, whatever is read.
    meant = (text.lstrip("0") or "0") if text.isdecimal() else written
    instead = meant if verdict(meant) is not DOUBTFUL else ""
    return (f"kubectl reads the number {written}" if shown else "kubectl reads a number"), instead


def _as_go_reads(text: str) -> int | float | None:
    """The number that Go's YAML makes of the text: prefixes 0x, 0o, 0b, 0 (octal), underscores ignored."""
    digits = text.replace("_", "")
    sign, digits = (-1, digits[1:]) if digits[:1] == "-" else (1, digits.removeprefix("+"))
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower())
    try:
        if base:
            return sign * int(digits[2:], base)
        if digits.isdecimal():
            octal = digits[0] == "0" and digits.strip("01234567") == ""
            return sign * int(digits, 8 if octal else 10)
        return sign * float(digits)
    except ValueError:
        return None
