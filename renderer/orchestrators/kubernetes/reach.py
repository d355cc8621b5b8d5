"""A way from this machine to a server in the cluster, for as long as a question takes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from renderer.command import Background
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.faults import refusal
from renderer.orchestrators.kubernetes.objects import PATH, annotations_of
from renderer.orchestrators.kubernetes.status import Snapshot, is_ready

#: Seconds until kubectl must have a port.
SECONDS = 30.0
_PORT = "mcp"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


@contextmanager
def forwarded(kubectl: Kubectl, seen: Snapshot, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """The URL, on a free port of the loopback; nothing listens there afterwards."""
    target, path = _target(seen)
    with kubectl.background("port-forward", "--address=127.0.0.1", target, f":{_PORT}") as running:
        yield f"http://127.0.0.1:{_port(running, seen.name, clock)}{path}"


def _target(seen: Snapshot) -> tuple[str, str]:
    for service in seen.services:
        if any(port.get("name") == _PORT for port in service.get("spec", {}).get("ports") or []):
            if not any(is_ready(pod) for pod in seen.pods):
                raise ApplyFailed(f"{seen.name} cannot be reached: none of its pods is ready")
            return f"service/{service['metadata']['name']}", annotations_of(service).get(PATH, "/mcp")
    raise ApplyFailed(f"{seen.name} cannot be reached: it has no Service, nothing connects to it")


def _port(running: Background, name: str, clock: Callable[[], float]) -> int:
    deadline = clock() + SECONDS
    while not running.over and (left := deadline - clock()) > 0:
        for line in running.lines(left):
            if found := _FORWARDING.match(line):
                return int(found[1])
    if not running.over:
        raise WaitTimedOut(f"kubectl port-forward to {excerpt(name, 80)} opened no port in {SECONDS:.0f} s")
    raise refusal(running.end().err, f"reaching {name}")
