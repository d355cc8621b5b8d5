"""What all tests of commands use."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from renderer.cli import tree
from renderer.diff.git import Revision, merge_of
from tests.cli.commands import BAD, BROKEN, GOOD, WARNED, Mcpctl, in_process
from tests.cli.runtime_fixtures import fake as fake
from tests.cli.runtime_fixtures import terminal as terminal


@pytest.fixture
def mcpctl(capfdbinary: pytest.CaptureFixture[bytes]) -> Mcpctl:
    """Runs a command: ``mcpctl("render", path)``."""
    return functools.partial(in_process, capfdbinary)


@pytest.fixture(autouse=True)
def _no_git_outside_of_a_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rendering asks git five times whether a merge is under way; where no folder has .git, the answer is known."""

    def merge(folder: Path) -> tuple[Revision, Revision] | None:
        here = folder.absolute()
        return merge_of(folder) if any((above / ".git").exists() for above in (here, *here.parents)) else None

    monkeypatch.setattr(tree, "merge_of", merge)


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good.yaml, bad.yaml, warned.yaml and broken.yaml, the current one."""
    for name, text in {"good": GOOD, "bad": BAD, "warned": WARNED, "broken": BROKEN}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path
