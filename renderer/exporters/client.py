"""Configuration files of MCP clients, one row a client. They never hold values of secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from renderer import pins
from renderer.errors import DocumentPath
from renderer.exporters.endpoints import Endpoint
from renderer.importers.draft import Entry, Outcome
from renderer.model import JSON, Server
from renderer.model.fields import SecretRef
from renderer.model.remote import Remote, RemoteValue


class Client(NamedTuple):
    """``url`` and ``type``: the client's words by transport. ``variable``: its syntax for a variable ({} is the name).

    Without ``variable`` a placeholder stands for each secret; with ``inputs`` the client asks for them.
    """

    file: str
    servers: str
    url: Mapping[str, str]
    type: Mapping[str, str] = {}
    variable: str = ""
    inputs: bool = False


_HTTP, _SSE = "streamable-http", "sse"
_URL = {_HTTP: "url", _SSE: "url"}
_TYPES = {_HTTP: "http", _SSE: "sse"}
#: By name on the command line.
CLIENTS: Mapping[str, Client] = {
    "claude-code": Client(".mcp.json", "mcpServers", _URL, _TYPES, "${{{}}}"),
    "claude-desktop": Client("claude_desktop_config.json", "mcpServers", {_HTTP: "http-only", _SSE: "sse-only"}),
    "cline": Client("cline_mcp_settings.json", "mcpServers", _URL, {_HTTP: "streamableHttp", _SSE: "sse"}),
    "codex": Client(".codex/config.toml", "mcp_servers", {_HTTP: "url"}),
    "cursor": Client(".cursor/mcp.json", "mcpServers", _URL, {}, "${{env:{}}}"),
    "gemini-cli": Client(".gemini/settings.json", "mcpServers", {_HTTP: "httpUrl", _SSE: "url"}, {}, "${{{}}}"),
    "vscode": Client(".vscode/mcp.json", "servers", _URL, _TYPES, "${{input:{}}}", inputs=True),
    "windsurf": Client("mcp_config.json", "mcpServers", {_HTTP: "serverUrl", _SSE: "serverUrl"}, {}, "${{env:{}}}"),
    "zed": Client(".zed/settings.json", "context_servers", _URL),
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Configuration(NamedTuple):
    """The text of the file, and a report on each server and secret."""

    text: str
    entries: tuple[Entry, ...]


def configuration(name: str, servers: Sequence[tuple[Server, Endpoint]]) -> Configuration:
    """Servers that the client cannot reach are left out and reported."""
    client = CLIENTS[name]
    secrets = _Secrets(client)
    blocks: dict[str, JSON] = {}
    entries: list[Entry] = []
    for server, endpoint in servers:
        transport = _transport(server)
        if not endpoint.url or transport not in client.url:
            silent = f"the client does not speak {transport}, as this server does"
            entries.append(_entry(server, endpoint.path, Outcome.LOST, None, silent if endpoint.url else endpoint.note))
            continue
        blocks[server.name] = _BLOCKS.get(name, _block)(client, server, endpoint, secrets)
        target = (client.servers, server.name)
        words = "; ".join(filter(None, (endpoint.url, endpoint.note, endpoint.command and f"run {endpoint.command}")))
        entries.append(_entry(server, endpoint.path, Outcome.MAPPED, target, words))
        questions = secrets.questions(server)
        entries += [_entry(server, ("spec", "remote"), Outcome.DECISION, target, question) for question in questions]
    inputs = secrets.inputs()
    data: dict[str, JSON] = {client.servers: blocks, **({"inputs": inputs} if inputs else {})}
    text = _toml(blocks, client.servers) if name == "codex" else json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return Configuration(text, tuple(entries))


def _transport(server: Server) -> str:
    return server.remote.transport if server.remote else server.transport.served


def _entry(server: Server, path: DocumentPath, outcome: Outcome, target: DocumentPath | None, message: str) -> Entry:
    return Entry(server.source.place(path, at_key=True), path, outcome, target, message)


class _Secrets:
    """References to secrets in the file: variables, inputs or placeholders."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.names: dict[tuple[str, str], str] = {}
        #: By secret and key: what a person must do.
        self._questions: dict[str, str] = {}

    def variable(self, secret: SecretRef) -> str:
        """The name of an environment variable."""
        name = self._name(secret)
        self._ask(secret, f"set {name} in the environment that the client starts in")
        return name

    def text(self, remote: Remote, value: RemoteValue) -> str:
        """A header or URL in the client's syntax."""
        return "".join(piece if isinstance(piece, str) else self._written(piece) for piece in remote.pieces(value))

    def questions(self, server: Server) -> list[str]:
        keys = [f"{secret.secret}/{secret.key}" for secret in (server.remote.secrets if server.remote else ())]
        return [self._questions[key] for key in keys if key in self._questions]

    def inputs(self) -> list[JSON]:
        return [
            {"type": "promptString", "id": name, "description": f"Key {key} of the Secret {secret}", "password": True}
            for (secret, key), name in self.names.items()
            if self.client.inputs
        ]

    def _written(self, secret: SecretRef) -> str:
        if self.client.variable and not self.client.inputs:
            return self.client.variable.format(self.variable(secret))
        name = self._name(secret)
        if self.client.inputs:
            self._ask(secret, f"the client asks for {name}")
            return self.client.variable.format(name)
        self._ask(secret, f"write the value in the place of <{name}>, into a file that nobody else reads")
        return f"<{name}>"

    def _ask(self, secret: SecretRef, question: str) -> None:
        about = f"it is the key {secret.key} of the Secret {secret.secret}"
        self._questions[f"{secret.secret}/{secret.key}"] = f"{question}: {about}"

    def _name(self, secret: SecretRef) -> str:
        """Unique per secret; servers with the same secret share it."""
        known = (secret.secret, secret.key)
        if known not in self.names:
            plain = re.sub(r"[^a-z0-9]+", "-", "-".join(known).lower()).strip("-")
            name = plain if self.client.inputs else re.sub(r"^(?=\d)", "_", plain.replace("-", "_").upper())
            taken = self.names.values()
            self.names[known] = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 10_000))) if n not in taken)
        return self.names[known]


def _block(client: Client, server: Server, endpoint: Endpoint, secrets: _Secrets) -> JSON:
    transport = _transport(server)
    block: dict[str, Any] = {"type": client.type[transport]} if client.type else {}
    block[client.url[transport]] = _url(server, endpoint, secrets)
    if (remote := server.remote) and remote.headers:
        block["headers"] = {name: secrets.text(remote, value) for name, value in remote.headers.items()}
    return block


def _url(server: Server, endpoint: Endpoint, secrets: _Secrets) -> str:
    return secrets.text(server.remote, server.remote.url) if server.remote else endpoint.url


def _desktop_block(client: Client, server: Server, endpoint: Endpoint, secrets: _Secrets) -> JSON:
    """Claude Desktop only starts programs: mcp-remote connects for it and fills in the variables."""
    url = _url(server, endpoint, secrets)
    words = ["-y", f"mcp-remote@{pins.MCP_REMOTE}", url, "--transport", client.url[_transport(server)]]
    parts = urlsplit(url)
    words += ["--allow-http"] if parts.scheme == "http" and parts.hostname not in _LOOPBACK else []
    env: dict[str, JSON] = {}
    for header, value in server.remote.headers.items() if server.remote else ():
        assert server.remote
        name = re.sub(r"[^A-Z0-9]+", "_", f"{server.name}_{header}".upper())
        env[name] = secrets.text(server.remote, value)
        words += ["--header", f"{header}:${{{name}}}"]
    block: dict[str, JSON] = {"command": "npx", "args": list(words)}
    return {**block, **({"env": env} if env else {})}


def _codex_block(_client: Client, server: Server, endpoint: Endpoint, secrets: _Secrets) -> JSON:
    """A header may come from a variable as a whole, a bearer token too."""
    block: dict[str, Any] = {"url": _url(server, endpoint, secrets)}
    for header, value in server.remote.headers.items() if server.remote else ():
        assert server.remote
        match server.remote.pieces(value):
            case [SecretRef() as secret]:
                block.setdefault("env_http_headers", {})[header] = secrets.variable(secret)
            case ["Bearer ", SecretRef() as secret] if header.lower() == "authorization":
                block["bearer_token_env_var"] = secrets.variable(secret)
            case _:
                block.setdefault("http_headers", {})[header] = secrets.text(server.remote, value)
    return block


_BLOCKS = {"claude-desktop": _desktop_block, "codex": _codex_block}


def _toml(blocks: Mapping[str, JSON], root: str) -> str:
    """TOML strings are those of JSON but for DEL."""
    tables = []
    for name, block in blocks.items():
        assert isinstance(block, dict)
        lines = [f"[{root}.{json.dumps(name)}]"]
        for key, value in block.items():
            inner = value.items() if isinstance(value, dict) else ()
            text = f"{{ {', '.join(f'{_quoted(k)} = {_quoted(v)}' for k, v in inner)} }}" if inner else _quoted(value)
            lines.append(f"{key} = {text}")
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def _quoted(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
