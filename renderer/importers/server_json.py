"""``server.json`` of the MCP registry, in every version of its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from renderer.errors import DocumentPath, excerpt
from renderer.importers.choices import Choices
from renderer.importers.draft import (
    REPOSITORY,
    TITLE,
    VERSION,
    WEBSITE,
    Draft,
    Reading,
    annotate,
    describe,
    draft_of,
    lose_all,
)
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.naming import name_of
from renderer.importers.variables import Variable, set_variable
from renderer.model import JSON, Source

FORMAT = "server.json"
_CATALOGUE = "data for catalogues: nothing that runs reads it"


def recognises(data: Mapping[str, JSON]) -> bool:
    """By its schema's address, or by a name with its packages or remotes."""
    lists = any(isinstance(data.get(key), list) for key in ("packages", "remotes"))
    return str(data.get("$schema", "")).endswith("server.schema.json") or (lists and isinstance(data.get("name"), str))


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    """A Draft of each document."""
    return [_read(Reading(source), choices) for source in sources]


def _read(reading: Reading, choices: Choices) -> Draft:
    original = reading.text("name")
    reading.note(("name",), ("metadata", "name"))
    reading.note(("$schema",), None, "names the version of the format")
    describe(reading, ("description",), reading.text("description"))
    annotate(reading, ("title",), TITLE)
    annotate(reading, ("version",), VERSION)
    annotate(reading, _spelt(reading, (), "websiteUrl"), WEBSITE)
    annotate(reading, ("repository", "url"), REPOSITORY)
    lose_all(reading, ["icons"], _CATALOGUE)
    lose_all(reading, ["source", "id", "subfolder"], _CATALOGUE, ("repository",))
    for path, package in reading.items("packages"):
        if isinstance(package, dict):
            _package(reading, path, name_of(original), choices)
            break
    return draft_of(original, FORMAT, reading)


def _spelt(reading: Reading, path: DocumentPath, name: str) -> DocumentPath:
    """The path of the field: the first version of the schema wrote ``registry_type`` for ``registryType``."""
    if reading.get(*path, name) is None:
        older = re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", name)
        if reading.get(*path, older) is not None:
            return (*path, older)
    return (*path, name)


def _package(reading: Reading, path: DocumentPath, name: str, choices: Choices) -> None:
    kind = reading.text(*_spelt(reading, path, "registryType"))
    identifier = reading.text(*path, "identifier")
    if transport := reading.text(*path, "transport", "type"):
        reading.map((*path, "transport", "type"), ("spec", "transport", "type"), transport)
    reading.note(_spelt(reading, path, "registryType"), ("spec",))
    if kind == "oci":
        set_image(reading, (*path, "identifier"), identifier)
        if reading.text(*path, "transport", "type") in ("", "stdio"):
            set_entrypoint(reading, identifier, choices)
    elif kind in ("npm", "pypi"):
        package = {"registry": kind, "name": identifier, "version": reading.text(*path, "version")}
        reading.map((*path, "identifier"), ("spec", "package"), dict(package))
        reading.note((*path, "version"), ("spec", "package", "version"))
    else:
        reading.refuse(path, "import/package", f"packages of {excerpt(kind)} cannot be run")
    for variable, _ in reading.items(*_spelt(reading, path, "environmentVariables")):
        set_variable(reading, variable, _variable(reading, variable), name)


def _variable(reading: Reading, path: DocumentPath) -> Variable:
    default = reading.get(*path, "default")
    return Variable(
        reading.text(*path, "name"),
        reading.text(*path, "default") if default is not None else None,
        reading.get(*_spelt(reading, path, "isRequired")) is True,
        reading.get(*_spelt(reading, path, "isSecret")) is True,
        reading.text(*path, "description"),
    )
