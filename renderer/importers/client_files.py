"""Configuration files of MCP clients (``mcp.json`` and similar): a command or URL for each server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Choices, Draft, Reading, draft_of, plain_text
from renderer.importers.naming import name_of
from renderer.importers.packages import Word
from renderer.importers.programs import Starting
from renderer.importers.remotes import TRANSPORTS, set_address
from renderer.importers.values import Input, Values
from renderer.manifest import as_mapping, items
from renderer.model import JSON, Source

NAME = "client"
#: Paths of the servers: most clients, Zed, Codex (as JSON), VS Code settings, opencode.
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
_OF_MACHINE = {
    "cwd": "a folder of the client's machine; in the container it is spec.workingDir",
    "envFile": "a file of that machine: write its variables under spec.env, secrets by reference",
    "env_vars": "variables of that machine: write them under spec.env, secrets by reference",
}
_SIGNED_IN = "each client logs in by itself; a fixed token is a header: spec.remote.headers"
_OAUTH = ("oauth", "auth", "authorization", "authProviderType", "authorization_token", "bearer_token")


def recognises(data: Mapping[str, JSON]) -> bool:
    return any(True for _ in _servers(data))


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    drafts = []
    for source in sources:
        inputs = dict(_inputs(source))
        for path, name in _servers(source.data):
            reading = Reading(source, path)
            values = Values(reading, name_of(name), inputs)
            _read_server(reading, values, choices)
            if not reading.problems:
                reading.fill_in()
            asked = [Reading(source, inputs[each].source) for each in sorted(values.asked)]
            for about in asked:  # all of its fields are in what is written for it
                for key in about.mapping():
                    about.note((key,), ("spec", "env"), "asked for by the client")
            drafts.append(draft_of(name, NAME, reading, *asked))
    return drafts


def _servers(data: Mapping[str, JSON]) -> Iterator[tuple[DocumentPath, str]]:
    """Path and name of each server, from the first of the known places that has any."""
    for place in _PLACES:
        node: JSON = dict(data)
        for step in place:
            node = as_mapping(node).get(str(step))
        named: list[tuple[DocumentPath, str, JSON]] = []
        if isinstance(node, dict):
            named = [((*place, name), name, value) for name, value in node.items()]
        elif isinstance(node, list):  # Continue's form
            pairs = ((i, item) for i, item in enumerate(node) if isinstance(item, dict))
            named = [((*place, i), plain_text(item.get("name")) or f"server-{i + 1}", item) for i, item in pairs]
        entries = [value for _, _, value in named if isinstance(value, dict)]
        if any("image" not in entry and not {"command", *_URLS}.isdisjoint(entry) for entry in entries):
            yield from ((path, name) for path, name, value in named if isinstance(value, dict))
            return


def _inputs(source: Source) -> Iterator[tuple[str, Input]]:
    """VS Code's ``inputs`` by id."""
    for number, item in enumerate(items(source.data.get("inputs"))):
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            options = [each.get("value") if isinstance(each, dict) else each for each in items(item.get("options"))]
            default = plain_text(item.get("default")) or None
            about = plain_text(item.get("description"))
            secret = item.get("password") is True
            yield item["id"], Input(("inputs", number), secret, about, default, tuple(map(plain_text, options)))


def _read_server(reading: Reading, values: Values, choices: Choices) -> None:
    url = next((Word(reading.text(key), (key,)) for key in _URLS if reading.text(key)), None)
    key = "type" if reading.text("type") else "transport"
    kind = reading.text(key)
    reading.describe(("description",))
    reading.lose_all(_OF_CLIENT, _ABOUT_CLIENT)
    if url and not reading.get("command"):
        reading.note((key,), ("spec", "remote", "transport"))
        if kind and kind not in (*TRANSPORTS, "remote"):
            message = f"the transport '{excerpt(kind)}' is unknown"
            reading.refuse((key,), "import/remote", message, "a spec has streamable-http and sse")
            return
        headers = {
            name: Word(plain_text(value), (field, name))
            for field in ("headers", "http_headers")
            for name, value in reading.mapping(field).items()
        }
        for name, value in reading.mapping("env_http_headers").items():
            headers[name] = Word(f"${{env:{plain_text(value)}}}", ("env_http_headers", name))
        if variable := reading.text("bearer_token_env_var"):
            headers["Authorization"] = Word(f"Bearer ${{env:{variable}}}", ("bearer_token_env_var",))
        set_address(reading, values, url, TRANSPORTS.get(kind, ""), headers)
        reading.lose_each(dict.fromkeys(_OAUTH, _SIGNED_IN))
    else:
        reading.note((key,), ("spec", "transport", "type"), kind)
        _read_command(reading, values, choices)


def _read_command(reading: Reading, values: Values, choices: Choices) -> None:
    words = list(_words(reading))
    if not words or not words[0].text:
        message = "the server has neither a command nor a URL"
        reading.refuse((), "import/command", message, "write 'command' and 'args', or 'url'")
        return
    env_key = next((key for key in _ENV if reading.mapping(key)), "env")
    env = reading.mapping(env_key)
    texts = {name: plain_text(value) for name, value in env.items()}
    starting = Starting(reading, values, texts, env_key, choices)
    starting.start(words)
    for name, value in env.items():
        if name not in starting.handled:
            values.variable(name, value, (env_key, name))
    reading.lose_each(_OF_MACHINE)


def _words(reading: Reading) -> Iterator[Word]:
    """Command and arguments: a text, one list, or the mapping of older versions of Zed."""
    command = reading.get("command")
    if command is not None and not isinstance(command, list):
        first = ("command", "path") if isinstance(command, dict) else ("command",)
        yield Word(reading.text(*first), first)
    for place in (("command",), ("command", "args"), ("args",)):
        for path, item in reading.items(*place):
            yield Word(plain_text(item), path)
