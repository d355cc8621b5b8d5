"""Logs of containers, as a test writes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.cluster.answers import Answer, Refused
from tests.cluster.kinds import Json

_NO_IMAGE = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")
_Stream = tuple[str, str, str, bool]


class Line(NamedTuple):
    """One line; the time is like 2026-01-01T00:00:00Z."""

    time: str
    text: bytes


class Logs:
    """Lines by pod, container, and whether of the run before."""

    def __init__(self) -> None:
        self._lines: dict[_Stream, list[Line]] = {}
        self._ended: set[tuple[str, str]] = set()
        self._changed = threading.Condition()

    def write(
        self, namespace: str, pod: str, container: str, *texts: str | bytes, time: str, previous: bool = False
    ) -> None:
        """Add lines; who follows gets them at once."""
        with self._changed:
            lines = self._lines.setdefault((namespace, pod, container, previous), [])
            lines += [Line(time, text.encode() if isinstance(text, str) else text) for text in texts]
            self._changed.notify_all()

    def end(self, namespace: str, pod: str) -> None:
        """The pod writes no more: who follows has reached the end."""
        with self._changed:
            self._ended.add((namespace, pod))
            self._changed.notify_all()

    def answer(self, pod: Json, query: dict[str, str], now: str) -> Answer:
        """For pods/log; raises Refused as Kubernetes does where there is no log."""
        if "sinceSeconds" in query:
            query = {**query, "sinceTime": _earlier(now, int(query["sinceSeconds"]))}
        stream = self._stream(pod, query)
        lines = self._lines.get(stream, [])
        seen, chosen = len(lines), _chosen(lines, query)
        media_type = "text/plain"
        if query.get("follow") == "true":
            return Answer(200, self._followed(stream, chosen, seen, query), media_type)
        text = b"".join(_printed(line, query) for line in chosen)
        return Answer(200, text[: int(query.get("limitBytes") or len(text))], media_type)

    def _stream(self, pod: Json, query: dict[str, str]) -> _Stream:
        name, spec = pod["metadata"]["name"], pod["spec"]
        known = [container["name"] for container in [*spec["containers"], *spec.get("initContainers", [])]]
        container = query.get("container") or (known[0] if len(known) == 1 else "")
        if not container:
            choice = " ".join(known)
            _refuse(f"a container name must be specified for pod {name}, choose one of: [{choice}]")
        if container not in known:
            _refuse(f"container {container} is not valid for pod {name}")
        stream = (pod["metadata"]["namespace"], name, container, query.get("previous") == "true")
        if stream[3] and stream not in self._lines:
            _refuse(f'previous terminated container "{container}" in pod "{name}" not found')
        waiting = _waiting(pod, container)
        if waiting and stream not in self._lines:
            _refuse(f'container "{container}" in pod "{name}" is waiting to start: {waiting}')
        return stream

    def _followed(self, stream: _Stream, lines: list[Line], seen: int, query: dict[str, str]) -> Iterator[bytes]:
        while True:
            for line in lines:
                yield _printed(line, query)
            with self._changed:
                ended = stream[:2] in self._ended
                if len(self._lines.get(stream, [])) <= seen and not ended:
                    self._changed.wait(0.25)
                lines = self._lines.get(stream, [])[seen:]
                seen += len(lines)
            if ended and not lines:
                return
            if not lines:
                yield b""


def _earlier(now: str, seconds: int) -> str:
    return (datetime.fromisoformat(now) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse(message: str) -> None:
    raise Refused(400, "BadRequest", message)


def _waiting(pod: Json, container: str) -> str:
    for status in pod.get("status", {}).get("containerStatuses", []):
        reason = status.get("state", {}).get("waiting", {}).get("reason", "")
        if status["name"] == container and reason:
            # A container that crashed has a log, if an empty one.
            waits = {"CrashLoopBackOff": "", **dict.fromkeys(_NO_IMAGE, "trying and failing to pull image")}
            return str(waits.get(reason, reason))
    return ""


def _chosen(lines: list[Line], query: dict[str, str]) -> list[Line]:
    since = query.get("sinceTime", "")
    found = [line for line in lines if line.time >= since]
    tail = query.get("tailLines")
    return found if tail is None else found[len(found) - min(int(tail), len(found)) :]


def _printed(line: Line, query: dict[str, str]) -> bytes:
    stamp = f"{line.time} ".encode() if query.get("timestamps") == "true" else b""
    return stamp + line.text + b"\n"
