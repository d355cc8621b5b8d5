"""What becomes of asking a server, apart from a Handshake."""

from __future__ import annotations

from typing import Literal

from renderer.errors import ApplyFailed

Transport = Literal["streamable-http", "sse"]


class SdkMissing(ApplyFailed):
    """The optional extra is not installed: nothing was asked, and asking again will not help."""


class Unanswered(ApplyFailed):
    """Nothing listens, or what listens is not ready: it may answer when it is asked again."""


class Refused(ApplyFailed):
    """Something answered that is not what an MCP server answers: asking again will hardly help."""


class Guarded(Refused):
    """The server runs and asks for credentials, which this check does not have."""
