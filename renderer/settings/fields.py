"""The settings, from the schema alone: where each stands in the file, and its variable and its option."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from renderer import assets
from renderer.model import JSON

ROOT = "orchestrator"


class Field(NamedTuple):
    """One setting. ``path`` is that in the file, ``type`` the schema's word; ``is_path`` names a file."""

    path: tuple[str, ...]
    type: str
    default: JSON
    description: str
    choices: tuple[str, ...] = ()
    is_path: bool = False

    @property
    def name(self) -> str:
        """As in messages: ``orchestrator.docker.socketPath``."""
        return ".".join(self.path)

    @property
    def section(self) -> str:
        """The runtime that it belongs to; empty for the choice of the runtime."""
        return self.path[1] if len(self.path) > 2 else ""

    @property
    def variable(self) -> str:
        """Of the environment: ``MCPCTL_DOCKER_SOCKET_PATH``; ``MCPCTL_ORCHESTRATOR_TYPE``."""
        steps = self.path[1:] if self.section else self.path
        return "_".join(["MCPCTL", *(_words(step, "_").upper() for step in steps)])

    @property
    def option(self) -> str:
        """Of the command line: ``--docker-socket-path``; those of a cluster are called as kubectl's."""
        if not self.section:
            return f"--{ROOT}"
        last = _words(self.path[-1], "-")
        return f"--{last}" if self.section == "kubernetes" else f"--{self.section}-{last}"


@cache
def fields() -> tuple[Field, ...]:
    """All settings, in the order of the schema."""
    schema = assets.schema("config")["properties"][ROOT]
    return tuple(_fields(schema, (ROOT,)))


def _fields(schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Field]:
    for name, inner in schema["properties"].items():
        here = (*path, name)
        if "properties" in inner:
            yield from _fields(inner, here)
        else:
            kind, choices = inner.get("type", "string"), tuple(inner.get("enum", ()))
            default, is_path = inner.get("default"), bool(inner.get("x-path"))
            yield Field(here, kind, default, inner["description"], choices, is_path)


def _words(name: str, separator: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", separator, name).lower()
