"""An MCP server for tests, which misbehaves on demand. It runs inside a test image, on the `mcp` SDK of that image.

Variables:
- ``PORT`` and ``MCP_PATH``: where it listens (8080, /mcp)
- ``START_AFTER``: seconds before it listens
- ``EXIT_CODE``: it says so on stderr and exits with this code, instead of listening (after ``START_AFTER``)
- ``CRASH_AFTER``: seconds after which the listening process exits with code 7
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

CRASHED = 7
server = MCPServer("echo", version="1.2.3")


@server.tool()
def echo(text: str) -> str:
    """The same text."""
    print(f"echo {text}", flush=True)
    return text


@server.tool()
def add(a: int, b: int) -> int:
    """The sum."""
    return a + b


@server.tool()
def remember(path: str, text: str) -> str:
    """Appends a line to a file, and answers what the file then holds."""
    with Path(path).open("a") as file:
        file.write(f"{text}\n")
    return Path(path).read_text()


@server.tool()
def crash() -> str:
    """Ends the server at once, before it answers."""
    print("told to crash", file=sys.stderr, flush=True)
    os._exit(CRASHED)


async def health(_: Request) -> Response:
    """That it runs, for probes."""
    return PlainTextResponse("ok")


def main() -> None:
    time.sleep(float(os.environ.get("START_AFTER", "0")))
    if code := os.environ.get("EXIT_CODE"):
        print(f"exiting with {code}", file=sys.stderr, flush=True)
        sys.exit(int(code))
    if seconds := os.environ.get("CRASH_AFTER"):
        threading.Timer(float(seconds), os._exit, [CRASHED]).start()
    server.custom_route("/health", methods=["GET"])(health)
    print("listening", flush=True)
    server.run(
        "streamable-http",
        host="0.0.0.0",
        port=int(os.environ.get("PORT", "8080")),
        streamable_http_path=os.environ.get("MCP_PATH", "/mcp"),
        # It is asked by the name of its service, which it does not know.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


if __name__ == "__main__":
    main()
