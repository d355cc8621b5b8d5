"""Compiles the templates into the wheel (``renderer/compiled_templates/``), so that no run has to."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent


def modules() -> dict[str, str]:
    """Of each folder the templates, in the quotings in which they may be rendered."""
    from renderer import assets
    from renderer.registry import TARGETS, target
    from renderer.render import YAML
    from renderer.render.compiled import key, module_text
    from renderer.render.engine import built_in

    quotings = {name: target(name).quoting for name in TARGETS}
    found: dict[str, dict[str, str]] = {}
    for name in (name for name in assets.names("templates") if name.endswith(".j2")):
        folder = name.partition("/")[0]
        several = (quotings[folder],) if folder in quotings else quotings.values()
        source = assets.read(f"templates/{name}").decode()
        for quoting in (YAML, *several):
            found.setdefault(folder, {})[key(quoting.name, name, source)] = built_in.python_of(name, quoting)
    return {"__init__": "", **{folder: module_text(templates) for folder, templates in found.items()}}


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the modules to the wheel; an editable install compiles at run time."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.path.insert(0, str(ROOT))
        try:
            from renderer.render.compiled import FOLDER

            texts = modules()
        finally:
            sys.path.remove(str(ROOT))
        self._made = tempfile.TemporaryDirectory()
        for name, text in texts.items():
            path = Path(self._made.name, f"{name}.py")
            path.write_text(text)
            build_data["force_include"][str(path)] = f"renderer/{FOLDER}/{name}.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        del build_data, artifact_path
        if version != "editable":
            self._made.cleanup()
