"""Whether a server lives: an MCP ``initialize`` and ``tools/list``, asked as a client would, with the official SDK."""

from __future__ import annotations

from typing import Literal

from renderer.errors import ApplyFailed
from renderer.orchestrator import Handshake

Transport = Literal["streamable-http", "sse"]

#: The optional extra that brings the SDK, and the least version of it.
EXTRA = "mcpctl-renderer[mcp]"


class SdkMissing(ApplyFailed):
    """The optional extra is not installed: nothing was asked, and asking again will not help."""


class Unanswered(ApplyFailed):
    """Nobody is there, or whoever is there is not ready: it may answer when it is asked again."""


class Refused(ApplyFailed):
    """Somebody answered, and it was not what an MCP server answers: asking again will hardly help."""


class Guarded(Refused):
    """It runs, and wants credentials, which nobody has given to us: all that can be told from outside."""


def handshake(url: str, transport: Transport, seconds: float) -> Handshake:
    """What the server says of itself, asked once. Texts in it are cut and fit for a terminal.

    Raises SdkMissing, Unanswered, Refused (Guarded for one that wants credentials), and WaitTimedOut after ``seconds``.
    Leaves nothing running, logs nothing, and takes no proxy from the environment: what is asked is on this machine, or
    forwarded to it.
    Not to be called while an event loop runs in the same thread.
    """
    try:
        from renderer.life.session import ask  # the SDK takes a second to import, and may not be there
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in ("mcp", "mcp_types", "httpx2", "anyio"):
            raise SdkMissing(f"to ask a server itself, the MCP SDK is needed: pip install '{EXTRA}'") from None
        raise
    return ask(url, transport, seconds)


def installed() -> str:
    """The version of the SDK; '' where it is not installed. Imports nothing of it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mcp")
    except PackageNotFoundError:
        return ""
