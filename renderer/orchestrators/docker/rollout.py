"""Waiting for what was applied, with a deadline: what is new is told as it happens. Never by ``up --wait``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.contract import InstanceState, InstanceStatus, Progress
from renderer.orchestrators.docker.faults import Refused
from renderer.orchestrators.docker.status import Found
from renderer.orchestrators.wait import until

#: Seconds that a server without a healthcheck has to stay alive: one that dies at once runs for a moment.
SETTLED = 3.0
Find = Callable[[str], Found]
#: What says that a container is still the same start of the same container.
_Run = tuple[tuple[str, str, int], ...]


class Time(NamedTuple):
    """How waiting is done."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait(
    find: Find, instances: Sequence[str], *, seconds: float, tell: Progress, waits: Time
) -> tuple[InstanceStatus, ...]:
    """Until all run, and go on running. ApplyFailed as soon as one cannot; WaitTimedOut with what is missing."""
    told: dict[str, str] = {}
    runs: dict[str, tuple[_Run, float]] = {}
    there: dict[str, InstanceStatus] = {}

    def look() -> bool | None:
        for instance in instances:
            if instance in there or (found := _found(find, instance)) is None:
                continue
            line = f"{instance}: {found.status.ready} of {found.status.desired} running"
            line += f": {found.status.reason}" if found.status.reason else ""
            if told.get(instance) != line:
                told[instance] = line
                tell(line)
            if found.hopeless:
                raise ApplyFailed(f"{instance} will not start: {found.status.reason}")
            if _arrived(found, runs, waits.clock()):
                there[instance] = found.status
        return True if len(there) == len(set(instances)) else None

    if until(look, seconds=seconds, clock=waits.clock, sleep=waits.sleep):
        return tuple(there[name] for name in instances)
    late = [told.get(name, f"{name}: not seen yet") for name in instances if name not in there]
    raise WaitTimedOut(f"not running after {seconds:.0f} s: {'; '.join(late)}")


def _arrived(found: Found, runs: dict[str, tuple[_Run, float]], now: float) -> bool:
    status = found.status
    if status.state is not InstanceState.RUNNING or not 0 < status.desired <= status.ready:
        runs.pop(status.id, None)
        return False
    run = tuple((one.name, one.started, one.restarts) for one in status.replicas)
    before, since = runs.get(status.id, (None, now))
    runs[status.id] = (run, since if before == run else now)
    return found.checked or now - runs[status.id][1] >= SETTLED


def _found(find: Find, instance: str) -> Found | None:
    """None for an answer that may be better the next time."""
    try:
        return find(instance)
    except WaitTimedOut:
        return None
    except Refused as refused:
        # A daemon that restarts does not end the wait: the deadline does.
        if refused.kind in ("down", "gone"):
            return None
        raise
