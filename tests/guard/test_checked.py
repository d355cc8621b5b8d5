"""What apply, status and list find out about the real guard, with a token and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from renderer.cli.runtime import ask
from renderer.command import ACCESS_TOKEN
from renderer.errors import ApplyFailed
from renderer.labels import ACCESS_ANNOTATION, guard_note, notes
from renderer.model import JSON
from renderer.orchestrators import mcp_check
from renderer.orchestrators.contract import InstanceState
from tests.cli.fake_runtime import FakeRuntime, instance
from tests.guard.parts import URL, Guard, Issuer, guarding, issuing
from tests.orchestrators.mcp_check.servers import demo, sdk_server
from tests.specs import server


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing(Issuer()) as found:
        yield found


@pytest.fixture(scope="module")
def guard(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with sdk_server("streamable-http", demo()) as url:
        port = urlsplit(url).port or 0
        with guarding(_access(issuer), port, tmp_path_factory.mktemp("guard")) as found:
            yield found


def _access(issuer: Issuer) -> dict[str, Any]:
    issuers = [{"url": issuer.url, "jwks": f"{issuer.url}/keys"}]
    return {"url": URL, "issuers": issuers, "require": {"scopes": ["mcp:use"]}}


def _asked(guard: Guard, access: dict[str, Any]) -> Any:
    note = notes(
        server(
            access=access, image="registry.example.com/demo:1.0", transport={"type": "streamable-http", "port": 9000}
        )
    )
    runtime = FakeRuntime(url=f"http://127.0.0.1:{guard.port}/mcp")
    return ask(runtime, instance("demo", guard=guard_note(note)), {})


def test_without_a_token(guard: Guard, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ACCESS_TOKEN, raising=False)
    status = _asked(guard, _access(issuer))
    assert status.state is InstanceState.RUNNING
    assert status.reason == "the guard asks for a token, as it should; MCPCTL_ACCESS_TOKEN is not set"


def test_with_a_token(guard: Guard, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCESS_TOKEN, issuer.token())
    status = _asked(guard, _access(issuer))
    assert status.state is InstanceState.READY
    assert status.handshake.tools == 2
    assert issuer.token().partition(".")[2] not in guard.log.read_text()


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ({"scope": "other"}, r"403 insufficient_scope\): it needs the scopes 'mcp:use'"),
        ({"headers": {"kid": "unknown"}}, r"401 invalid_token\)"),
    ],
)
def test_with_a_token_that_is_refused(
    guard: Guard, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, token: Any, words: str
) -> None:
    monkeypatch.setenv(ACCESS_TOKEN, issuer.token(**token))
    with pytest.raises(mcp_check.Refused, match=words):
        _asked(guard, _access(issuer))


def test_a_token_for_another_server_is_not_sent(guard: Guard, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCESS_TOKEN, issuer.token(aud="https://other.example/mcp"))
    assert "or for another server" in _asked(guard, _access(issuer)).reason


def test_a_guard_that_runs_with_another_configuration(
    guard: Guard, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ACCESS_TOKEN, raising=False)
    with pytest.raises(ApplyFailed, match="another scope in its 401: expected mcp:all, got mcp:use"):
        _asked(guard, {**_access(issuer), "require": {"scopes": ["mcp:all"]}})
    second = {"url": "https://login.example.net", "jwks": "https://login.example.net/keys"}
    with pytest.raises(ApplyFailed, match="names other issuers"):
        _asked(guard, {**_access(issuer), "issuers": [*_access(issuer)["issuers"], second]})


@pytest.mark.parametrize("others", [0, 1])
def test_keys_that_the_guard_cannot_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    monkeypatch.delenv(ACCESS_TOKEN, raising=False)
    with issuing(Issuer()) as down, issuing(Issuer()) as up, sdk_server("streamable-http", demo()) as url:
        down.down = True
        access = _access(down)
        access["issuers"] += _access(up)["issuers"][:others]
        words, port = rf"cannot fetch the keys \(JWKS\) of {down.url}", urlsplit(url).port or 0
        with guarding(access, port, tmp_path) as guard, pytest.raises(mcp_check.Unanswered, match=words):
            _asked(guard, access)


def test_a_server_without_its_guard(issuer: Issuer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(ACCESS_TOKEN, raising=False)
    with (
        sdk_server("streamable-http", demo()) as url,
        pytest.raises(mcp_check.Refused, match="does not protect the server"),
    ):
        _asked(Guard(urlsplit(url).port or 0, tmp_path / "none"), _access(issuer))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"resource": 1, "scope": 2, "issuers": []}', "[" * 9999])
def test_a_note_of_somebody_else_is_none(text: str) -> None:
    assert guard_note({ACCESS_ANNOTATION: text}) is None


def test_the_note_is_read_as_it_was_written() -> None:
    access: JSON = {"url": URL, "issuers": [{"url": "https://a.example", "jwks": "https://a.example/keys"}]}
    found = notes(
        server(
            access=access, image="registry.example.com/demo:1.0", transport={"type": "streamable-http", "port": 9000}
        )
    )
    note = guard_note(found)
    assert note
    assert note.issuers == {"https://a.example": (URL,)}
    assert note.metadata == "https://mcp.example.com/.well-known/oauth-protected-resource/tools/mcp"
    assert json.loads(found[ACCESS_ANNOTATION])["resource"] == URL
    assert ACCESS_ANNOTATION not in notes(
        server(
            access={"origins": ["https://a.example"]},
            image="e.example/demo:1",
            transport={"type": "streamable-http", "port": 9000},
        )
    )
