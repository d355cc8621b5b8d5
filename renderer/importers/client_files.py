"""The files of clients: mcp.json and its kin, with a command or an address for each server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from renderer.errors import DocumentPath, excerpt
from renderer.importers.addresses import TRANSPORTS, set_address
from renderer.importers.choices import Choices
from renderer.importers.commands import PROGRAMS, PROXIES
from renderer.importers.draft import Draft, Reading, describe, draft_of, fill_in, lose_all, plain_text
from renderer.importers.naming import name_of
from renderer.importers.starting import Starting
from renderer.importers.values import Input, Values, Word
from renderer.model import JSON, Source

NAME = "client"
#: Where a file has its servers: most clients, Zed, Codex (as JSON), VS Code in its settings, opencode.
_PLACES: Sequence[DocumentPath] = (
    *(("mcpServers",), ("context_servers",), ("mcp_servers",)),
    *(("mcp", "servers"), ("mcp.servers",), ("mcp",), ("servers",)),
)
_URLS = ("url", "serverUrl", "httpUrl", "uri", "endpoint")
_ENV = ("env", "environment")
_ABOUT_CLIENT = "for the client: nothing that runs reads it"
_OF_CLIENT = (
    *("disabled", "enabled", "autoApprove", "alwaysAllow", "autoAllow", "trust", "timeout", "tools", "includeTools"),
    *("excludeTools", "disabledTools", "enabled_tools", "disabled_tools", "gallery", "version", "dev", "note", "name"),
    *("icon", "iconPath", "metadata", "source", "settings", "startup_timeout_sec", "tool_timeout_sec", "initTimeout"),
    *("isActive", "registryUrl", "provider", "tags", "requestOptions", "connectionTimeout", "sampling", "schema"),
)
_OAUTH = ("oauth", "auth", "authorization", "authProviderType", "authorization_token", "bearer_token")


def recognises(data: Mapping[str, JSON]) -> bool:
    """Whether a mapping or list of servers stands where clients have it."""
    return any(True for _ in _servers(data))


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    """A Draft for each server of each file."""
    return [draft for source in sources for draft in _of_file(source, choices)]


def _servers(data: Mapping[str, JSON]) -> Iterator[tuple[DocumentPath, str]]:
    """The path and the name of each server, of the first place that has any."""
    for place in _PLACES:
        node: JSON = dict(data)
        for step in place:
            node = node.get(str(step)) if isinstance(node, dict) else None
        named: list[tuple[DocumentPath, str, JSON]] = []
        if isinstance(node, dict):
            named = [((*place, name), name, value) for name, value in node.items()]
        elif isinstance(node, list):  # Continue's form
            pairs = ((i, item) for i, item in enumerate(node) if isinstance(item, dict))
            named = [((*place, i), plain_text(item.get("name")) or f"server-{i + 1}", item) for i, item in pairs]
        if any(_is_server(value) for _, _, value in named):
            yield from ((path, name) for path, name, value in named if isinstance(value, dict))
            return


def _is_server(value: JSON) -> bool:
    return isinstance(value, dict) and "image" not in value and not {"command", *_URLS}.isdisjoint(value)


def _of_file(source: Source, choices: Choices) -> Iterator[Draft]:
    inputs = dict(_inputs(source))
    for path, name in _servers(source.data):
        reading = Reading(source, path)
        values = Values(reading, name_of(name), inputs)
        _read_server(reading, values, choices)
        if not reading.problems:
            fill_in(reading)
        asked = [_of_input(source, inputs[each]) for each in sorted(values.asked)]
        yield draft_of(name, NAME, reading, *asked)


def _inputs(source: Source) -> Iterator[tuple[str, Input]]:
    """What VS Code asks its user for, by id."""
    listed = source.data.get("inputs")
    for number, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            options = item.get("options")
            choices = tuple(plain_text(_value(option)) for option in options) if isinstance(options, list) else ()
            default = plain_text(item.get("default")) or None
            about = plain_text(item.get("description"))
            yield str(item["id"]), Input(("inputs", number), item.get("password") is True, about, default, choices)


def _value(option: JSON) -> JSON:
    return option.get("value") if isinstance(option, dict) else option


def _of_input(source: Source, known: Input) -> Reading:
    """The fields of an input, all of which are in what is written for it."""
    reading = Reading(source, known.source)
    for key in reading.mapping():
        reading.note((key,), ("spec", "env"), "asked for by the client")
    return reading


def _read_server(reading: Reading, values: Values, choices: Choices) -> None:
    kind = reading.text("type") or reading.text("transport")
    url = next((Word(reading.text(key), (key,)) for key in _URLS if reading.text(key)), None)
    describe_if_there(reading)
    lose_all(reading, _OF_CLIENT, _ABOUT_CLIENT)
    if url and not reading.get("command"):
        _read_remote(reading, values, kind, url)
    else:
        _read_command(reading, values, choices, kind)


def describe_if_there(reading: Reading) -> None:
    """Its description, where it has one."""
    if text := reading.text("description"):
        describe(reading, ("description",), text)


def _read_remote(reading: Reading, values: Values, kind: str, url: Word) -> None:
    field: DocumentPath = ("type",) if reading.text("type") else ("transport",)
    if kind:
        reading.note(field, ("spec", "remote", "transport"))
    if kind and kind not in (*TRANSPORTS, "remote"):
        message = f"the transport '{excerpt(kind)}' is none of MCP's"
        reading.refuse(field, "import/remote", message, "a spec has streamable-http and sse")
        return
    headers = {
        name: Word(plain_text(value), (key, name))
        for key in ("headers", "http_headers")
        for name, value in reading.mapping(key).items()
    }
    for name, value in reading.mapping("env_http_headers").items():
        headers[name] = Word(f"${{env:{plain_text(value)}}}", ("env_http_headers", name))
    if variable := reading.text("bearer_token_env_var"):
        headers["Authorization"] = Word(f"Bearer ${{env:{variable}}}", ("bearer_token_env_var",))
    set_address(reading, values, url, TRANSPORTS.get(kind, ""), headers)
    for key in _OAUTH:
        if reading.get(key) is not None:
            reading.lose((key,), "each client logs in by itself; a fixed token is a header: spec.remote.headers")


def _read_command(reading: Reading, values: Values, choices: Choices, kind: str) -> None:
    if reading.text("type") or reading.text("transport"):
        reading.note(("type",) if reading.text("type") else ("transport",), ("spec", "transport", "type"), kind)
    words = list(_words(reading))
    if not words or not words[0].text:
        message = "the server has neither a command nor an address"
        reading.refuse((), "import/command", message, "write 'command' and 'args', or 'url'")
        return
    env_key = next((key for key in _ENV if reading.mapping(key)), "env")
    env = reading.mapping(env_key)
    starting = Starting(
        reading, values, {name: plain_text(value) for name, value in env.items()}, env_key, choices, PROGRAMS, PROXIES
    )
    starting.start(words)
    for name, value in env.items():
        if name not in starting.settled:
            values.variable(name, value, (env_key, name))
    for key, why in _OF_MACHINE.items():
        if reading.get(key) is not None:
            reading.lose((key,), why)


_OF_MACHINE = {
    "cwd": "a folder of the machine that the client runs on; in the container it is spec.workingDir",
    "envFile": "a file of that machine: write its variables under spec.env, secrets by reference",
    "env_vars": "variables of that machine: write them under spec.env, secrets by reference",
}


def _words(reading: Reading) -> Iterator[Word]:
    """Command and arguments; some clients have them in one list, or in a mapping of their own."""
    command = reading.get("command")
    if isinstance(command, dict):  # Zed's older form
        yield Word(plain_text(command.get("path")), ("command", "path"))
        arguments: JSON = command.get("args")
        yield from _list(arguments, ("command", "args"))
    elif isinstance(command, list):
        yield from _list(command, ("command",))
    elif command is not None:
        yield Word(plain_text(command), ("command",))
    yield from _list(reading.get("args"), ("args",))


def _list(items: JSON, path: DocumentPath) -> Iterator[Word]:
    for number, item in enumerate(items if isinstance(items, list) else ()):
        yield Word(plain_text(item), (*path, number))
