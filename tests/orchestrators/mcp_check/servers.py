"""Servers to be asked, on the loopback: written on the SDK, and raw ones that answer whatever a test wants."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.types import ASGIApp, Receive, Scope, Send

# The SDK and uvicorn are imported where they are used: that takes longer than all other imports of the tests together.
Json = dict[str, Any]


def demo(tools: int = 2) -> MCPServer:
    """With so many tools."""
    from mcp.server import MCPServer

    server = MCPServer("demo", version="1.2.3")
    for number in range(tools):
        server.tool(name=f"tool-{number}")(_nothing)
    return server


def _nothing() -> str:
    """Does nothing."""
    return ""


def modern_alone(app: ASGIApp) -> ASGIApp:
    """The app, with every request of the old era refused as the specification of 2026-07-28 asks."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or dict(scope["headers"]).get(b"mcp-protocol-version") == b"2026-07-28":
            return await app(scope, receive, send)
        data = {"supported": ["2026-07-28"], "requested": "2025-11-25"}
        error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refusing


@contextmanager
def sdk_server(
    transport: Literal["streamable-http", "sse"], server: MCPServer, *, modern: bool = False
) -> Iterator[str]:
    """The URL of a server on the installed SDK, which speaks both eras; ``modern``: 2026-07-28 alone."""
    import uvicorn

    app: ASGIApp = server.sse_app() if transport == "sse" else server.streamable_http_app()
    app = modern_alone(app) if modern else app
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1, ws="none"
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not running.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/{'sse' if transport == 'sse' else 'mcp'}"
        finally:
            running.should_exit = True
            thread.join(30)


class Asked(BaseHTTPRequestHandler):
    """One request to a raw server; ``answer`` does the rest."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the headers at once: 40 ms a request
    answer: Callable[[Asked], object]

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        self.body: Json = json.loads(self.rfile.read(size) or b"{}")
        type(self).answer(self)

    def do_GET(self) -> None:
        self.body = {}
        type(self).answer(self)

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def say(self, status: int, body: bytes = b"", media_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def result(self, result: Json) -> None:
        self.say(200, json.dumps({"jsonrpc": "2.0", "id": self.body.get("id"), "result": result}).encode())

    def error(self, code: int, message: str, status: int = 200, data: Json | None = None) -> None:
        error = {"code": code, "message": message, **({"data": data} if data else {})}
        self.say(status, json.dumps({"jsonrpc": "2.0", "id": self.body.get("id"), "error": error}).encode())


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no news."""


@contextmanager
def raw_server(answer: Callable[[Asked], object]) -> Iterator[str]:
    """The URL of a server that answers every request with ``answer``."""
    handler = type("Handler", (Asked,), {"answer": staticmethod(answer)})
    with _Quiet(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mcp"
        finally:
            server.shutdown()
            thread.join()


def greeting(**changes: Any) -> Json:
    """The result of ``initialize``."""
    info = {"name": "raw", "version": "1"}
    return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info, **changes}


def discovery(**changes: Any) -> Json:
    """The result of ``server/discover``."""
    info = {"io.modelcontextprotocol/serverInfo": {"name": "raw", "version": "2"}}
    fixed = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "_meta": info}
    return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **fixed, **changes}


def by_method(**answers: Callable[[Asked], object]) -> Callable[[Asked], None]:
    """Methods answered as given (``tools_list``), ``initialize`` by ``greeting``, notifications accepted, the rest
    refused with 405.
    """

    def answer(asked: Asked) -> None:
        method = asked.body.get("method", "").replace("/", "_")
        if method in answers:
            answers[method](asked)
        elif method == "initialize":
            asked.result(greeting())
        elif method.startswith("notifications"):
            asked.say(202)
        else:
            asked.say(405, b"no", "text/plain")

    return answer
