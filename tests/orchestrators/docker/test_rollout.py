"""Waiting, with a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.docker.faults import Refused
from renderer.orchestrators.docker.rollout import SETTLED, Time, wait
from renderer.orchestrators.docker.status import Found, NoSuchInstance, reason_of, status_of
from tests.orchestrators.docker.fakes import container


class Clock:
    now = 0.0

    def time(self) -> Time:
        return Time(lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def seen(status: str = "running", **more: object) -> Found:
    one = container(status=status, **more)
    return status_of([one], {one.id: reason_of(one)})


def looks(*found: Found | BaseException) -> Callable[[str], Found]:
    """One after the other, the last for ever."""
    left = list(found)

    def look(instance: str) -> Found:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, BaseException):
            raise one
        return one

    return look


HEALTHY = {"Health": {"Status": "healthy"}}
STARTING = {"Health": {"Status": "starting"}}
DYING = {"Restarting": True, "ExitCode": 3}


def test_a_healthcheck_is_believed_at_once() -> None:
    clock, told = Clock(), list[str]()
    find = looks(seen(state=STARTING), seen(state=HEALTHY))
    (status,) = wait(find, ["mcp-demo"], seconds=60, tell=told.append, waits=clock.time())
    assert status.ready == 1
    assert clock.now < SETTLED
    assert told == [
        "mcp-demo: 0 of 1 running: mcp-demo-mcp-demo-1 runs, and its healthcheck has not passed yet",
        "mcp-demo: 1 of 1 running",
    ]


def test_without_one_it_has_to_stay_alive() -> None:
    clock = Clock()
    wait(looks(seen()), ["mcp-demo"], seconds=60, tell=print, waits=clock.time())
    assert clock.now >= SETTLED


def test_each_restart_begins_anew() -> None:
    clock = Clock()
    find = looks(seen(), seen(), seen(restarts=1), seen(status="restarting", state=DYING, restarts=1), seen(restarts=2))
    wait(find, ["mcp-demo"], seconds=60, tell=print, waits=clock.time())
    assert clock.now >= 4 + SETTLED


def test_a_loop_ends_the_wait() -> None:
    find = looks(seen(), seen(status="restarting", state=DYING, restarts=3))
    with pytest.raises(ApplyFailed, match=r"mcp-demo will not start: .* ends as soon as it has started \(3 restarts\)"):
        wait(find, ["mcp-demo"], seconds=60, tell=print, waits=Clock().time())


def test_the_deadline_says_what_is_missing() -> None:
    clock = Clock()
    with pytest.raises(WaitTimedOut, match=r"not running after 5 s: mcp-demo: 0 of 1 running: .* not been started"):
        wait(looks(seen("created")), ["mcp-demo"], seconds=5, tell=print, waits=clock.time())
    assert 5 <= clock.now < 7


def test_a_daemon_that_restarts_does_not_end_it() -> None:
    find = looks(Refused("down", "down"), WaitTimedOut("slow"), seen(state=HEALTHY))
    assert wait(find, ["mcp-demo"], seconds=60, tell=print, waits=Clock().time())
    with pytest.raises(WaitTimedOut, match="not seen yet"):
        wait(looks(Refused("down", "down")), ["mcp-demo"], seconds=5, tell=print, waits=Clock().time())


@pytest.mark.parametrize("error", [Refused("no", "permission"), NoSuchInstance("none"), KeyboardInterrupt()])
def test_other_failures_do(error: BaseException) -> None:
    with pytest.raises(type(error)):
        wait(looks(error), ["mcp-demo"], seconds=5, tell=print, waits=Clock().time())
