"""What the tests put around a guard, all on loopback: an issuer of tokens, a server that notes what it gets, Envoy."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from renderer.guard import guard_config
from renderer.model import JSON
from tests.oracles import envoy
from tests.specs import server

URL = "https://mcp.example.com/tools/mcp"
MODERN = "2026-07-28"
TOOLS: list[JSON] = [
    {"allow": ["get_*", "search"]},
    {"allow": ["create_issue"], "scopes": ["mcp:write"]},
    {"allow": ["admin_*"], "scopes": ["mcp:admin"], "groups": ["admins"]},
]
ORIGIN = "https://app.example.com"


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the headers at once: 40 ms a request
    owner: Any

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is the tests'."""

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(handler: type[Quiet], owner: Any, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server whose handlers know their owner."""
    bound = type("Bound", (handler,), {"owner": owner})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as listening:
        listening.daemon_threads = True
        if tls:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_port
        listening.shutdown()


class Issuer:
    """Signs tokens with keys of RSA and of an elliptic curve, and publishes the keys."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, Any] = {}
        self.down = False
        self.add("rsa-1", rsa.generate_private_key(65537, 2048))
        self.add("ec-1", ec.generate_private_key(ec.SECP256R1()))

    def add(self, name: str, key: Any) -> None:
        self.keys[name] = key

    def jwks(self) -> str:
        keys = []
        for name, key in self.keys.items():
            algorithm: Any = jwt.algorithms.RSAAlgorithm if name.startswith("rsa") else jwt.algorithms.ECAlgorithm
            alg = "RS256" if name.startswith("rsa") else "ES256"
            keys.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig", "alg": alg})
        return json.dumps({"keys": keys})

    def public_pem(self, name: str) -> bytes:
        public: bytes = (
            self.keys[name]
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        return public

    def token(self, key: str = "rsa-1", *, headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token that holds, with other claims; those that are None are left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": URL, "sub": "alice", "iat": now, "exp": now + 600, "scope": "mcp:use"}
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        algorithm = "RS256" if key.startswith("rsa") else "ES256"
        return jwt.encode(payload, self.keys[key], algorithm, headers={"kid": key, **(headers or {})})


class IssuerHandler(Quiet):
    def do_GET(self) -> None:
        issuer: Issuer = self.owner
        self.answer(503, b"{}") if issuer.down else self.answer(200, issuer.jwks().encode())


@contextmanager
def issuing(issuer: Issuer) -> Iterator[Issuer]:
    with serving(IssuerHandler, issuer) as port:
        issuer.url = f"http://127.0.0.1:{port}"
        yield issuer


def access(issuer: Issuer, **changes: JSON) -> dict[str, JSON]:
    """spec.access with a bit of everything, and what differs."""
    return {
        "url": URL,
        "issuers": [{"url": issuer.url, "jwks": f"{issuer.url}/jwks"}],
        "require": {"scopes": ["mcp:use"]},
        "tools": TOOLS,
        "origins": [ORIGIN],
        **changes,
    }


class Seen(NamedTuple):
    """A request that reached the server."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Upstream:
    """What an UpstreamHandler has seen; it answers whatever it is asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []


class UpstreamHandler(Quiet):
    def _any(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.seen.append(Seen(self.command, self.path, headers, body))
        self.answer(200, b'{"jsonrpc": "2.0", "id": 1, "result": {"reached": true}}')

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = do_HEAD = do_PATCH = _any  # noqa: N815


Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def request(method: str, *, legacy: bool = False, **params: Any) -> bytes:
    """A request of JSON-RPC as clients of one of the eras send it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    own = params if legacy else {**params, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": own}).encode()


class Guard:
    """A running Envoy, asked as the attackers ask."""

    def __init__(self, port: int, log: Path, process: int = 0) -> None:
        self.port = port
        self.log = log
        self.process = process

    def ask(self, method: str = "POST", path: str = "/tools/mcp", headers: Headers = (), body: bytes = b"") -> Answer:
        """A header may be there twice, and a path is sent as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs):
            pairs.append(("content-length", str(len(body))))
        try:
            with suppress(ConnectionError):  # it may answer before the body is there
                connection.putrequest(method, path, skip_accept_encoding=True)
                for name, value in pairs:
                    connection.putheader(name, value)
                connection.endheaders(body or None)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def has_keys_of(self, issuer: Issuer, path: str = "/tools/mcp", **claims: Any) -> None:
        """Waits until the guard has fetched them."""
        end = time.monotonic() + 15
        while self.call(token=issuer.token(scope="none", **claims), path=path).status != 403:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def call(self, tool: str = "get_issue", token: str | None = None, *, legacy: bool = False, **more: Any) -> Answer:
        """tools/call as an SDK sends it; ``more``: ``path``, ``method``, ``body``, ``headers`` (None: without it)."""
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if legacy:
            headers["mcp-protocol-version"] = "2025-11-25"
        else:
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": tool}
        headers |= more.pop("headers", {})
        body = more.pop("body", None)
        return self.ask(
            headers={name: value for name, value in headers.items() if value is not None},
            body=request("tools/call", legacy=legacy, name=tool, arguments={}) if body is None else body,
            **more,
        )


@contextmanager
def guarding(
    access: Mapping[str, JSON], port: int, folder: Path, *changes: tuple[str, str], listen: int = 0
) -> Iterator[Guard]:
    """The guard that is rendered for a server on ``port``, in the real Envoy, with ``changes`` of its text."""
    program = envoy()
    found = server(
        transport={"type": "streamable-http", "port": port},
        image="registry.example.com/demo:1.0",
        access=dict(access),
    )
    assert found.guard
    own = listen or free_port()
    config = guard_config(found, found.guard, "127.0.0.1", own)
    listening = f'socket_address: {{address: "0.0.0.0", port_value: {own}}}'
    for old, new in ((listening, listening.replace("0.0.0.0", "127.0.0.1")), *changes):
        assert old in config
        config = config.replace(old, new)
    (folder / "guard.yaml").write_text(config)
    arguments = ["-c", str(folder / "guard.yaml"), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn"]
    log = folder / "guard.log"
    with log.open("wb") as output:
        running = subprocess.Popen([program, *arguments], stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait(own, running, log)
            yield Guard(own, log, running.pid)
        finally:
            running.terminate()
            running.wait(30)


def _wait(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert running.poll() is None, log.read_text()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    pytest.fail("the guard does not answer")
