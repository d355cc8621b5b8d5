"""Whether a server answers MCP: ``server/discover`` or ``initialize``, then ``tools/list``, with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderer.later import later
from renderer.orchestrators.contract import Handshake
from renderer.orchestrators.mcp_check.errors import Guarded, Refused, SdkMissing, Transport, Unanswered
from renderer.orchestrators.mcp_check.guard import check_guard, check_token, unfit

if TYPE_CHECKING:
    from importlib import metadata
else:
    metadata = later("importlib.metadata")  # 12 ms, which only a question for the SDK needs

__all__ = [
    "EXTRA",
    "Guarded",
    "Refused",
    "SdkMissing",
    "Transport",
    "Unanswered",
    "check_guard",
    "check_token",
    "handshake",
    "installed",
    "unfit",
]

#: The optional extra that brings the SDK.
EXTRA = "mcpctl-renderer[mcp]"


def handshake(url: str, transport: Transport, seconds: float, token: str = "") -> Handshake:
    """What the server says of itself, and which versions of MCP it speaks; texts are cut, and safe for a terminal.

    ``token`` goes to that server alone, in the header Authorization.

    Raises SdkMissing, Unanswered, Refused (Guarded for a server that asks for credentials), and WaitTimedOut after
    ``seconds``. Logs nothing, and uses no proxy of the environment: the server is on this machine, or forwarded to it.
    Not to be called from a running event loop.
    """
    try:
        from renderer.orchestrators.mcp_check.session import ask  # 900 ms: the SDK, which may not be installed
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in ("mcp", "mcp_types", "httpx2", "anyio"):
            raise SdkMissing(f"the MCP SDK is missing, so no server can be asked: pip install '{EXTRA}'") from None
        raise
    return ask(url, transport, seconds, token)


def installed() -> str:
    """The version of the SDK, which is not imported; '' where it is not installed."""
    try:
        return metadata.version("mcp")
    except metadata.PackageNotFoundError:
        return ""
