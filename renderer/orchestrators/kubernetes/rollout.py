"""Waiting for what was applied, with a deadline: what is new is told as it happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.contract import InstanceState, InstanceStatus, Progress
from renderer.orchestrators.kubernetes.faults import Refused
from renderer.orchestrators.kubernetes.removal import Time
from renderer.orchestrators.kubernetes.status import Found
from renderer.orchestrators.wait import until

#: Kinds of failure of an API server that restarts, or is far away.
_PASSING = frozenset({"down", "broken"})
Find = Callable[[str], Found]


def wait(
    find: Find, instances: Sequence[str], *, seconds: float, tell: Progress, waits: Time
) -> tuple[InstanceStatus, ...]:
    """Until all pods of the newest version are ready. By generations and counts, never by kubectl's words.

    ApplyFailed as soon as one cannot get there; WaitTimedOut with what is missing when the time is over.
    """
    told: dict[str, str] = {}
    seen: dict[str, InstanceStatus] = {}

    def look() -> bool | None:
        for instance in instances:
            if instance in seen and _arrived(seen[instance]):
                continue
            found = _found(find, instance)
            if found is None:
                continue
            seen[instance] = found.status
            line = f"{instance}: {_words(found.status)}"
            if told.get(instance) != line:
                told[instance] = line
                tell(line)
            if found.hopeless:
                raise ApplyFailed(f"{instance} will not start: {found.status.reason}")
        return True if all(name in seen and _arrived(seen[name]) for name in instances) else None

    if until(look, seconds=seconds, clock=waits.clock, sleep=waits.sleep):
        return tuple(seen[name] for name in instances)
    late = [told.get(name, f"{name}: not seen yet") for name in instances if not _arrived(seen.get(name))]
    raise WaitTimedOut(f"not ready after {seconds:.0f} s: {'; '.join(late)}")


def _words(status: InstanceStatus) -> str:
    count = f"{status.ready} of {status.desired} ready"
    if status.reason.startswith(count):
        return status.reason
    return f"{count}: {status.reason}" if status.reason else count


def _arrived(status: InstanceStatus | None) -> bool:
    if status is None:
        return False
    return status.state is InstanceState.STOPPED or 0 < status.desired <= status.ready


def _found(find: Find, instance: str) -> Found | None:
    """None for an answer that may be better the next time."""
    try:
        return find(instance)
    except WaitTimedOut:
        return None
    except Refused as refused:
        # A server that is away for a moment does not end the wait: the deadline does.
        if refused.kind in _PASSING:
            return None
        raise
