"""Three environments, rendered in any way of starting mcpctl: the committed trees, to the byte and to the mode."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from renderer.cli import main

ROOT = Path(__file__).parents[2]
INPUTS = ("docs/examples", "docs/environments")
NAMES = ("dev", "production", "staging")


def content(out: Path) -> dict[str, bytes]:
    """The environments' files, their records among them."""
    files = (path for name in NAMES for path in (out / name).rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def without_heads(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without what names the spec by its path in the repository, and the hashes of that."""
    texts = {path: text for path, text in files.items() if not path.endswith(".mcpctl")}
    return {path: re.sub(rb"\A(# |<!-- )Made by mcpctl[^\n]*\n", b"", text) for path, text in texts.items()}


def render(out: Path, umask: int, env: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "renderer", "render", "--quiet", "--out", str(out), *INPUTS],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env},
        umask=umask,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def is_the_same(out: Path) -> None:
    assert without_heads(content(out)) == without_heads(content(ROOT / "output" / "environments"))
    assert sorted(path.name for path in out.iterdir() if path.name not in ("compose", "kubernetes")) == sorted(NAMES)
    modes = {oct(path.stat().st_mode & 0o777) for path in out.rglob("*") if path.is_file()}
    folders = {oct(path.stat().st_mode & 0o777) for path in out.rglob("*") if path.is_dir()}
    assert (modes, folders) == ({"0o644"}, {"0o755"})


@pytest.mark.parametrize(
    ("umask", "env"),
    [
        (0o077, {"PYTHONHASHSEED": "12345", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        (0o000, {"PYTHONHASHSEED": "random", "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8"}),
    ],
    ids=["hash seed, locale C, umask 077", "hash seed, Turkish, umask 000"],
)
def test_another_process_makes_the_same(tmp_path: Path, umask: int, env: dict[str, str]) -> None:
    render(tmp_path / "out", umask, env)
    is_the_same(tmp_path / "out")


def test_another_folder_and_order_make_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is named by itself, environments first, and all of them lie elsewhere."""
    (tmp_path / "in").mkdir()
    for folder in INPUTS:
        for path in (ROOT / folder).glob("*.yaml"):
            shutil.copy(path, tmp_path / "in" / f"{len(path.stem)}-{path.name}")
    paths = sorted((path.name for path in (tmp_path / "in").iterdir()), reverse=True)
    monkeypatch.chdir(tmp_path / "in")
    assert main(["render", "--quiet", "--out", str(tmp_path / "out"), *paths]) == 0
    is_the_same(tmp_path / "out")
