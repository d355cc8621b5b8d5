"""Both eras of the protocol: servers on both majors of the SDK, and servers that answer one era oddly."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderer.errors import McpctlError
from renderer.orchestrators.contract import Handshake
from renderer.orchestrators.mcp_check import Refused, Transport, handshake
from tests.orchestrators.mcp_check.servers import Asked, by_method, demo, discovery, greeting, raw_server, sdk_server

SECONDS = 30.0
OLD, NEW = "2025-11-25", "2026-07-28"


@pytest.fixture(scope="session")
def old_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the SDK's first major and what it needs, one for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "old-sdk"
    uv = shutil.which("uv")
    # Nine tenths of what is installed are never imported: uv compiles nothing, and pip need not.
    pip = [sys.executable, "-m", "pip", "install", "--no-compile"]
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else pip
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.with_suffix(".done").exists():
            command = [*pip, "-q", "--target", str(folder), "mcp<2"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            if done.returncode and not os.environ.get("CI"):
                pytest.skip(f"the SDK's first major cannot be installed here: {done.stderr[-200:]}")
            assert done.returncode == 0, done.stderr
            folder.with_suffix(".done").touch()
    return folder


OLD_SERVERS = (
    "streamable-http",
    "streamable-http --json",
    "streamable-http --stateless",
    "streamable-http --stateless --json",
    "sse",
)


@pytest.fixture(scope="module")
def old_servers(old_sdk: Path) -> Iterator[dict[str, str]]:
    """The URLs of servers on the SDK's first major; their process sees nothing of what is installed here (``-S``)."""
    with subprocess.Popen(
        [sys.executable, "-S", str(Path(__file__).with_name("old_sdk_server.py")), *OLD_SERVERS],
        env={**os.environ, "PYTHONPATH": str(old_sdk)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            urls = {server: process.stdout.readline().strip() for server in OLD_SERVERS}
            assert all(urls.values())
            yield urls
        finally:
            process.stdin.close()


@pytest.mark.parametrize("server", OLD_SERVERS)
def test_servers_on_the_first_major(old_servers: dict[str, str], server: str) -> None:
    answer = handshake(old_servers[server], "sse" if server == "sse" else "streamable-http", SECONDS)
    assert (answer.server_name, answer.versions, answer.tools) == ("old", (OLD,), 1)


@pytest.mark.parametrize(
    ("transport", "modern", "versions"),
    [("streamable-http", False, (OLD, NEW)), ("streamable-http", True, (NEW,)), ("sse", False, (OLD,))],
)
def test_servers_on_the_second_major(transport: Transport, modern: bool, versions: tuple[str, ...]) -> None:
    with sdk_server(transport, demo(), modern=modern) as url:
        assert handshake(url, transport, SECONDS) == Handshake("demo", "1.2.3", versions, 2)


def _hangs(asked: Asked) -> None:
    threading.Event().wait(3)


def _ends(asked: Asked) -> None:
    asked.close_connection = True


ODD: dict[str, Callable[[Asked], object]] = {
    "400": lambda asked: asked.say(400, b"bad request", "text/plain"),
    "400 error": lambda asked: asked.error(-32600, "Bad Request: Missing session ID", 400),
    "403": lambda asked: asked.say(403),
    "404": lambda asked: asked.say(404, b"<h1>no</h1>", "text/html"),
    "404 error": lambda asked: asked.error(-32601, "Method not found", 404),
    "500": lambda asked: asked.say(500, b"oh", "text/plain"),
    "202": lambda asked: asked.say(202),
    "302": lambda asked: asked.say(302, b"", "text/html", Location="http://other.example/"),
    "a page": lambda asked: asked.say(200, b"<h1>hello</h1>", "text/html"),
    "no json": lambda asked: asked.say(200, b"\xff"),
    "no rpc": lambda asked: asked.say(200, b"[1]"),
    "no result": lambda asked: asked.result({"a": 1}),
    "error": lambda asked: asked.error(-32601, "Method not found"),
    "version": lambda asked: asked.error(-32000, "Unsupported protocol version", 400),
    "ends": _ends,
    "hangs": _hangs,
}


@pytest.mark.parametrize("name", ODD)
def test_a_server_of_the_old_era_may_answer_the_new_question_oddly(name: str) -> None:
    answer = by_method(server_discover=ODD[name], tools_list=lambda asked: asked.result({"tools": []}))
    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", 4 if name == "hangs" else SECONDS) == Handshake(
            "raw", "1", ("2025-06-18",), 0
        )


def _modern_tools(asked: Asked) -> None:
    asked.result({"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})


@pytest.mark.parametrize("name", sorted({*ODD} - {"hangs"}))
def test_a_server_of_the_new_era_may_answer_the_old_question_oddly(name: str) -> None:
    answer = by_method(
        initialize=ODD[name], tools_list=_modern_tools, server_discover=lambda asked: asked.result(discovery())
    )
    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", SECONDS) == Handshake("raw", "2", (NEW,), 0)


def _old_tools_alone(asked: Asked) -> None:
    if asked.headers.get("mcp-protocol-version") == NEW:
        asked.error(-32603, "broken")
    else:
        asked.result({"tools": []})


def test_only_an_era_in_which_tools_are_listed_counts() -> None:
    answer = by_method(server_discover=lambda asked: asked.result(discovery()), tools_list=_old_tools_alone)
    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", SECONDS) == Handshake("raw", "1", ("2025-06-18",), 0)


def test_a_server_that_names_both_eras_is_not_asked_twice() -> None:
    asked_for: list[str] = []

    def answer(asked: Asked) -> None:
        asked_for.append(asked.body["method"])
        discovered = discovery(supportedVersions=[NEW, OLD], capabilities={}, _meta={})
        by_method(server_discover=lambda asked: asked.result(discovered))(asked)

    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", SECONDS) == Handshake("", "", (OLD, NEW), 0)
    assert asked_for == ["server/discover"]


_FUTURE = {"supported": ["2027-01-15", "2028-01-15"], "requested": NEW}
REFUSED: dict[str, tuple[dict[str, Callable[[Asked], object]], str]] = {
    "new versions, refused": (
        {
            "server_discover": lambda asked: asked.error(-32022, "no", 400, _FUTURE),
            "initialize": lambda asked: asked.error(-32022, "no", 400, _FUTURE),
        },
        "speaks MCP 2027-01-15, 2028-01-15, which the installed SDK does not know",
    ),
    "new versions, answered": (
        {
            "server_discover": lambda asked: asked.result(discovery(supportedVersions=["2027-01-15"])),
            "initialize": lambda asked: asked.error(-32601, "Method not found"),
        },
        "speaks MCP '2027-01-15', which the installed SDK does not know",
    ),
    "tools of the new era": (
        {
            "server_discover": lambda asked: asked.result(discovery()),
            "tools_list": lambda asked: asked.error(-32603, "broken"),
            "initialize": lambda asked: asked.error(-32601, "Method not found"),
        },
        "refuses tools/list: broken (code -32603)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_era_that_the_server_understands_explains_the_failure(name: str) -> None:
    answers, text = REFUSED[name]
    with raw_server(by_method(**answers)) as url, pytest.raises(Refused) as refused:
        handshake(url, "streamable-http", SECONDS)
    assert text in refused.value.message


@pytest.mark.parametrize(("status", "questions"), [(401, 1), (403, 2), (503, 2)])
def test_credentials_are_asked_for_in_either_era(status: int, questions: int) -> None:
    asked_for: list[str] = []

    def answer(asked: Asked) -> None:
        asked_for.append(asked.body["method"])
        asked.say(status)

    with raw_server(answer) as url, pytest.raises(McpctlError):
        handshake(url, "streamable-http", SECONDS)
    assert len(asked_for) == questions


def test_versions_that_a_server_names_are_cut() -> None:
    discovered = discovery(supportedVersions=[NEW, *(f"{n}\n" + "x" * 1000 for n in range(1000))], capabilities={})
    answer = by_method(
        server_discover=lambda asked: asked.result(discovered), initialize=lambda asked: asked.result(greeting())
    )
    with raw_server(answer) as url:
        versions = handshake(url, "streamable-http", SECONDS).versions
    assert len(versions) == 21
    assert all(len(version) <= 60 and version.isprintable() for version in versions)
