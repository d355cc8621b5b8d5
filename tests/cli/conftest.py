"""What all tests of commands use."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.cli.commands import BAD, BROKEN, GOOD, WARNED, Mcpctl, in_process
from tests.cli.runtime_fixtures import fake as fake
from tests.cli.runtime_fixtures import terminal as terminal


@pytest.fixture
def mcpctl(capfdbinary: pytest.CaptureFixture[bytes]) -> Mcpctl:
    """Runs a command: ``mcpctl("render", path)``."""
    return functools.partial(in_process, capfdbinary)


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good.yaml, bad.yaml, warned.yaml and broken.yaml, the current one."""
    for name, text in {"good": GOOD, "bad": BAD, "warned": WARNED, "broken": BROKEN}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path
