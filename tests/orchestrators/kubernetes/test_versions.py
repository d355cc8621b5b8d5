"""Which version of a server is meant: what a real cluster has in its books while one takes the place of another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from renderer.command import Done
from renderer.errors import ApplyFailed
from renderer.orchestrators.contract import Cause, Handshake, InstanceState, KubernetesConfig, Observation, Wait
from renderer.orchestrators.instances import row
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.port_forward import _target
from renderer.orchestrators.kubernetes.reasons import REPEATED, of_pod
from renderer.orchestrators.kubernetes.removal import of_servers
from renderer.orchestrators.kubernetes.status import Snapshot, Watcher, status_of
from tests.cluster import Cluster
from tests.cluster.fixtures import Run
from tests.orchestrators.kubernetes.conftest import Clock, Told, placed, ready

Json = dict[str, Any]
REFUSED = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged'


def workload(kind: str = "Deployment", *, generation: int = 2, spec: Json | None = None, **status: Any) -> Json:
    status = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, **status}
    meta = {"name": "mcp-a", "generation": generation, "labels": {"mcpctl.io/server": "a"}}
    return {"kind": kind, "metadata": meta, "spec": {"replicas": 1, **(spec or {})}, "status": status}


def replica_set(revision: int, condition: str = "") -> Json:
    labels, noted = {"pod-template-hash": f"v{revision}"}, {"deployment.kubernetes.io/revision": str(revision)}
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": condition}
    return {
        "kind": "ReplicaSet",
        "metadata": {"name": f"mcp-a-v{revision}", "labels": labels, "annotations": noted},
        "spec": {"replicas": 1},
        "status": {"conditions": [failure] if condition else []},
    }


def pod(version: str, *, waiting: str = "", made: str = "2026-01-01T00:00:00Z", **meta: Any) -> Json:
    labels = {"pod-template-hash": version, "controller-revision-hash": version, "mcpctl.io/server": "a"}
    container = {"name": "mcp-server", "ready": not waiting, "image": "i", "state": {"waiting": {"reason": waiting}}}
    is_ready = {"type": "Ready", "status": "False" if waiting else "True"}
    return {
        "kind": "Pod",
        "metadata": {"name": f"mcp-a-{version}", "labels": labels, "creationTimestamp": made, **meta},
        "spec": {"containers": [{"name": "mcp-server"}]},
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": [is_ready],
            "containerStatuses": [container] if waiting else [],
        },
    }


def outlook(seen: Observation) -> str:
    return seen.cause.outlook if seen.cause else ""


def looked(seen: Snapshot, events: tuple[Json, ...] = ()) -> Observation:
    return status_of(seen, {pod["metadata"]["name"]: of_pod(pod) for pod in seen.pods}, events, "mcpctl")


def test_what_was_wrong_with_the_version_before_does_not_end_the_wait_for_the_next() -> None:
    pods = (pod("v1", waiting="InvalidImageName"), pod("v2", waiting="ContainerCreating"))
    sets = (replica_set(2), replica_set(1, REFUSED))
    # A Deployment repeats the failure of any of its ReplicaSets.
    found = looked(Snapshot(workload(readyReplicas=0, **replica_set(1, REFUSED)["status"]), pods, sets))
    assert found.cause == Cause("its pods are being created or started")
    assert (found.status.state, found.status.reason) == (InstanceState.PENDING, "its pods are being created or started")
    again = looked(Snapshot(workload(readyReplicas=0), pods[::-1], (replica_set(1), replica_set(2, REFUSED))))
    assert again.cause
    assert again.cause.outlook == "hopeless"
    assert "Pod Security of the namespace refuses the pod" in again.status.reason


def test_books_about_the_version_before_do_not_count() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    of_before = workload(generation=3, conditions=[late], readyReplicas=0)
    earlier = looked(Snapshot(of_before, (pod("v1", waiting="InvalidImageName"),), (replica_set(1),)))
    assert outlook(earlier) != "hopeless"
    assert outlook(looked(Snapshot(workload(conditions=[late], readyReplicas=0)))) == "hopeless"


def test_an_event_of_a_stateful_set_is_told_and_may_be_old() -> None:
    event = {"reason": "FailedCreate", "message": REFUSED}
    found = looked(Snapshot(workload("StatefulSet", replicas=0, updatedReplicas=0, readyReplicas=0)), (event,))
    assert "Pod Security of the namespace refuses the pod" in found.status.reason
    assert outlook(found) == "starts"


@pytest.mark.parametrize(("generation", "repeated"), [(1, False), (2, True)], ids=["never changed", "seen again"])
def test_an_event_of_this_version_of_a_stateful_set_ends_the_wait(generation: int, repeated: bool) -> None:
    event = {"reason": "FailedCreate", "message": REFUSED, REPEATED: repeated}
    one = workload("StatefulSet", generation=generation, replicas=0, updatedReplicas=0, readyReplicas=0)
    assert outlook(looked(Snapshot(one), (event,))) == "hopeless"


def test_an_event_that_happens_while_it_is_watched_is_of_now(orchestrator: Kubernetes, cluster: Cluster) -> None:
    placed(cluster, "filesystem")
    workload = cluster.get("StatefulSet", "mcp-filesystem")
    workload["metadata"]["generation"] = 2
    watcher = Watcher(orchestrator._kubectl)
    events = []
    for _ in range(2):
        cluster.controllers.event(workload, "FailedCreate", REFUSED)
        watcher.observe(["mcp-filesystem"])
        events += [each[REPEATED] for found in watcher._events.values() for each in found]
    assert events == [False, True]


def test_the_cause_at_the_end_of_a_long_message_stays() -> None:
    image = f"registry.example.com/mcp/server@sha256:{'0' * 64}"
    said = f'failed to pull and unpack image "{image}": ' * 4 + "x509: certificate signed by unknown authority"
    one = pod("v1", waiting="ErrImagePull")
    one["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = said
    status = looked(Snapshot(workload(readyReplicas=0), (one,))).status
    assert status.reason.endswith("x509: certificate signed by unknown authority")
    assert len(status.reason) < 800
    assert row(status, 0)[-1] == status.reason


def test_a_list_without_versions_shows_the_youngest_image() -> None:
    pods = [pod(version, made=f"2026-01-01T00:00:0{second}Z") for version, second in (("a", 1), ("b", 3), ("c", 2))]
    for one in pods:
        one["spec"]["containers"][0]["image"] = f"image:{one['metadata']['labels']['pod-template-hash']}"
    assert looked(Snapshot(workload(), tuple(pods))).status.image == "image:b"


def test_a_rollout_that_is_paused() -> None:
    paused = workload(spec={"paused": True}, replicas=1, updatedReplicas=0)
    found = looked(Snapshot(paused, (pod("v1"),), (replica_set(1),)))
    assert outlook(found) == "hopeless"
    assert found.status.reason == "its rollout is paused, and no pod is replaced: see `kubectl rollout resume`"
    assert looked(Snapshot(workload(spec={"paused": True}, replicas=1), (pod("v1"),))).status.ready == 1


@pytest.mark.parametrize(
    ("strategy", "updated", "good"),
    [
        ({"type": "RollingUpdate"}, 1, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, 1, 3),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, 0, 2),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 9}}, 0, 3),
        ({"type": "OnDelete"}, 0, 3),
    ],
)
def test_pods_that_are_meant_to_stay_as_they_were_count(strategy: Mapping[str, Any], updated: int, good: int) -> None:
    spec = {"replicas": 3, "updateStrategy": strategy}
    one = workload("StatefulSet", spec=spec, replicas=3, updatedReplicas=updated, readyReplicas=3, updateRevision="v2")
    assert looked(Snapshot(one)).status.ready == good


def _service(selector: Mapping[str, str]) -> Json:
    ports = [{"name": "mcp", "port": 80, "targetPort": "mcp"}]
    return {"kind": "Service", "metadata": {"name": "mcp-a"}, "spec": {"selector": selector, "ports": ports}}


def test_the_newest_version_is_asked() -> None:
    """kubectl takes the pod of a Service that has been ready for longest."""
    service = _service({"mcpctl.io/server": "a"})
    pods = (
        pod("v1", made="2026-01-01T00:00:09Z"),
        pod("v2"),
        pod("v3", deletionTimestamp="2026-01-01T00:00:00Z"),
    )
    seen = Snapshot(workload(), pods, (replica_set(1), replica_set(2)), (service,))
    assert _target(seen) == ("mcp-a-v2", "mcp", "/mcp")
    assert _target(seen._replace(sets=()))[0] == "mcp-a-v1"  # the youngest, where nobody tells versions apart
    states = workload("StatefulSet", updateRevision="v2")
    assert _target(seen._replace(workload=states))[0] == "mcp-a-v2"
    with pytest.raises(ApplyFailed, match="its Service leads to none of its pods"):
        _target(seen._replace(services=(_service({"mcpctl.io/server": "b"}),)))


def test_while_a_new_version_rolls_out_it_is_the_new_one_that_is_asked(
    orchestrator: Kubernetes, cluster: Cluster, kubectl_run: Callable[..., Run]
) -> None:
    placed(cluster, "time")
    ready(cluster, "mcp-time")
    (old,) = cluster.controllers.pods("mcp-time")
    kubectl_run("set", "image", "deployment/mcp-time", "mcp-server=new:1")
    cluster.controllers.run_pods("Deployment", "mcp-time", keep_old=True)
    (new,) = set(cluster.controllers.pods("mcp-time")) - {old}
    cluster.requests.clear()
    orchestrator.reach("mcp-time", lambda url: Handshake("a", "1", ("2025-06-18",), 0))
    asked = [one.path for one in cluster.requests if one.path.startswith("/api/v1/namespaces/mcpctl/pods/")]
    assert asked
    assert all(f"/pods/{new}" in path for path in asked)


def test_a_wait_tells_counts_once(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, clock: Clock, kubectl_run: Callable[..., Run]
) -> None:
    placed(cluster, "time")
    ready(cluster, "mcp-time")
    kubectl_run("set", "image", "deployment/mcp-time", "mcp-server=new:1")
    clock.then = [lambda: ready(cluster, "mcp-time")]
    orchestrator.wait(["mcp-time"], Wait(60, told.append))
    assert told == [
        "mcp-time: 0 of 1 running: its pods are being created or started",
        "mcp-time: 1 of 1 running",
    ]


BROKEN = "error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: it does not answer\n"


def _kubectl(kinds: Done) -> Kubectl:
    views = {"clusters": [{"name": "c", "cluster": {"server": "https://c"}}], "current-context": "c"}

    def run(argv: list[str], *, seconds: float, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
        if "api-resources" in argv:
            return kinds
        if "get" in argv:
            return Done(0, '{"items": []}', "")
        version = {"clientVersion": {"major": "1", "minor": "32"}}
        return Done(0, json.dumps(version if "version" in argv else views), "")

    return Kubectl(KubernetesConfig(), run=run)


def test_a_metrics_server_that_does_not_answer_does_not_stop_a_delete(told: Told) -> None:
    assert of_servers(_kubectl(Done(1, "deployments.apps\npods\n", BROKEN)), ["a"], told.append) == []
    assert told[0] == "warning: objects of these APIs are not removed: metrics.k8s.io/v1beta1: it does not answer"
    for said in (Done(1, "", BROKEN), Done(1, "deployments.apps\n", "error: connection refused")):
        with pytest.raises(ApplyFailed):
            of_servers(_kubectl(said), ["a"], told.append)
