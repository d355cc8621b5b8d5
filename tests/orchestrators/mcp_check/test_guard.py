"""The guard as a stranger asks it: what it must answer, and what is said where it does not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jwt
import pytest

from renderer.errors import ApplyFailed
from renderer.labels import GuardNote
from renderer.orchestrators.mcp_check import Refused, Unanswered, check_guard, check_token, handshake, unfit
from renderer.orchestrators.mcp_check.fetch import BYTES, fetch
from tests.orchestrators.mcp_check.servers import Asked, demo, raw_server, sdk_server

ISSUER = "https://login.example.com/dev"
NOTE = GuardNote("https://mcp.example.com/tools/mcp", "mcp:use", {ISSUER: ("https://mcp.example.com/tools/mcp",)})
METADATA = {"resource": NOTE.resource, "authorization_servers": [ISSUER]}
CHALLENGE = f'Bearer resource_metadata="{NOTE.metadata}", scope="mcp:use"'
SECONDS = 5.0
LOCAL = "http://127.0.0.1:1/mcp"


def guard(
    *,
    stranger: tuple[int, str] = (401, CHALLENGE),
    metadata: tuple[int, Any] = (200, METADATA),
    forged: int = 401,
    token: tuple[int, str] = (200, ""),
) -> Callable[[Asked], None]:
    """Answers as the guard of NOTE does, but for what a test changes."""

    def answer(asked: Asked) -> None:
        given = asked.headers.get("authorization", "")
        if asked.command == "GET":
            assert asked.path == "/.well-known/oauth-protected-resource/tools/mcp"
            asked.say(metadata[0], json.dumps(metadata[1]).encode())
        elif not given:
            status, challenge = stranger
            asked.say(status, **_challenge(challenge))
        elif given == "Bearer mine":
            asked.say(token[0], **_challenge(token[1]))
        else:
            claims = jwt.decode(given.removeprefix("Bearer "), options={"verify_signature": False})
            assert (claims["iss"], claims["aud"]) == (ISSUER, [NOTE.resource])
            asked.say(forged)

    return answer


def _challenge(text: str) -> Any:
    return {"www-authenticate": text} if text else {}


def test_a_guard_that_answers_as_rendered() -> None:
    with raw_server(guard()) as url:
        check_guard(url, NOTE, SECONDS)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"stranger": (200, "")}, Refused, "does not protect the server: expected HTTP 401 without a token, got 200"),
        ({"stranger": (404, "")}, Refused, "answers HTTP 404 without a token, expected 401"),
        ({"stranger": (503, "")}, Unanswered, "answers HTTP 503 without a token, expected 401: it is not ready"),
        ({"stranger": (401, "")}, Refused, "answers 401 without 'WWW-Authenticate: Bearer'"),
        ({"stranger": (401, "Basic realm=x")}, Refused, "answers 401 without 'WWW-Authenticate: Bearer'"),
        (
            {"stranger": (401, CHALLENGE.replace("mcp:use", "mcp:all"))},
            Refused,
            "another scope in its 401: expected mcp:use, got mcp:all",
        ),
        (
            {"stranger": (401, 'Bearer scope="mcp:use"')},
            Refused,
            f"another resource_metadata in its 401: expected {NOTE.metadata}, got none",
        ),
        ({"metadata": (404, {})}, Refused, "answers HTTP 404 at /.well-known/oauth-protected-resource/tools/mcp"),
        (
            {"metadata": (200, {**METADATA, "resource": "https://other.example/mcp"})},
            Refused,
            f"names another resource: expected {NOTE.resource}, got https://other.example/mcp",
        ),
        (
            {"metadata": (200, {**METADATA, "authorization_servers": ["https://evil.example"]})},
            Refused,
            f"names other issuers: expected {ISSUER}, got https://evil.example",
        ),
        ({"metadata": (200, [])}, Refused, "names another resource"),
        ({"metadata": (200, {**METADATA, "authorization_servers": 5})}, Refused, "names other issuers"),
        ({"forged": 503}, Unanswered, f"answers HTTP 503: it cannot fetch the keys (JWKS) of {ISSUER}"),
        ({"forged": 200}, Refused, f"lets in a forged token of {ISSUER} (HTTP 200)"),
    ],
)
def test_what_is_wrong_with_a_guard(changes: Any, kind: type[Exception], words: str) -> None:
    with raw_server(guard(**changes)) as url, pytest.raises(kind) as raised:
        check_guard(url, NOTE, SECONDS)
    assert isinstance(raised.value, ApplyFailed)
    assert words in raised.value.message


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((401, 'Bearer error="invalid_token"'), Refused, "refuses the token (401 invalid_token): it has expired, or"),
        (
            (403, 'Bearer error="insufficient_scope", scope="mcp:use"'),
            Refused,
            "(403 insufficient_scope): it needs the scopes 'mcp:use'",
        ),
        ((403, ""), Refused, "refuses the token (403): its subject lacks a group"),
        ((429, ""), Unanswered, "HTTP 429 to the token: the subject has no requests left"),
        ((503, ""), Unanswered, "HTTP 503 to the token: it cannot fetch the issuer's keys (JWKS), or the server"),
    ],
)
def test_a_token_that_the_guard_does_not_take(answer: Any, kind: type[Exception], words: str) -> None:
    with raw_server(guard(token=answer)) as url, pytest.raises(kind) as raised:
        check_token(url, "mine", SECONDS)
    assert words in str(raised.value)
    assert "mine" not in str(raised.value)


def test_a_token_that_it_takes() -> None:
    with raw_server(guard()) as url:
        check_token(url, "mine", SECONDS)


def _token(**claims: Any) -> str:
    usual = {"iss": ISSUER, "aud": NOTE.resource, "exp": 2000}
    return jwt.encode({**usual, **claims}, "k" * 32, "HS256")


@pytest.mark.parametrize(
    ("token", "url", "words"),
    [
        (_token(), LOCAL, ""),
        (_token(), "https://mcp.example.com/tools/mcp", ""),
        (_token(aud=["https://other.example", NOTE.resource]), LOCAL, ""),
        (_token(aud="https://other.example"), LOCAL, "for another server"),
        (_token(aud=None), LOCAL, "for another server"),
        (_token(iss="https://other.example"), LOCAL, "of another issuer"),
        (_token(exp=999), LOCAL, "has expired"),
        (_token(exp="soon"), LOCAL, "has expired"),
        (_token(), "http://build.example:8080/mcp", "would cross the network unencrypted, to http://build.example"),
        ("opaque", LOCAL, "is not a signed JWT"),
        ("a.b.c", LOCAL, "is not a signed JWT"),
        (f"{_token()}\r\nX: y", LOCAL, "is not a signed JWT"),
    ],
)
def test_a_token_goes_only_where_it_is_for(token: str, url: str, words: str) -> None:
    kept = unfit(token, NOTE, url, 1000.0)
    assert words in kept if words else not kept
    assert token not in kept


def test_a_token_reaches_the_server_and_no_address_that_it_redirects_to() -> None:
    seen: list[tuple[str, str | None]] = []

    def other(asked: Asked) -> None:
        seen.append(("other", asked.headers.get("authorization")))
        asked.say(404)

    with raw_server(other) as elsewhere:

        def moved(asked: Asked) -> None:
            seen.append(("first", asked.headers.get("authorization")))
            asked.say(307, Location=elsewhere)

        with raw_server(moved) as url, pytest.raises(ApplyFailed) as raised:
            handshake(url, "streamable-http", SECONDS, "mine")
    assert ("first", "Bearer mine") in seen
    assert all(token is None for where, token in seen if where == "other")
    assert "mine" not in raised.value.message


def test_the_sdk_works_with_a_token() -> None:
    with sdk_server("streamable-http", demo()) as url:
        assert handshake(url, "streamable-http", SECONDS, "mine").tools == 2


def _slow(asked: Asked) -> None:
    asked.send_response(200)
    asked.end_headers()
    with suppress(OSError):
        for _ in range(40):
            asked.wfile.write(b" ")
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda asked: asked.say(200, b" " * (BYTES + 1)), "its answer is longer than 1024 KiB"),
        (_slow, "no answer within 0.5 s"),
        (lambda asked: asked.wfile.write(b"nonsense\r\n\r\n"), "it does not speak HTTP"),
    ],
)
def test_what_is_fetched_is_bounded(answer: Callable[[Asked], None], words: str) -> None:
    with raw_server(answer) as url, pytest.raises(Unanswered, match=words):
        fetch(url, 0.5)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/x", "connection refused"),
        ("http://nowhere.invalid/x", "no host has that name|no connection"),
        ("http://127.0.0.1:99999/x", "not a valid address|no connection"),
    ],
)
def test_where_nothing_answers(url: str, words: str) -> None:
    with pytest.raises(Unanswered, match=words):
        fetch(url, 2)


def test_redirects_are_followed_within_the_scheme_and_a_few_times() -> None:
    hops: list[str] = []

    def answer(asked: Asked) -> None:
        hops.append(asked.path)
        asked.say(302, Location=LOCATIONS.get(asked.path, "/loop"))

    with raw_server(answer) as url:
        assert fetch(url, SECONDS).status == 302
        assert fetch(url, SECONDS, redirects=3).status == 302
        assert hops == ["/mcp", "/mcp", "/loop", "/loop", "/loop"]
        LOCATIONS["/mcp"] = "file:///etc/passwd"
        assert fetch(url, SECONDS, redirects=3).url == url


LOCATIONS: dict[str, str] = {}
