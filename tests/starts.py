"""Starts mcpctl as users have it: with templates that were compiled before, or a start takes twice as long."""

from __future__ import annotations

import atexit
import sys
import tempfile
from functools import cache
from pathlib import Path

from renderer import assets, render
from renderer.registry import TARGETS, target
from renderer.render import compiled
from renderer.render.engine import built_in


@cache
def compiled_modules() -> dict[str, str]:
    """The text of a module for each folder of templates, as hatch_build.py makes them."""
    quotings = {name: target(name).quoting for name in TARGETS}
    made: dict[str, str] = {}
    for folder in (*TARGETS, "guard"):
        several = [render.YAML, *([quotings[folder]] if folder in quotings else quotings.values())]
        names = [name for name in assets.names("templates") if name.startswith(f"{folder}/") and name.endswith(".j2")]
        texts = {name: assets.read(f"templates/{name}").decode() for name in names}
        made[folder] = compiled.module_text(
            {
                compiled.key(quoting.name, name, texts[name]): built_in.python_of(name, quoting)
                for quoting in several
                for name in names
            }
        )
    return made


@cache
def mcpctl() -> list[str]:
    """What starts it; arguments follow. Like ``python -m renderer``, with the modules beside those of the package."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name, compiled.FOLDER)
    path.mkdir()
    for name, text in {"__init__": "", **compiled_modules()}.items():
        (path / f"{name}.py").write_text(text)
    start = f"import renderer; renderer.__path__.append({folder.name!r}); from renderer.__main__ import run; run()"
    return [sys.executable, "-c", start]
