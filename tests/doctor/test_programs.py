"""What this machine has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from renderer import doctor
from renderer.doctor.checks import Result

PROJECT = tomllib.loads((Path(__file__).parent.parent.parent / "pyproject.toml").read_text())["project"]


def test_python() -> None:
    assert doctor.python(doctor.PYTHON).result is Result.OK
    assert doctor.python((3, 8)).result is Result.FAILED
    assert PROJECT["requires-python"] == f">={'.'.join(map(str, doctor.PYTHON))}"


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("2.3.0", Result.OK),
        ("2.10", Result.OK),
        ("", Result.WARNING),
        ("1.9.0", Result.WARNING),
        ("3.0", Result.WARNING),
    ],
)
def test_the_sdk(version: str, result: Result) -> None:
    seen = doctor.sdk(version)
    assert seen.result is result
    assert (seen.advice == "pip install 'mcpctl-renderer[mcp]'") is (result is Result.WARNING)


def test_the_extra_is_what_is_checked() -> None:
    least = re.fullmatch(r"mcp>=(\d+)\.(\d+),<(\d+)", PROJECT["optional-dependencies"]["mcp"][0])
    assert least
    assert (int(least[1]), int(least[2])) == doctor.SDK
    assert int(least[3]) == doctor.SDK[0] + 1
