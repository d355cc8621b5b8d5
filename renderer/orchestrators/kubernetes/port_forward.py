"""A port-forward to a server in the cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from renderer.command import Background
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt
from renderer.labels import DEFAULT_PATH, PATH_ANNOTATION
from renderer.manifest import annotations_of, labels_of
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.failures import refusal
from renderer.orchestrators.kubernetes.status import Snapshot, is_ready, newest_pods

#: Seconds until kubectl must have a port.
SECONDS = 30.0
_PORT = "mcp"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


@contextmanager
def forwarded(kubectl: Kubectl, seen: Snapshot, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """The URL, on a free port of the loopback, which closes with the context."""
    pod, port, path = _target(seen)
    args = ["port-forward", "--address=127.0.0.1", f"pods/{pod}", f":{port}"]
    with kubectl.background(*args, namespace=seen.namespace) as running:
        yield f"http://127.0.0.1:{_port(running, seen.name, clock)}{path}"


def _target(seen: Snapshot) -> tuple[str, str, str]:
    """A pod, its port, and the path. kubectl would take the pod of a Service that has been ready for longest: during a
    rollout that is one of the old version, or one that is ending.
    """
    for service in seen.services:
        spec = service.get("spec", {})
        port = next((port for port in spec.get("ports") or [] if port.get("name") == _PORT), None)
        if port:
            # The youngest ready pod of the newest version that the Service selects.
            selector = spec.get("selector") or {}
            pods = [pod for pod in seen.pods if is_ready(pod)]
            if not pods:
                raise ApplyFailed(f"{seen.name} cannot be reached: none of its pods is ready")
            selected = [pod for pod in pods if selector.items() <= labels_of(pod).items()]
            if not selected:
                raise ApplyFailed(f"{seen.name} cannot be reached: its Service leads to none of its pods")
            newest = newest_pods(seen)
            pod = max(selected, key=lambda pod: (pod in newest, str(pod["metadata"].get("creationTimestamp"))))
            path = annotations_of(service).get(PATH_ANNOTATION, DEFAULT_PATH)
            return str(pod["metadata"]["name"]), str(port.get("targetPort") or _PORT), path
    raise ApplyFailed(f"{seen.name} cannot be reached: it has no Service, nothing connects to it")


def _port(running: Background, name: str, clock: Callable[[], float]) -> int:
    deadline = clock() + SECONDS
    while not running.over and (left := deadline - clock()) > 0:
        for line in running.lines(left):
            if forwarding := _FORWARDING.match(line):
                return int(forwarding[1])
    if not running.over:
        raise WaitTimedOut(f"kubectl port-forward to {excerpt(name, 80)} opened no port in {SECONDS:.0f} s")
    raise refusal(running.end().err, f"reaching {name}")
