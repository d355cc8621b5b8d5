"""From failed attempts to ask a server to one error."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import httpx2
from mcp.shared.exceptions import MCPError
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION

from renderer.errors import McpctlError, WaitTimedOut, excerpt
from renderer.orchestrators.mcp_check.errors import Guarded, Refused, Transport, Unanswered, without_tls
from renderer.orchestrators.mcp_check.transport import BYTES, Watched

_OTHER: Mapping[Transport, Transport] = {"sse": "streamable-http", "streamable-http": "sse"}
#: What a server answers that was started a moment ago, or the proxy in front of it.
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_CHECK = "check transport.type, transport.path and the port"
_STATUS: Mapping[int, str] = {
    400: "bad request; check that the server speaks {transport} and that transport.path is right",
    401: "the server runs and asks for credentials, which this check does not have",
    403: "the server runs and refuses this client: it wants credentials, or answers to the hosts on its list alone",
    404: "the server runs and serves nothing under this path; check transport.path",
    405: "the server runs and does not take POST under this path; check transport.path, or use transport {other}",
    406: "the server runs and does not speak this transport; use transport {other}",
    415: "the server runs and does not speak this transport; use transport {other}",
    421: "the server runs and answers to the hosts on its list alone; add 127.0.0.1 to that list",
}


#: How texts begin that the SDK puts in place of an answer that was not MCP: after a refusal, and after none.
_OF_SDK = ("Not Found", "Server returned an error response", "Session terminated", "Redirect to", "Unexpected content")
_LOST = ("SSE stream", "Connection closed", "Failed to parse", "server answered a request with 202")


class Attempt(Protocol):
    versions: tuple[str, ...]
    failure: Exception | None
    late: bool
    watched: Watched

    @property
    def asked(self) -> str:
        """The last method."""


def is_final(attempt: Attempt) -> bool:
    """Whether the other era need not be asked: no connection, credentials wanted, or an answer that is too long."""
    errors = [attempt.watched.error, *_flat(attempt.failure)]
    no_connection = any(isinstance(error, httpx2.ConnectError) for error in errors)
    return no_connection or attempt.watched.too_much or attempt.watched.status == 401


def error_for(url: str, transport: Transport, seconds: float, attempts: Sequence[Attempt]) -> McpctlError:
    """That of the era that the server understood, else of the last one asked."""
    understood = [attempt for attempt in attempts if attempt.versions or _unknown_versions(attempt)]
    attempt = (understood or attempts)[-1]
    where, watched = f"the MCP server at {_without_secrets(url)}", attempt.watched
    errors = [*([watched.error] if watched.error else []), *_flat(attempt.failure)]
    if versions := _unknown_versions(attempt):
        return Refused(f"{where} speaks MCP {versions}, which the installed SDK does not know: update one of them")
    error = _of_answer(watched, errors, where, attempt.asked)
    if not error and watched.status:
        error = _of_status(watched.status, where, transport)
    for cause in errors:
        error = error or _of_connection(cause, where, attempt.asked)
    if not error and attempt.late:
        return WaitTimedOut(f"{where} did not answer {attempt.asked} within {seconds:g} s")
    return error or Refused(f"{where} answers {attempt.asked} with something that is not MCP: {_CHECK}")


def refuse_no_url(url: str) -> None:
    """Raises Refused: the HTTP client fails on such URLs in many ways."""
    try:
        parts = httpx2.URL(url)
        fits = parts.scheme in ("http", "https") and parts.host and (parts.port is None or 0 < parts.port < 65536)
    except httpx2.InvalidURL:
        fits = False
    if not fits:
        raise Refused(f"the MCP server at {_without_secrets(url)} cannot be asked: that is not an http or https URL")


def _unknown_versions(attempt: Attempt) -> str:
    """The versions that the server names and the SDK does not know; '' for any other failure."""
    for error in _flat(attempt.failure):
        if isinstance(error, RuntimeError) and "protocol version" in str(error):
            return excerpt(str(error).partition(": ")[2].partition("], client")[0].lstrip("["), 60)
        if isinstance(error, MCPError) and error.code == UNSUPPORTED_PROTOCOL_VERSION:
            supported = error.error.data.get("supported") if isinstance(error.error.data, dict) else None
            if isinstance(supported, list) and supported and not attempt.versions:
                return excerpt(", ".join(map(str, supported[:5])), 60)
    return ""


def _of_answer(watched: Watched, errors: Sequence[BaseException], where: str, asked: str) -> McpctlError | None:
    if watched.too_much:
        limit = BYTES // 1024 // 1024
        return Refused(f"{where} answers {asked} with more than {limit} MiB, or packed: not read further")
    if watched.media_type:
        return Refused(f"{where} answers {asked} with {excerpt(watched.media_type, 60)}, which is not MCP: {_CHECK}")
    for error in errors:
        if isinstance(error, MCPError) and not error.message.startswith(_OF_SDK if watched.status else _LOST):
            return Refused(f"{where} refuses {asked}: {excerpt(error.message, 200)} (code {error.code})")
    return None


def _of_status(status: int, where: str, transport: Transport) -> McpctlError:
    text = _STATUS.get(status)
    if text is None and status < 400:
        text = "it redirects to another address; give the right URL or path"
    text = text or ("the server is not ready, or fails" if status >= 500 or status in _TRANSIENT else _CHECK)
    kind = Unanswered if status in _TRANSIENT else Guarded if status == 401 else Refused
    return kind(f"{where} answers HTTP {status}: {text.format(transport=transport, other=_OTHER[transport])}")


def _of_connection(error: BaseException, where: str, asked: str) -> McpctlError | None:
    if isinstance(error, httpx2.ConnectError):
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLError):
                return Refused(f"{where}: {without_tls(cause)}; is it https, with a known CA?")
            if isinstance(cause, socket.gaierror):
                return Unanswered(f"{where}: no host has that name")
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        return Unanswered(f"{where}: {'connection refused: nothing listens there' if refused else 'no connection'}")
    if isinstance(error, (httpx2.RemoteProtocolError, httpx2.NetworkError)):
        is_garbage = isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in str(error)
        text = "is not speaking HTTP, or ended the connection" if is_garbage else "ended the connection"
        return Unanswered(f"{where} {text} before it answered {asked}")
    return None


def _flat(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions of a group, and of groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _flat(inner)
    elif error is not None:
        yield error


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield from _flat(cause)
        cause = cause.__cause__ or cause.__context__


def _without_secrets(url: str) -> str:
    try:
        bare = httpx2.URL(url).copy_with(userinfo=b"", query=None, fragment=None)
    except (httpx2.InvalidURL, TypeError):
        return "that URL"
    return excerpt(str(bare), 200)
