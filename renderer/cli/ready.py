"""Waiting until started servers run and answer, and their output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from renderer import __version__
from renderer.cli.runtime import ask, progress
from renderer.cli.streams import ReaderLeft, emit_data, working
from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut
from renderer.orchestrators import failures, mcp_check
from renderer.orchestrators.contract import Cause, InstanceStatus, Observation, Orchestrator, Wait
from renderer.orchestrators.instances import as_data

#: Kinds of failures.Refused that no server can change.
_UNREACHABLE = frozenset({"forbidden", "login", "certificate"})


def until_ready(
    orchestrator: Orchestrator, ids: Sequence[str], transports: Mapping[str, str], seconds: float, fail_fast: bool
) -> tuple[InstanceStatus, ...]:
    """Until all run and answer MCP. ApplyFailed, or WaitTimedOut, with the reasons.

    Servers stay RUNNING that nothing can connect to, or that ask for credentials; and all without the MCP SDK, of which
    ``has_client`` warns in advance.
    """
    asking = (lambda status: _answer(orchestrator, status, transports)) if mcp_check.installed() else None
    try:
        with working(f"waiting for {len(ids)} server{'s' * (len(ids) != 1)}"):
            statuses = orchestrator.wait(ids, Wait(seconds, progress, asking, fail_fast))
    except KeyboardInterrupt:
        progress("interrupted while waiting: what was applied keeps starting; see mcpctl status")
        raise
    except WaitTimedOut as late:
        raise WaitTimedOut(f"{late.message}; mcpctl logs NAME may say why") from None
    except ApplyFailed as error:
        raise failure(error.message) from None
    return statuses


def _answer(orchestrator: Orchestrator, status: InstanceStatus, transports: Mapping[str, str]) -> Observation:
    try:
        return Observation(ask(orchestrator, status, transports))
    except mcp_check.Guarded as error:
        # It runs, and tells nothing without credentials: no failure of the apply, and no 'ready'.
        return Observation(status._replace(reason=f"not asked over MCP: {error.message}"))
    except mcp_check.Refused as error:
        return Observation(status, Cause(f"does not speak MCP: {error.message}", "hopeless"))
    except mcp_check.SdkMissing as error:  # a part of it, as its metadata is installed: waiting does not help
        return Observation(status, Cause(error.message, "hopeless"))
    except failures.Refused as error:
        lost = error.kind in _UNREACHABLE
        words = "cannot be asked" if lost else "does not answer MCP yet"
        return Observation(status, Cause(f"{words}: {error.message}", "hopeless" if lost else "starts"))
    except (ApplyFailed, WaitTimedOut) as error:
        return Observation(status, Cause(f"does not answer MCP yet: {error.message}"))


def emit_json(command: str, facts: Mapping[str, object], statuses: Sequence[InstanceStatus], error: str = "") -> None:
    """One document: what was done, and the servers as they are."""
    servers: list[Any] = [as_data(status) for status in statuses]
    data = {"command": command, "version": __version__, **facts, "servers": servers, "error": error}
    # After a failure the exit code remains, even without a reader.
    with suppress(ReaderLeft) if error else nullcontext():
        emit_data(data)


def statuses_of(orchestrator: Orchestrator, ids: Sequence[str]) -> tuple[InstanceStatus, ...]:
    """None where they are unknown: that is a second failure, and the first one is reported."""
    try:
        return orchestrator.get_statuses(ids)
    except McpctlError:
        return ()


def failure(text: str) -> ApplyFailed:
    return ApplyFailed(f"{text}; what is applied stays: fix the reason, then run the command again")
