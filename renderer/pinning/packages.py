"""Newest versions and lock files, from uv and npm in a temporary folder."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from renderer import command
from renderer.command import ProgramMissing
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt
from renderer.pinning.registries import NoAnswer

_SECONDS = 300.0
#: The minor version of the base image's Python; locks for newer ones would not install.
_NEWEST_PYTHON = 12
#: Files that uv and npm use next to a lock, settings (such as the index) included.
LOCK_FOLDER_FILES: Mapping[str, tuple[str, ...]] = {
    "pypi": ("pyproject.toml", "uv.lock", "uv.toml"),
    "npm": ("package.json", "package-lock.json", ".npmrc"),
}
LOCK_NAMES: Mapping[str, str] = {"pypi": "uv.lock", "npm": "package-lock.json"}
#: The manifest of a new lock; {0} is a Python version.
_FIRST = {
    "npm": '{{\n  "name": "lock",\n  "private": true\n}}\n',
    "pypi": '[project]\nname = "lock"\nversion = "0"\nrequires-python = ">={0}"\n',
}
_VERSIONS = {
    "npm": re.compile(r"[0-9]+\.[0-9]+\.[0-9]+"),
    "pypi": re.compile(r"([0-9]+!)?[0-9]+(\.[0-9]+)*(\.post[0-9]+)?"),
}


def newest_version(registry: str, name: str) -> str:
    """The newest stable version. Raises NoAnswer."""
    if registry == "npm":
        text = _run(["npm", "view", name, "dist-tags.latest", "--json"]).strip()
        try:
            version = json.loads(text)
        except (ValueError, RecursionError):
            version = None
    else:
        options = ("--no-deps", "--no-annotate", "--no-header", "--quiet", "--python-version", f"3.{_NEWEST_PYTHON}")
        text = _run(["uv", "pip", "compile", *options, "-"], stdin=name).strip()
        version = text.rpartition("==")[2]
    if not isinstance(version, str) or not _VERSIONS[registry].fullmatch(version):
        raise NoAnswer(f"{'npm' if registry == 'npm' else 'uv'}: its answer is no version: {excerpt(text, 80)}")
    return version


def is_newer(version: str, other: str) -> bool:
    """Compared number by number; a preview equals its version."""
    return _numbers(version) > _numbers(other)


def _numbers(version: str) -> list[int]:
    epoch, _, rest = version.rpartition("!")
    return [int(epoch or 0), *(int(number) for number in re.findall(r"\d+", rest.partition("-")[0])[:6])]


def written_lock(package: Mapping[str, Any], version: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files of a lock folder with the package added. Raises NoAnswer."""
    registry = package["registry"]
    with tempfile.TemporaryDirectory(prefix="mcpctl-lock-") as folder:
        python = f"3.{min(sys.version_info.minor, _NEWEST_PYTHON)}"
        for name, text in {LOCK_FOLDER_FILES[registry][0]: _FIRST[registry].format(python), **files}.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        if registry == "npm":
            options = ("--package-lock-only", "--ignore-scripts", "--save-exact", "--no-audit", "--no-fund")
            _run(["npm", "install", *options, "--prefix", folder, f"{package['name']}@{version}"])
        else:
            requirement = f"{package['name']}=={version}"
            if package.get("git"):
                subdirectory = f"#subdirectory={package['subdirectory']}" if package.get("subdirectory") else ""
                requirement = f"{package['name']} @ git+{package['git']}@{version}{subdirectory}"
            wanted = [requirement, *package.get("with", ())]
            _run(["uv", "add", "--no-sync", "--python", sys.executable, "--directory", folder, *wanted])
        lock, manifest = Path(folder, LOCK_NAMES[registry]), Path(folder, LOCK_FOLDER_FILES[registry][0])
        if not lock.is_file():
            raise NoAnswer(f"{registry}: no {lock.name} was written")
        return {path.name: path.read_text(encoding="utf-8") for path in (manifest, lock)}


def _run(argv: list[str], stdin: str = "") -> str:
    env = {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    try:
        done = command.run(argv, seconds=_SECONDS, stdin=stdin.encode(), env=env)
    except ProgramMissing:
        raise NoAnswer(f"install {argv[0]}: it is not on the PATH") from None
    except (ApplyFailed, WaitTimedOut) as failure:
        raise NoAnswer(f"{argv[0]}: {failure.message}") from None
    if done.code:
        lines = [line.strip() for line in done.err.splitlines() if line.strip()]
        raise NoAnswer(f"{argv[0]}: {excerpt(' '.join(lines[-4:]), 400) if lines else f'exit code {done.code}'}")
    return done.out
