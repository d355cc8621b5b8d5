"""Why there was no handshake, in plain words: which exception, and with which text."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import httpx2
from mcp.shared.exceptions import MCPError

from renderer.errors import McpctlError, WaitTimedOut, excerpt
from renderer.life import Guarded, Refused, Transport, Unanswered
from renderer.life.watch import BYTES, Watched

_OTHER: Mapping[Transport, Transport] = {"sse": "streamable-http", "streamable-http": "sse"}
#: What a server says that was started a moment ago, or the proxy before it.
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_STATUS: Mapping[int, str] = {
    400: "it takes the request for a mistake: is it {transport}, and is the path right?",
    401: "it runs, and wants credentials, which this check does not have",
    403: "it runs, and refuses this client: credentials, or a list of hosts that it answers to",
    404: "it runs, and serves nothing under this path: check transport.path",
    405: "it runs, and does not take such requests under this path: is it rather {other}? check transport",
    406: "it runs, and does not speak this transport: is it rather {other}? check transport",
    415: "it runs, and does not speak this transport: is it rather {other}? check transport",
    421: "it runs, and answers only to hosts on its list: let it answer to 127.0.0.1 too",
}


class Facts(NamedTuple):
    """What is known when there was no answer. ``greeted``: ``initialize`` was answered, and ``tools/list`` was not."""

    watched: Watched
    error: Exception | None
    greeted: bool
    late: bool


def tell(url: str, transport: Transport, seconds: float, facts: Facts) -> McpctlError:
    """The exception to raise."""
    where = f"the MCP server at {_shown(url)}"
    asked = "tools/list" if facts.greeted else "initialize"
    errors = [*([facts.watched.error] if facts.watched.error else []), *_flat(facts.error)]
    found = _of_answer(facts.watched, errors, where, asked)
    if not found and facts.watched.status:
        found = _of_status(facts.watched.status, where, transport)
    for error in errors:
        found = found or _of_error(error, where, asked)
    if not found and facts.late:
        return WaitTimedOut(f"{where} did not answer {asked} within {seconds:g} s")
    return found or Refused(f"{where} answers {asked} with something that is not MCP: {_check()}")


def refuse_no_url(url: str) -> None:
    """Before anything is asked: the HTTP client fails on such in many ways."""
    try:
        parts = httpx2.URL(url)
        fits = parts.scheme in ("http", "https") and parts.host and (parts.port is None or 0 < parts.port < 65536)
    except httpx2.InvalidURL:
        fits = False
    if not fits:
        raise Refused(f"the MCP server at {_shown(url)} cannot be asked: that is not an http or https URL")


def _of_answer(watched: Watched, errors: Sequence[BaseException], where: str, asked: str) -> McpctlError | None:
    """Where something came that says why."""
    if watched.too_much:
        return Refused(
            f"{where} answers {asked} with more than {BYTES // 1024 // 1024} MiB, or packed: not read further"
        )
    if watched.media_type:
        return Refused(f"{where} answers {asked} with {excerpt(watched.media_type, 60)}, which is not MCP: {_check()}")
    for error in errors:
        if isinstance(error, MCPError) and not _made_up(error, watched.status):
            return Refused(f"{where} refuses {asked}: {excerpt(error.message, 200)} (code {error.code})")
    return None


def _of_status(status: int, where: str, transport: Transport) -> McpctlError:
    text = _STATUS.get(status)
    if text is None and status < 400:
        text = "it sends the client elsewhere: give the right URL or path"
    text = text or ("it is not ready, or fails" if status >= 500 or status in _TRANSIENT else _check())
    kind = Unanswered if status in _TRANSIENT else Guarded if status == 401 else Refused
    return kind(f"{where} answers HTTP {status}: {text.format(transport=transport, other=_OTHER[transport])}")


def _of_error(error: BaseException, where: str, asked: str) -> McpctlError | None:
    if isinstance(error, RuntimeError) and "protocol version" in str(error):
        version = excerpt(str(error).rpartition(": ")[2], 40)
        return Refused(f"{where} speaks MCP {version}, which the installed SDK does not know: update one of them")
    if isinstance(error, httpx2.ConnectError):
        return _unconnected(error, where)
    if isinstance(error, (httpx2.RemoteProtocolError, httpx2.NetworkError)):
        text = "is not speaking HTTP, or ended the connection" if _is_garbage(error) else "ended the connection"
        return Unanswered(f"{where} {text} before it answered {asked}")
    return None


def _unconnected(error: httpx2.ConnectError, where: str) -> McpctlError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "no TLS spoken"
            return Refused(f"{where}: no TLS connection: {excerpt(str(reason), 120)}; is it https, with a known CA?")
        if isinstance(cause, socket.gaierror):
            return Unanswered(f"{where}: there is no host of that name")
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    return Unanswered(f"{where}: {'connection refused: nothing listens there' if refused else 'no connection'}")


def _made_up(error: MCPError, status: int) -> bool:
    """Whether the SDK put its own text in place of an answer that was not MCP."""
    own = ("Not Found", "Server returned an error response", "Session terminated", "Redirect to", "Unexpected content")
    lost = ("SSE stream", "Connection closed", "Failed to parse", "server answered a request with 202")
    return error.message.startswith(own if status else lost)


def _is_garbage(error: Exception) -> bool:
    return isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in str(error)


def _flat(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions of a group, of groups in it, too."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _flat(inner)
    elif error is not None:
        yield error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield from _flat(seen)
        seen = seen.__cause__ or seen.__context__


def _shown(url: str) -> str:
    """Without what may be a secret: user, password, query."""
    try:
        bare = httpx2.URL(url).copy_with(userinfo=b"", query=None, fragment=None)
    except (httpx2.InvalidURL, TypeError):
        return "that URL"
    return excerpt(str(bare), 200)


def _check() -> str:
    return "check transport.type, transport.path and the port"
