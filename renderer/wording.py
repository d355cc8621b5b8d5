"""Parts of messages: excerpts, type names, enumerations, suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from renderer.errors import excerpt as printable

#: Longest piece of a value or name that a message quotes, in characters.
EXCERPT_LENGTH = 40

_TYPE_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


def excerpt(value: object) -> str:
    """The value as shown in messages: quoted, printable, at most 40 characters."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > EXCERPT_LENGTH * 4:
        return "of very many digits"
    text = printable(str(value), EXCERPT_LENGTH)
    return f"'{text}'" if isinstance(value, str) else text


def type_word(value: object) -> str:
    """The type of a value, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def type_words(types: Iterable[str]) -> str:
    """JSON Schema types: ``text or a mapping``."""
    return either([_TYPE_WORDS[name] for name in types if name != "null"] or ["null"])


def either(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return _joined(words, "or")


def every(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return _joined(words, "and")


def _joined(words: Sequence[str], last: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def did_you_mean(word: str, candidates: Iterable[Any]) -> str | None:
    """The closest candidate, if any is close enough."""
    import difflib  # 2 ms, and only a mistake needs it

    folded = word.lower()[:80]
    by_folded = {c.lower(): c for c in candidates if isinstance(c, str) and c != word}
    near = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.66)
    if not near:  # a word of a longer name: http of streamable-http
        near = [candidate for candidate in by_folded if folded in candidate.split("-")]
    return by_folded[near[0]] if len(near) == 1 else None


def suggestion(word: str, candidates: Iterable[Any]) -> str:
    """``; did you mean 'x'?`` or nothing."""
    near = did_you_mean(word, candidates)
    return f"; did you mean {excerpt(near)}?" if near is not None else ""


def in_decimals(text: str) -> str:
    """A whole number as decimals, also with zeros before it, as 0x1F90, 0o17 or 1_000; empty for anything else."""
    try:
        return str(int(text, 10 if text.isdecimal() else 0)) if text.isascii() else ""
    except ValueError:
        return ""
