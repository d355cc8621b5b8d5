"""MCP servers among the services of a compose file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from renderer.errors import excerpt
from renderer.importers.compose.services import read_service
from renderer.importers.compose.values import WHOLE, Project, pairs, words
from renderer.importers.draft import Choices, Draft, Reading, draft_of, plain_text
from renderer.importers.manifests.objects import STAYS
from renderer.importers.manifests.servers import is_infrastructure, signs, signs_of_variables
from renderer.manifest import at
from renderer.model import JSON, Source

FORMAT = "compose"
#: Sections without services.
_AROUND = ("version", "name", "networks", "volumes", "secrets", "configs")
#: Compose merges the second file into the first.
_OVERRIDES = {
    f"{name}.{end}": f"{name}.override.{end}" for name in ("compose", "docker-compose") for end in ("yaml", "yml")
}


def recognises(data: Mapping[str, JSON]) -> bool:
    """By services that have an image, are built or extend another; a file may also only include others."""
    services = data.get("services")
    known = ("image", "build", "extends", "provider")
    if isinstance(data.get("include"), list) and not services:
        return "apiVersion" not in data
    return (
        isinstance(services, dict)
        and bool(services)
        and "apiVersion" not in data
        and any(isinstance(each, dict) and any(key in each for key in known) for each in services.values())
    )


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    del choices
    return [draft for source in sources for draft in _read(source)]


def _read(source: Source) -> list[Draft]:
    services = source.data.get("services") or {}
    assert isinstance(services, dict)
    named = {name: each for name, each in services.items() if isinstance(each, dict)}
    scores = {name: _score(name, service) for name, service in named.items()}
    certain = [name for name, score in scores.items() if score > 1]
    servers = certain or [name for name, score in scores.items() if score == 1]
    top = Reading(source)
    _lose_other_files(top)
    if not named:
        top.refuse(("include",), "import/no-workload", "the file has no services but those of other files", WHOLE)
        return [draft_of("compose", FORMAT, top)]
    if not servers:
        message = f"none of the services is an MCP server ({excerpt(', '.join(named), 200)})"
        top.refuse(("services",), "import/no-workload", message, "databases, proxies and clients stay as they are")
        return [draft_of(plain_text(source.data.get("name")) or "compose", FORMAT, top)]
    project = Project(_project_name(source), len(named) > 1, source.data)
    # Other services are reported with the first server.
    for key in source.data:
        if key in _AROUND or key.startswith("x-"):
            top.note((key,), None)
    for name in named:
        if name in servers:
            top.note(("services", name), None)
        else:
            top.lose(("services", name), f"no MCP server: {STAYS}", harmless=True)
    readings = {name: Reading(source, ("services", name)) for name in servers}
    for name, reading in readings.items():
        read_service(reading, name, project)
    return [draft_of(name, FORMAT, readings[name], *([top] if name == servers[0] else [])) for name in servers]


def _lose_other_files(top: Reading) -> None:
    """Reports the files that compose would merge."""
    top.lose(("include",), f"the services of other files are not read: {WHOLE}")
    folder, file = os.path.split(os.path.abspath(top.source.file))
    override = _OVERRIDES.get(file, "")
    if override and os.path.exists(os.path.join(folder, override)):
        top.lose((), f"{override} in the same folder, which compose merges into it, is not read: {WHOLE}")


def _project_name(source: Source) -> str:
    """Named by the file or its folder, as docker compose does; empty on standard input."""
    name = plain_text(source.data.get("name"))
    if not name and source.file not in ("-", "<stdin>"):
        name = os.path.basename(os.path.dirname(os.path.abspath(source.file)))
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def _score(name: str, service: Mapping[str, JSON]) -> int:
    image = plain_text(service.get("image"))
    if is_infrastructure(image) or "provider" in service:
        return 0
    text = [name, image, plain_text(service.get("container_name")), *words(service.get("command"))]
    text += words(service.get("entrypoint"))
    text += [plain_text(service.get("build")), plain_text(at(service.get("build"), "context"))]
    return 2 if any(map(signs, text)) or signs_of_variables(pairs(service.get("environment"))) else 1
