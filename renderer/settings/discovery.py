"""Where the configuration file is."""

from __future__ import annotations

import os
from pathlib import Path

from renderer.errors import InputInvalid, Place, Problem

_ROOT = 0
#: In one folder only one of them may stand.
NAMES = ("mcpctl.yaml", "mcpctl.yml", "mcpctl.json")


def find(folder: Path, home: Path | None) -> Path | None:
    """The nearest configuration file, from ``folder`` upwards, not beyond a git root, the home folder or '/'."""
    for place in (folder, *folder.parents):
        found = [place / name for name in NAMES if (place / name).is_file()]
        if len(found) > 1:
            problem = Problem(Place(os.fspath(found[1])), "", "config/two-files", f"{found[0].name} stands beside it")
            raise InputInvalid("two configuration files: remove one, or name one with --config", [problem])
        if found:
            _refuse_foreign(found[0], above=place != folder)
            return found[0]
        if place == home or (place / ".git").exists():
            return None
    return None


def _refuse_foreign(path: Path, *, above: bool) -> None:
    """In a folder that all may write to, as /tmp, somebody else's file would choose the daemon that we speak to."""
    if above and path.stat().st_uid not in (_ROOT, os.geteuid()):
        problem = Problem(Place(os.fspath(path)), "", "config/owner", "the file belongs to another user")
        raise InputInvalid("a configuration file above this folder is not ours: name it with --config", [problem])
