"""Logs and the way to a server: kubectl that goes on, and is ended in any case."""

from __future__ import annotations

import os
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from renderer.errors import ApplyFailed
from renderer.orchestrators.contract import Handshake, LogLine, LogOptions
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.logs import arguments
from tests.cluster import Cluster
from tests.orchestrators.kubernetes.conftest import Clock, placed, ready


@pytest.fixture
def applied(orchestrator: Kubernetes, cluster: Cluster) -> Kubernetes:
    placed(cluster, "time")
    return orchestrator


def _scaled(cluster: Cluster, count: int) -> list[str]:
    data = cluster.get("Deployment", "mcp-time")
    data["spec"]["replicas"] = count
    cluster.store.put(cluster.kinds.named("Deployment"), "mcpctl", "mcp-time", data)
    ready(cluster, "mcp-time")
    return cluster.controllers.pods("mcp-time")


def children() -> set[str]:
    """Programs that we started and that still run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        if name == "kubectl" and state != "Z" and int(parent) == os.getpid():
            found.add(text.split()[0])
    return found


def test_logs_of_all_pods_told_apart(applied: Kubernetes, cluster: Cluster) -> None:
    one, two = _scaled(cluster, 2)
    cluster.log(one, "a", "b", time="2026-01-01T00:00:01Z")
    cluster.log(two, b"\xff\x00binary", time="2026-01-01T00:00:02Z")
    assert list(applied.get_logs("mcp-time", LogOptions())) == [
        LogLine(one, "a"),
        LogLine(one, "b"),
        LogLine(two, "\ufffd\x00binary"),
    ]
    assert next(applied.get_logs("mcp-time", LogOptions(tail=1, timestamps=True))) == LogLine(
        one, "2026-01-01T00:00:01Z b"
    )
    since = LogOptions(since="2026-01-01T00:00:02Z")
    assert [line.replica for line in applied.get_logs("mcp-time", since)] == [two]


def test_a_pod_without_a_log_does_not_hide_the_others(applied: Kubernetes, cluster: Cluster) -> None:
    one, two = _scaled(cluster, 2)
    cluster.log(two, "here")
    cluster.controllers.pod_state(one, "ImagePullBackOff")
    assert list(applied.get_logs("mcp-time", LogOptions())) == [LogLine(two, "here")]


def test_what_the_kubelet_says_is_no_log_of_the_server(applied: Kubernetes, cluster: Cluster) -> None:
    one, two = _scaled(cluster, 2)
    complaint = "unable to retrieve container logs for containerd://0123"
    cluster.log(one, complaint)
    cluster.log(two, "rpc error: code = Unavailable", "that is what it logs itself")
    lines = list(applied.get_logs("mcp-time", LogOptions()))
    assert [line.text for line in lines] == ["rpc error: code = Unavailable", "that is what it logs itself"]
    assert {line.replica for line in lines} == {two}
    _scaled(cluster, 1)
    (left,) = cluster.controllers.pods("mcp-time")
    assert left == one
    with pytest.raises(ApplyFailed, match=f"the log of {one}: the kubelet has none .unable to retrieve"):
        list(applied.get_logs("mcp-time", LogOptions()))


def test_no_log_at_all_says_why(applied: Kubernetes, cluster: Cluster) -> None:
    with pytest.raises(ApplyFailed, match="mcp-time has no pods"):
        list(applied.get_logs("mcp-time", LogOptions()))
    ready(cluster, "mcp-time")
    with pytest.raises(ApplyFailed, match="previous terminated container"):
        list(applied.get_logs("mcp-time", LogOptions(previous=True)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (LogOptions(), ["--tail=-1"]),
        (LogOptions(tail=0, follow=True), ["--tail=0", "--follow"]),
        (LogOptions(since="10m"), ["--tail=-1", "--since=10m"]),
        (LogOptions(since="-x"), ["--tail=-1", "--since=-x"]),
        (LogOptions(since="2026-01-01T00:00:00Z"), ["--tail=-1", "--since-time=2026-01-01T00:00:00Z"]),
        (LogOptions(timestamps=True, previous=True), ["--tail=-1", "--timestamps", "--previous"]),
    ],
)
def test_options_become_one_argument_each(options: LogOptions, expected: list[str]) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "istio"}, {"name": "mcp-server"}]}}
    assert arguments(pod, options) == ["logs", "p", "--container=mcp-server", *expected]


def test_following_picks_up_new_pods_and_leaves_nothing_running(
    applied: Kubernetes, cluster: Cluster, clock: Clock
) -> None:
    (one,) = _scaled(cluster, 1)
    cluster.log(one, "first")
    lines = applied.get_logs("mcp-time", LogOptions(follow=True))
    assert next(lines) == LogLine(one, "first")
    two = _scaled(cluster, 2)[1]
    cluster.log(two, "second")
    clock.now += 10
    assert next(lines) == LogLine(two, "second")
    cluster.end_log(one)
    cluster.log(two, "third")
    assert next(lines) == LogLine(two, "third")
    assert children()
    lines.close()  # type: ignore[attr-defined]
    assert not children()


def test_following_ends_with_the_cluster(applied: Kubernetes, cluster: Cluster, clock: Clock) -> None:
    (one,) = _scaled(cluster, 1)
    cluster.log(one, "first")
    lines = applied.get_logs("mcp-time", LogOptions(follow=True))
    next(lines)
    cluster.stop()
    clock.now += 10
    with pytest.raises(ApplyFailed, match="check that the cluster runs"):
        list(lines)
    assert not children()
    cluster.start()


@pytest.fixture
def backend(cluster: Cluster) -> object:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    cluster.backends["*", 8080] = ("127.0.0.1", server.server_port)
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_is_reached_for_as_long_as_the_question_takes(
    applied: Kubernetes, cluster: Cluster, backend: object
) -> None:
    ready(cluster, "mcp-time")
    seen: list[str] = []

    def ask(url: str) -> Handshake:
        seen.append(url)
        with urllib.request.urlopen(url, timeout=20) as answer:
            return Handshake(answer.read().decode(), "1", ("2025-06-18",), 2)

    assert applied.reach("mcp-time", ask).server_name == "/mcp"
    assert seen[0].startswith("http://127.0.0.1:")
    assert not children()


def test_a_question_that_fails_leaves_nothing_running(applied: Kubernetes, cluster: Cluster, backend: object) -> None:
    ready(cluster, "mcp-time")

    def ask(url: str) -> Handshake:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        applied.reach("mcp-time", ask)
    assert not children()


def test_what_cannot_be_reached_says_why(applied: Kubernetes, cluster: Cluster) -> None:
    def ask(url: str) -> Handshake:
        raise AssertionError

    with pytest.raises(ApplyFailed, match="none of its pods is ready"):
        applied.reach("mcp-time", ask)
    ready(cluster, "mcp-time")
    cluster.faults.add("forbidden", resource="pods", verb="get")
    with pytest.raises(ApplyFailed, match=r"reaching mcp-time: .*ask for the right"):
        applied.reach("mcp-time", ask)
    cluster.faults.clear()
    cluster.controllers.remove("Service", "mcp-time")
    with pytest.raises(ApplyFailed, match="it has no Service"):
        applied.reach("mcp-time", ask)
    assert not children()
