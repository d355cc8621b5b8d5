"""A server on the SDK's first major, without what is installed here: ``streamable-http | sse [--stateless] [--json]``.

Prints its URL, and ends with its stdin.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn
from mcp.server.fastmcp import FastMCP  # type: ignore[attr-defined]


def main() -> None:
    server = FastMCP("old", stateless_http="--stateless" in sys.argv, json_response="--json" in sys.argv)

    @server.tool()  # type: ignore[untyped-decorator]
    def echo(text: str) -> str:
        """The same text."""
        return text

    sse = "sse" in sys.argv
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/{'sse' if sse else 'mcp'}", flush=True)
    app = server.sse_app() if sse else server.streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])


if __name__ == "__main__":
    main()
