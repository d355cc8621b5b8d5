"""The files of which the package is built, as pyproject.toml names them."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def build_files() -> list[str]:
    """Relative to the repository: files and folders, without those that only travel in the sdist."""
    pyproject: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    # The default of hatchling for a hook of type "custom".
    scripts = ["hatch_build.py"] if "custom" in wheel["hooks"] else []
    texts = [pyproject["project"]["readme"], *pyproject["project"]["license-files"]]
    return ["pyproject.toml", *scripts, *texts, *wheel["packages"], *wheel["force-include"]]


def copy_build_files(folder: Path, *more: str) -> None:
    """Copies them, and *more* of the repository, into *folder*."""
    for name in (*build_files(), *more):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
