"""``server.json`` of the MCP registry, in every schema version, alone or in a registry's answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import CATALOGUE, REPOSITORY, TITLE, VERSION, WEBSITE, Choices, Draft, Reading
from renderer.importers.naming import name_of
from renderer.importers.remotes import set_header, set_remote, set_remote_variable
from renderer.importers.server_json_packages import Part, choose, set_package
from renderer.importers.toolhive_registry import apply_extension
from renderer.importers.variables import completed
from renderer.manifest import as_mapping, at, items
from renderer.model import JSON, Source

FORMAT = "server.json"
PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"
_OFFICIAL = "io.modelcontextprotocol.registry/official"
#: The namespace of what ``mcpctl export server-json`` writes.
OWN = "io.mcpctl"
_TOOLHIVE = "io.github.stacklok"
_AT_ONCE = "nothing waits for a fixed time: health.startupSeconds is how long a start may take"
#: Fields that are valid wherever the server runs: no rights, no folders, no acceptances.
CARRIED = (
    *("autoscaling", "disruption", "gpu", "health", "network", "replicas", "resources", "rollout", "scheduling"),
    *("security", "shutdown", "size", "storage", "transport", "workingDir", "workload"),
)
#: Fields of a package that registries do not have.
_OF_PACKAGE = ("runtime", "bundleSize", "userConfig", "cacheSize")
#: Of NimbleTools' data.
_HEALTH = {"path": "path", "port": "port", "interval": "periodSeconds", "timeout": "timeoutSeconds"}
_SCALING = {"minReplicas": "min", "maxReplicas": "max", "targetCPUUtilizationPercentage": "cpu"}
_NOT_OURS = "a definition of somebody else does not decide it: write it into the spec"
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
    above = ("data", "servers") if "servers" in as_mapping(data.get("data")) else ("servers",)
    listed = [((*above, number), entry) for number, entry in enumerate(items(at(data, *above)))]
    return _definitions([((), dict(data))]) or _definitions(listed)


def _definitions(entries: Sequence[tuple[DocumentPath, JSON]]) -> list[DocumentPath]:
    """Paths of the definitions, some of which are a field of their entry."""
    inner = [((*path, "server"), at(entry, "server")) for path, entry in entries if not _is_definition(entry)]
    return sorted(path for path, entry in [*entries, *inner] if _is_definition(entry))


def _read(reading: Reading, others: Sequence[Reading], choices: Choices) -> Draft:
    original = reading.text("name")
    name = name_of(original)
    reading.note(("name",), ("metadata", "name"))
    reading.note(("$schema",), None, _version_words(reading.text("$schema")))
    reading.describe(("description",))
    reading.carry_text(("title",), ("metadata", "annotations", TITLE))
    before = reading.get("version_detail") is not None
    reading.carry_text(("version_detail", "version") if before else ("version",), ("metadata", "annotations", VERSION))
    reading.lose_all(["release_date", "is_latest"], CATALOGUE, ("version_detail",))
    reading.carry_text(Part(reading, ()).at("websiteUrl"), ("metadata", "annotations", WEBSITE))
    reading.carry_text(("repository", "url"), ("metadata", "annotations", REPOSITORY))
    if not reading.is_withdrawn(("status",)):
        reading.lose_all(["status"], CATALOGUE)
    reading.lose_all(["icons", "id"], CATALOGUE)
    reading.lose_all(["source", "id", "subfolder"], CATALOGUE, ("repository",))
    _meta(reading, name, _what_runs(reading, name, choices))
    return completed(original, FORMAT, reading, *others)


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
    parts = [Part(reading, path) for path in packages]
    taken = choose(parts, choices)
    if taken is None:
        known = ", ".join(f"{number} {part.kind}" for number, part in enumerate(parts, 1))
        message = f"no package is '{excerpt(choices.package)}'"
        reading.refuse(("packages",), "import/package", message, f"there are {known}")
        return ""
    _others(reading, [*(path for path in packages if path != taken.path), *remotes])
    set_package(taken, name, choices)
    return taken.text("identifier")


def _others(reading: Reading, paths: Sequence[DocumentPath]) -> None:
    for path in paths:
        option = f"--package {int(path[1]) + 1}" if path[0] == "packages" else "--remote"
        reading.lose(path, f"another way to the same server: {option} takes it", harmless=True)


def _remote(reading: Reading, path: DocumentPath, name: str) -> None:
    set_remote(reading, (*path, "url"), (*path, "type"), reading.text(*path, "type"))
    reading.lose_all(["description"], CATALOGUE, path)
    remote = Part(reading, path)
    for header in remote.parts("headers"):
        set_header(reading, header.path, header.input(header.text("name")), name)
    for part in (*remote.parts("headers"), remote):
        for inner, variable in part.variables().items():
            set_remote_variable(reading, variable.path, variable.input(inner), name)


def carried(spec: Mapping[str, JSON]) -> dict[str, JSON]:
    """The fields that are valid wherever the server runs."""
    parts = {key: value for key, value in spec.items() if key in CARRIED}
    if isinstance(network := parts.pop("network", None), dict) and "egress" in network:
        parts["network"] = {"egress": network["egress"]}  # who may connect is decided where it runs
    if isinstance(storage := parts.pop("storage", None), list):
        volumes: list[JSON] = [each for each in storage if isinstance(each, dict) and "size" in each]
        parts |= {"storage": volumes} if volumes else {}
    if isinstance(package := spec.get("package"), dict):
        own: dict[str, JSON] = {key: package[key] for key in _OF_PACKAGE if key in package}
        parts |= {"package": own} if own else {}
    return parts


# ---------------------------------------------------------------------------------------------
# Deployment data that publishers put under ``_meta``.


def _meta(reading: Reading, server: str, runs: str) -> None:
    """Reads ``_meta`` of every publisher for the package or remote ``runs`` (its identifier or URL)."""
    for name in reading.mapping("_meta"):
        if name == PUBLISHER:
            for inner in reading.mapping("_meta", name):
                _of_publisher(reading, ("_meta", name, inner), inner, server, runs)
        else:
            _of_publisher(reading, ("_meta", name), name, server, runs)


def _of_publisher(reading: Reading, path: DocumentPath, name: str, server: str, runs: str) -> None:
    values = reading.mapping(*path)
    if name == _OFFICIAL and not reading.is_withdrawn((*path, "status")):
        reading.lose(path, CATALOGUE, harmless=True)
    elif name == _OFFICIAL:
        reading.lose_all([key for key in values if key != "status"], CATALOGUE, path)
    elif name == _TOOLHIVE:
        reading.lose_all([key for key in values if key != runs], "of another package or remote", path)
        if runs in values:
            apply_extension(reading, (*path, runs), server)
    elif name == OWN:
        _own(reading, (*path, "spec"))
    elif {"container", "deployment", "resources", "scaling"} & values.keys():
        _deployment(reading, path)
    elif "serverType" in values:
        reading.lose_all(list(values), CATALOGUE, path)


def _own(reading: Reading, path: DocumentPath) -> None:
    spec = reading.mapping(*path)
    parts = carried(spec)
    package = parts.pop("package", None)
    for key, value in package.items() if isinstance(package, dict) else ():
        reading.map((*path, "package", key), ("spec", "package", key), value)
    for key, value in parts.items():
        reading.map((*path, key), ("spec", key), value, "" if value == spec[key] else f"a part of it: {_NOT_OURS}")
    for key in sorted(spec.keys() - parts.keys() - {"package"}):
        reading.lose((*path, key), _NOT_OURS)


def _deployment(reading: Reading, path: DocumentPath) -> None:
    """NimbleTools' data."""
    runtime = reading.text(*path, "runtime").partition(":")[0]
    bundle = reading.written(("spec", "package", "registry")) == "mcpb"
    if bundle and runtime in ("node", "python", "binary", "uv"):
        reading.map((*path, "runtime"), ("spec", "package", "runtime"), runtime)
    elif runtime:
        reading.lose((*path, "runtime"), "mcpctl's own base image runs it: package.baseImage", harmless=True)
    http = reading.written(("spec", "transport", "type")) != "stdio"
    _served(reading, (*path, "deployment"), http)
    _health(reading, (*path, "container", "healthCheck"), http)
    reading.lose_all(["startupProbe"], _AT_ONCE, (*path, "container"))
    for kind in ("requests", "limits"):
        for amount in ("cpu", "memory"):
            reading.carry_text((*path, "resources", kind, amount), ("spec", "resources", kind, amount))
    if reading.get(*path, "scaling", "enabled") is False:
        reading.lose((*path, "scaling"), "it is off", harmless=True)
    else:
        for key, field in _SCALING.items():
            reading.carry((*path, "scaling", key), ("spec", "autoscaling", field))
        reading.note((*path, "scaling", "enabled"), ("spec", "autoscaling"))
    reading.lose_all(["status", "repository", "capabilities", "display", "skill", "serverType"], CATALOGUE, path)


def _served(reading: Reading, path: DocumentPath, http: bool) -> None:
    for key, field, kind in (("port", "port", int), ("mcpPath", "path", str)):
        value = reading.get(*path, key)
        if http and isinstance(value, kind):
            reading.map((*path, key), ("spec", "transport", field), value)
        elif value is not None:
            reading.lose((*path, key), "the server speaks stdio: a bridge listens", harmless=True)
    reading.note((*path, "protocol"), ("spec", "transport", "type"))


def _health(reading: Reading, path: DocumentPath, http: bool) -> None:
    reading.carry((*path, "enabled"), ("spec", "health", "enabled"))
    for key, field in _HEALTH.items():
        value = reading.get(*path, key)
        number = re.fullmatch(r"([0-9]{1,4})s?", reading.text(*path, key))
        if not http and key in ("path", "port"):
            reading.lose((*path, key), "the server speaks stdio: its bridge is asked", harmless=True)
        elif key == "port" and value == reading.written(("spec", "transport", "port")):
            reading.note((*path, key), ("spec", "health", "port"), "that of the transport")
        elif value is not None:
            seconds: JSON = int(number[1]) if number and key != "path" else value
            reading.map((*path, key), ("spec", "health", field), seconds)
    reading.lose_all(["initialDelaySeconds"], _AT_ONCE, path)
