"""Waiting, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Barrier
from typing import Any

import pytest

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.contract import (
    Ask,
    Cause,
    Handshake,
    InstanceState,
    InstanceStatus,
    Observation,
    Replica,
    Wait,
)
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.wait import GRACE, LOOP, SETTLED, until, wait_for
from renderer.orchestrators.wait import Time as Waits


class Time:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def look_at(*found: object) -> Iterator[object]:
    yield from found
    raise AssertionError("looked too often")


@pytest.fixture
def time() -> Time:
    return Time()


def test_what_is_so_at_once_is_not_waited_for(time: Time) -> None:
    looks = look_at("yes")
    assert until(lambda: next(looks), seconds=10, times=Waits(time.clock, time.sleep)) == "yes"
    assert time.slept == []


def test_it_looks_again_after_each_pause(time: Time) -> None:
    looks = look_at(None, None, "yes")
    assert until(lambda: next(looks), seconds=10, interval=3, times=Waits(time.clock, time.sleep)) == "yes"
    assert time.slept == [3, 3]


def test_the_last_pause_ends_with_the_time_and_a_last_look(time: Time) -> None:
    looks = look_at(None, None, None, "yes")
    assert until(lambda: next(looks), seconds=7, interval=3, times=Waits(time.clock, time.sleep)) == "yes"
    assert time.slept == [3, 3, 1]


def test_after_the_time_there_is_nothing(time: Time) -> None:
    looks = look_at(None, None, None)
    assert until(lambda: next(looks), seconds=2, times=Waits(time.clock, time.sleep)) is None
    assert time.slept == [1, 1]


@pytest.mark.parametrize("seconds", [0, -5])
def test_without_time_it_still_looks_once(time: Time, seconds: float) -> None:
    looks = look_at(None)
    assert until(lambda: next(looks), seconds=seconds, times=Waits(time.clock, time.sleep)) is None
    assert time.slept == []


def test_a_look_that_takes_longer_than_the_time_is_the_last_but_one(time: Time) -> None:
    def slow() -> None:
        time.now += 20

    assert until(slow, seconds=10, times=Waits(time.clock, time.sleep)) is None
    assert time.slept == [0]


def test_false_is_a_result(time: Time) -> None:
    looks = look_at(False)
    assert until(lambda: next(looks), seconds=2, times=Waits(time.clock, time.sleep)) is False


# --- until servers run and answer ---


def seen(
    ready: int = 1, cause: Cause | None = None, *, checked: bool = True, restarts: int = 0, **changes: Any
) -> Observation:
    replica = Replica("a-1", InstanceState.RUNNING, restarts=restarts, started=f"start {restarts}")
    state = InstanceState.RUNNING if ready else InstanceState.PENDING
    status = InstanceStatus("a", "a", "here", state, 1, ready, (replica,), "http://127.0.0.1:1/mcp")
    return Observation(status._replace(**changes), cause, checked)


Look = Observation | BaseException


class Waiting:
    """A wait for ``a``, whose looks are given, the last for ever."""

    def __init__(self, time: Time, *looks: Look, ask: Ask | None = None, fail_fast: bool = False) -> None:
        self.time, self.looks, self.told = time, list(looks), list[str]()
        self.wait = Wait(60, self.told.append, ask, fail_fast)

    def observe(self, ids: Sequence[str]) -> Mapping[str, Observation]:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, BaseException):
            raise look
        return dict.fromkeys(ids, look)

    def run(self) -> tuple[InstanceStatus, ...]:
        return wait_for(self.observe, ["a"], self.wait, Waits(self.time.clock, self.time.sleep))

    @property
    def took(self) -> float:
        return sum(self.time.slept)


STARTS = Cause("runs, and its healthcheck has not passed yet")
NO_NODE = Cause("cannot be scheduled: 0/3 nodes are available", "elsewhere")
NO_IMAGE = Cause("the image x cannot be pulled", "hopeless")


def test_each_change_is_told_once_and_what_a_probe_stands_behind_is_believed(time: Time) -> None:
    waiting = Waiting(time, seen(0, STARTS), seen(0, STARTS), seen(0), seen())
    assert waiting.run()[0].ready == 1
    assert waiting.told == [f"a: 0 of 1 running: {STARTS.text}", "a: 0 of 1 running", "a: 1 of 1 running"]


def test_without_a_probe_a_server_has_to_stay_alive(time: Time) -> None:
    waiting = Waiting(time, seen(checked=False), seen(checked=False), seen(checked=False, restarts=1))
    waiting.run()
    assert SETTLED + 2 <= waiting.took <= SETTLED + 3


def test_what_nobody_wants_has_arrived(time: Time) -> None:
    assert Waiting(time, seen(0, desired=0, state=InstanceState.STOPPED)).run()[0].state is InstanceState.STOPPED


@pytest.mark.parametrize(
    ("cause", "fail_fast", "error", "took"),
    [
        (NO_IMAGE, False, ApplyFailed, GRACE),
        (NO_NODE, True, ApplyFailed, GRACE),
        (NO_NODE, False, WaitTimedOut, 60),
        (STARTS, True, WaitTimedOut, 60),
    ],
)
def test_what_ends_a_wait_and_when(
    time: Time, cause: Cause, fail_fast: bool, error: type[Exception], took: float
) -> None:
    waiting = Waiting(time, seen(0, cause), fail_fast=fail_fast)
    with pytest.raises(error) as raised:
        waiting.run()
    assert cause.text in str(raised.value)
    assert "will not start" in str(raised.value) or "not ready after 60 s" in str(raised.value)
    assert waiting.took == took
    assert waiting.told == [f"a: 0 of 1 running: {cause.text}"]


def test_a_cause_that_passes_within_the_grace_ends_nothing(time: Time) -> None:
    lost = [seen(0, NO_IMAGE)] * int(GRACE)
    assert Waiting(time, *lost, seen(0, STARTS), *lost, seen()).run()


def test_a_crash_loop_ends_although_the_server_runs_in_between(time: Time) -> None:
    """As docker shows it: four seconds up, a moment down, and up again."""
    asked = Cause("does not answer MCP yet: connection refused")
    last = Cause("was restarted; the last time it ended with exit code 3; its last lines: no database")
    looks = [seen(cause=last if n else None, restarts=n) for n in range(LOOP + 1) for _ in range(4)]
    waiting = Waiting(time, *looks, ask=lambda status: Observation(status, asked))
    with pytest.raises(ApplyFailed, match=r"will not start: .*exit code 3; its last lines: no database"):
        waiting.run()
    assert waiting.took <= 4 * LOOP + GRACE


def test_restarts_of_before_the_wait_do_not_count(time: Time) -> None:
    assert Waiting(time, seen(restarts=40)).run()


SHAKE = Handshake("demo", "1", ("2026-07-28",), 2)


def test_a_server_is_asked_until_it_answers(time: Time) -> None:
    answers = [
        Observation(seen().status, Cause("does not answer MCP yet: connection refused")),
        Observation(seen().status._replace(state=InstanceState.READY, handshake=SHAKE)),
    ]
    waiting = Waiting(time, seen(0), seen(checked=False), ask=lambda status: answers.pop(0))
    assert waiting.run()[0].handshake == SHAKE
    assert waiting.told == [
        "a: 0 of 1 running",
        "a: 1 of 1 running: does not answer MCP yet: connection refused",
        "a: answers: demo 1, MCP 2026-07-28, 2 tools",
    ]


def test_what_does_not_speak_mcp_ends_after_the_grace(time: Time) -> None:
    refused = Cause("does not speak MCP: HTTP 404", "hopeless")
    waiting = Waiting(time, seen(), ask=lambda status: Observation(status, refused))
    with pytest.raises(ApplyFailed, match=r"^a runs, and does not speak MCP: HTTP 404$"):
        waiting.run()
    assert waiting.took == GRACE


def test_what_nothing_can_connect_to_is_not_asked_and_has_to_stay_alive(time: Time) -> None:
    waiting = Waiting(time, seen(endpoint="", checked=False), ask=lambda status: pytest.fail("asked"))
    assert waiting.run()
    assert waiting.took == SETTLED


def test_a_daemon_that_restarts_is_told_and_waited_for(time: Time) -> None:
    away = Refused("the daemon does not answer", kind="down")
    assert Waiting(time, away, WaitTimedOut("slow"), seen()).run()
    waiting = Waiting(time, away)
    with pytest.raises(WaitTimedOut, match="not ready after 60 s: a: the daemon does not answer"):
        waiting.run()
    assert waiting.told == ["a: the daemon does not answer"]


@pytest.mark.parametrize("error", [Refused("no", kind="forbidden"), ApplyFailed("none"), KeyboardInterrupt()])
def test_other_failures_end_it_at_once(time: Time, error: BaseException) -> None:
    waiting = Waiting(time, error)
    with pytest.raises(type(error)):
        waiting.run()
    assert waiting.took == 0


def test_several_servers_are_asked_at_once_and_a_failure_ends_all(time: Time) -> None:
    meet = Barrier(3)

    def ask(status: InstanceStatus) -> Observation:
        meet.wait(60)  # all three are asked, or nobody goes on
        return Observation(status._replace(state=InstanceState.READY, handshake=SHAKE))

    names, wait = ["a", "b", "c"], Wait(60, lambda line: None, ask)
    done = wait_for(lambda ids: dict.fromkeys(ids, seen()), names, wait, Waits(time.clock, time.sleep))
    assert [status.state for status in done] == [InstanceState.READY] * 3

    def refuse(status: InstanceStatus) -> Observation:
        raise ApplyFailed("the SDK is missing")

    with pytest.raises(ApplyFailed, match="the SDK is missing"):
        wait_for(
            lambda ids: dict.fromkeys(ids, seen()), names, wait._replace(ask=refuse), Waits(time.clock, time.sleep)
        )
