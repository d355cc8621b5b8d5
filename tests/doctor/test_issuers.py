"""Issuers as this machine sees them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from renderer.doctor import issuers
from renderer.doctor.checks import Check, Result
from renderer.model import JSON
from tests.orchestrators.mcp_check.servers import Asked, raw_server
from tests.specs import server

KEY = {"kty": "EC", "use": "sig", "kid": "1"}
Pages = Mapping[str, Any]


def seen(pages: Callable[[str], Pages], jwks: str = "/keys") -> list[Check]:
    """Of an issuer with a path; ``pages`` get its URL."""

    def answer(asked: Asked) -> None:
        page = found.get(asked.path, 404)
        if isinstance(page, str):
            asked.say(302, Location=page)
        else:
            asked.say(page if isinstance(page, int) else 200, json.dumps(page).encode())

    found: Pages = {}
    with raw_server(answer) as address:
        url = address.removesuffix("/mcp") + "/dev"
        found = pages(url)
        listed: JSON = [{"url": url, "jwks": url.removesuffix("/dev") + jwks}]
        one = server(access={"url": "https://mcp.example.com/mcp", "issuers": listed}, transport=HTTP, image=IMAGE)
        return list(issuers.checks([one, one], host="laptop"))


HTTP: JSON = {"type": "streamable-http", "port": 9000}
IMAGE = "registry.example.com/demo:1.0"


def metadata(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "issuer": url,
        "jwks_uri": url.removesuffix("/dev") + "/keys",
        "code_challenge_methods_supported": ["S256"],
        **changes,
    }


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/dev",
        "/.well-known/openid-configuration/dev",
        "/dev/.well-known/openid-configuration",
    ],
)
def test_an_issuer_is_asked_wherever_clients_ask(path: str) -> None:
    about, keys = seen(lambda url: {path: metadata(url), "/keys": {"keys": [KEY]}})
    assert (about.result, about.text) == (
        Result.OK,
        f"its metadata is at {path} (from this machine (laptop), without a proxy)",
    )
    assert (keys.result, keys.text.partition(" (")[0]) == (Result.OK, "1 keys")


KNOWN = "/.well-known/oauth-authorization-server/dev"


@pytest.mark.parametrize(
    ("changes", "result", "words"),
    [
        ({"issuer": "https://other.example"}, Result.FAILED, "calls itself https://other.example at"),
        ({"code_challenge_methods_supported": ["plain"]}, Result.WARNING, "has no PKCE with S256"),
        ({"code_challenge_methods_supported": 1}, Result.WARNING, "has no PKCE with S256"),
    ],
)
def test_what_its_metadata_says(changes: Any, result: Result, words: str) -> None:
    about, _ = seen(lambda url: {KNOWN: metadata(url, **changes), "/keys": {"keys": [KEY]}})
    assert about.result is result
    assert words in about.text


@pytest.mark.parametrize(
    ("keys", "result", "words"),
    [
        (500, Result.FAILED, "HTTP 500 at"),
        ([], Result.FAILED, "HTTP 200 without keys at"),
        ({"keys": [{"kty": "oct"}, {"kty": "RSA", "use": "enc"}, 5]}, Result.FAILED, "none of 3 keys"),
        ("/dev", Result.FAILED, "redirects to /dev"),
    ],
)
def test_keys_that_no_guard_can_use(keys: Any, result: Result, words: str) -> None:
    _, check = seen(lambda url: {KNOWN: metadata(url), "/keys": keys})
    assert check.result is result
    assert words in check.text


def test_keys_at_another_address_than_the_metadata_says() -> None:
    _, check = seen(lambda url: {KNOWN: metadata(url), "/old": {"keys": [KEY]}}, jwks="/old")
    assert check.result is Result.WARNING
    assert "its metadata names another address: http://127.0.0.1:" in check.text


def test_metadata_may_redirect_within_its_scheme() -> None:
    moved = {KNOWN: "/moved", "/keys": {"keys": [KEY]}}
    about, _ = seen(lambda url: {**moved, "/moved": metadata(url)})
    assert about.result is Result.OK
    about, _ = seen(lambda url: {**moved, KNOWN: "https://127.0.0.1/x"})
    assert about.result is Result.FAILED
    assert about.text.startswith(
        "has no metadata: HTTP 302 at /.well-known/oauth-authorization-server/dev, HTTP 404 at"
    )


def test_what_cannot_be_reached_from_here_may_be_from_there() -> None:
    listed: JSON = [{"url": "http://127.0.0.1:1", "jwks": "http://127.0.0.1:1/keys"}]
    one = server(access={"url": "https://mcp.example.com/mcp", "issuers": listed}, transport=HTTP, image=IMAGE)
    found = list(issuers.checks([one], host="laptop"))
    assert [check.result for check in found] == [Result.UNCHECKED, Result.UNCHECKED]
    assert all("127.0.0.1: connection refused" in check.text for check in found)
    assert "mcpctl apply and status say" in found[1].advice
