"""What this machine has, whatever the runtime."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

from renderer.doctor.checks import Check, failed, ok, warning
from renderer.life import EXTRA, installed

#: As in pyproject.toml.
PYTHON = (3, 11)
SDK = (2, 3)


def checks() -> Iterator[Check]:
    """Python, and the MCP SDK."""
    yield _python(sys.version_info[:2])
    yield _sdk(installed())


def _python(version: tuple[int, int]) -> Check:
    text = platform.python_version()
    if version < PYTHON:
        return failed("Python", f"{text} is too old", f"install Python {'.'.join(map(str, PYTHON))} or newer")
    return ok("Python", text)


def _sdk(version: str) -> Check:
    if not version:
        text = "not installed: servers cannot be asked whether they answer, 'running' is all that is known"
        return warning("MCP SDK", text, f"pip install '{EXTRA}'")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if not SDK <= numbers < (SDK[0] + 1,):
        return warning("MCP SDK", f"{version} does not fit", f"pip install '{EXTRA}'")
    return ok("MCP SDK", version)
