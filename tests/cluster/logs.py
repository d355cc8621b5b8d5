"""Logs of containers, as a test writes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple

from tests.cluster.kinds import Json
from tests.cluster.requests import Answer, Refused
from tests.cluster.storage import NOW


class _Stream(NamedTuple):
    namespace: str
    pod: str
    container: str
    previous: bool


class _Line(NamedTuple):
    time: str
    text: bytes


class Logs:
    """Lines by pod, container, and whether of the run before."""

    def __init__(self) -> None:
        self._lines: dict[_Stream, list[_Line]] = {}
        self._ended: set[tuple[str, str]] = set()
        self._changed = threading.Condition()

    def write(
        self, namespace: str, pod: str, container: str, *texts: str | bytes, time: str = NOW, previous: bool = False
    ) -> None:
        """Add lines; who follows gets them at once."""
        with self._changed:
            lines = self._lines.setdefault(_Stream(namespace, pod, container, previous), [])
            lines += [_Line(time, text.encode() if isinstance(text, str) else text) for text in texts]
            self._changed.notify_all()

    def end(self, namespace: str, pod: str) -> None:
        """The pod writes no more: who follows has reached the end."""
        with self._changed:
            self._ended.add((namespace, pod))
            self._changed.notify_all()

    def answer(self, pod: Json, query: dict[str, str]) -> Answer:
        """For pods/log; raises Refused as Kubernetes does where there is no log."""
        stream = self._stream(pod, query)
        lines = self._lines.get(stream, [])
        chosen = [line for line in lines if line.time >= query.get("sinceTime", "")]
        if "tailLines" in query:
            chosen = chosen[max(0, len(chosen) - int(query["tailLines"])) :]
        if query.get("follow") == "true":
            return Answer(200, self._followed(stream, chosen, len(lines), query), "text/plain")
        text = b"".join(_printed(line, query) for line in chosen)
        return Answer(200, text[: int(query.get("limitBytes") or len(text))], "text/plain")

    def _stream(self, pod: Json, query: dict[str, str]) -> _Stream:
        meta, name = pod["metadata"], query.get("container") or pod["spec"]["containers"][0]["name"]
        stream = _Stream(meta["namespace"], meta["name"], name, query.get("previous") == "true")
        if stream in self._lines:
            return stream
        if stream.previous:
            raise _refused(f'previous terminated container "{name}" in pod "{stream.pod}" not found')
        containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        if name not in [container["name"] for container in containers]:
            raise _refused(f"container {name} is not valid for pod {stream.pod}")
        for status in pod.get("status", {}).get("containerStatuses", []):
            reason = status["state"].get("waiting", {}).get("reason", "")
            # A container that crashed has a log, if an empty one.
            if status["name"] == name and reason not in ("", "CrashLoopBackOff"):
                waiting = "trying and failing to pull image" if "Image" in reason else reason
                raise _refused(f'container "{name}" in pod "{stream.pod}" is waiting to start: {waiting}')
        return stream

    def _followed(self, stream: _Stream, lines: list[_Line], seen: int, query: dict[str, str]) -> Iterator[bytes]:
        while True:
            yield from (_printed(line, query) for line in lines)
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


def _refused(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def _printed(line: _Line, query: dict[str, str]) -> bytes:
    return (f"{line.time} ".encode() if query.get("timestamps") == "true" else b"") + line.text + b"\n"
