"""The errors of asking a server, and its transports."""

from __future__ import annotations

import ssl
from typing import Literal

from renderer.errors import ApplyFailed, excerpt

Transport = Literal["streamable-http", "sse"]


def without_tls(error: ssl.SSLError) -> str:
    reason = getattr(error, "verify_message", "") or error.reason or "no TLS spoken"
    return f"no TLS connection: {excerpt(str(reason), 120)}"


class SdkMissing(ApplyFailed):
    """The optional extra is not installed; asking again does not help."""


class Unanswered(ApplyFailed):
    """Nothing listens, or the server is not ready: asking again may help."""


class Refused(ApplyFailed):
    """The answer is not that of an MCP server: asking again hardly helps."""


class Guarded(Refused):
    """The server asks for credentials, which this check does not have."""
