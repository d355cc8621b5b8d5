"""What the programs of runtimes print when they fail: the form of both tables, and shared texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from renderer.errors import ApplyFailed

#: Kinds of failure that pass by themselves: a daemon or an API server that restarts, an object that is just removed.
PASSING = frozenset({"down", "broken", "gone"})
#: Shorter values are not looked for: they stand in every text.
_LEAST_MASKED = 4


class Refused(ApplyFailed):
    """A runtime, or its program, refused. ``kind`` is the name of a row, '' where none matches.

    ``about`` is the port, image or service concerned, ``output`` the whole text of the program.
    """

    def __init__(self, message: str, *, kind: str = "", about: str = "", output: str = "") -> None:
        super().__init__(message)
        self.kind, self.about, self.output = kind, about, output


class NoSuchInstance(ApplyFailed):
    """No object that mcpctl manages has that name."""


class Kind(NamedTuple):
    """One row: name, pattern of the text, advice, and ``words`` in place of the text ('': the text itself).

    In ``words``, ``{about}`` is the first group of the pattern, ``{host}`` the daemon, ``{text}`` the text.
    """

    name: str
    pattern: re.Pattern[str]
    advice: str
    words: str = ""


def kind(name: str, pattern: str, advice: str, words: str = "") -> Kind:
    return Kind(name, re.compile(pattern, re.IGNORECASE), advice, words)


def matched(kinds: Iterable[Kind], text: str) -> tuple[Kind, str] | None:
    """The first row that matches, and its first group."""
    for row in kinds:
        if match := row.pattern.search(text):
            return row, next((group for group in match.groups() if group), "")
    return None


def masked(text: str, values: Iterable[str]) -> str:
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _LEAST_MASKED:
            text = text.replace(value, "***")
    return text


def ended(code: int, *, out_of_memory: bool = False, message: str = "") -> str:
    if out_of_memory:
        return "took more memory than its limit and was killed (OOMKilled): give it more with spec.size or resources"
    meaning = {126: ", its program may not be run", 127: ", its program was not found", 137: ", killed"}.get(code, "")
    return f"ended with exit code {code}{meaning}{f': {message}' if message else ''}"


def loops(restarts: int, last: str) -> str:
    """For a process that ends again and again; ``last`` is how it last ended, '' where unknown."""
    return f"ends as soon as it has started ({restarts} restarts)" + (f"; the last time it {last}" if last else "")


def with_log(text: str, lines: Sequence[str]) -> str:
    return f"{text}; its last lines: {' | '.join(lines)}" if lines else text
