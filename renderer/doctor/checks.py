"""What a look tells: one value for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from renderer.errors import ApplyFailed, McpctlError, UsageMistake, WaitTimedOut


class Result(StrEnum):
    """FAILED: an apply, or the server after it, will not work. UNCHECKED: nobody here can tell."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNCHECKED = "not checked"


class Check(NamedTuple):
    """``what`` was looked at, ``text`` is what was seen, ``advice`` what to do; never the value of a secret."""

    what: str
    result: Result
    text: str
    advice: str = ""


def ok(what: str, text: str) -> Check:
    """All is well."""
    return Check(what, Result.OK, text)


def warning(what: str, text: str, advice: str) -> Check:
    """It may go wrong."""
    return Check(what, Result.WARNING, text, advice)


def failed(what: str, text: str, advice: str) -> Check:
    """It will go wrong."""
    return Check(what, Result.FAILED, text, advice)


def unchecked(what: str, text: str, advice: str = "see to it yourself") -> Check:
    """Honestly unknown."""
    return Check(what, Result.UNCHECKED, text, advice)


#: What a runtime, or its program, does not do: a result of a look, not its end.
TROUBLE = (ApplyFailed, WaitTimedOut, UsageMistake)


def looked(what: str, look: Callable[[], Iterable[Check]], *, result: Result = Result.UNCHECKED) -> Iterator[Check]:
    """The checks of one look; one of ``result`` where the look itself meets trouble."""
    try:
        yield from look()
    except TROUBLE as error:
        yield troubled(what, error, result)


def troubled(what: str, error: McpctlError, result: Result) -> Check:
    """A failure in its own words, which end with what to do."""
    text, _, advice = error.message.partition(" - ")
    usual = "" if "; " in text else "see to the reason, then run mcpctl doctor again"
    return Check(what, result, text, advice or usual)
