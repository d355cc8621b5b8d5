"""The guard in the real Envoy while it runs: keys that change, limits, streams, the log, what it says of itself."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from renderer.model import JSON
from tests.guard.parts import (
    MODERN,
    ORIGIN,
    URL,
    Guard,
    Issuer,
    IssuerHandler,
    Quiet,
    Upstream,
    UpstreamHandler,
    access,
    guarding,
    issuing,
    request,
    serving,
)

#: What makes waiting for keys short.
QUICK = ("cache_duration: 120s", "cache_duration: 1s"), ("failed_refetch_duration: 5s", "failed_refetch_duration: 1s")


class Stage(NamedTuple):
    issuer: Issuer
    upstream: Upstream
    port: int
    folder: Path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    upstream = Upstream()
    with issuing(Issuer()) as issuer, serving(UpstreamHandler, upstream) as port:
        yield Stage(issuer, upstream, port, tmp_path)


def test_while_the_keys_cannot_be_fetched_clients_are_told_to_wait(stage: Stage) -> None:
    stage.issuer.down = True
    with guarding(access(stage.issuer), stage.port, stage.folder, QUICK[1]) as guard:
        answer = guard.call(token=stage.issuer.token())
        assert (answer.status, stage.upstream.seen) == (503, [])
        assert int(answer.headers["retry-after"]) > 0
        assert "invalid_token" not in answer.headers["www-authenticate"]
        assert guard.call().status == 401
        stage.issuer.down = False
        guard.has_keys_of(stage.issuer)
        assert guard.call(token=stage.issuer.token()).status == 200
        stage.issuer.down = True  # what it has, it keeps
        assert guard.call(token=stage.issuer.token()).status == 200


def test_a_new_key_becomes_known_and_a_removed_one_does_not_stay(stage: Stage) -> None:
    with guarding(access(stage.issuer), stage.port, stage.folder, *QUICK) as guard:
        guard.has_keys_of(stage.issuer)
        old = stage.issuer.token("rsa-1")
        stage.issuer.keys["rsa-2"] = rsa.generate_private_key(65537, 2048)
        new = stage.issuer.token("rsa-2")
        del stage.issuer.keys["rsa-1"]
        _until(lambda: guard.call(token=new).status == 200)
        assert guard.call(token=old).status == 401


def _until(holds: object, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.1)


def test_two_issuers_each_with_its_own_audience(stage: Stage) -> None:
    with issuing(Issuer()) as partner:
        keys = stage.folder / "jwks.json"
        keys.write_text(partner.jwks())
        fields = access(stage.issuer)
        from_file: JSON = {
            "url": partner.url,
            "jwksFrom": {"configMap": "keys", "key": "jwks.json"},
            "audiences": ["api://tools"],
        }
        fields["issuers"] = [*fields["issuers"], from_file]  # type: ignore[misc]
        with guarding(fields, stage.port, stage.folder, ("/etc/guard-keys/2-keys/jwks.json", str(keys))) as guard:
            guard.has_keys_of(stage.issuer)
            assert guard.call(token=stage.issuer.token()).status == 200
            assert guard.call(token=partner.token(aud="api://tools")).status == 200
            for wrong in (stage.issuer.token(aud="api://tools"), partner.token(aud=URL)):
                answer = guard.call(token=wrong)
                assert (answer.status, answer.headers["www-authenticate"][:28]) == (401, 'Bearer error="invalid_token"')
            assert guard.call(token=partner.token(iss=stage.issuer.url)).status == 401
            assert guard.call(token=stage.issuer.token(iss=partner.url, aud="api://tools")).status == 401


def _certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for the name, which is its own authority, and a server that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, private = folder / f"{name}.pem", folder / f"{name}.key"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, private)
    return shown, context


@pytest.mark.parametrize(
    ("name", "trusted", "status"), [("localhost", True, 200), ("other.example", True, 503), ("localhost", False, 503)]
)
def test_keys_come_from_whom_the_certificate_says(stage: Stage, name: str, trusted: bool, status: int) -> None:
    shown, context = _certificate(stage.folder, name)
    with serving(IssuerHandler, stage.issuer, context) as port:
        fields = access(stage.issuer)
        fields["issuers"] = [{"url": stage.issuer.url, "jwks": f"https://localhost:{port}/jwks"}]
        own = [("/etc/ssl/certs/ca-certificates.crt", str(shown))] if trusted else []
        with guarding(fields, stage.port, stage.folder, *own) as guard:
            if status == 200:
                guard.has_keys_of(stage.issuer)
            assert guard.call(token=stage.issuer.token()).status == status


def test_each_subject_has_a_limit_of_its_own(stage: Stage) -> None:
    """Ten of them, with stable filters alone."""
    fields = access(stage.issuer, tools=[], rateLimit={"perSubject": 5, "per": "1h"})
    with guarding(fields, stage.port, stage.folder) as guard:
        guard.has_keys_of(stage.issuer)
        for number in range(10):
            token = stage.issuer.token(sub=f"subject-{number}")
            answers = [guard.call(token=token) for _ in range(7)]
            assert [answer.status for answer in answers] == [200] * 5 + [429] * 2
            assert answers[-1].headers["retry-after"] == "720"
        assert len(stage.upstream.seen) == 50
        assert guard.ask("GET", "/healthz").status == 200
        anonymous = [guard.call(token=stage.issuer.token(sub=None)).status for _ in range(7)]
        assert anonymous == [200] * 5 + [429] * 2


def test_groups_hold_without_rules_on_tools(stage: Stage) -> None:
    fields = access(stage.issuer, tools=[], require={"groups": ["engineers", "operators"]})
    with guarding(fields, stage.port, stage.folder) as guard:
        _until(lambda: guard.call(token=stage.issuer.token(groups=["operators"])).status == 200)
        for groups in (None, [], ["engineer"], ["ENGINEERS"], "engineers operators"):
            answer = guard.call(token=stage.issuer.token(groups=groups))
            assert (answer.status, answer.headers.get("www-authenticate")) == (403, None)
        assert guard.call("delete_all", stage.issuer.token(groups=["engineers"])).status == 200


def test_a_token_is_forwarded_where_the_spec_says_so(stage: Stage) -> None:
    with guarding(access(stage.issuer, token="forward"), stage.port, stage.folder) as guard:
        guard.has_keys_of(stage.issuer)
        token = stage.issuer.token()
        guard.call(token=token)
        assert stage.upstream.seen[-1].headers["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("legacy", [False, True])
def test_tools_without_tokens(stage: Stage, legacy: bool) -> None:
    with guarding({"tools": [{"allow": ["get_*"]}]}, stage.port, stage.folder) as guard:
        assert guard.call("get_issue", path="/mcp", legacy=legacy).status == 200
        assert guard.call("delete_all", path="/mcp", legacy=legacy).status == (200 if legacy else 403)
        assert len(stage.upstream.seen) == 1


def test_origins_alone_ask_nobody_for_a_token(stage: Stage) -> None:
    with guarding({"origins": [ORIGIN]}, stage.port, stage.folder) as guard:
        assert guard.call(path="/mcp").status == 200
        answer = guard.call(path="/mcp", headers={"origin": ORIGIN})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert guard.call(path="/mcp", headers={"origin": "https://evil.example.com"}).status == 403
        assert guard.ask("GET", "/.well-known/oauth-protected-resource").status == 404
    with guarding({}, stage.port, stage.folder) as guard:
        assert guard.call(path="/mcp").status == 200
        assert guard.call(path="/mcp", headers={"origin": ORIGIN}).status == 403


def test_a_page_of_an_allowed_origin_gets_through_the_whole_flow(stage: Stage) -> None:
    with guarding(access(stage.issuer), stage.port, stage.folder) as guard:
        guard.has_keys_of(stage.issuer)
        asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
        preflight = guard.ask("OPTIONS", headers=asked)
        assert preflight.status == 200
        allowed = preflight.headers["access-control-allow-headers"]
        assert {"authorization", "mcp-protocol-version", "mcp-session-id"} <= {*allowed.replace(" ", "").split(",")}
        refused = guard.call(headers={"origin": ORIGIN})
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
        assert "www-authenticate" in refused.headers["access-control-expose-headers"]
        path = "/.well-known/oauth-protected-resource/tools/mcp"
        for method in ("OPTIONS", "GET"):
            assert guard.ask(method, path, {"origin": ORIGIN}).headers["access-control-allow-origin"] == "*"


def test_it_says_who_issues_tokens(stage: Stage) -> None:
    with guarding(access(stage.issuer), stage.port, stage.folder) as guard:
        for end in ("", "/tools/mcp"):
            answer = guard.ask("GET", f"/.well-known/oauth-protected-resource{end}")
            assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
            assert json.loads(answer.body) == {
                "resource": URL,
                "authorization_servers": [stage.issuer.url],
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["mcp:use", "mcp:write", "mcp:admin"],
            }


@pytest.mark.parametrize("tools", [True, False])
def test_the_log_has_who_called_what_and_nothing_secret(stage: Stage, tools: bool) -> None:
    fields = access(stage.issuer, **({} if tools else {"tools": []}))
    with guarding(fields, stage.port, stage.folder) as guard:
        guard.has_keys_of(stage.issuer)
        token = stage.issuer.token(sub="alice", azp="inspector")
        body = request("tools/call", name="get_issue", arguments={"password": "hunter2"})
        guard.call(token=token, body=body, path="/tools/mcp?access_token=hunter2")
        guard.call("create_issue", token)
        guard.ask("GET", "/healthz")
        _until(lambda: "create_issue" in guard.log.read_text())
    lines = [json.loads(line) for line in guard.log.read_text().splitlines() if line.startswith("{")]
    called = next(line for line in lines if line["status"] == 200)
    names = ("method", "tool") if tools else ("claimed_method", "claimed_name")
    assert [called[name] for name in names] == ["tools/call", "get_issue"]
    assert (called["subject"], called["issuer"], called["application"]) == ("alice", stage.issuer.url, "inspector")
    assert called["http"] == "POST"
    text = guard.log.read_text()
    assert not any(secret in text for secret in ("hunter2", "healthz", *token.split(".")))


def test_without_log_there_is_none(stage: Stage) -> None:
    with guarding(access(stage.issuer, log=False), stage.port, stage.folder) as guard:
        guard.call(token=stage.issuer.token())
        guard.has_keys_of(stage.issuer)
    assert '"subject":' not in guard.log.read_text()


class Streaming(Quiet):
    """An event at once, another one when the test says so."""

    def do_POST(self) -> None:  # noqa: N802
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.owner["go"].wait(100)
        self.wfile.write(b"data: second\n\n")
        self.close_connection = True


@contextmanager
def _stream(guard: Guard, token: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", guard.port, timeout=100)
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": "get_issue",
    }
    connection.request("POST", "/tools/mcp", request("tools/call", name="get_issue", arguments={}), headers)
    with closing(connection), connection.getresponse() as answer:
        yield answer


def test_events_arrive_at_once(stage: Stage) -> None:
    go = threading.Event()
    with (
        serving(Streaming, {"go": go}) as port,
        guarding(access(stage.issuer), port, stage.folder) as guard,
    ):
        guard.has_keys_of(stage.issuer)
        with _stream(guard, stage.issuer.token()) as answer:
            assert answer.readline() == b"data: first\n"
            go.set()
            assert b"data: second" in answer.read()


@pytest.mark.minute
def test_a_call_that_is_silent_for_a_minute_lives_and_outlives_its_token(stage: Stage) -> None:
    go = threading.Event()
    with (
        serving(Streaming, {"go": go}) as port,
        guarding(access(stage.issuer), port, stage.folder) as guard,
    ):
        guard.has_keys_of(stage.issuer)
        with _stream(guard, stage.issuer.token(exp=int(time.time()) + 5)) as answer:
            assert answer.readline() == b"data: first\n"
            go.wait(65)
            go.set()
            assert b"data: second" in answer.read()
