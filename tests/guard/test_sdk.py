"""The official SDK through the guard: servers and clients of both eras, and its OAuth client from 401 to a step-up."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp.shared.exceptions import MCPError

from renderer.model import JSON
from tests.guard.parts import Issuer, Quiet, free_port, guarding, issuing, serving
from tests.orchestrators.mcp_check.servers import sdk_server
from tests.orchestrators.mcp_check.test_eras import old_sdk, old_servers

__all__ = ["old_sdk", "old_servers"]
TOOLS: list[JSON] = [{"allow": ["echo"]}, {"allow": ["write"], "scopes": ["mcp:write"]}]


def server() -> MCPServer:
    found = MCPServer("demo", version="1.2.3")
    for name in ("echo", "write", "secret"):
        found.tool(name=name)(_echo)
    return found


def _echo(text: str) -> str:
    """The same text."""
    return text


@contextmanager
def guarded(upstream: str, issuer: Issuer, folder: Path) -> Iterator[str]:
    """The public address of the server at ``upstream``, behind a guard."""
    listen = free_port()
    url = f"http://127.0.0.1:{listen}/mcp"
    access: dict[str, JSON] = {
        "url": url,
        "issuers": [{"url": issuer.url, "jwks": f"{issuer.url}/jwks"}],
        "require": {"scopes": ["mcp:use"]},
        "tools": TOOLS,
    }
    with guarding(access, urlsplit(upstream).port or 0, folder, listen=listen) as guard:
        guard.has_keys_of(issuer, path="/mcp", aud=url)
        yield url


@asynccontextmanager
async def client(url: str, mode: Any, **http: Any) -> Any:
    async with (
        httpx2.AsyncClient(timeout=30, **http) as session,
        Client(streamable_http_client(url, http_client=session), mode=mode) as found,
    ):
        yield found


async def _calls(url: str, mode: str, token: str) -> None:
    """A refusal is told, and what follows still works."""
    async with client(url, mode, headers={"authorization": f"Bearer {token}"}) as found:
        assert "echo" in [tool.name for tool in (await found.list_tools()).tools]
        assert (await found.call_tool("echo", {"text": "hello"})).content[0].text == "hello"
        if mode == "legacy":
            assert (await found.call_tool("secret", {"text": "x"})).is_error
        else:
            with pytest.raises(MCPError):
                await found.call_tool("secret", {"text": "x"})
        assert not (await found.call_tool("echo", {"text": "again"})).is_error


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
def test_the_second_major_through_the_guard(mode: str, tmp_path: Path) -> None:
    with (
        sdk_server("streamable-http", server()) as upstream,
        issuing(Issuer()) as issuer,
        guarded(upstream, issuer, tmp_path) as url,
    ):
        anyio.run(_calls, url, mode, issuer.token(aud=url))


@pytest.mark.parametrize("name", ["streamable-http", "streamable-http --stateless --json"])
def test_a_server_on_the_first_major_through_the_guard(old_servers: dict[str, str], name: str, tmp_path: Path) -> None:
    with issuing(Issuer()) as issuer, guarded(old_servers[name], issuer, tmp_path) as url:
        anyio.run(_calls, url, "legacy", issuer.token(aud=url))


def test_a_client_on_the_first_major_keeps_its_session_after_a_refusal(old_sdk: Path, tmp_path: Path) -> None:
    with (
        sdk_server("streamable-http", server()) as upstream,
        issuing(Issuer()) as issuer,
        guarded(upstream, issuer, tmp_path) as url,
    ):
        script = Path(__file__).with_name("old_sdk_client.py")
        command = [sys.executable, "-S", str(script), url, issuer.token(aud=url)]
        variables = {**os.environ, "PYTHONPATH": str(old_sdk)}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"tools": ["echo", "write", "secret"], "errors": [False, True, False]}


# ---------------------------------------------------------------------------------------------
# OAuth: a login that agrees to everything, and the SDK's own client.


class Login(Issuer):
    """An authorization server beside the keys: registers clients, gives codes, and tokens with what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []


class _LoginHandler(Quiet):
    def do_GET(self) -> None:  # noqa: N802
        login: Login = self.owner
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/jwks":
            self.answer(200, login.jwks().encode())
        elif address.path == "/.well-known/oauth-authorization-server":
            ends = {"authorization": "authorize", "token": "token", "registration": "register"}
            known: dict[str, JSON] = {f"{name}_endpoint": f"{login.url}/{end}" for name, end in ends.items()}
            known |= {"issuer": login.url, "response_types_supported": ["code"]}
            known |= {"code_challenge_methods_supported": ["S256"], "scopes_supported": ["mcp:use", "mcp:write"]}
            self.answer(200, json.dumps(known).encode())
        elif address.path == "/authorize":
            code = f"code-{len(login.codes)}"
            login.codes[code] = query
            login.asked.append(query.get("scope", ""))
            self.send_response(302)
            self.send_header(
                "location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            )
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self.answer(404, b"{}")

    def do_POST(self) -> None:  # noqa: N802
        login: Login = self.owner
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/register":
            self.answer(201, json.dumps({**json.loads(body), "client_id": "the-client"}).encode())
            return
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        asked = login.codes[form["code"]]
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        token = login.token(aud=form["resource"], scope=asked["scope"])
        said = {"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": asked["scope"]}
        self.answer(200, json.dumps(said).encode())


class _Memory:
    """Where the SDK keeps what it got."""

    tokens: OAuthToken | None = None
    info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info


def _provider(url: str) -> OAuthClientProvider:
    visited: list[str] = []

    async def redirect(address: str) -> None:
        async with httpx2.AsyncClient() as browser:
            visited.append((await browser.get(address)).headers["location"])

    async def callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(visited[-1]).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0])

    metadata = OAuthClientMetadata.model_validate(
        {"client_name": "test", "redirect_uris": ["http://127.0.0.1:1/callback"], "token_endpoint_auth_method": "none"}
    )
    return OAuthClientProvider(url, metadata, _Memory(), redirect, callback)


async def _logs_in(url: str, mode: str, login: Login) -> None:
    async with client(url, mode, auth=_provider(url)) as found:
        assert (await found.call_tool("echo", {"text": "hello"})).content[0].text == "hello"
        assert login.asked == ["mcp:use"]
        assert (await found.call_tool("write", {"text": "more"})).content[0].text == "more"
        assert {*login.asked[-1].split()} == {"mcp:use", "mcp:write"}
        assert len(login.asked) == 2


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_gets_a_token_and_a_wider_one_by_itself(mode: str, tmp_path: Path) -> None:
    login = Login()
    with sdk_server("streamable-http", server()) as upstream, serving(_LoginHandler, login) as port:
        login.url = f"http://127.0.0.1:{port}"
        with guarded(upstream, login, tmp_path) as url:
            anyio.run(_logs_in, url, mode, login)
