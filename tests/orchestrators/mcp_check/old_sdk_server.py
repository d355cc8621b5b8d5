"""Servers on the SDK's first major, without what is installed here.

One for each argument: ``streamable-http [--stateless] [--json]`` or ``sse``. Prints their URLs, one a line, and ends
with its stdin.
"""

from __future__ import annotations

import os
import socket
import sys
from threading import Thread

import uvicorn
from mcp.server.fastmcp import FastMCP  # type: ignore[attr-defined]


def serve(wanted: str, listener: socket.socket) -> None:
    server = FastMCP("old", stateless_http="--stateless" in wanted, json_response="--json" in wanted)

    @server.tool()  # type: ignore[untyped-decorator]
    def echo(text: str) -> str:
        """The same text."""
        return text

    app = server.sse_app() if wanted == "sse" else server.streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])


def main() -> None:
    for wanted in sys.argv[1:]:
        listener = socket.create_server(("127.0.0.1", 0))
        Thread(target=serve, args=(wanted, listener), daemon=True).start()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/{'sse' if wanted == 'sse' else 'mcp'}", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
