"""The results of checks, and their output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from renderer import __version__
from renderer.errors import ApplyFailed, McpctlError, UsageMistake, WaitTimedOut, excerpt

#: Errors of a runtime or its program are results of a check, and do not end the run.
ERRORS = (ApplyFailed, WaitTimedOut, UsageMistake)
#: Characters of the subject, and of each text.
_SUBJECT, _TEXT = 90, 700


class Result(StrEnum):
    """FAILED: an apply, or the server after it, will not work. UNCHECKED: unknown."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNCHECKED = "not checked"


class Check(NamedTuple):
    """What was checked, the result, and the advice; never the value of a secret."""

    subject: str
    result: Result
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Check:
    return Check(subject, Result.OK, text)


def warning(subject: str, text: str, advice: str) -> Check:
    return Check(subject, Result.WARNING, text, advice)


def failed(subject: str, text: str, advice: str) -> Check:
    return Check(subject, Result.FAILED, text, advice)


def unchecked(subject: str, text: str, advice: str) -> Check:
    return Check(subject, Result.UNCHECKED, text, advice)


def attempt(subject: str, look: Callable[[], Iterable[Check]], *, result: Result = Result.UNCHECKED) -> Iterator[Check]:
    """The checks of ``look``; one with ``result`` where it raises ERRORS."""
    try:
        yield from look()
    except ERRORS as error:
        yield from_error(subject, error, result)


def from_error(subject: str, error: McpctlError, result: Result) -> Check:
    """The error's message ends with the advice."""
    text, _, advice = error.message.partition(" - ")
    return Check(subject, result, text, advice or ("" if "; " in text else "fix that, then run mcpctl doctor again"))


def as_lines(check: Check) -> str:
    line = f"{check.result.value:<11}  {excerpt(check.subject, _SUBJECT)}: {excerpt(check.text, _TEXT)}"
    return f"{line}\n" + (f"{'':<11}  -> {excerpt(check.advice, _TEXT)}\n" if check.advice else "")


def summary(checks: Sequence[Check]) -> str:
    """``3 ok, 1 failed``."""
    return ", ".join(f"{count} {name}" for name, count in _counts(checks).items() if count)


def as_json(checks: Sequence[Check], orchestrator: str) -> str:
    facts = {"command": "doctor", "version": __version__, "orchestrator": orchestrator, "results": _counts(checks)}
    listed = [{"what": check.subject, **dict(zip(check._fields[1:], check[1:], strict=True))} for check in checks]
    return json.dumps({**facts, "checks": listed}, indent=2, ensure_ascii=True) + "\n"


def _counts(checks: Sequence[Check]) -> dict[str, int]:
    return {result.value: sum(check.result is result for check in checks) for result in Result}
