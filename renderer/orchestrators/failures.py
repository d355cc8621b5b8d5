"""What programs of runtimes say when they fail: one form for the tables of both, and the words that they share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from renderer.errors import ApplyFailed, Problem

#: Kinds of failure that pass by themselves: a daemon or an API server that restarts, an object that is just removed.
PASSING = frozenset({"down", "broken", "gone"})
#: Shorter values are not looked for: they stand in every text.
_LEAST_MASKED = 4


class Refused(ApplyFailed):
    """A runtime, or its program, refused. ``kind`` names a row of its table, '' where the text speaks for itself.

    ``about`` is the port, image or service of it, ``output`` the whole text of the program.
    """

    def __init__(
        self, message: str, problems: Iterable[Problem] = (), *, kind: str = "", about: str = "", output: str = ""
    ) -> None:
        super().__init__(message, problems)
        self.kind, self.about, self.output = kind, about, output


class NoSuchInstance(ApplyFailed):
    """Nothing of ours has that name."""


class Kind(NamedTuple):
    """One row: name, pattern of a text of that kind, what to do, and what is so ('': the text says it).

    In ``words``, ``{about}`` is the first group of the pattern, ``{host}`` the daemon, ``{text}`` the text.
    """

    name: str
    pattern: re.Pattern[str]
    advice: str
    words: str = ""


def kind(name: str, pattern: str, advice: str, words: str = "") -> Kind:
    """A row; the case of letters does not matter."""
    return Kind(name, re.compile(pattern, re.IGNORECASE), advice, words)


def matched(kinds: Iterable[Kind], text: str) -> tuple[Kind, str] | None:
    """The first row that fits, and what the text is about."""
    for row in kinds:
        if match := row.pattern.search(text):
            return row, next((group for group in match.groups() if group), "")
    return None


def masked(text: str, values: Iterable[str]) -> str:
    """The text without any of these values."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _LEAST_MASKED:
            text = text.replace(value, "***")
    return text


def ended(code: int, *, out_of_memory: bool = False, message: str = "") -> str:
    """How a process ended: ``ended with exit code 3``."""
    if out_of_memory:
        return "took more memory than its limit and was killed (OOMKilled): give it more with spec.size or resources"
    meaning = {126: ", its program may not be run", 127: ", its program was not found", 137: ", killed"}.get(code, "")
    return f"ended with exit code {code}{meaning}{f': {message}' if message else ''}"


def loops(restarts: int, last: str) -> str:
    """A process that ends again and again; ``last`` is how it ended the last time, '' where nobody knows."""
    return f"ends as soon as it has started ({restarts} restarts)" + (f"; the last time it {last}" if last else "")


def with_log(text: str, lines: Sequence[str]) -> str:
    """A cause with the last lines of the log."""
    return f"{text}; its last lines: {' | '.join(lines)}" if lines else text
