"""Command lines of bridges."""

from __future__ import annotations

import shlex

import pytest

from renderer.importers.bridges import Wrapped, wrapped

_COMMANDS = [
    ("supergateway --stdio 'uvx x==1.0' --port 9000", Wrapped("supergateway", ("uvx", "x==1.0"), 9000, "", sse=True)),
    ("npx -y supergateway@3.4.0 --stdio 'npx -y y@1.0.0' --outputTransport streamableHttp --streamableHttpPath /m",
     Wrapped("supergateway", ("npx", "-y", "y@1.0.0"), 8000, "/m")),
    ("mcp-proxy --port=8080 --host 0.0.0.0 -- python server.py", Wrapped("mcp-proxy", ("python", "server.py"), 8080)),
    ("uvx mcp-proxy --port 8080 --pass-environment server", Wrapped("mcp-proxy", ("server",), 8080)),
    ("supergateway --stdio 'npx y@1.0.0' --port 8000 --token x --cors",
     Wrapped("supergateway", ("npx", "y@1.0.0"), 8000, "", sse=True, others=("--token", "--cors"))),
    ("mcp-proxy https://mcp.example.com/mcp", None),
    ("node server.js", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "found"), _COMMANDS)
def test_bridges_are_recognised(line: str, found: Wrapped | None) -> None:
    assert wrapped(shlex.split(line)) == found
    assert wrapped(["sh", "-c", f"exec {line}"]) == found


def test_an_image_of_supergateway_starts_it_without_naming_it() -> None:
    gateway = Wrapped("supergateway", ("uvx", "x==1.0"), 8000, sse=True)
    assert wrapped(["--stdio", "uvx x==1.0"], "supercorp/supergateway:3.4.0") == gateway
    assert wrapped(["node", "server.js"], "node:22") is None
