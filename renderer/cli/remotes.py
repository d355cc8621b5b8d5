"""What a run says of servers that somebody else runs, which it does not deploy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from renderer.pipeline import Specs


def count_remotes(several: Sequence[Specs]) -> dict[str, int]:
    """For the summary, where there are any."""
    number = sum(len(specs.remotes) for specs in several)
    return {"remote servers": number} if number else {}


def nothing_deployed(several: Sequence[Specs]) -> tuple[str, ...]:
    """The line of a run that deploys nothing, as all of its servers are remote."""
    names = sorted({server.name for specs in several for server in specs.remotes})
    if not names or any(specs.servers for specs in several):
        return ()
    return (f"nothing is deployed: {', '.join(names)} {'is a remote server' if len(names) == 1 else 'are remote'}",)
