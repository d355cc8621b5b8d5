"""What becomes of asking a server, apart from a Handshake."""

from __future__ import annotations

import ssl
from typing import Literal

from renderer.errors import ApplyFailed, excerpt

Transport = Literal["streamable-http", "sse"]


def without_tls(error: ssl.SSLError) -> str:
    """Why there is no encrypted connection."""
    reason = getattr(error, "verify_message", "") or error.reason or "no TLS spoken"
    return f"no TLS connection: {excerpt(str(reason), 120)}"


class SdkMissing(ApplyFailed):
    """The optional extra is not installed: nothing was asked, and asking again will not help."""


class Unanswered(ApplyFailed):
    """Nothing listens, or what listens is not ready: it may answer when it is asked again."""


class Refused(ApplyFailed):
    """Something answered that is not what an MCP server answers: asking again will hardly help."""


class Guarded(Refused):
    """The server runs and asks for credentials, which this check does not have."""
