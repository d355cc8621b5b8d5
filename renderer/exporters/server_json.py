"""``server.json`` of the MCP registry; deployment data is under ``_meta``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from renderer.exporters.exported import Exported, Fates, Lost, entries_of, entry, lost, refused
from renderer.importers.draft import NAME_ANNOTATION, REPOSITORY, TITLE, VERSION, WEBSITE, Entry, Outcome
from renderer.importers.server_json import CARRIED, OWN, PUBLISHER, carried
from renderer.manifest import as_mapping, at
from renderer.model import JSON, ConfigMapRef, Options, SecretRef, Server
from renderer.model.remote import PLACEHOLDER, RemoteValue

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
_HOSTS = {"github.com": "github", "gitlab.com": "gitlab"}
_NAME = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
_RANGE = re.compile(r"[\^~><=*| ]|\.x")
#: Prefix of variables that an import made for arguments.
_FOR_ARGUMENT = "ARG_"
_REFERENCE = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_LONGEST = {"description": 100, "title": 100, "name": 200, "version": 255}
_OURS = Lost("it holds where the server runs, and a definition is for everybody else", harmless=True)
_FILES = Lost("a definition has no files: bring them in the image, or say in the description what to mount")
_ONE_CONTAINER = Lost("a definition runs one container")
_RIGHTS = Lost("a definition gives no rights: whoever runs the server decides them")

_FATES: Fates = {
    **dict.fromkeys(CARRIED, "_meta"),
    "description": "description",
    "image": "packages.0.identifier",
    "package": "packages.0.identifier",
    "remote": "remotes.0",
    "network.egress": "_meta",
    "network.ingress": _OURS,
    "network.hostAliases": _OURS,
    "network.publish": _OURS,
    "command": "packages.0.runtimeArguments",
    "args": "packages.0.packageArguments",
    "env": "packages.0.environmentVariables",
    "envFrom": Lost("a definition names each variable: write those that others must set under env"),
    "files": _FILES,
    "sidecars": _ONE_CONTAINER,
    "initContainers": _ONE_CONTAINER,
    "serviceAccount": _RIGHTS,
    **dict.fromkeys(("accept", "access", "adopt", "annotations", "compose", "expose", "externalSecrets"), _OURS),
    **dict.fromkeys(("imagePullPolicy", "imagePullSecrets", "monitoring", "namespace", "patches"), _OURS),
    **dict.fromkeys(("resourceName", "runtimeClass", "sandbox", "service"), _OURS),
}


def export(server: Server, options: Options) -> Exported:
    """Refused for packages from git, which no registry has."""
    del options
    if server.package and server.package.git:
        why = "it is built from a repository, and a definition names a package of a registry: publish it, or an image"
        return refused(server, ("spec", "package", "git"), why)
    entries = [*_named(server), *entries_of(server, _FATES), *_losses(server)]
    known = server.annotations
    url = known.get(REPOSITORY, "")
    host = urlsplit(url).hostname or ""
    repository = {"url": url, "source": _HOSTS.get(host, host)}
    # The definition's version, else that of the package or image; no ranges.
    image = (server.image or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    texts = (server.annotations.get(VERSION, ""), server.package.version if server.package else "", image)
    document: dict[str, Any] = {
        "$schema": SCHEMA,
        "name": _name(server),
        "description": _cut(server.description or f"MCP server {server.name}", "description"),
        **({"title": _cut(known[TITLE], "title")} if known.get(TITLE) else {}),
        **({"repository": repository} if host else {}),
        "version": next((text[: _LONGEST["version"]] for text in texts if text and not _RANGE.search(text)), "0.0.0"),
        **({"websiteUrl": known[WEBSITE]} if known.get(WEBSITE) else {}),
    }
    if server.remote:
        document["remotes"] = [_remote(server)]
    else:
        document["packages"] = [_package(server)]
        if parts := carried(as_mapping(server.source.data["spec"])):
            document["_meta"] = {PUBLISHER: {OWN: {"spec": parts}}}
    return Exported(server, (document,), tuple(entries))


def _name(server: Server) -> str:
    name = server.annotations.get(NAME_ANNOTATION, "")
    return name if _NAME.fullmatch(name) and len(name) <= _LONGEST["name"] else f"local/{server.name}"


def _named(server: Server) -> Iterator[Entry]:
    """What the registry requires and specs do not have."""
    metadata = ("metadata", "annotations", NAME_ANNOTATION)
    if _name(server) == server.annotations.get(NAME_ANNOTATION):
        yield entry(server, metadata, Outcome.MAPPED, "name")
    else:
        question = f"the registry wants a name such as io.github.YOU/{server.name}: write it as {NAME_ANNOTATION}"
        yield entry(server, ("metadata", "name"), Outcome.DECISION, "name", question)
    if not server.annotations.get(VERSION):
        question = f"which version of the definition: the annotation {VERSION}; until then that of what runs"
        yield entry(server, ("metadata", "annotations"), Outcome.DECISION, "version", question)
    if server.command and not server.image:
        why = "which program of the package is started: a definition names the package alone"
        yield lost(server, ("spec", "command"), why)
    if len(server.description) > _LONGEST["description"]:
        yield entry(server, ("spec", "description"), Outcome.DECISION, "description", "cut to 100 characters")


def _cut(text: str, field: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= _LONGEST[field] else f"{short[: _LONGEST[field] - 1]}…"


def _package(server: Server) -> dict[str, JSON]:
    transport: dict[str, JSON] = {"type": server.transport.type}
    if server.transport.type != "stdio":
        transport["url"] = f"http://localhost:{server.transport.port}{server.transport.path}"
    identity, hint = _identity(server)
    requirements = server.package.requirements if server.package else ()
    started: list[JSON] = [{"type": "named", "name": "--with", "value": name} for name in requirements]
    if server.image and server.command:
        started.append({"type": "named", "name": "--entrypoint", "value": server.command[0]})
    words = [*server.command[1:], *server.args] if server.image else server.args
    variables = list(_variables(server))
    return {
        **identity,
        **({"runtimeHint": hint} if hint and (started or not server.image) else {}),
        "transport": transport,
        **({"runtimeArguments": started} if started else {}),
        **({"packageArguments": [_argument(word, server) for word in words]} if words else {}),
        **({"environmentVariables": variables} if variables else {}),
    }


def _identity(server: Server) -> tuple[dict[str, JSON], str]:
    """The package, and its runtimeHint."""
    package = at(server.source.data, "spec", "package")
    if server.image or not package:
        return {"registryType": "oci", "identifier": server.image or ""}, "docker"
    kind = package["registry"]
    if kind == "mcpb":
        return {"registryType": kind, "identifier": package["url"], "fileSha256": package["sha256"]}, ""
    identity = {"registryType": kind, "identifier": package["name"], "version": package["version"]}
    return identity, {"npm": "npx", "pypi": "uvx"}.get(str(kind), "")


def _argument(word: str, server: Server) -> JSON:
    name, equals, value = word.partition("=")
    if word.startswith("--") and equals:
        return {"type": "named", "name": name, **_text(value, server)}
    return {"type": "positional", **_text(word, server)}


def _text(text: str, server: Server) -> dict[str, JSON]:
    """The value, with placeholders for references to variables."""
    names = list(dict.fromkeys(name for name in _REFERENCE.findall(text) if name in server.env))
    template = _REFERENCE.sub(lambda match: f"{{{_short(match[1])}}}" if match[1] in names else match[0], text)
    variables: dict[str, JSON] = {_short(name): _input(server.env[name]) for name in names}
    return {"value": template.replace("$$(", "$("), **({"variables": variables} if variables else {})}


def _short(name: str) -> str:
    return name.removeprefix(_FOR_ARGUMENT)


def _variables(server: Server) -> Iterator[JSON]:
    """Variables that only arguments refer to are inputs of these instead."""
    referred = {name for word in server.args for name in _REFERENCE.findall(word)}
    for name, value in server.env.items():
        if name in referred and name.startswith(_FOR_ARGUMENT):
            continue
        if isinstance(value, str) and _REFERENCE.search(value):
            yield {"name": name, **_text(value, server)}
        elif isinstance(value, str | SecretRef | ConfigMapRef):
            yield {"name": name, **_input(value)}


def _input(value: object) -> dict[str, JSON]:
    if isinstance(value, SecretRef):
        return {"isRequired": not value.optional, "isSecret": True}
    if isinstance(value, ConfigMapRef):
        return {"isRequired": not value.optional}
    return {"default": str(value).replace("$$(", "$(")}


def _losses(server: Server) -> Iterator[Entry]:
    for name, value in server.env.items():
        if not isinstance(value, str | SecretRef | ConfigMapRef):
            yield lost(server, ("spec", "env", name), "only a cluster knows the value")
    for number, volume in enumerate(server.storage):
        if volume.size is None:
            why = "a folder of the machine or a claim of the cluster is nobody else's"
            yield lost(server, ("spec", "storage", number), why)


def _remote(server: Server) -> dict[str, JSON]:
    remote = server.remote
    assert remote
    in_headers = {
        name for value in remote.headers.values() if isinstance(value, str) for name in PLACEHOLDER.findall(value)
    }
    variables: dict[str, JSON] = {
        name: _input_of_remote(value) for name, value in remote.variables.items() if name not in in_headers
    }
    headers = [_header(name, value, remote.variables) for name, value in remote.headers.items()]
    return {
        "type": remote.transport,
        "url": remote.url,
        **({"headers": headers} if headers else {}),
        **({"variables": variables} if variables else {}),
    }


def _header(name: str, value: RemoteValue, variables: Mapping[str, RemoteValue]) -> JSON:
    if not isinstance(value, str):
        return {"name": name, **_input_of_remote(value)}
    own: dict[str, JSON] = {
        each: _input_of_remote(variables[each]) for each in PLACEHOLDER.findall(value) if each in variables
    }
    return {"name": name, "value": value, **({"variables": own} if own else {})}


def _input_of_remote(value: RemoteValue) -> dict[str, JSON]:
    return {"default": value} if isinstance(value, str) else {"isRequired": True, "isSecret": True}
