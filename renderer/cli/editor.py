"""JSON Schemas for editors, and the line of a file that names one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from renderer import addresses, assets
from renderer.cli.streams import say
from renderer.errors import InputInvalid, UsageMistake
from renderer.project import find_file, home_folder

#: Hidden, so that a command never reads the schemas as specs.
FOLDER = ".schemas"


def folder_of(file: str) -> Path:
    """The folder for the schemas of a new file: of its project, or its own."""
    folder = os.path.dirname(os.path.abspath(file))
    try:
        project = find_file(folder, home_folder(os.environ))
    except InputInvalid:  # the commands that read the project report it
        project = ""
    return Path(os.path.relpath(os.path.dirname(os.path.abspath(project)) if project else folder))


def schema_of(file: str, name: str, folder: Path) -> str:
    """For the first line of ``file``: an address where one exists, else the path of the schema in ``folder``."""
    path = os.path.relpath(folder / FOLDER / f"{name}.schema.json", os.path.dirname(file) or ".")
    return addresses.of_schema(name) or Path(path).as_posix()


def schema_text(name: str) -> str:
    """With the messages that editors show where a pattern does not match."""
    if name.startswith("output/"):  # of rendered objects, which people do not write
        return assets.read_schema(name)
    document = json.loads(assets.read_schema(name))
    _explain(document)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _explain(node: Any) -> None:
    if isinstance(node, dict) and isinstance(node.get("pattern"), str) and "x-expected" in node:
        node["patternErrorMessage"] = f"expected {node['x-expected']}"
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _explain(inner)


def write_file(path: str, text: str, *, force: bool) -> None:
    """Follows no link. UsageMistake where it cannot be written, or exists (without ``force``)."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with open(os.open(path, flags, 0o644), "wb") as file:
            file.write(text.encode())
    except FileExistsError:
        raise UsageMistake(f"{path} exists; choose another --out, or overwrite it with --force") from None
    except OSError as error:
        raise UsageMistake(f"{path} cannot be written: {error.strerror}") from None


def write_schemas(folder: Path, names: Sequence[str]) -> list[str]:
    """Writes or updates the schemas that ``schema_of`` names; the paths written. A file of others is kept."""
    written = []
    for name in () if addresses.DOCUMENTATION else names:
        path, text = folder / FOLDER / f"{name}.schema.json", schema_text(name)
        try:
            present = path.read_text("utf-8")
        except (OSError, ValueError):
            present = ""
        if os.path.lexists(path) and not _is_ours(present, name):
            say(f"{path}: is not a schema of mcpctl, and is left as it is\n")
        elif present != text:
            path.parent.mkdir(exist_ok=True)
            write_file(os.fspath(path), text, force=True)
            written.append(os.fspath(path))
    return written


def _is_ours(text: str, name: str) -> bool:
    try:
        return bool(json.loads(text)["$id"] == assets.schema(name)["$id"])
    except (ValueError, LookupError, TypeError):
        return False
