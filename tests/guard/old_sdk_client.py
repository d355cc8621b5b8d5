"""A client on the SDK's first major, which sees nothing else that is installed: URL TOKEN. Prints what it saw."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client  # type: ignore[attr-defined]


async def main(url: str, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with streamablehttp_client(url, headers=headers) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        answers = [await session.call_tool(name, {"text": "hello"}) for name in ("echo", "secret", "echo")]
    return {"tools": tools, "errors": [bool(answer.isError) for answer in answers]}  # type: ignore[attr-defined]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
