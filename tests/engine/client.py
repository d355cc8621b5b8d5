"""Asks a server as a user's program would: with the official MCP SDK, over streamable-http."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anyio


class Answer(NamedTuple):
    """What ``initialize`` and ``tools/list`` say."""

    name: str
    version: str
    protocol: str
    tools: tuple[str, ...]
    #: Texts of the results of the calls, in order.
    results: tuple[str, ...]


Call = tuple[str, dict[str, Any]]


def ask(url: str, *calls: Call, seconds: float = 20) -> Answer:
    """One session, with one deadline for all of it; ``calls`` are names of tools with their arguments."""
    return anyio.run(_ask, url, calls, seconds)


def answered(url: str, *calls: Call, within: float = 60, ended: Callable[[], bool] = lambda: False) -> Answer:
    """The answer of a server that is still starting; the last refusal when time is up, or when it has ``ended``."""
    deadline = time.monotonic() + within
    while True:
        try:
            return ask(url, *calls)
        except Exception as refusal:  # the SDK raises groups of whatever its HTTP client raised
            if time.monotonic() > deadline or ended():
                raise AssertionError(f"{url} does not answer") from refusal
        time.sleep(0.2)


async def _ask(url: str, calls: Sequence[Call], seconds: float) -> Answer:
    # A second of CPU, which the collection of all tests does not pay.
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    with anyio.fail_after(seconds):
        async with streamable_http_client(url) as streams, ClientSession(streams[0], streams[1]) as session:
            hello = await session.initialize()
            tools = await session.list_tools()
            results = [await session.call_tool(name, arguments) for name, arguments in calls]
    return Answer(
        hello.server_info.name,
        hello.server_info.version,
        str(hello.protocol_version),
        tuple(sorted(tool.name for tool in tools.tools)),
        tuple("".join(getattr(part, "text", "") for part in result.content) for result in results),
    )
