"""The files of clients: one server of each kind, in every client's own words."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from renderer.exporters.client import CLIENTS, Configuration, configuration
from renderer.exporters.endpoints import endpoint_of
from renderer.importers import client_files
from renderer.importers.draft import Choices, Outcome
from renderer.model import JSON, Options
from renderer.pins import KUBERNETES_VERSION, MCP_REMOTE
from tests.importers.readings import source_of
from tests.specs import read_specs, spec

URL = "https://mcp.example.com/mcp"
PLAIN = spec("plain", expose={"host": "mcp.example.com", "path": "/", "tls": {}, "from": []})
SSE = spec("old", transport={"type": "sse", "port": 8000}, image="registry.example.com/mcp/old:1.0")
REMOTE = spec(
    "crm",
    remote={
        "url": "https://crm.example.com/{tenant}/mcp",
        "headers": {"Authorization": "Bearer {token}", "X-Key": {"secret": "crm", "key": "x-key"}, "X-Team": "a"},
        "variables": {"tenant": "acme", "token": {"secret": "crm", "key": "token"}},
    },
)


def written(client: str, *documents: dict[str, JSON], target: str = "kubernetes") -> Configuration:
    specs = read_specs(*documents)
    servers = (*specs.servers, *specs.remotes)
    options = Options("tools", KUBERNETES_VERSION)
    return configuration(client, [(each, endpoint_of(each, target, options, local=False)) for each in servers])


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("claude-code", {"type": "http", "url": URL}),
        (
            "claude-desktop",
            {"command": "npx", "args": ["-y", f"mcp-remote@{MCP_REMOTE}", URL, "--transport", "http-only"]},
        ),
        ("cline", {"type": "streamableHttp", "url": URL}),
        ("codex", {"url": URL}),
        ("cursor", {"url": URL}),
        ("gemini-cli", {"httpUrl": URL}),
        ("vscode", {"type": "http", "url": URL}),
        ("windsurf", {"serverUrl": URL}),
        ("zed", {"url": URL}),
    ],
)
def test_a_server_of_ours(client: str, expected: dict[str, JSON]) -> None:
    text = written(client, PLAIN).text
    data: dict[str, Any] = tomllib.loads(text) if client == "codex" else json.loads(text)
    assert data == {CLIENTS[client].servers: {"plain": expected}}


HEADERS = {"Authorization": "Bearer {}", "X-Key": "{}", "X-Team": "a"}


@pytest.mark.parametrize(
    ("client", "token", "key"),
    [
        ("claude-code", "${CRM_TOKEN}", "${CRM_X_KEY}"),
        ("cline", "<CRM_TOKEN>", "<CRM_X_KEY>"),
        ("cursor", "${env:CRM_TOKEN}", "${env:CRM_X_KEY}"),
        ("gemini-cli", "${CRM_TOKEN}", "${CRM_X_KEY}"),
        ("vscode", "${input:crm-token}", "${input:crm-x-key}"),
        ("windsurf", "${env:CRM_TOKEN}", "${env:CRM_X_KEY}"),
        ("zed", "<CRM_TOKEN>", "<CRM_X_KEY>"),
    ],
)
def test_headers_of_a_remote_server(client: str, token: str, key: str) -> None:
    read = written(client, REMOTE)
    (block,) = json.loads(read.text)[CLIENTS[client].servers].values()
    assert block["headers"] == {"Authorization": f"Bearer {token}", "X-Key": key, "X-Team": "a"}
    assert "https://crm.example.com/acme/mcp" in block.values()
    questions = [entry.message for entry in read.entries if entry.outcome is Outcome.DECISION]
    assert [question.partition("it is ")[2] for question in questions] == [
        "the key x-key of the Secret crm",
        "the key token of the Secret crm",
    ]


def test_inputs_are_asked_for_once() -> None:
    other = spec("other", remote={"url": URL, "headers": {"X-Key": {"secret": "crm", "key": "x-key"}}})
    data = json.loads(written("vscode", REMOTE, other).text)
    assert [item["id"] for item in data["inputs"]] == ["crm-token", "crm-x-key"]
    assert all(item["type"] == "promptString" and item["password"] is True for item in data["inputs"])


def test_two_secrets_never_share_a_name() -> None:
    headers: dict[str, JSON] = {"A": {"secret": "a-b", "key": "c"}, "B": {"secret": "a", "key": "b-c"}}
    (block,) = json.loads(written("cursor", spec("x", remote={"url": URL, "headers": headers})).text)[
        "mcpServers"
    ].values()
    assert block["headers"] == {"A": "${env:A_B_C}", "B": "${env:A_B_C_2}"}


def test_codex_takes_secrets_by_the_names_of_variables() -> None:
    (block,) = tomllib.loads(written("codex", REMOTE).text)["mcp_servers"].values()
    assert block == {
        "url": "https://crm.example.com/acme/mcp",
        "bearer_token_env_var": "CRM_TOKEN",
        "env_http_headers": {"X-Key": "CRM_X_KEY"},
        "http_headers": {"X-Team": "a"},
    }


def test_claude_desktop_starts_a_program_that_speaks_for_it() -> None:
    (block,) = json.loads(written("claude-desktop", REMOTE).text)["mcpServers"].values()
    assert block["args"][-6:] == [
        *("--header", "Authorization:${CRM_AUTHORIZATION}", "--header", "X-Key:${CRM_X_KEY}"),
        *("--header", "X-Team:${CRM_X_TEAM}"),
    ]
    assert block["env"] == {
        "CRM_AUTHORIZATION": "Bearer <CRM_TOKEN>",
        "CRM_X_KEY": "<CRM_X_KEY>",
        "CRM_X_TEAM": "a",
    }


def test_http_beyond_this_machine_is_allowed_on_purpose() -> None:
    (block,) = json.loads(written("claude-desktop", spec()).text)["mcpServers"].values()
    assert "--allow-http" in block["args"]
    (local,) = json.loads(written("claude-desktop", spec(), target="compose").text)["mcpServers"].values()
    assert "--allow-http" not in local["args"]


@pytest.mark.parametrize(
    ("client", "expected"),
    [("claude-code", {"type": "sse"}), ("gemini-cli", {"url": "http://mcp-old.tools.svc:8000/sse"}), ("codex", None)],
)
def test_sse(client: str, expected: dict[str, JSON] | None) -> None:
    read = written(client, SSE)
    data = tomllib.loads(read.text) if client == "codex" else json.loads(read.text)
    blocks = data.get(CLIENTS[client].servers, {})
    if expected is None:
        assert blocks == {}
        assert [(str(entry.outcome), entry.message) for entry in read.entries] == [
            ("not-expressible", "the client does not speak sse, as this server does")
        ]
    else:
        assert expected.items() <= blocks["old"].items()


def test_what_nobody_can_connect_to_is_left_out_and_told() -> None:
    silent = spec(
        "silent", image="registry.example.com/x:1.0", command=["x"], transport={"type": "stdio", "bridge": "none"}
    )
    read = written("cursor", silent, PLAIN)
    assert list(json.loads(read.text)["mcpServers"]) == ["plain"]
    assert [entry.outcome for entry in read.entries].count(Outcome.LOST) == 1


@pytest.mark.parametrize("client", [name for name in CLIENTS if name not in ("codex", "claude-desktop")])
def test_what_is_written_is_read_again(client: str) -> None:
    (draft,) = client_files.read([source_of(written(client, REMOTE).text)], Choices(offline=True))
    remote: Any = draft.document["spec"]
    assert draft.problems == ()
    assert remote["remote"]["url"] == "https://crm.example.com/acme/mcp"
    assert set(remote["remote"]["headers"]) == {"Authorization", "X-Key", "X-Team"}
