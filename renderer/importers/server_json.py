"""``server.json`` of the MCP registry, in every schema version, alone or in a registry's answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from renderer.errors import DocumentPath, excerpt
from renderer.importers.deployment import read_meta
from renderer.importers.draft import CATALOGUE, REPOSITORY, TITLE, VERSION, WEBSITE, Choices, Draft, Reading, draft_of
from renderer.importers.naming import name_of
from renderer.importers.remotes import set_header, set_remote, set_remote_variable
from renderer.importers.server_json_packages import choose, field_path, kind_of, set_package, variable_of
from renderer.importers.variables import complete
from renderer.model import JSON, Source

FORMAT = "server.json"
#: Of the schema, oldest first.
VERSIONS = ("2025-07-09", "2025-09-16", "2025-09-29", "2025-10-11", "2025-10-17", "2025-12-11")


def recognises(data: Mapping[str, JSON]) -> bool:
    return bool(_roots(data))


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    drafts = []
    for source in sources:
        for number, root in enumerate(_roots(source.data)):
            reading = Reading(source, root)
            others = []
            if root:  # when it was published, whether it is the newest
                wrapped = root[-1] == "server"
                around = Reading(source, root[:-1] if wrapped else root, into=reading)
                around.note(("server",) if wrapped else (), None)
                around.lose_all(["_meta"] if wrapped else [], CATALOGUE)
                others.append(around)
            if root and number == 0:
                # Fields around the definitions are reported with the first.
                envelope = Reading(source, into=reading)
                envelope.note(root[:1], None, "each is reported by itself")
                envelope.lose_all([key for key in source.data if key not in root[:1]], CATALOGUE)
                others.append(envelope)
            drafts.append(_read(reading, others, choices))
    return drafts


def _is_definition(data: JSON) -> bool:
    if not isinstance(data, dict):
        return False
    lists = any(isinstance(data.get(key), list) for key in ("packages", "remotes"))
    return str(data.get("$schema", "")).endswith("server.schema.json") or (lists and isinstance(data.get("name"), str))


def _roots(data: Mapping[str, JSON]) -> list[DocumentPath]:
    """Paths of the definitions: at the top, or in a registry's list."""
    if _is_definition(dict(data)):
        return [()]
    if _is_definition(data.get("server")):
        return [("server",)]
    inner = data.get("data")
    above: DocumentPath = ("data", "servers") if isinstance(inner, dict) and "servers" in inner else ("servers",)
    servers = inner.get("servers") if isinstance(inner, dict) and "servers" in inner else data.get("servers")
    roots: list[DocumentPath] = []
    for number, entry in enumerate(servers if isinstance(servers, list) else ()):
        if _is_definition(entry):
            roots.append((*above, number))
        elif isinstance(entry, dict) and _is_definition(entry.get("server")):
            roots.append((*above, number, "server"))
    return roots


def _read(reading: Reading, others: Sequence[Reading], choices: Choices) -> Draft:
    original = reading.text("name")
    name = name_of(original)
    reading.note(("name",), ("metadata", "name"))
    if reading.get("$schema") is not None:
        reading.note(("$schema",), None, _version_words(reading.text("$schema")))
    reading.describe(("description",))
    reading.carry_text(("title",), ("metadata", "annotations", TITLE))
    before = reading.get("version_detail") is not None
    reading.carry_text(("version_detail", "version") if before else ("version",), ("metadata", "annotations", VERSION))
    reading.lose_all(["release_date", "is_latest"], CATALOGUE, ("version_detail",))
    reading.carry_text(field_path(reading, (), "websiteUrl"), ("metadata", "annotations", WEBSITE))
    reading.carry_text(("repository", "url"), ("metadata", "annotations", REPOSITORY))
    if reading.text("status") in ("deprecated", "deleted"):
        question = f"the definition is {reading.text('status')}: is there a successor?"
        reading.decide(("status",), ("metadata",), None, question)
    reading.lose_all(["icons", "status", "id"], CATALOGUE)
    reading.lose_all(["source", "id", "subfolder"], CATALOGUE, ("repository",))
    read_meta(reading, name, _what_runs(reading, name, choices))
    if reading.written(("spec",)):
        complete(reading, name)
    return draft_of(original, FORMAT, reading, *others)


def _version_words(schema: str) -> str:
    date = re.search(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", schema)
    if date and date[0] in VERSIONS:
        return f"read as version {date[0]}"
    older = [version for version in VERSIONS if date and version <= date[0]]
    nearest = older[-1] if older else VERSIONS[0 if date else -1]
    return f"{excerpt(schema, 80)} is no version that is known here: read as {nearest}"


def _what_runs(reading: Reading, name: str, choices: Choices) -> str:
    """Writes the chosen package or remote, reports the others; returns its identifier or URL."""
    packages = [path for path, package in reading.items("packages") if isinstance(package, dict)]
    remotes = [path for path, remote in reading.items("remotes") if isinstance(remote, dict)]
    if remotes and (choices.remote or not packages):
        _others(reading, [*remotes[1:], *packages])
        _remote(reading, remotes[0], name)
        return reading.text(*remotes[0], "url")
    if choices.remote or not packages:
        missing = "remotes" if choices.remote else "packages and no remotes"
        message = f"the definition has no {missing}: there is nothing to run or to call"
        reading.refuse((), "import/nothing-runs", message)
        return ""
    taken = choose(reading, packages, choices)
    if taken is None:
        known = ", ".join(f"{number} {kind_of(reading, path)}" for number, path in enumerate(packages, 1))
        message = f"no package is '{excerpt(choices.package)}'"
        reading.refuse(("packages",), "import/package", message, f"there are {known}")
        return ""
    _others(reading, [*(path for path in packages if path != taken), *remotes])
    set_package(reading, taken, name, choices)
    return reading.text(*field_path(reading, taken, "identifier"))


def _others(reading: Reading, paths: Sequence[DocumentPath]) -> None:
    for path in paths:
        option = f"--package {int(path[1]) + 1}" if path[0] == "packages" else "--remote"
        reading.lose(path, f"another way to the same server: {option} takes it", harmless=True)


def _remote(reading: Reading, path: DocumentPath, name: str) -> None:
    set_remote(reading, (*path, "url"), (*path, "type"), reading.text(*path, "type"))
    reading.lose_all(["description"], CATALOGUE, path)
    for header, _ in reading.items(*path, "headers"):
        set_header(reading, header, variable_of(reading, header, reading.text(*header, "name")), name)
        for inner in reading.mapping(*header, "variables"):
            source = (*header, "variables", inner)
            set_remote_variable(reading, source, variable_of(reading, source, inner), name)
    for inner in reading.mapping(*path, "variables"):
        source = (*path, "variables", inner)
        set_remote_variable(reading, source, variable_of(reading, source, inner), name)
