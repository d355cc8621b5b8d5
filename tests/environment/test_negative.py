"""Environments with faults, ``negative/NAME.yaml`` (with the servers they are for), and beside each its report.

A new case is a new file. After a change of messages write all reports anew, and read the difference:

    MCPCTL_TEST_UPDATE_EXPECTED=1 python -m pytest tests/environment/test_negative.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from renderer import environment
from renderer.pipeline import Output, plain, problems_of, read_inputs, render_run, runs_for
from renderer.registry import target
from renderer.report import Report, as_text

FOLDER = Path(__file__).parent / "negative"
CASES = sorted(FOLDER.glob("*.yaml"))
UPDATE = os.environ.get("MCPCTL_TEST_UPDATE_EXPECTED", "") not in ("", "0")
_RULE = re.compile(r'"(environment/[a-z-]+)"')


def report(case: Path) -> str:
    """The text report without its summary."""
    inputs = read_inputs([case.name])
    outputs = [render_run(run, target(run.target)) for run in runs_for(inputs, inputs.environments)]
    found = problems_of(outputs or [Output((), plain(inputs).problems)])
    return "".join(as_text(Report("validate", found, {})).splitlines(keepends=True)[:-1])


def expected(case: Path) -> Path:
    return case.with_name(f"{case.name}.expected")


@pytest.fixture(autouse=True)
def _in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_report(case: Path) -> None:
    text = report(case)
    if UPDATE:
        expected(case).write_text(text, encoding="utf-8")
    assert text, "this environment has no fault"
    assert text == expected(case).read_text(encoding="utf-8")


def test_every_rule_has_fired() -> None:
    """The guard: a rule that no case brings is a rule that nobody has seen work."""
    sources = Path(environment.__file__).parent.glob("*.py")
    rules = {rule for source in sources for rule in _RULE.findall(source.read_text(encoding="utf-8"))}
    told = "".join(expected(case).read_text(encoding="utf-8") for case in CASES)
    assert len(rules) >= 10
    assert [rule for rule in sorted(rules) if f"[{rule}]" not in told] == []
