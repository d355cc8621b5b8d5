"""One session for each era of the protocol. Only this module and ``diagnosis`` import the SDK.

MCP 2026-07-28 has no session and is asked by ``server/discover``; every version before it by ``initialize``. A server
may speak both, so both are asked. HTTP with SSE belongs to the old era alone.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Lock
from typing import Any

import anyio
import httpx2
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PaginatedRequestParams
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from renderer.errors import excerpt
from renderer.orchestrators.contract import Handshake
from renderer.orchestrators.mcp_check import diagnosis
from renderer.orchestrators.mcp_check.errors import Transport
from renderer.orchestrators.mcp_check.transport import BYTES, Watched

#: Pages and tools that are counted; beyond that there are "more".
PAGES = 100
TOOLS = 10_000
#: Seconds for the end of a session, once everything is known.
_GOODBYE = 2.0
#: Seconds for the old era of a server that has answered in the new one: only its version is missing.
_OLD_VERSION = 3.0
#: Seconds, for a limit that must be given: the scope around the session ends it before.
_NEVER = 86_400.0
#: Characters of a name, and of a version, that are kept; and how many versions.
_NAME, _VERSION, _VERSIONS = 100, 60, 20


class Attempt:
    """One era. ``method``: what was asked first; ``versions``: those in the answer to it."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.versions: tuple[str, ...] = ()
        self.answer: Handshake | None = None
        self.failure: Exception | None = None
        self.late = False
        self.watched: Watched

    @property
    def asked(self) -> str:
        """The last method."""
        return "tools/list" if self.versions else self.method


def ask(url: str, transport: Transport, seconds: float, token: str = "") -> Handshake:
    diagnosis.refuse_no_url(url)
    with _silence():
        return anyio.run(_ask, url, transport, seconds, token)


async def _ask(url: str, transport: Transport, seconds: float, token: str) -> Handshake:
    end = anyio.current_time() + seconds
    attempts: list[Attempt] = []
    if transport != "sse":
        new = await _attempt(url, transport, "server/discover", end - seconds / 2, token)
        if new.answer and not set(HANDSHAKE_PROTOCOL_VERSIONS).isdisjoint(new.versions):
            return new.answer
        attempts.append(new)
    if not (attempts and diagnosis.is_final(attempts[0])):
        answered = any(attempt.answer for attempt in attempts)
        until = min(end, anyio.current_time() + _OLD_VERSION) if answered else end
        attempts.append(await _attempt(url, transport, "initialize", until, token, only_greet=answered))
    first = next((attempt.answer for attempt in attempts if attempt.answer), None)
    if first is None:
        raise diagnosis.error_for(url, transport, seconds, attempts)
    versions = {*first.versions, *(attempts[-1].versions if attempts[-1].method == "initialize" else ())}
    return first._replace(versions=tuple(sorted(versions)))


async def _attempt(
    url: str, transport: Transport, method: str, until: float, token: str, *, only_greet: bool = False
) -> Attempt:
    attempt = Attempt(method)
    with anyio.CancelScope(deadline=until) as scope:
        attempt.watched = Watched(transport, scope.cancel, credentials=(httpx2.URL(url), token) if token else None)
        try:
            async with _streams(url, transport, attempt.watched) as streams, ClientSession(*streams) as session:
                await _talk(session, attempt, only_greet=only_greet)
                scope.deadline = min(until, anyio.current_time() + _GOODBYE)
        except Exception as error:  # a group of whatever the SDK and its HTTP client raise
            attempt.failure = error
    attempt.late = anyio.current_time() >= until
    return attempt


async def _talk(session: ClientSession, attempt: Attempt, *, only_greet: bool) -> None:
    if attempt.method == "initialize":
        versions: list[Any] = [(await session.initialize()).protocol_version]
    else:
        versions = (await session.discover()).supported_versions
    attempt.versions = tuple(sorted({excerpt(str(version), _VERSION) for version in versions[:_VERSIONS]}))
    if only_greet:
        return
    capabilities, server = session.server_capabilities, session.server_info
    has_tools = capabilities is not None and capabilities.tools is not None
    # How many there are, and whether there are more than that: a page may lead to another one for ever.
    count, cursor = 0, None
    for _ in range(PAGES if has_tools else 0):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        count, cursor = count + len(page.tools), page.next_cursor
        if not cursor or count > TOOLS:
            break
    count, more = min(count, TOOLS), bool(cursor) or count > TOOLS
    name, version = (server.name, server.version) if server else ("", "")
    attempt.answer = Handshake(excerpt(name, _NAME), excerpt(version, _VERSION), attempt.versions, count, more)


@asynccontextmanager
async def _streams(url: str, transport: Transport, watched: Watched) -> AsyncIterator[tuple[Any, Any]]:
    """Sets no time limit: the scope around it has one."""
    if transport == "sse":

        def client(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
            del headers, timeout, auth
            return httpx2.AsyncClient(transport=watched, timeout=None)

        async with sse_client(url, timeout=_NEVER, httpx_client_factory=client) as streams:
            yield streams
        return
    async with (
        httpx2.AsyncClient(transport=watched, timeout=None) as http,
        streamable_http_client(url, http_client=http, max_sse_event_size=BYTES) as streams,
    ):
        yield streams


_LOGGERS = ("mcp", "client", "httpx2", "httpcore2", "anyio", "asyncio")
_silent, _before = Lock(), list[tuple[bool, list[logging.Handler]]]()
_asking = 0


@contextmanager
def _silence() -> Iterator[None]:
    """The SDK, its HTTP client and asyncio log to stderr what the errors of this package say.

    Several threads may ask at once: the first silences the loggers, the last restores them.
    """
    global _asking
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    with _silent:
        _asking += 1
        if _asking == 1:
            _before[:] = [(logger.propagate, list(logger.handlers)) for logger in loggers]
            for logger in loggers:
                logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        yield
    finally:
        with _silent:
            _asking -= 1
            for logger, (propagate, handlers) in zip(loggers, _before, strict=True) if not _asking else ():
                logger.propagate, logger.handlers = propagate, handlers
