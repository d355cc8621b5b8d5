"""ToolHive's ``registry.json``: many servers with their permissions; or one server in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import CATALOGUE, END, REPOSITORY, TITLE, Choices, Draft, Reading
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.naming import name_of
from renderer.importers.permissions import allow_hosts, allow_nothing, leave_folder, split_volume
from renderer.importers.remotes import set_header, set_remote
from renderer.importers.variables import Variable, completed, literal, set_variable
from renderer.manifest import as_mapping
from renderer.model import JSON, Source

FORMAT = "toolhive-registry"
_LISTS = ("servers", "remote_servers")
_LISTED = ("tools", "tags", "tier", "metadata", "custom_metadata", "overview", "tool_definitions")
_SIGNED = "nothing in a spec verifies signatures: a policy of the cluster does (Kyverno, policy-controller)"


def recognises(data: Mapping[str, JSON]) -> bool:
    if "legacy-registry.schema.json" in str(data.get("$schema")):
        return True
    servers = [server for key in _LISTS for server in as_mapping(data.get(key)).values() if isinstance(server, dict)]
    return _is_entry(data) or any({"image", "url"} & server.keys() and "transport" in server for server in servers)


def _is_entry(data: Mapping[str, JSON]) -> bool:
    """One server in its own file, from which registries are built."""
    runs = {"image", "url"} & data.keys() and isinstance(data.get("transport"), str)
    return bool(runs and {"tier", "permissions", "env_vars", "repository_url"} & data.keys())


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    return [draft for source in sources for draft in _drafts(source, choices)]


def _drafts(source: Source, choices: Choices) -> Iterator[Draft]:
    around = Reading(source)
    around.lose_all(["$schema", "version", "last_updated"], CATALOGUE)
    for group, _ in around.items("groups"):
        around.lose_all(["name", "description"], CATALOGUE, group)
    # A server in its own file may be named after its folder.
    own = source.data.get("name")
    name = own if isinstance(own, str) else PurePath(source.file).parent.name
    roots = [((), name)] if _is_entry(source.data) else _roots(source.data)
    for root, _ in roots:
        around.note(root, None, "reported by itself")
    for number, (root, name) in enumerate(roots):
        # Fields around the servers are reported with the first.
        yield _read(Reading(source, root), [around] if root and number == 0 else [], name, choices)


def _roots(data: Mapping[str, JSON], above: DocumentPath = ()) -> list[tuple[DocumentPath, str]]:
    """Path and name of each server, also within groups."""
    roots: list[tuple[DocumentPath, str]] = []
    for key in _LISTS:
        servers = as_mapping(data.get(key))
        roots += [((*above, key, name), name) for name, server in servers.items() if isinstance(server, dict)]
    groups = data.get("groups")
    for number, group in enumerate(groups if isinstance(groups, list) else ()):
        roots += _roots(group, (*above, "groups", number)) if isinstance(group, dict) else []
    return roots


def _read(reading: Reading, around: Sequence[Reading], original: str, choices: Choices) -> Draft:
    name = name_of(original)
    reading.describe(("description",))
    reading.carry_text(("title",), ("metadata", "annotations", TITLE))
    reading.carry_text(("repository_url",), ("metadata", "annotations", REPOSITORY))
    reading.note(("name",), ("metadata", "name"))
    if reading.get("url") is not None:
        set_remote(reading, ("url",), ("transport",), reading.text("transport"))
        for path, _ in reading.items("headers"):
            set_header(reading, path, _input(reading, path), name)
        apply_extension(reading, (), name)
    else:
        image, transport = reading.text("image"), reading.text("transport") or "stdio"
        set_image(reading, ("image",), image)
        if transport == "stdio":
            reading.note(("transport",), ("spec", "transport", "type"))
        else:
            reading.map(("transport",), ("spec", "transport", "type"), transport)
            port = reading.get("target_port")
            if isinstance(port, int):
                reading.map(("target_port",), ("spec", "transport", "port"), port)
            else:
                target = ("spec", "transport", "port")
                reading.decide((), target, None, "on which port the image listens: the definition does not say it")
        apply_extension(reading, (), name)
        if transport == "stdio":
            set_entrypoint(reading, image, choices)
    return completed(original, FORMAT, reading, *around)


def apply_extension(reading: Reading, path: DocumentPath, server: str) -> None:
    """ToolHive's data on a server, in its own registry or in ``_meta`` of server.json."""
    for argument, _ in reading.items(*path, "args"):
        reading.map(argument, ("spec", "args", END), literal(reading.text(*argument)))
    remote = reading.written(("spec", "remote")) is not None
    for variable, _ in reading.items(*path, "env_vars"):
        if remote:
            reading.lose(variable, "a variable of whoever calls the server: nothing is deployed that could have it")
        else:
            set_variable(reading, variable, _input(reading, variable), server)
    _permissions(reading, (*path, "permissions"))
    if not reading.is_withdrawn((*path, "status")):
        reading.lose_all(["status"], CATALOGUE, path)
    if reading.get(*path, "stateless") is not None:
        stateless = reading.get(*path, "stateless") is True
        reading.map((*path, "stateless"), ("spec", "transport", "stateful"), not stateless)
    reading.lose_all(_LISTED, CATALOGUE, path)
    reading.lose_all(["docker_tags"], "other tags of the image", path)
    reading.lose_all(["proxy_port"], "the port of ToolHive's own proxy: network.publish.port is compose's", path)
    reading.lose_all(["oauth_config"], "clients sign in by themselves: the server names its issuer", path)
    reading.lose_each({"provenance": _SIGNED}, path)


def _input(reading: Reading, path: DocumentPath) -> Variable:
    """Environment variables and headers have one form."""
    default = reading.get(*path, "default")
    return Variable(
        reading.text(*path, "name"),
        None if default is None else reading.text(*path, "default"),
        reading.get(*path, "required") is True,
        reading.get(*path, "secret") is True,
        reading.text(*path, "description"),
    )


def _permissions(reading: Reading, path: DocumentPath) -> None:
    _outbound(reading, (*path, "network", "outbound"))
    for key, how in (("read", "read"), ("write", "written")):
        for mount, _ in reading.items(*path, key):
            folder, target, _ = split_volume(reading.text(*mount))
            leave_folder(reading, mount, folder or target, f"{target} ({how})")
    if reading.get(*path, "privileged") is True:
        reading.lose((*path, "privileged"), "Pod Security 'restricted' always holds")
    name = reading.text(*path, "name")
    if name == "none" and reading.get(*path, "network") is None:
        allow_nothing(reading, (*path, "name"))
    elif name:
        reading.lose((*path, "name"), f"'{excerpt(name)}' is a profile of ToolHive", harmless=name == "network")


def _outbound(reading: Reading, path: DocumentPath) -> None:
    hosts = [(host, reading.text(*host)) for host, _ in reading.items(*path, "allow_host")]
    ports = [port for _, port in reading.items(*path, "allow_port") if isinstance(port, int)]
    if reading.get(*path, "insecure_allow_all") is True:
        reading.note(path, None, "it may connect to every address: egress stays open")
    elif hosts:
        allow_hosts(reading, hosts, ports)
        reading.note((*path, "allow_port"), ("spec", "network", "egress", "hosts"))
        reading.note((*path, "insecure_allow_all"), None, "false")
    elif ports:
        block: JSON = {"cidr": "0.0.0.0/0", "ports": [*ports]}
        reading.map(path, ("spec", "network", "egress", "cidrs"), [block])
    elif reading.get(*path) is not None:
        allow_nothing(reading, path)
