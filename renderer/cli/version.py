"""``mcpctl help`` and ``mcpctl version``."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from renderer import __version__, assets
from renderer.cli.options import text_or_json
from renderer.cli.streams import emit, emit_data
from renderer.errors import Exit, excerpt
from renderer.later import later
from renderer.pins import KUBERNETES_VERSION
from renderer.registry import TARGETS

if TYPE_CHECKING:
    import tomllib
    from importlib import metadata
else:
    metadata = later("importlib.metadata")  # 12 ms, which help does not need
    tomllib = later("tomllib")  # 3 ms, which only a checkout needs

#: The one extra that is not for tests.
_EXTRA = "mcp"


@click.command(
    "help",
    epilog="""\b
Examples:
  mcpctl help
  mcpctl help render
  mcpctl help export client
""",
)
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_(context: click.Context, names: tuple[str, ...]) -> int:
    """Print the help of a command; without COMMAND the list of commands."""
    chosen = context.find_root()
    for name in names:
        command = chosen.command.get_command(chosen, name) if isinstance(chosen.command, click.Group) else None
        if command is None:
            raise click.UsageError(
                f"{chosen.command_path} has no commands below it: leave {excerpt(name)!r} out", context
            )
        chosen = click.Context(command, info_name=name, parent=chosen)
    emit(f"{chosen.get_help()}\n")
    return Exit.FINE


@click.command(
    epilog="""\b
Examples:
  mcpctl version
  mcpctl version --output json
"""
)
@text_or_json("Format: text for people, json for programs.")
def version(style: str) -> int:
    """Print the versions of mcpctl, Python, libraries and schemas."""
    libraries = _libraries()
    if style == "json":
        data = {
            "mcpctl": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "apiVersions": ["mcpctl.io/v1alpha1"],
            "targets": sorted(TARGETS),
            "kubernetes": {"default": KUBERNETES_VERSION, "versions": list(assets.kubernetes_versions())},
            "dependencies": libraries,
        }
        emit_data(data)
        return Exit.FINE
    versions = list(assets.kubernetes_versions())
    rows = {
        "mcpctl": __version__,
        "Python": f"{platform.python_version()} on {platform.platform(terse=True)}",
        "specs": "mcpctl.io/v1alpha1",
        "Kubernetes": f"{versions[0]} to {versions[-1]}; default {KUBERNETES_VERSION}",
        **{name: number or "not installed" for name, number in libraries.items()},
    }
    width = max(map(len, rows)) + 2
    emit("".join(f"{name:<{width}}{value}\n" for name, value in rows.items()))
    return Exit.FINE


def _libraries() -> dict[str, str | None]:
    """Versions of the requirements of the installed distribution; in a checkout, of pyproject.toml."""
    try:
        required = metadata.requires("mcpctl-renderer") or []
    except metadata.PackageNotFoundError:
        with open(os.path.join(assets.folder(), "pyproject.toml"), "rb") as file:
            project = tomllib.load(file)["project"]
        required = [*project["dependencies"], *project["optional-dependencies"][_EXTRA]]
    own = [each for each in required if "extra ==" not in each or re.search(rf"""extra == ["']{_EXTRA}["']""", each)]
    versions: dict[str, str | None] = dict.fromkeys(re.split(r"[^\w.-]", each)[0] for each in own)
    for name in versions:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
