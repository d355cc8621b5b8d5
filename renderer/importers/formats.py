"""The formats, the most specific first: the first that recognises a document reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from renderer.errors import Fault, Problem
from renderer.importers import (
    client_files,
    compose,
    docker_registry,
    manifests,
    operators,
    server_json,
    toolhive_registry,
)
from renderer.importers.draft import Choices, Draft
from renderer.model import JSON, Source


class Format(NamedTuple):
    """``together``: all documents are read at once, as several make one server."""

    name: str
    about: str
    recognises: Callable[[Mapping[str, JSON]], bool]
    read: Callable[[Sequence[Source], Choices], list[Draft]]
    together: bool = False


FORMATS: Sequence[Format] = (
    Format("server.json", "server.json of the MCP registry", server_json.recognises, server_json.read),
    Format("toolhive-registry", "registry of ToolHive", toolhive_registry.recognises, toolhive_registry.read),
    Format("docker-registry", "server.yaml or catalog of Docker", docker_registry.recognises, docker_registry.read),
    Format("client", "mcp.json and other files of clients", client_files.recognises, client_files.read),
    Format(
        operators.NAME,
        "MCPServer of ToolHive, kmcp, mcp.x-k8s.io",
        operators.recognises,
        operators.read,
        together=True,
    ),
    Format("compose", "compose files of Docker", compose.recognises, compose.read),
    Format("manifests", "manifests of Kubernetes", manifests.recognises, manifests.read, together=True),
)


def recognise(sources: Sequence[Source]) -> tuple[dict[str, list[Source]], list[Problem]]:
    """The documents by format, and a Problem for each document of none."""
    by_format: dict[str, list[Source]] = {}
    problems = []
    for source in sources:
        for form in FORMATS:
            if form.recognises(source.data):
                by_format.setdefault(form.name, []).append(source)
                break
        else:
            known = "; ".join(form.about for form in FORMATS)
            message = "the document has no format that can be imported"
            problems.append(source.problem(Fault((), "import/unrecognised", message, f"these can: {known}")))
    # ConfigMaps and the like in a file with an operator's resources belong to these, unless a workload is there too.
    for file in {source.file for source in by_format.get(operators.NAME, ())}:
        objects = [source for source in by_format.get("manifests", ()) if source.file == file]
        if not any(map(operators.is_workload, objects)):
            by_format[operators.NAME] += objects
            others = [source for source in by_format.get("manifests", ()) if source.file != file]
            by_format = {**by_format, "manifests": others}
    return by_format, problems


def batches(by_format: Mapping[str, Sequence[Source]]) -> list[tuple[Format, Sequence[Source]]]:
    """What is read at once: one document, or all documents of a format."""
    groups: list[tuple[Format, Sequence[Source]]] = []
    for form in FORMATS:
        sources = by_format.get(form.name, ())
        groups += [(form, sources)] if form.together and sources else [(form, [source]) for source in sources]
    return groups
