"""Checks for people, and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from renderer import __version__
from renderer.doctor.checks import Check, Result
from renderer.errors import excerpt

#: Characters of one cell.
_WHAT, _TEXT = 90, 700


def as_lines(check: Check) -> str:
    """One line, and one more with what to do."""
    line = f"{check.result.value:<11}  {excerpt(check.what, _WHAT)}: {excerpt(check.text, _TEXT)}"
    return f"{line}\n" + (f"{'':<11}  -> {excerpt(check.advice, _TEXT)}\n" if check.advice else "")


def summary(checks: Sequence[Check]) -> str:
    """How many of each, in words."""
    counts = [(sum(check.result is result for check in checks), result.value) for result in Result]
    return ", ".join(f"{count} {name}" for count, name in counts if count)


def as_json(checks: Sequence[Check], orchestrator: str) -> str:
    """One document."""
    data = {
        "command": "doctor",
        "version": __version__,
        "orchestrator": orchestrator,
        "results": {result.value: sum(check.result is result for check in checks) for result in Result},
        "checks": [
            {"what": check.what, "result": check.result.value, "text": check.text, "advice": check.advice}
            for check in checks
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"
