"""After something was started: waiting until it runs, then until it answers, and what is shown of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from renderer import __version__
from renderer.cli.runtime import answers_expected, ask, no_client, progress
from renderer.cli.streams import ReaderLeft, emit
from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut
from renderer.model import JSON
from renderer.orchestrators import mcp_check
from renderer.orchestrators.contract import InstanceStatus, Orchestrator
from renderer.orchestrators.instances import COLUMNS, answered, as_columns, as_data, row
from renderer.orchestrators.wait import until


def until_ready(
    orchestrator: Orchestrator,
    ids: Sequence[str],
    transports: Mapping[str, str],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[InstanceStatus, ...]:
    """Until all run and answer MCP. ApplyFailed, or WaitTimedOut, with the reasons.

    Without the MCP client they stay RUNNING, and that is told; so does what nothing can connect to, and what wants
    credentials.
    """
    began = clock()
    try:
        found = {one.id: one for one in orchestrator.wait(ids, seconds=seconds, tell=progress)}
        if not mcp_check.installed():
            progress(no_client())
            return tuple(found.values())
        left = max(0.0, seconds - (clock() - began))
        if not until(_asking(orchestrator, found, transports), seconds=left, clock=clock, sleep=sleep):
            late = "; ".join(f"{one.server}: {one.reason}" for one in found.values() if answers_expected(one))
            raise WaitTimedOut(f"not ready after {seconds:.0f} s: {late}; mcpctl logs NAME may say why")
        return tuple(found.values())
    except KeyboardInterrupt:
        progress("interrupted while waiting: what was applied stays, and goes on to start; see mcpctl status")
        raise


def _asking(
    orchestrator: Orchestrator, found: dict[str, InstanceStatus], transports: Mapping[str, str]
) -> Callable[[], bool | None]:
    told: set[str] = set()
    guarded: set[str] = set()

    def expected(status: InstanceStatus) -> bool:
        return answers_expected(status) and status.id not in guarded

    def look() -> bool | None:
        for name, status in found.items():
            if expected(status):
                try:
                    found[name] = _asked(orchestrator, status, transports)
                except mcp_check.Guarded as error:
                    # It lives, and a stranger gets no more out of it: no failure of the apply, and no 'ready'.
                    guarded.add(status.id)
                    found[name] = status._replace(reason=f"not asked further: {error.message}")
                line = f"{name}: {found[name].reason or f'answers: {answered(found[name])}'}"
                if line not in told:
                    told.add(line)
                    progress(line)
        return None if any(map(expected, found.values())) else True

    return look


def _asked(orchestrator: Orchestrator, status: InstanceStatus, transports: Mapping[str, str]) -> InstanceStatus:
    try:
        return ask(orchestrator, status, transports)
    except mcp_check.Guarded:
        raise
    except mcp_check.Refused as refused:
        raise failure(f"{status.server} runs, and does not speak MCP: {refused.message}") from None
    except (ApplyFailed, WaitTimedOut) as error:
        return status._replace(reason=f"does not answer MCP yet: {error.message}")


def show(statuses: Sequence[InstanceStatus], now: float) -> None:
    """A table of plain columns on stdout, and what each said of itself."""
    if statuses:
        lines, _ = as_columns([COLUMNS, *(row(status, now) for status in statuses)])
        emit("".join(f"{line}\n" for line in lines))


def emit_json(command: str, facts: Mapping[str, JSON], statuses: Sequence[InstanceStatus], error: str = "") -> None:
    """One document: what was done, and the servers as they are."""
    servers: list[Any] = [as_data(status) for status in statuses]
    data = {"command": command, "version": __version__, **facts, "servers": servers, "error": error}
    # After a failure the exit code tells it, also to a reader that has left.
    with suppress(ReaderLeft) if error else nullcontext():
        emit(json.dumps(data, indent=2) + "\n")


def statuses_of(orchestrator: Orchestrator, ids: Sequence[str]) -> tuple[InstanceStatus, ...]:
    """As they are; what cannot be told any more is left out: it is the second failure, and the first one counts."""
    found = []
    for one in ids:
        try:
            found.append(orchestrator.get_status(one))
        except McpctlError:
            continue
    return tuple(found)


def failure(text: str) -> ApplyFailed:
    """With what to do, which is the same for all of them."""
    return ApplyFailed(f"{text}; what is applied stays: see to the reason, and run the same again")
