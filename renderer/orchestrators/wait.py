"""Waiting for a condition, and for servers to run and answer, for every runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeVar

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.contract import Ask, Cause, InstanceState, InstanceStatus, Observation, Wait
from renderer.orchestrators.failures import PASSING, Refused, loops
from renderer.orchestrators.instances import answered

T = TypeVar("T")

#: Seconds that a hopeless cause must stand before it ends the wait: a Secret and a pod may come in any order.
GRACE = 5.0
#: Seconds that a server without any check has to stay alive: one that ends at once runs for a moment.
SETTLED = 3.0
#: Servers that are asked over MCP at the same time.
ASKED_AT_ONCE = 8
#: Restarts during the wait after which the next one is not waited for.
LOOP = 3


#: Looks at several instances at once; raises NoSuchInstance for one that is not there.
Observe = Callable[[Sequence[str]], Mapping[str, Observation]]


class Time(NamedTuple):
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


REAL = Time()


def until(
    look: Callable[[], T | None],
    *,
    seconds: float,
    interval: float = 1.0,
    longest: float | None = None,
    times: Time = REAL,
) -> T | None:
    """The first result of ``look`` that is not None; None when ``seconds`` are over.

    Looks once more after the deadline: what came true in the last pause counts. Pauses grow from ``interval`` to
    ``longest`` seconds.
    """
    deadline = times.clock() + seconds
    while True:
        late = times.clock() >= deadline
        result = look()
        if result is not None or late:
            return result
        times.sleep(min(interval, max(0.0, deadline - times.clock())))
        interval = max(interval, min(1.2 * interval, longest or interval))


@dataclass
class _Instance:
    line: str = "not seen yet"
    restarts: dict[str, int] = field(default_factory=dict)
    run: tuple[tuple[str, str, int], ...] = ()
    run_since: float = 0.0
    lost_since: float | None = None
    asked: bool = False
    done: InstanceStatus | None = None

    def runs(self, seen: Observation, is_asked: bool, now: float) -> bool:
        """Whether all wanted replicas have run for long enough."""
        status = seen.status
        if status.desired == 0:
            return status.state is InstanceState.STOPPED
        if status.ready < status.desired:
            self.run = ()
            return False
        run = tuple((replica.name, replica.started, replica.restarts) for replica in status.replicas)
        if run != self.run:
            self.run, self.run_since = run, now
        # A server that cannot be asked must stay up for a while; behind a guard, the guard may answer for it.
        is_asked = is_asked and bool(status.endpoint) and not status.guard
        return seen.checked or is_asked or now - self.run_since >= SETTLED

    def loops(self, status: InstanceStatus, cause: Cause | None) -> Cause | None:
        """The cause; hopeless after LOOP restarts, between which the server would be seen running."""
        for replica in status.replicas:
            before = self.restarts.setdefault(replica.name, replica.restarts)
            if replica.restarts - before >= LOOP:
                return Cause(cause.text if cause else f"{replica.name} {loops(replica.restarts, '')}", "hopeless")
        return cause

    def is_lost(self, cause: Cause, wait: Wait, now: float) -> bool:
        """Whether a cause that ends the wait has lasted for GRACE seconds."""
        if not (cause.outlook == "hopeless" or (wait.fail_fast and cause.outlook == "elsewhere")):
            self.lost_since = None
            return False
        self.lost_since = now if self.lost_since is None else self.lost_since
        return now - self.lost_since >= GRACE


def wait_for(
    observe: Observe, ids: Sequence[str], wait: Wait, times: Time, *, longest: float = 1.0
) -> tuple[InstanceStatus, ...]:
    """As ``Orchestrator.wait``; prints one line for each change. ``longest``: seconds between two looks, later on."""
    known = {name: _Instance() for name in ids}

    def look() -> bool | None:
        lost = []
        left = {name: instance for name, instance in known.items() if instance.done is None}
        seen, now = _observed(observe, left, wait), times.clock()
        running = {name for name, each in seen.items() if known[name].runs(each, wait.ask is not None, now)}
        answers = _answers(wait.ask, {name: seen[name].status for name in running}) if wait.ask else {}
        for name, each in seen.items():
            instance = known[name]
            cause = _step(name, instance, each, answers.get(name), wait, runs=name in running)
            if cause and instance.is_lost(cause, wait, now):
                lost.append(f"{name} {'runs, and' if instance.asked else 'will not start:'} {cause.text}")
        if lost:
            raise ApplyFailed("; ".join(lost))
        return all(instance.done for instance in known.values()) or None

    if until(look, seconds=wait.seconds, longest=longest, times=times):
        return tuple(instance.done for name in ids if (instance := known[name]).done)
    late = "; ".join(f"{name}: {instance.line}" for name, instance in known.items() if not instance.done)
    raise WaitTimedOut(f"not ready after {wait.seconds:.0f} s: {late}")


def _observed(observe: Observe, left: Mapping[str, _Instance], wait: Wait) -> Mapping[str, Observation]:
    """Empty while a daemon or an API server is down: the deadline ends that, with the text of the failure."""
    try:
        return observe(tuple(left))
    except (WaitTimedOut, Refused) as error:
        if isinstance(error, Refused) and error.kind not in PASSING:
            raise
        for name, instance in left.items():
            _tell(name, instance, error.message, wait)
        return {}


def _answers(ask: Ask, running: Mapping[str, InstanceStatus]) -> dict[str, Observation]:
    """Asks several servers at once: most of the time is spent waiting for them."""
    names: SimpleQueue[str] = SimpleQueue()
    for name in (n for n, each in running.items() if each.endpoint and each.state is InstanceState.RUNNING):
        names.put(name)
    answers: dict[str, Observation] = {}
    failures: list[BaseException] = []

    def work() -> None:
        with suppress(Empty):
            while not failures:
                name = names.get_nowait()
                try:
                    answers[name] = ask(running[name])
                except BaseException as error:
                    failures.append(error)

    others = [Thread(target=work) for _ in range(min(ASKED_AT_ONCE, names.qsize()) - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
    return answers


def _step(
    name: str, instance: _Instance, seen: Observation, answer: Observation | None, wait: Wait, *, runs: bool
) -> Cause | None:
    """Prints what is new; returns what keeps the instance from running or answering."""
    status, cause, _ = seen
    cause, instance.asked = instance.loops(status, cause), False
    counted = f"{status.ready} of {status.desired} running"
    if runs:
        silent = answer.cause if answer else None
        status = answer.status if answer else status
        instance.done = None if silent else status
        # A server that is restarted again and again does not answer because of that.
        instance.asked = not (cause and cause.outlook == "hopeless")
        cause = (silent if instance.asked else cause) if silent else None
    reason = cause.text if cause else status.reason if instance.done else ""
    answers = bool(instance.done and status.handshake)
    line = f"answers: {answered(status)}" if answers else f"{counted}: {reason}" if reason else counted
    _tell(name, instance, line, wait)
    return cause


def _tell(name: str, instance: _Instance, line: str, wait: Wait) -> None:
    if line != instance.line:
        instance.line = line
        wait.tell(f"{name}: {line}")
