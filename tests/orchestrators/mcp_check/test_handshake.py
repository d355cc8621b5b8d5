"""The check of life against servers that live, and against what else may be there."""

from __future__ import annotations

import gzip
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.contract import Handshake
from renderer.orchestrators.mcp_check import Guarded, Refused, SdkMissing, Transport, Unanswered, handshake, installed
from renderer.orchestrators.mcp_check import session as life_session
from tests.orchestrators.mcp_check.servers import Asked, by_method, greeting, raw_server

SECONDS = 20.0


@pytest.fixture(autouse=True)
def nothing_is_left(capfd: pytest.CaptureFixture[str]) -> Any:
    """No thread, no open socket, no word on stdout or stderr."""
    before = _held()
    yield
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    deadline = time.monotonic() + SECONDS
    while _held() > before and time.monotonic() < deadline:  # the server's own threads may take a moment
        time.sleep(0.01)
    assert _held() <= before


def _held() -> int:
    return threading.active_count() + len(os.listdir("/proc/self/fd"))


def test_a_server_without_tools_is_not_asked_for_them() -> None:
    answer = by_method(initialize=lambda asked: asked.result(greeting(capabilities={})))
    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", SECONDS) == Handshake("raw", "1", ("2025-06-18",), 0)


def test_what_a_server_says_of_itself_is_cut_and_escaped() -> None:
    info = {"name": "\x1b[31m" + "x" * 1_000_000, "version": "1\n::set-output name=a::b"}
    answer = by_method(initialize=lambda asked: asked.result(greeting(serverInfo=info, capabilities={})))
    with raw_server(answer) as url:
        told = handshake(url, "streamable-http", SECONDS)
    assert told.server_name.startswith("\\x1b[31mxxx")
    assert len(told.server_name) == 100
    assert told.server_version == "1\\n::set-output name=a::b"


def _tools(asked: Asked, each: int, pages: int) -> None:
    page = int(asked.body.get("params", {}).get("cursor", 0))
    tools = [{"name": f"t{page}-{n}", "inputSchema": {"type": "object"}} for n in range(each)]
    more = {"nextCursor": str(page + 1)} if page + 1 < pages else {}
    asked.result({"tools": tools, **more})


@pytest.mark.parametrize(
    ("each", "pages", "count", "more"), [(3, 4, 12, False), (1, 10_000, 100, True), (3000, 34, 10_000, True)]
)
def test_tools_are_counted_over_pages_up_to_a_limit(each: int, pages: int, count: int, more: bool) -> None:
    with raw_server(by_method(tools_list=lambda asked: _tools(asked, each, pages))) as url:
        told = handshake(url, "streamable-http", 60)
    assert (told.tools, told.more) == (count, more)


def _status(code: int, **headers: str) -> Callable[[Asked], None]:
    return lambda asked: asked.say(code, b"<h1>no</h1>", "text/html", **headers)


def _endless(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Content-Type", "text/event-stream")
    asked.send_header("Transfer-Encoding", "chunked")
    asked.end_headers()
    for _ in range(1000):
        asked.wfile.write(b"10000\r\n" + b"data: " + b"x" * 65530 + b"\r\n")


def _bomb(asked: Asked) -> None:
    asked.say(200, gzip.compress(b" " * 50_000_000), **{"Content-Encoding": "gzip"})


def _ends(asked: Asked) -> None:
    asked.close_connection = True


def _garbage(asked: Asked) -> None:
    asked.wfile.write(b"SSH-2.0-x\r\n\r\n")
    asked.close_connection = True


def _sse(text: str) -> Callable[[Asked], None]:
    return lambda asked: asked.say(200, text.encode(), "text/event-stream")


REFUSED: dict[str, tuple[Callable[[Asked], object], str]] = {
    "300": (_status(302, Location="http://other.example/"), "HTTP 302: it redirects to another address"),
    "308": (_status(308, Location="http://other.example/"), "HTTP 308: it redirects to another address"),
    "400": (_status(400), "HTTP 400: bad request; check that"),
    "401": (_status(401), "HTTP 401: the server runs and asks for credentials"),
    "403": (_status(403), "HTTP 403: the server runs and refuses this client"),
    "404": (_status(404), "HTTP 404: the server runs and serves nothing under this path"),
    "405": (
        _status(405),
        "HTTP 405: the server runs and does not take POST under this path; check transport.path, or use transport sse",
    ),
    "418": (_status(418), "HTTP 418: check transport.type"),
    "421": (_status(421), "HTTP 421: the server runs and answers to the hosts on its list alone"),
    "json 401": (
        lambda asked: asked.say(401, b'{"error": "no"}'),
        "HTTP 401: the server runs and asks for credentials",
    ),
    "json 404": (lambda asked: asked.say(404, b'{"error": "no"}'), "HTTP 404: the server runs and serves nothing"),
    "a page": (lambda asked: asked.say(200, b"<h1>hello</h1>", "text/html; charset=x"), "with text/html, which is not"),
    "no json": (lambda asked: asked.say(200, b"\xff\x00"), "answers initialize with something that is not MCP"),
    "no rpc": (lambda asked: asked.say(200, b"[1, 2]"), "answers initialize with something that is not MCP"),
    "no result": (lambda asked: asked.result({"a": 1}), "answers initialize with something that is not MCP"),
    "no sse": (_sse("data: nonsense\n\n"), "answers initialize with something that is not MCP"),
    "empty sse": (_sse("\n\n"), "answers initialize with something that is not MCP"),
    "accepted": (lambda asked: asked.say(202), "answers initialize with something that is not MCP"),
    "error": (lambda asked: asked.error(-32000, "\x1b[1mnot\nnow" + "x" * 999), r"refuses initialize: \x1b[1mnot\nnow"),
    "error 400": (lambda asked: asked.error(-32602, "bad version", 400), "refuses initialize: bad version (code -326"),
    "version": (lambda asked: asked.result(greeting(protocolVersion="1999-01-01")), "speaks MCP 1999-01-01, which the"),
    "endless": (_endless, "more than 16 MiB"),
    "huge": (lambda asked: asked.say(200, b" " * 17_000_000), "more than 16 MiB"),
    "packed": (_bomb, "more than 16 MiB, or packed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_answers_and_is_no_mcp_server(name: str) -> None:
    answer, text = REFUSED[name]
    with raw_server(answer) as url, pytest.raises(Refused) as refused:
        handshake(url, "streamable-http", SECONDS)
    assert text in refused.value.message
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 600


SSE_REFUSED: dict[str, tuple[Callable[[Asked], object], str]] = {
    "405": (_status(405), "use transport streamable-http"),
    "json 400": (lambda asked: asked.say(400, b"{}"), "HTTP 400"),
    "a page": (lambda asked: asked.say(200, b"hello", "text/html"), "with text/html"),
    "json": (lambda asked: asked.say(200, b"{}"), "answers initialize with something that is not MCP"),
    "too long": (_endless, "with something that is not MCP"),
}


@pytest.mark.parametrize("name", SSE_REFUSED)
def test_what_answers_and_is_no_sse_server(name: str) -> None:
    answer, text = SSE_REFUSED[name]
    with raw_server(answer) as url, pytest.raises(Refused) as refused:
        handshake(url, "sse", SECONDS)
    assert text in refused.value.message


@pytest.mark.parametrize(("status", "kind"), [(401, Guarded), (403, Refused)])
def test_a_server_that_wants_credentials_is_told_apart(status: int, kind: type[Exception]) -> None:
    with raw_server(_status(status)) as url, pytest.raises(Refused) as caught:
        handshake(url, "streamable-http", 20)
    assert type(caught.value) is kind


def test_an_sse_server_that_refuses_what_is_sent_to_it() -> None:
    def answer(asked: Asked) -> None:
        if asked.command == "POST":
            return asked.say(401)
        asked.send_response(200)
        asked.send_header("Content-Type", "text/event-stream")
        asked.end_headers()
        asked.wfile.write(b"event: endpoint\ndata: /messages\n\n")
        asked.connection.settimeout(SECONDS)
        asked.rfile.read(1)  # until the client leaves
        return None

    with raw_server(answer) as url, pytest.raises(Refused, match="HTTP 401"):
        handshake(url, "sse", SECONDS)


UNANSWERED: dict[str, tuple[Callable[[Asked], object], str]] = {
    "500": (_status(500), "HTTP 500: the server is not ready, or fails"),
    "503": (_status(503), "HTTP 503: the server is not ready, or fails"),
    "429": (_status(429), "HTTP 429: the server is not ready, or fails"),
    "ends": (_ends, "ended the connection before it answered initialize"),
    "garbage": (_garbage, "is not speaking HTTP"),
}


@pytest.mark.parametrize("name", UNANSWERED)
@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_what_may_answer_later(name: str, transport: Transport) -> None:
    answer, text = UNANSWERED[name]
    with raw_server(answer) as url, pytest.raises(Unanswered) as unanswered:
        handshake(url, transport, SECONDS)
    assert text in unanswered.value.message


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_nobody_is_there(transport: Transport) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/mcp"
        with pytest.raises(Unanswered, match="connection refused: nothing listens there"):
            handshake(url, transport, SECONDS)


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_no_tls_is_spoken(transport: Transport) -> None:
    with raw_server(_status(200)) as url, pytest.raises(Refused, match="no TLS connection"):
        handshake(url.replace("http", "https", 1), transport, SECONDS)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/mcp", "nonsense", "http://127.0.0.1:99999/mcp", "http://[::/mcp"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(Refused, match="that is not an http or https URL"):
        handshake(url, "streamable-http", SECONDS)


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    with raw_server(_status(404)) as url, pytest.raises(Refused) as refused:
        handshake(url.replace("//", "//user:hunter2@") + "?key=hunter3", "streamable-http", SECONDS)
    assert "hunter" not in refused.value.message


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_silence_ends_with_the_deadline(transport: Transport) -> None:
    over = threading.Event()
    with raw_server(lambda asked: over.wait(SECONDS)) as url:
        with pytest.raises(WaitTimedOut, match=r"did not answer initialize within 0\.2 s"):
            handshake(url, transport, 0.2)
        over.set()


def test_an_sse_server_that_sends_the_client_elsewhere_is_not_followed() -> None:
    """The SDK keeps silent about it."""
    with raw_server(_sse("event: endpoint\ndata: http://127.0.0.1:1/x\n\n")) as url, pytest.raises(WaitTimedOut):
        handshake(url, "sse", 0.5)


def test_tools_that_are_not_told() -> None:
    answer = by_method(tools_list=lambda asked: asked.error(-32603, "broken"))
    with raw_server(answer) as url, pytest.raises(Refused, match=r"refuses tools/list: broken"):
        handshake(url, "streamable-http", SECONDS)


def test_a_server_that_does_not_let_go_keeps_nobody() -> None:
    over = threading.Event()

    def answer(asked: Asked) -> None:
        if asked.command == "DELETE":
            over.wait(SECONDS)
        elif asked.body.get("method") == "initialize":
            body = b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (asked.body["id"], _GREETING)
            asked.say(200, body, **{"Mcp-Session-Id": "1"})
        else:
            by_method()(asked)

    with raw_server(answer) as url:
        started = time.monotonic()
        assert handshake(url, "streamable-http", SECONDS).server_name == "raw"
        assert time.monotonic() - started < SECONDS / 2
        over.set()


_GREETING = b'{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"raw","version":"1"}}'


def test_a_notification_that_is_answered_oddly_does_not_matter() -> None:
    answer = by_method(
        initialize=lambda asked: asked.result(greeting(capabilities={})),
        notifications_initialized=lambda asked: asked.say(500, b"oh", "text/html"),
    )
    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", SECONDS).server_name == "raw"


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    answer = by_method(initialize=lambda asked: asked.result(greeting(capabilities={})))
    with raw_server(answer) as url:
        assert handshake(url, "streamable-http", SECONDS).server_name == "raw"


def test_ctrl_c_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(asked: Asked) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(SECONDS)

    over = threading.Event()
    with raw_server(interrupt) as url:
        with pytest.raises(KeyboardInterrupt):
            handshake(url, "streamable-http", SECONDS)
        over.set()


def test_loggers_are_as_before() -> None:
    logger = logging.getLogger("mcp")
    before = logger.propagate, list(logger.handlers)
    with raw_server(_status(500)) as url, pytest.raises(Unanswered):
        handshake(url, "streamable-http", SECONDS)
    assert (logger.propagate, list(logger.handlers)) == before


def test_several_threads_may_ask_at_once() -> None:
    logger = logging.getLogger("mcp")
    before = logger.propagate, list(logger.handlers)
    answer = by_method(initialize=lambda asked: asked.result(greeting(capabilities={})))
    names: list[str] = []
    with raw_server(answer) as url:
        asking = [
            threading.Thread(target=lambda: names.append(handshake(url, "streamable-http", SECONDS).server_name))
            for _ in range(4)
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert names == ["raw"] * 4
    assert (logger.propagate, list(logger.handlers)) == before


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, life_session.__name__)
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setitem(sys.modules, "anyio", None)
    with pytest.raises(SdkMissing, match=r"pip install 'mcpctl-renderer\[mcp\]'"):
        handshake("http://127.0.0.1:1/mcp", "streamable-http", SECONDS)


def test_the_version_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed().startswith("2.")

    def missing(name: str) -> str:
        from importlib.metadata import PackageNotFoundError

        raise PackageNotFoundError(name)

    monkeypatch.setattr("renderer.orchestrators.mcp_check.metadata.version", missing)
    assert installed() == ""


def test_all_that_can_go_wrong_is_a_failure_of_the_apply() -> None:
    assert all(issubclass(kind, ApplyFailed) for kind in (SdkMissing, Unanswered, Refused))
