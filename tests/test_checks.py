"""The programs that ask a server for its tools, run against servers that answer in each way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from renderer import assets
from renderer.errors import errors_in
from renderer.launch import launch
from renderer.model import JSON
from tests.specs import NPM, PYPI, read_specs, server, spec

TOOLS: JSON = {"result": {"tools": []}}


class Fake(ThreadingHTTPServer):
    """``answers`` to tools/list; with ``sessions`` only inside one; what was asked is kept."""

    def __init__(self, answer: Any, *, sessions: bool, stream: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.sessions, self.stream = answer, sessions, stream
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Fake

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(message["method"])
        inside = self.headers.get("Mcp-Session-Id") == "s1"
        if message["method"] == "initialize":
            return self._reply(200, {"result": {}}, session=True)
        if self.server.sessions and not inside:
            return self._reply(400, {"error": {"code": -32600}})
        return self._reply(200, self.server.answer)

    def do_DELETE(self) -> None:
        self.server.asked.append("DELETE")
        self._reply(200, {})

    def _reply(self, status: int, answer: Any, *, session: bool = False) -> None:
        text = json.dumps({"jsonrpc": "2.0", "id": 2, **answer})
        body = f"event: message\ndata: {text}\n\n" if self.server.stream else text
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if self.server.stream else "application/json")
        self.send_header("Content-Length", str(len(body)))
        if session:
            self.send_header("Mcp-Session-Id", "s1")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr."""


def interpreters() -> Iterator[Any]:
    yield pytest.param([sys.executable, "-c", assets.read("templates/checks/mcp-python.txt").decode()], id="python")
    missing = shutil.which("node") is None and os.environ.get("CI") != "true"
    absent = pytest.mark.skipif(missing, reason="there is no node here; in CI there is")
    yield pytest.param(["node", "-e", assets.read("templates/checks/mcp-node.txt").decode()], id="node", marks=absent)


@pytest.mark.parametrize("program", [*interpreters()])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("answer", "sessions", "code", "asked"),
    [
        (TOOLS, False, 0, ["tools/list"]),
        ({"error": {"code": -32601}}, False, 0, ["tools/list"]),
        (TOOLS, True, 0, ["tools/list", "initialize", "notifications/initialized", "tools/list", "DELETE"]),
        (
            {"error": {"code": 0}},
            False,
            1,
            ["tools/list", "initialize", "notifications/initialized", "tools/list", "DELETE"],
        ),
    ],
    ids=["stateless", "no tools", "sessions", "dead behind a bridge"],
)
def test_what_counts_as_well(
    program: list[str], stream: bool, answer: Any, sessions: bool, code: int, asked: list[str]
) -> None:
    fake = Fake(answer, sessions=sessions, stream=stream)
    threading.Thread(target=fake.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{fake.server_address[1]}/mcp"
        found = subprocess.run([*program, url, "5"], capture_output=True, timeout=30, check=False)
    finally:
        fake.shutdown()
        fake.server_close()
    assert (found.returncode, fake.asked) == (code, asked), found.stderr.decode()


@pytest.mark.parametrize("program", [*interpreters()])
def test_nothing_listens(program: list[str]) -> None:
    found = subprocess.run([*program, "http://127.0.0.1:1/mcp", "5"], capture_output=True, timeout=30, check=False)
    assert found.returncode != 0


def test_the_runtime_of_the_package_asks() -> None:
    native: JSON = {"type": "streamable-http", "port": 9001, "path": "/x"}
    for package, program in ((NPM, "node"), (PYPI, "python3")):
        started = launch(server(package=package, transport=native, health={"mcp": True, "timeoutSeconds": 7}))
        assert started.probe is not None
        assert started.probe.command[0] == program
        assert started.probe.command[-2:] == ("http://127.0.0.1:9001/x", "7")
        assert started.check == started.probe.command


def test_a_connection_instead_of_the_bridge_s_endpoint() -> None:
    started = launch(server(package=PYPI, health={"tcp": True}))
    assert started.probe is not None
    assert (started.probe.port, started.probe.path, started.probe.command) == (8080, None, ())
    assert started.check[0] == "python3"
    assert launch(server(package=NPM, health={"tcp": True, "port": 9})).check[0] == "node"
    assert launch(server(health={"tcp": True})).check == ()


def test_an_image_cannot_be_asked() -> None:
    (problem,) = errors_in(read_specs(spec(health={"mcp": True})).problems)
    assert problem.rule == "spec/health-mcp"
