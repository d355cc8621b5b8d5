"""Specs with faults, ``negative/spec/NAME.yaml``, and beside each the report that they must bring.

A new case is a new file. After a change of messages, write all reports anew and read the difference:

    MCPCTL_UPDATE_EXPECTED=1 python -m pytest tests/test_negative.py
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer import assets, validate
from renderer.pipeline import read
from renderer.report import Report, as_text

FOLDER = Path(__file__).parent / "negative" / "spec"
CASES = sorted(FOLDER.glob("*.yaml"))
RULES = Path(validate.__file__).parent
UPDATE = os.environ.get("MCPCTL_UPDATE_EXPECTED", "") not in ("", "0")

#: Keywords of the schema that no spec can offend: they only choose, or hold whatever is written.
NOT_A_FAULT = {"if", "then", "else", "properties", "items", "allOf", "dependentSchemas"}


def report(case: Path) -> str:
    """The lines of the text report, without the summary."""
    problems = read([case.name]).problems
    return as_text(Report("validate", problems, {})).rpartition("\n0 errors")[0]


def told(case: Path) -> str:
    text = as_text(Report("validate", read([case.name]).problems, {}))
    return "".join(line + "\n" for line in text.splitlines()[:-1])


def expected(case: Path) -> Path:
    return case.with_name(f"{case.name}.expected")


@pytest.fixture(autouse=True)
def in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports name the files as they were given: without the folder they are the same everywhere."""
    monkeypatch.chdir(FOLDER)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_report(case: Path) -> None:
    text = told(case)
    if UPDATE:
        expected(case).write_text(text, encoding="utf-8")
    assert text, f"{case.name} has no fault"
    assert text == expected(case).read_text(encoding="utf-8")
