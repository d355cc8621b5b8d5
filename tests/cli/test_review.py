"""Changes of real specs, a folder each in ``tests/diff/review``: what its files replace, and what a reviewer must read.

Of ``base`` a tree is rendered and committed; an empty file removes the one of its name. ``says.md`` has the lines that
must be in the comment, word for word; what stands behind ``not:`` must not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import ROOT, Mcpctl

FOLDER = Path(__file__).parents[1] / "diff" / "review"
CHANGES = sorted(path for path in FOLDER.iterdir() if path.name != "base")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the specs, the environments and their tree."""
    folder = tmp_path_factory.mktemp("review")
    shutil.copytree(FOLDER / "base", folder, dirs_exist_ok=True)
    run = [sys.executable, "-m", "renderer", "render", "-q", "specs", "environments", "--out", "deploy"]
    names = ["git", "-c", "user.name=x", "-c", "user.email=x"]
    for arguments in (["git", "init", "-q"], run, ["git", "add", "-A"], [*names, "commit", "-qm", "x"]):
        subprocess.run(arguments, cwd=folder, check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return folder


def comment(change: Path, folder: Path, mcpctl: Mcpctl) -> str:
    for path in sorted(path for path in change.rglob("*.yaml")):
        there = folder / path.relative_to(change)
        if path.read_text(encoding="utf-8"):
            shutil.copy(path, there)
        else:
            there.unlink()
    run = mcpctl("diff", "specs", "environments", "--out", "deploy", "--base", "HEAD", "--format", "markdown")
    assert run.code == Exit.DIFFERENT, run.err
    return run.out


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_reviewer_reads(
    change: Path, base: Path, tmp_path: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(base, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    out = comment(change, tmp_path / "copy", mcpctl)
    lines = (change / "says.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("not:") and line not in out] == [], out
    assert [line for line in lines if line.startswith("not:") and line.removeprefix("not:").strip() in out] == [], out


def test_there_are_twenty() -> None:
    assert len(CHANGES) >= 20
