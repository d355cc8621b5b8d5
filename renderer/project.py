"""The project: the nearest ``mcpctl.yaml``, with its specs, its tree, and defaults for options.

Its settings rank below options, specs and environments. ``settings`` reads those of the runtime.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

from renderer import assets
from renderer.errors import InputInvalid, Place, Problem, errors_in
from renderer.namedtuples import NamedTuple

#: A folder may have only one of them.
NAMES = ("mcpctl.yaml", "mcpctl.yml", "mcpctl.json")
_ROOT_USER = 0


class Project(NamedTuple):
    """Paths are relative to the working folder. ``policies`` are levels by rule."""

    file: str
    specs: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    out: str = ""
    prune: bool = False
    policies: Mapping[str, str] = {}
    kubernetes_version: str = ""
    network_policy_provider: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.specs, *self.environments)


def home_folder(environ: Mapping[str, str]) -> str | None:
    """Where the search for a configuration ends."""
    return os.path.normpath(environ["HOME"]) if environ.get("HOME") else None


def same_paths(paths: Iterable[str], others: Iterable[str]) -> bool:
    return {os.path.realpath(path) for path in paths} == {os.path.realpath(path) for path in others}


def find_file(folder: str, home: str | None) -> str:
    """The nearest configuration file, from ``folder`` upwards, not beyond a git root, the home folder or '/'."""
    place, above = "", folder
    while place != above:
        place, above = above, os.path.dirname(above)
        files = [path for name in NAMES if os.path.isfile(path := os.path.join(place, name))]
        if len(files) > 1:
            message = f"{os.path.basename(files[0])} exists too"
            problem = Problem(Place(files[1]), "", "config/two-files", message)
            raise InputInvalid("two configuration files: remove one, or name one with --config", [problem])
        if files:
            # In a folder that all can write to, such as /tmp, another user's file would choose the daemon.
            if place != folder and os.stat(files[0]).st_uid not in (_ROOT_USER, os.geteuid()):
                problem = Problem(Place(files[0]), "", "config/owner", "the file belongs to another user")
                raise InputInvalid(
                    "a configuration file above this folder is not yours: name it with --config", [problem]
                )
            return os.path.relpath(files[0])
        if place == home or os.path.exists(os.path.join(place, ".git")):
            break
    return ""


def find_project() -> Project | None:
    """InputInvalid for an invalid file."""
    file = find_file(os.getcwd(), home_folder(os.environ))
    return read_project(file) if file else None


def read_project(file: str, text: str | None = None) -> Project:
    """Of that file, or of ``text`` in its place. InputInvalid with all Problems."""
    from renderer.load import load  # 12 ms with schemas, and a folder without a project pays nothing
    from renderer.schemas import Schema

    sources, problems = load([file], stdin=None) if text is None else load(["-"], stdin=BytesIO(text.encode()))
    problems = [problem for problem in problems if problem.rule != "yaml/empty"]  # all commented out is a project too
    if sources:
        problems += [
            sources[0].problem(fault) for fault in Schema(assets.schema("config")).faults(sources[0].data, "config")
        ]
    if errors_in(problems):
        problems.sort(key=Problem.sort_key)
        raise InputInvalid("the configuration is not valid; nothing was done", problems)
    data: Mapping[str, Any] = sources[0].data if sources else {}
    base = os.path.dirname(file)

    def path(text: str) -> str:
        return os.path.normpath(os.path.join(base, text))

    return Project(
        file,
        tuple(map(path, data.get("specs", ()))),
        tuple(map(path, data.get("environments", ()))),
        path(data["out"]) if "out" in data else "",
        data.get("prune", False),
        {name: level or "off" for name, level in data.get("policies", {}).items()},
        data.get("kubernetesVersion", ""),
        data.get("networkPolicyProvider", ""),
    )
