"""After something was started: waiting until it runs, then until it answers, and what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from renderer import __version__
from renderer.cli.runtime import ask, no_client, progress
from renderer.cli.streams import ReaderLeft, emit_data, working
from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut
from renderer.model import JSON
from renderer.orchestrators import failures, mcp_check
from renderer.orchestrators.contract import Cause, InstanceStatus, Observation, Orchestrator, Wait
from renderer.orchestrators.instances import as_data

#: What keeps us from a server, whatever it does: kinds of failures.Refused.
_UNREACHABLE = frozenset({"forbidden", "login", "certificate"})


def until_ready(
    orchestrator: Orchestrator, ids: Sequence[str], transports: Mapping[str, str], seconds: float, fail_fast: bool
) -> tuple[InstanceStatus, ...]:
    """Until all run and answer MCP. ApplyFailed, or WaitTimedOut, with the reasons.

    Without the MCP client they stay RUNNING (``warn_without_client`` says so before anything is changed); so does what
    nothing can connect to, and what asks for credentials.
    """
    asking = (lambda status: _answer(orchestrator, status, transports)) if mcp_check.installed() else None
    try:
        with working(f"waiting for {len(ids)} server{'s' * (len(ids) != 1)}"):
            statuses = orchestrator.wait(ids, Wait(seconds, progress, asking, fail_fast))
    except KeyboardInterrupt:
        progress("interrupted while waiting: what was applied stays, and goes on to start; see mcpctl status")
        raise
    except WaitTimedOut as late:
        raise WaitTimedOut(f"{late.message}; mcpctl logs NAME may say why") from None
    except ApplyFailed as error:
        raise failure(error.message) from None
    return statuses


def warn_without_client() -> None:
    """Before something is started: that nobody will know whether it answers MCP."""
    if not mcp_check.installed():
        progress(no_client())


def _answer(orchestrator: Orchestrator, status: InstanceStatus, transports: Mapping[str, str]) -> Observation:
    try:
        return Observation(ask(orchestrator, status, transports))
    except mcp_check.Guarded as error:
        # It lives, and a stranger gets no more out of it: no failure of the apply, and no 'ready'.
        return Observation(status._replace(reason=f"not asked further: {error.message}"))
    except mcp_check.Refused as error:
        return Observation(status, Cause(f"does not speak MCP: {error.message}", "hopeless"))
    except mcp_check.SdkMissing as error:  # half of it, as its metadata is there: no wait brings the rest
        return Observation(status, Cause(error.message, "hopeless"))
    except failures.Refused as error:
        lost = error.kind in _UNREACHABLE
        words = "cannot be asked" if lost else "does not answer MCP yet"
        return Observation(status, Cause(f"{words}: {error.message}", "hopeless" if lost else "starts"))
    except (ApplyFailed, WaitTimedOut) as error:
        return Observation(status, Cause(f"does not answer MCP yet: {error.message}"))


def emit_json(command: str, facts: Mapping[str, JSON], statuses: Sequence[InstanceStatus], error: str = "") -> None:
    """One document: what was done, and the servers as they are."""
    servers: list[Any] = [as_data(status) for status in statuses]
    data = {"command": command, "version": __version__, **facts, "servers": servers, "error": error}
    # After a failure the exit code tells it, also to a reader that has left.
    with suppress(ReaderLeft) if error else nullcontext():
        emit_data(data)


def statuses_of(orchestrator: Orchestrator, ids: Sequence[str]) -> tuple[InstanceStatus, ...]:
    """As they are; none where that is not known: it is the second failure, and the first one counts."""
    try:
        return orchestrator.get_statuses(ids)
    except McpctlError:
        return ()


def failure(text: str) -> ApplyFailed:
    """With what to do, which is the same for all of them."""
    return ApplyFailed(f"{text}; what is applied stays: fix the reason, then run the command again")
