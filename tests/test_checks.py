"""The programs that ask a server for its tools, run against servers that answer in each way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from renderer import assets
from renderer.errors import errors_in
from renderer.launch import launch
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.programs import node, python
from tests.specs import IMAGE, NPM, PYPI, read_specs, server, spec, texts

TOOLS: JSON = {"result": {"tools": []}}
Program = Callable[..., subprocess.CompletedProcess[str]]


class Fake(ThreadingHTTPServer):
    """``answers`` to tools/list in the eras that it speaks; of the old one with ``sessions`` only inside one."""

    def __init__(self, answer: Any, *, eras: str = "old", sessions: bool = False, form: str = "json") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.eras, self.sessions, self.form = answer, eras, sessions, form
        #: What was asked, in order; methods of MCP 2026-07-28 with a star.
        self.asked: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing on stderr of a client that goes before the end: what the test asks shares this one's."""


class _Handler(BaseHTTPRequestHandler):
    server: Fake
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        modern = self.headers.get("MCP-Protocol-Version") == "2026-07-28"
        self.server.asked.append(message["method"] + ("*" if modern else ""))
        inside = self.headers.get("Mcp-Session-Id") == "s1"
        if modern:
            assert self.headers["Mcp-Method"] == message["method"]
            assert message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        if ("modern" if modern else "old") not in self.server.eras:
            return self._reply(400, {"error": {"code": -32022, "message": "Unsupported protocol version"}})
        if message["method"] == "initialize":
            return self._reply(200, {"result": {}}, session=self.server.sessions)
        if not modern and self.server.sessions and not inside:
            return self._reply(400, {"error": {"code": -32600}})
        return self._reply(200, self.server.answer)

    def do_DELETE(self) -> None:
        self.server.asked.append("DELETE")
        self.send_response(204)
        self.end_headers()

    def _reply(self, status: int, answer: Any, *, session: bool = False) -> None:
        text = json.dumps({"jsonrpc": "2.0", "id": 2, **answer})
        stream = self.server.form != "json"
        before = 'data: {"jsonrpc": "2.0", "method": "notifications/message"}\n\n' if stream else ""
        body = (f": hello\n\n{before}event: message\ndata: {text}\n\n" if stream else text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        if self.server.form == "chunks":  # which cut the lines anywhere, and do not end
            self.send_header("Transfer-Encoding", "chunked")
        elif self.server.form == "open":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        if session:
            self.send_header("Mcp-Session-Id", "s1")
        self.end_headers()
        if self.server.form == "chunks":
            for start in range(0, len(body), 7):
                part = body[start : start + 7]
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        else:
            self.wfile.write(body)
        self.wfile.flush()
        if self.server.form in ("chunks", "open"):
            self.rfile.read(1)  # until the client goes

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr."""


no_node = shutil.which("node") is None and os.environ.get("CI") != "true"
RUNTIMES = [
    "python",
    pytest.param("node", marks=pytest.mark.skipif(no_node, reason="there is no node here; in CI there is")),
]


@pytest.fixture(scope="module")
def program(runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Asks without the start of an interpreter."""
    text = assets.read(f"templates/checks/mcp-{runtime}.txt").decode()
    if runtime == "python":
        return partial(python, text)
    file = tmp_path_factory.mktemp("program") / "check.js"
    file.write_text(text)
    return partial(node, str(file))


def asked(program: Program, fake: Fake, *more: str, seconds: str = "5") -> subprocess.CompletedProcess[str]:
    threading.Thread(target=fake.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    try:
        return program(str(fake.server_address[1]), "/mcp", seconds, *more)
    finally:
        fake.shutdown()
        fake.server_close()


TWICE = ["tools/list*", "tools/list"]
SESSION = ["initialize", "notifications/initialized", "tools/list"]


FORMS = ("json", "stream", "chunks", "open")
ANSWERS: dict[str, tuple[Any, ...]] = {
    "modern": (TOOLS, "modern", False, (0, 0), ["tools/list*"]),
    "both": (TOOLS, "old and modern", True, (0, 0), ["tools/list*"]),
    "stateless": (TOOLS, "old", False, (0, 0), TWICE),
    "sessions": (TOOLS, "old", True, (0, 0), [*TWICE, *SESSION, "DELETE"]),
    "no tools": ({"error": {"code": -32601}}, "old", False, (0, 0), TWICE),
    "error": ({"error": {"code": -32000, "message": "no licence"}}, "old", False, (1, 0), [*TWICE, *SESSION]),
    "modern error": (
        {"error": {"code": -32000, "message": "no licence"}},
        "modern",
        False,
        (1, 0),
        [*TWICE, "initialize"],
    ),
    "dead, PyPI's": ({"error": {"code": 0, "message": ""}}, "old", False, (1, 1), [*TWICE, *SESSION]),
    "dead, npm's": ({"error": {"code": -32603, "message": "Not connected"}}, "old and modern", False, (1, 1), None),
}
#: Any answer is read alike once its form is, so each has one form in turn; a session has all of them.
CASES = [
    (name, form)
    for number, name in enumerate(ANSWERS)
    for form in (FORMS if name == "sessions" else FORMS[number % 4 :][:1])
]


@pytest.mark.parametrize("runtime", RUNTIMES, scope="module")
@pytest.mark.parametrize(("name", "form"), CASES)
def test_what_counts_as_ready_and_as_alive(program: Program, name: str, form: str) -> None:
    answer, eras, sessions, codes, expected = ANSWERS[name]
    for code, more in zip(codes, ([], ["alive"]), strict=True):
        fake = Fake(answer, eras=eras, sessions=sessions, form=form)
        done = asked(program, fake, *more)
        assert done.returncode == code, done.stderr
        assert expected in (None, fake.asked)
        assert bool(done.stderr) == bool(code), "what kubectl describe shows"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_answers_a_process(runtime: str) -> None:
    text = assets.read(f"templates/checks/mcp-{runtime}.txt").decode()
    command = ["node", "-e", text] if runtime == "node" else [sys.executable, "-IS", "-c", text]
    found = subprocess.run([*command, "1", "/mcp", "5"], capture_output=True, timeout=30, check=False, text=True)
    assert found.returncode == 1
    assert found.stderr.startswith("no answer: ")


@pytest.mark.parametrize("runtime", RUNTIMES, scope="module")
@pytest.mark.parametrize("more", [[], ["alive"]], ids=["ready", "alive"])
def test_nothing_answers(program: Program, more: list[str]) -> None:
    found = program("1", "/mcp", "5", *more)
    assert found.returncode == 1
    assert found.stderr.startswith("no answer: ")

    class Silent(Fake):
        """A process that hangs: connections are taken, and kept."""

        def process_request(self, request: Any, client_address: Any) -> None:
            kept.append(request)

    kept: list[Any] = []
    found = asked(program, Silent(TOOLS), *more, seconds="1")
    for request in kept:
        request.close()
    assert found.returncode == 1
    assert found.stderr.startswith("no answer: ")


def test_the_runtime_of_the_package_asks() -> None:
    native: JSON = {"type": "streamable-http", "port": 9001, "path": "/x"}
    for package, program in ((NPM, "node"), (PYPI, "python3")):
        started = launch(server(package=package, transport=native, health={"timeoutSeconds": 7}))
        assert started.probe is not None
        assert started.liveness is not None
        assert started.probe.command[0] == started.probe.mounted[0] == program
        assert started.probe.command[-3:] == started.probe.mounted[-3:] == ("9001", "/x", "7")
        assert started.liveness.command[-4:] == started.liveness.mounted[-4:] == ("9001", "/x", "7", "alive")
        assert started.check == started.probe.command


@pytest.mark.parametrize(
    ("fields", "asks"),
    [
        ({"package": PYPI}, True),
        ({"package": PYPI, "transport": {"path": "/sse"}}, True),
        ({"package": NPM, "transport": {"bridge": "mcp-proxy"}}, True),
        ({"package": NPM, "transport": {"type": "streamable-http"}}, True),
        ({"package": NPM, "transport": {"bridge": "supergateway"}}, False),
        ({"package": PYPI, "transport": {"type": "sse"}}, False),
        ({"package": PYPI, "transport": {"bridge": "none"}}, False),
        ({"package": PYPI, "health": {"mcp": False}}, False),
        ({"package": PYPI, "health": {"tcp": True}}, False),
        ({"package": PYPI, "health": {"command": ["x"]}}, False),
        ({"package": PYPI, "health": {"enabled": False}}, False),
        ({"image": IMAGE, "command": ["x"], "transport": {"bridge": "mcp-proxy"}}, False),
        ({"image": IMAGE, "command": ["x"], "transport": {"bridge": "mcp-proxy"}, "health": {"mcp": True}}, True),
        ({}, False),
    ],
)
def test_who_is_asked_unless_told_otherwise(fields: dict[str, JSON], asks: bool) -> None:
    probe = launch(server(**fields)).probe
    assert bool(probe and probe.file) == asks
    if probe and probe.file:
        assert "/mcp" in probe.mounted


def test_kubernetes_mounts_the_program_that_compose_gets_as_an_argument() -> None:
    manifests = texts("kubernetes", spec(package=PYPI))
    assert yaml_read(manifests["demo/configmap.yaml"])["data"]["check.py"].startswith("# Asks")
    (container,) = yaml_read(manifests["demo/deployment.yaml"])["spec"]["template"]["spec"]["containers"]
    program = ["python3", "-IS", "/mcp-check/check.py", "8080", "/mcp", "5"]
    assert container["readinessProbe"]["exec"]["command"] == program
    assert container["livenessProbe"]["exec"]["command"] == [*program, "alive"]
    assert "/mcp-check/check.py" in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert "# Asks" in texts("compose", spec(package=PYPI))["demo/compose.yaml"]


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
