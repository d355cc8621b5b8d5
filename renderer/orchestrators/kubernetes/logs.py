"""Logs of all pods of an instance, with one kubectl for each pod."""

from __future__ import annotations

import re
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from renderer.command import Background
from renderer.errors import ApplyFailed, excerpt
from renderer.orchestrators.contract import LogLine, LogOptions
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.kubernetes.client import Data, Kubectl
from renderer.orchestrators.kubernetes.failures import refusal
from renderer.orchestrators.kubernetes.status import NO_LOG, Watcher, main_container

#: Seconds between two looks for new pods, while following.
LOOK = 2.0
#: Open connections.
MOST = 100
#: Of a pod that has no log yet, or no more: following the others goes on.
_NOTHING_YET = re.compile(r"is waiting to start|ContainerCreating|PodInitializing|\bnot found|NotFound")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT")


def arguments(pod: Data, options: LogOptions) -> list[str]:
    container = str(main_container(pod).get("name", ""))
    tail = options.tail if options.tail is not None else -1
    args = ["logs", str(pod["metadata"]["name"]), f"--container={container}", f"--tail={tail}"]
    args += ["--follow"] * options.follow
    if options.since:
        args += [f"--since-time={options.since}" if _RFC_3339.match(options.since) else f"--since={options.since}"]
    return args + ["--timestamps"] * options.timestamps + ["--previous"] * options.previous


def now(kubectl: Kubectl, watcher: Watcher, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
    """Raises where no pod had a log."""
    pods = watcher.look(instance_id).pods
    refused: Refused | None = None
    count = 0
    for pod in pods:
        try:
            yield from _of_pod(kubectl, pod, options)
            count += 1
        except Refused as error:
            refused = error
    if not pods:
        raise ApplyFailed(f"{instance_id} has no pods, and so no logs; see `mcpctl status {instance_id}`")
    if refused and not count:
        raise refused


def _of_pod(kubectl: Kubectl, pod: Data, options: LogOptions) -> Iterator[LogLine]:
    name = str(pod["metadata"]["name"])
    with kubectl.background(*arguments(pod, options), namespace=pod["metadata"].get("namespace", "")) as running:
        complaint, count = "", 0
        while not running.over:
            for line in running.lines(3600.0):
                count += 1
                if count == 1 and line.startswith(NO_LOG):
                    complaint = line
                    continue
                if complaint and count == 2:  # a server's own log may begin like this
                    yield LogLine(name, complaint)
                yield LogLine(name, line)
        done = running.end()
    if done.code:
        raise kubectl.failed(done.code, done.err, f"reading the log of {name}")
    if complaint and count == 1:
        raise Refused(f"reading the log of {name}: the kubelet has none ({excerpt(complaint, 300)})", kind="not found")


class Follower:
    """Follows until closed, through pods that start and end."""

    def __init__(
        self,
        kubectl: Kubectl,
        watcher: Watcher,
        instance_id: str,
        options: LogOptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kubectl = kubectl
        self._watcher = watcher
        self._id = instance_id
        self._options = options
        self._clock = clock
        self._next = 0.0
        #: Pods whose log is read, by their uid and count of restarts: a container that starts again is a new log.
        self._begun: set[tuple[str, int]] = set()
        self._stacks: dict[Background, tuple[ExitStack, str]] = {}
        self._selector = selectors.DefaultSelector()

    def lines(self) -> Iterator[LogLine]:
        """Ends only when closed, or with the cluster; then ends every kubectl."""
        try:
            self._join(first=True)
            while True:
                if self._clock() >= self._next:
                    self._join(first=False)
                for key, _ in self._selector.select(max(0.0, self._next - self._clock())):
                    yield from self._read(key.fileobj)  # type: ignore[arg-type]
        finally:
            for stack, _ in list(self._stacks.values()):
                stack.close()
            self._selector.close()

    def _join(self, *, first: bool) -> None:
        self._next = self._clock() + LOOK
        options = self._options if first else self._options._replace(tail=None)
        pods = self._watcher.look(self._id).pods
        reading = {name for _, name in self._stacks.values()}
        for pod in [p for p in pods if p["metadata"]["name"] not in reading and _run_of(p) not in self._begun]:
            if len(self._stacks) >= MOST:
                raise ApplyFailed(f"{self._id} has more than {MOST} pods: too many to follow at once")
            self._begun.add(_run_of(pod))
            stack = ExitStack()
            place = pod["metadata"].get("namespace", "")
            running = stack.enter_context(self._kubectl.background(*arguments(pod, options), namespace=place))
            self._stacks[running] = stack, str(pod["metadata"]["name"])
            self._selector.register(running, selectors.EVENT_READ, pod)

    def _read(self, running: Background) -> Iterator[LogLine]:
        stack, name = self._stacks[running]
        yield from (LogLine(name, line) for line in running.lines())
        if not running.over:
            return
        pod = self._selector.unregister(running).data
        del self._stacks[running]
        done = running.end()
        stack.close()
        if done.code and _NOTHING_YET.search(done.err):
            self._begun.discard(_run_of(pod))
        elif done.code:
            raise refusal(done.err, f"following the log of {name}")


def _run_of(pod: Data) -> tuple[str, int]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return str(pod["metadata"].get("uid")), sum(int(status.get("restartCount") or 0) for status in statuses)
