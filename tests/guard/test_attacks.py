"""The guard in the real Envoy: a table of attacks and mistakes, and what each gets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.guard.parts import (
    MODERN,
    ORIGIN,
    URL,
    Answer,
    Guard,
    Issuer,
    Upstream,
    UpstreamHandler,
    access,
    guarding,
    issuing,
    request,
    serving,
)

METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/tools/mcp"


class World(NamedTuple):
    guard: Guard
    issuer: Issuer
    upstream: Upstream

    def call(self, tool: str = "get_issue", **more: Any) -> Answer:
        """With a token that holds, unless another one is given."""
        more.setdefault("token", self.issuer.token())
        return self.guard.call(tool, **more)

    def with_claims(self, tool: str = "get_issue", **claims: Any) -> Answer:
        return self.guard.call(tool, self.issuer.token(**claims))

    def with_header(self, authorization: str | None, **more: Any) -> Answer:
        return self.guard.call(headers={"authorization": authorization}, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    upstream = Upstream()
    with (
        issuing(Issuer()) as issuer,
        serving(UpstreamHandler, upstream) as port,
        guarding(access(issuer), port, tmp_path_factory.mktemp("guard")) as guard,
    ):
        guard.has_keys_of(issuer)
        yield World(guard, issuer, upstream)


# ---------------------------------------------------------------------------------------------
# Tokens as attackers make them.


def _part(data: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def _claims(world: World, **changes: Any) -> dict[str, Any]:
    token = world.issuer.token(**changes)
    return dict(jwt.decode(token, options={"verify_signature": False}))


def _unsigned(world: World) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(_claims(world))}."


def _hs256(world: World) -> str:
    signed = f"{_part({'alg': 'HS256', 'kid': 'rsa-1'})}.{_part(_claims(world))}"
    mac = hmac.new(world.issuer.public_pem("rsa-1"), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _own_key(world: World, **headers: Any) -> str:
    key = rsa.generate_private_key(65537, 2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    own = {"jwk": public} if headers.pop("embedded", False) else {}
    return jwt.encode(_claims(world), key, "RS256", headers={"kid": "rsa-1", **own, **headers})


def _changed(world: World) -> str:
    head, _, tail = world.issuer.token().split(".")
    return f"{head}.{_part(_claims(world, sub='root'))}.{tail}"


def _other_algorithm(world: World) -> str:
    _, payload, signature = world.issuer.token("ec-1").split(".")
    return f"{_part({'alg': 'RS256', 'kid': 'ec-1'})}.{payload}.{signature}"


Ask = Callable[[World], Answer]
UNKNOWN = ec.generate_private_key(ec.SECP256R1())

#: Who gets no further than 401, each with what is wrong.
NOT_AUTHENTICATED: dict[str, Ask] = {
    "no token": lambda w: w.guard.call(),
    "an empty token": lambda w: w.with_header("Bearer "),
    "two headers with tokens": lambda w: w.guard.ask(
        headers=[
            ("authorization", f"Bearer {w.issuer.token(scope='x')}"),
            ("authorization", f"Bearer {w.issuer.token()}"),
        ]
    ),
    "no scheme": lambda w: w.with_header(w.issuer.token()),
    "another scheme": lambda w: w.with_header(f"Basic {w.issuer.token()}"),
    "garbage": lambda w: w.call(token="x"),
    "three dots": lambda w: w.call(token="..."),
    "expired": lambda w: w.with_claims(exp=int(time.time()) - 120),
    "not yet valid": lambda w: w.with_claims(nbf=int(time.time()) + 600),
    "without expiry": lambda w: w.with_claims(exp=None),
    "another issuer": lambda w: w.with_claims(iss="https://evil.example.com"),
    "an issuer with a slash": lambda w: w.with_claims(iss=f"{w.issuer.url}/"),
    "without issuer": lambda w: w.with_claims(iss=None),
    "another audience": lambda w: w.with_claims(aud="https://other.example.com"),
    "without audience": lambda w: w.with_claims(aud=None),
    "an empty audience": lambda w: w.with_claims(aud=[]),
    "the beginning of the audience": lambda w: w.with_claims(aud="https://mcp.example.com/tools"),
    "more than the audience": lambda w: w.with_claims(aud=f"{URL}/more"),
    "the audience in capitals": lambda w: w.with_claims(aud=URL.upper()),
    "alg none": lambda w: w.call(token=_unsigned(w)),
    "HS256 with the public key": lambda w: w.call(token=_hs256(w)),
    "another key under a known id": lambda w: w.call(token=_own_key(w)),
    "another key that it brings along": lambda w: w.call(token=_own_key(w, embedded=True)),
    "another key at an address of its own": lambda w: w.call(token=_own_key(w, jku="https://evil.example.com/jwks")),
    "an unknown key id": lambda w: w.call(token=jwt.encode(_claims(w), UNKNOWN, "ES256", headers={"kid": "new"})),
    "changed claims": lambda w: w.call(token=_changed(w)),
    "without signature": lambda w: w.call(token=f"{w.issuer.token().rpartition('.')[0]}."),
    "half a signature": lambda w: w.call(token=w.issuer.token()[:-40]),
    "an elliptic curve called RSA": lambda w: w.call(token=_other_algorithm(w)),
    "in the query": lambda w: w.guard.call(path=f"/tools/mcp?access_token={w.issuer.token()}"),
    "in a cookie": lambda w: w.guard.call(headers={"cookie": f"access_token={w.issuer.token()}"}),
    "in another header": lambda w: w.guard.call(headers={"x-forwarded-access-token": w.issuer.token()}),
    "the server's own path": lambda w: w.guard.call(path="/mcp"),
    "the path behind another": lambda w: w.guard.call(path="/healthz/../tools/mcp"),
    "the path behind the metadata": lambda w: w.guard.call(
        path="/.well-known/oauth-protected-resource/../../tools/mcp"
    ),
    "a stream of an old session": lambda w: w.guard.call(method="GET", headers={"mcp-session-id": "1"}),
    "the end of an old session": lambda w: w.guard.call(method="DELETE", headers={"mcp-session-id": "1"}),
    "OPTIONS that is no preflight": lambda w: w.guard.ask("OPTIONS"),
}

#: Who is known, and must not: the answer is 403 with a challenge for these scopes, or without one.
FORBIDDEN: dict[str, tuple[Ask, str]] = {
    "no scope": (lambda w: w.with_claims(scope=None), "mcp:use"),
    "another scope": (lambda w: w.with_claims(scope="mcp:read"), "mcp:use"),
    "more than the scope's name": (lambda w: w.with_claims(scope="mcp:user xmcp:use"), "mcp:use"),
    "the scope in capitals": (lambda w: w.with_claims(scope="MCP:USE"), "mcp:use"),
    "a number for a scope": (lambda w: w.with_claims(scope=1), "mcp:use"),
    "scopes with a comma": (lambda w: w.with_claims(scope="mcp:read,mcp:use"), "mcp:use"),
    "the scope in another claim": (lambda w: w.with_claims(scope=None, scopes="mcp:use"), "mcp:use"),
    "a tool that takes more": (lambda w: w.call("create_issue"), "mcp:use mcp:write"),
    "a tool that takes more, of the old era": (lambda w: w.call("create_issue", legacy=True), "mcp:use mcp:write"),
    "a tool of a group, without its scope": (lambda w: w.call("admin_x"), "mcp:use mcp:admin"),
    "a tool of a group, without the group": (lambda w: w.with_claims("admin_x", scope="mcp:use mcp:admin"), ""),
    "a tool of a group, in another one": (
        lambda w: w.with_claims("admin_x", scope="mcp:use mcp:admin", groups=["administrators"]),
        "",
    ),
    "a tool that nothing allows": (lambda w: w.call("delete_all"), ""),
    "a tool in capitals": (lambda w: w.call("GET_issue"), ""),
    "a method that is not known": (lambda w: _method(w, "admin/reset"), ""),
    "a method in capitals": (lambda w: _method(w, "Tools/Call", name="get_issue"), ""),
    "a page of another origin": (lambda w: w.call(headers={"origin": "https://evil.example.com"}), ""),
    "a page without an origin": (lambda w: w.call(headers={"origin": "null"}), ""),
    "an empty origin": (lambda w: w.call(headers={"origin": ""}), ""),
    "the beginning of an origin": (lambda w: w.call(headers={"origin": f"{ORIGIN}.evil.example.com"}), ""),
    "an origin without TLS": (lambda w: w.call(headers={"origin": ORIGIN.replace("https", "http")}), ""),
    "two origins": (lambda w: w.call(headers={"origin": f"{ORIGIN}, https://evil.example.com"}), ""),
    "an origin with a token": (lambda w: w.guard.call(headers={"origin": "https://evil.example.com"}), ""),
    "a preflight of another origin": (lambda w: _preflight(w, "https://evil.example.com"), ""),
    "the metadata for another origin": (
        lambda w: w.guard.ask("GET", "/.well-known/oauth-protected-resource", {"origin": "https://evil.example.com"}),
        "",
    ),
}


def _method(world: World, method: str, **params: Any) -> Answer:
    headers = {"mcp-method": method, "mcp-name": params.get("name")}
    return world.call(body=request(method, **params), headers=headers)


def _preflight(world: World, origin: str) -> Answer:
    return world.guard.ask("OPTIONS", headers={"origin": origin, "access-control-request-method": "POST"})


def _body(text: str | bytes, **headers: str | None) -> Ask:
    """Of the old era, without headers that could differ from the body."""
    body = text if isinstance(text, bytes) else text.encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda w: w.call(legacy=True, body=body, headers=names)


def _rpc(params: str, method: str = "tools/call") -> str:
    return f'{{"jsonrpc": "2.0", "id": 1, "method": "{method}", "params": {params}}}'


GET, DELETE = _rpc('{"name": "get_issue"}'), _rpc('{"name": "delete_all"}')
#: Spellings of a forbidden call, and what is no call: whatever the answer is, none of them reaches the server.
NOT_REACHED: dict[str, Ask] = {
    "a batch": _body(f"[{DELETE}]"),
    "a batch that begins well": _body(f"[{GET}, {DELETE}]"),
    "two calls behind each other": _body(f"{GET}{DELETE}"),
    "two calls on two lines": _body(f"{GET}\n{DELETE}"),
    "two names": _body(_rpc('{"name": "get_issue", "name": "delete_all"}')),
    "two names, one escaped": _body(_rpc('{"name": "get_issue", "n\\u0061me": "delete_all"}')),
    "two methods": _body(
        '{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/call", "params": {"name": "delete_all"}}'
    ),
    "two params": _body(
        '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_issue"}, '
        '"params": {"name": "delete_all"}}'
    ),
    "an escaped name": _body(_rpc('{"name": "\\u0064elete_all"}')),
    "an escaped method": _body(_rpc('{"name": "delete_all"}', "tools\\u002fcall")),
    "an escaped slash": _body(_rpc('{"name": "delete_all"}', "tools\\/call")),
    "a name with an end in it": _body(_rpc('{"name": "search\\u0000x"}')),
    "a name that is a list": _body(_rpc('{"name": ["get_issue", "delete_all"]}')),
    "a name that is a mapping": _body(_rpc('{"name": {"get_issue": 1}}')),
    "a name that is null": _body(_rpc('{"name": null}')),
    "a name that is a number": _body(_rpc('{"name": 1}')),
    "no name": _body(_rpc("{}")),
    "params as a list": _body(_rpc('["delete_all"]')),
    "a byte order mark": _body(b"\xef\xbb\xbf" + DELETE.encode()),
    "UTF-16": _body(DELETE.encode("utf-16"), content_type="application/json; charset=utf-16"),
    "UTF-7": _body(DELETE.encode("utf-7"), content_type="application/json; charset=utf-7"),
    "bytes that are no text": _body(DELETE.encode().replace(b"delete", b"\xff\xfe")),
    "a comment": _body(f"/* x */ {DELETE}"),
    "single quotes": _body(DELETE.replace('"', "'")),
    "text behind it": _body(f"{DELETE} x"),
    "half of it": _body(DELETE[:-10]),
    "nothing": _body("", content_length="0"),
    "a text": _body('"tools/call"'),
    "an older JSON-RPC": _body(DELETE.replace('"2.0"', '"1.0"')),
    "no JSON-RPC": _body(DELETE.replace('"jsonrpc": "2.0", ', "")),
    "no content type": _body(DELETE, content_type=None),
    "plain text": _body(DELETE, content_type="text/plain"),
    "a form": _body("method=tools/call&name=delete_all", content_type="application/x-www-form-urlencoded"),
    "a header that names another tool": lambda w: w.call("delete_all", headers={"mcp-name": "get_issue"}),
    "a header that names another method": lambda w: w.call("delete_all", headers={"mcp-method": "tools/list"}),
    "a header of an older version": lambda w: w.call(
        "delete_all", headers={"mcp-protocol-version": "2025-03-26", "mcp-name": "get_issue"}
    ),
    "no header but the version": lambda w: w.call("delete_all", headers={"mcp-name": None, "mcp-method": None}),
    "no version": lambda w: w.call("delete_all", legacy=True, headers={"mcp-protocol-version": None}),
    "a version that there is not": lambda w: w.call("delete_all", headers={"mcp-protocol-version": "2099-01-01"}),
    "a body that names another tool": lambda w: w.call("get_issue", body=request("tools/call", name="delete_all")),
    "a body that names a method without rule": lambda w: w.call(
        body=request("tools/call", name="delete_all"), headers={"mcp-method": "ping", "mcp-name": None}
    ),
    "two headers with a name": lambda w: w.guard.ask(
        headers=[
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("authorization", f"Bearer {w.issuer.token()}"),
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "tools/call"),
            ("mcp-name", "get_issue"),
            ("mcp-name", "delete_all"),
        ],
        body=request("tools/call", name="delete_all"),
    ),
    "an override of the method": _body(DELETE, x_http_method_override="GET"),
    "a forbidden tool of the old era": lambda w: w.call("delete_all", legacy=True),
    "a name behind a space": _body(_rpc('{"name": " search"}')),
    "no stream accepted": lambda w: w.call("get_issue", headers={"accept": "application/json"}),
    "nothing accepted": lambda w: w.call("get_issue", headers={"accept": None}),
    "a content type in capitals": lambda w: w.call("get_issue", headers={"content-type": "Application/JSON"}),
    "a request for the client's roots": lambda w: _method(w, "roots/list"),
    "a compressed body": _body(b"\x1f\x8b\x08\x00", content_encoding="gzip"),
}

#: What has no route, or no form.
REFUSED: dict[str, tuple[Ask, int]] = {
    "a path below": (lambda w: w.call(path="/tools/mcp/x"), 404),
    "a path with a slash behind it": (lambda w: w.call(path="/tools/mcp/"), 404),
    "a path in capitals": (lambda w: w.call(path="/TOOLS/mcp"), 404),
    "a path with a parameter": (lambda w: w.call(path="/tools/mcp;x=1"), 404),
    "another path of the server": (lambda w: w.call(path="/status"), 404),
    "the root": (lambda w: w.call(path="/"), 404),
    "the path above": (lambda w: w.call(path="/tools/mcp/../../admin"), 404),
    "an escaped slash in the path": (lambda w: w.call(path="/tools%2Fmcp"), 400),
    "an escaped backslash in the path": (lambda w: w.call(path="/tools%5Cmcp"), 400),
    "PUT": (lambda w: w.call(method="PUT"), 404),
    "PATCH": (lambda w: w.call(method="PATCH"), 404),
    "a header with an underscore": (lambda w: w.call(headers={"mcp_name": "get_issue"}), 400),
    "a websocket": (lambda w: w.call(headers={"upgrade": "websocket", "connection": "Upgrade"}), 403),
    "9 MB": (lambda w: w.call(body=request("tools/call", name="get_issue", x="x" * 9_000_000)), 413),
    "two lengths": (
        lambda w: w.guard.ask(headers=[("content-length", "5"), ("content-length", "6")], body=b"hello"),
        400,
    ),
    "a length and chunks": (
        lambda w: w.guard.ask(headers={"content-length": "5", "transfer-encoding": "chunked"}, body=b"0\r\n\r\n"),
        400,
    ),
    "a token of 90 kB": (lambda w: w.call(token="x" * 90_000), 431),
}

#: What passes.
ALLOWED: dict[str, Ask] = {
    "RS256": lambda w: w.call(),
    "a scheme in lower case": lambda w: w.with_header(f"bearer {w.issuer.token()}"),
    "ES256": lambda w: w.call(token=w.issuer.token("ec-1")),
    "of the old era": lambda w: w.call(legacy=True),
    "one of several audiences": lambda w: w.with_claims(aud=["https://other.example.com", URL]),
    "one of several scopes": lambda w: w.with_claims(scope="a mcp:use b"),
    "a list of scopes": lambda w: w.with_claims(scope=["mcp:use"]),
    "the claim scp": lambda w: w.with_claims(scope=None, scp="mcp:use"),
    "a list in scp": lambda w: w.with_claims(scope=None, scp=["mcp:use"]),
    "just expired": lambda w: w.with_claims(exp=int(time.time()) - 5),
    "a tool that takes more": lambda w: w.with_claims("create_issue", scope="mcp:use mcp:write"),
    "a tool of a group": lambda w: w.with_claims("admin_x", scope="mcp:use mcp:admin", groups=["x", "admins"]),
    "a tool by name": lambda w: w.call("search"),
    "a list of tools": lambda w: _method(w, "tools/list"),
    "discovery": lambda w: _method(w, "server/discover"),
    "a greeting": lambda w: w.call(
        legacy=True, body=request("initialize", legacy=True, protocolVersion="2025-11-25", capabilities={})
    ),
    "a notification": _body('{"jsonrpc": "2.0", "method": "notifications/initialized"}'),
    "an answer to the server": _body('{"jsonrpc": "2.0", "id": 3, "result": {"roots": []}}'),
    "ping": _body('{"jsonrpc": "2.0", "id": 3, "method": "ping"}'),
    "a resource": lambda w: w.call(
        body=request("resources/read", uri="file:///x"),
        headers={"mcp-method": "resources/read", "mcp-name": "file:///x"},
    ),
    "9 kB": lambda w: w.call(body=request("tools/call", name="get_issue", arguments={"x": "x" * 9000})),
    "3 MB": lambda w: w.call(body=request("tools/call", name="get_issue", arguments={"x": "x" * 3_000_000})),
    "a query": lambda w: w.call(path="/tools/mcp?x=1"),
    "everything accepted": lambda w: w.call(headers={"accept": "*/*"}),
    "a character set": lambda w: w.call(headers={"content-type": "application/json; charset=utf-8"}),
    "a stream of changes": lambda w: _method(w, "subscriptions/listen"),
    "completion": lambda w: _method(w, "completion/complete"),
    "a result of a task": lambda w: _method(w, "tasks/result"),
    "a doubled slash": lambda w: w.call(path="/tools//mcp"),
    "the server's own path": lambda w: w.call(path="/mcp"),
    "an old session's stream": lambda w: w.call(method="GET", headers={"mcp-session-id": "1"}, legacy=True, body=b""),
    "an old session's end": lambda w: w.call(method="DELETE", headers={"mcp-session-id": "1"}, legacy=True, body=b""),
    "an allowed origin": lambda w: w.call(headers={"origin": ORIGIN}),
}


def test_the_table_is_long() -> None:
    assert len(NOT_AUTHENTICATED) + len(FORBIDDEN) + len(NOT_REACHED) + len(REFUSED) > 60


@pytest.mark.parametrize("name", NOT_AUTHENTICATED)
def test_who_is_not_known(world: World, name: str) -> None:
    before = len(world.upstream.seen)
    answer = NOT_AUTHENTICATED[name](world)
    assert (answer.status, len(world.upstream.seen)) == (401, before)
    challenge = answer.headers["www-authenticate"]
    assert f'resource_metadata="{METADATA}"' in challenge
    assert 'scope="mcp:use"' in challenge


@pytest.mark.parametrize("name", FORBIDDEN)
def test_who_may_not(world: World, name: str) -> None:
    ask, scopes = FORBIDDEN[name]
    before = len(world.upstream.seen)
    answer = ask(world)
    assert (answer.status, len(world.upstream.seen)) == (403, before)
    challenge = f'Bearer error="insufficient_scope", resource_metadata="{METADATA}", scope="{scopes}"'
    assert answer.headers.get("www-authenticate") == (challenge if scopes else None)


@pytest.mark.parametrize("name", NOT_REACHED)
def test_what_never_reaches_the_server(world: World, name: str) -> None:
    before = len(world.upstream.seen)
    answer = NOT_REACHED[name](world)
    assert len(world.upstream.seen) == before
    assert answer.status in (400, 403, 415) or b'"isError":true' in answer.body


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_way(world: World, name: str) -> None:
    ask, status = REFUSED[name]
    before = len(world.upstream.seen)
    assert (ask(world).status, len(world.upstream.seen)) == (status, before)


@pytest.mark.parametrize("name", ALLOWED)
def test_what_passes(world: World, name: str) -> None:
    before = len(world.upstream.seen)
    answer = ALLOWED[name](world)
    assert answer.status == 200, answer.body
    (seen,) = world.upstream.seen[before:]
    assert seen.path.partition("?")[0] == "/mcp"
    assert seen.headers["host"].startswith("localhost:")
    assert not {"authorization", "origin"} & seen.headers.keys()
    assert not any(header.startswith("x-envoy-original") for header in seen.headers)
