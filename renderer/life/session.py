"""One session with a server. The only module that imports the SDK, with the watched HTTP beside it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpx2
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PaginatedRequestParams

from renderer.errors import excerpt
from renderer.life import Transport, words
from renderer.life.watch import BYTES, Watched
from renderer.orchestrator import Handshake

#: Pages and tools that are counted; beyond that there are "more".
PAGES = 100
TOOLS = 10_000
#: Seconds for saying goodbye, once everything is known.
_GOODBYE = 2.0
#: Characters of a name, and of a version, that are kept.
_NAME, _VERSION = 100, 60


class _Findings:
    """How far it got."""

    def __init__(self) -> None:
        self.greeted = False
        self.answer: Handshake | None = None


def ask(url: str, transport: Transport, seconds: float) -> Handshake:
    """As ``life.handshake``, with the SDK there."""
    words.refuse_no_url(url)
    with _silence():
        return anyio.run(_ask, url, transport, seconds)


async def _ask(url: str, transport: Transport, seconds: float) -> Handshake:
    findings, failure = _Findings(), None
    with anyio.move_on_after(seconds) as scope:
        watched = Watched(transport, scope.cancel)
        late_at = scope.deadline
        try:
            async with _streams(url, transport, watched, seconds) as streams, ClientSession(*streams) as session:
                await _talk(session, findings)
                scope.deadline = min(scope.deadline, anyio.current_time() + _GOODBYE)
        except Exception as error:  # a group of whatever the SDK and its HTTP client raise
            failure = error
    if findings.answer:
        return findings.answer
    late = anyio.current_time() >= late_at
    raise words.tell(url, transport, seconds, words.Facts(watched, failure, findings.greeted, late))


async def _talk(session: ClientSession, findings: _Findings) -> None:
    hello = await session.initialize()
    findings.greeted = True
    count, more = await _tools(session) if hello.capabilities.tools is not None else (0, False)
    findings.answer = Handshake(
        excerpt(hello.server_info.name, _NAME),
        excerpt(hello.server_info.version, _VERSION),
        excerpt(str(hello.protocol_version), _VERSION),
        count,
        more,
    )


async def _tools(session: ClientSession) -> tuple[int, bool]:
    """How many there are, and whether there are more than that: a page may lead to another one for ever."""
    count, cursor = 0, None
    for _ in range(PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        count, cursor = count + len(page.tools), page.next_cursor
        if not cursor or count > TOOLS:
            break
    return min(count, TOOLS), bool(cursor) or count > TOOLS


@asynccontextmanager
async def _streams(url: str, transport: Transport, watched: Watched, seconds: float) -> AsyncIterator[tuple[Any, Any]]:
    """The two ends of the transport. The time limit is ours, for all of it."""
    if transport == "sse":

        def client(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
            del headers, timeout, auth  # there are none, and the time limit is for all of it
            return httpx2.AsyncClient(transport=watched, timeout=None)

        async with sse_client(url, timeout=seconds, httpx_client_factory=client) as streams:
            yield streams
        return
    async with (
        httpx2.AsyncClient(transport=watched, timeout=None) as http,
        streamable_http_client(url, http_client=http, max_sse_event_size=BYTES) as streams,
    ):
        yield streams


@contextmanager
def _silence() -> Iterator[None]:
    """What the SDK, its HTTP client and asyncio log is told by us, once; without this it would reach stderr."""
    loggers = [logging.getLogger(name) for name in ("mcp", "client", "httpx2", "httpcore2", "anyio", "asyncio")]
    before = [(logger.propagate, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
    try:
        yield
    finally:
        for logger, (propagate, handlers) in zip(loggers, before, strict=True):
            logger.propagate, logger.handlers = propagate, handlers
