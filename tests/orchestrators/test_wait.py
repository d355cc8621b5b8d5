"""Waiting, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from renderer.orchestrators.wait import until


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
    assert until(lambda: next(looks), seconds=10, clock=time.clock, sleep=time.sleep) == "yes"
    assert time.slept == []


def test_it_looks_again_after_each_pause(time: Time) -> None:
    looks = look_at(None, None, "yes")
    assert until(lambda: next(looks), seconds=10, interval=3, clock=time.clock, sleep=time.sleep) == "yes"
    assert time.slept == [3, 3]


def test_the_last_pause_ends_with_the_time_and_a_last_look(time: Time) -> None:
    looks = look_at(None, None, None, "yes")
    assert until(lambda: next(looks), seconds=7, interval=3, clock=time.clock, sleep=time.sleep) == "yes"
    assert time.slept == [3, 3, 1]


def test_after_the_time_there_is_nothing(time: Time) -> None:
    looks = look_at(None, None, None)
    assert until(lambda: next(looks), seconds=2, clock=time.clock, sleep=time.sleep) is None
    assert time.slept == [1, 1]


@pytest.mark.parametrize("seconds", [0, -5])
def test_without_time_it_still_looks_once(time: Time, seconds: float) -> None:
    looks = look_at(None)
    assert until(lambda: next(looks), seconds=seconds, clock=time.clock, sleep=time.sleep) is None
    assert time.slept == []


def test_a_look_that_takes_longer_than_the_time_is_the_last_but_one(time: Time) -> None:
    def slow() -> None:
        time.now += 20

    assert until(slow, seconds=10, clock=time.clock, sleep=time.sleep) is None
    assert time.slept == [0]


def test_false_is_a_result(time: Time) -> None:
    looks = look_at(False)
    assert until(lambda: next(looks), seconds=2, clock=time.clock, sleep=time.sleep) is False
