"""What is said of instances: states, reasons in plain words, rollouts, lists by pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from renderer import pipeline
from renderer.command import Done
from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.model import Options
from renderer.orchestrators.contract import InstanceFilters, InstanceState, InstanceStatus, KubernetesConfig, Wait
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.reasons import of_claims, of_pod, of_workload
from renderer.orchestrators.kubernetes.status import PHASES, snapshot, status_of
from renderer.orchestrators.wait import Time
from renderer.registry import target
from tests.cluster import Cluster, quick
from tests.cluster.fixtures import Run
from tests.orchestrators.kubernetes.conftest import OWNED, Clock, Told, orchestrator_of, placed, ready

REASONS = [
    ("Ready", InstanceState.RUNNING, ""),
    ("Running", InstanceState.PENDING, "runs, and does not answer its readiness probe yet (mcp-server)"),
    ("ContainerCreating", InstanceState.PENDING, "its pods are being created or started"),
    ("Succeeded", InstanceState.SUCCEEDED, "its pods are being created or started"),
    ("ImagePullBackOff", InstanceState.PENDING, "cannot be pulled: check its name and tag, and imagePullSecrets"),
    ("ErrImagePull", InstanceState.FAILED, "not found"),
    ("InvalidImageName", InstanceState.FAILED, "is not the name of an image"),
    ("CrashLoopBackOff", InstanceState.FAILED, "ends as soon as it has started (3 restarts); the last time it ended"),
    ("CreateContainerConfigError", InstanceState.PENDING, 'or a key in it, that does not exist: secret "missing" not'),
    ("Unschedulable", InstanceState.PENDING, "cannot be scheduled: 0/3 nodes are available"),
    ("VolumePending", InstanceState.PENDING, "waits for its volume: "),
    ("OOMKilled", InstanceState.FAILED, "took more memory than its limit and was killed (OOMKilled)"),
    ("Failed", InstanceState.FAILED, "ended with exit code 1"),
]


@pytest.fixture
def applied(orchestrator: Kubernetes, cluster: Cluster) -> Kubernetes:
    placed(cluster, "time")
    return orchestrator


@pytest.mark.parametrize(("state", "expected", "reason"), REASONS, ids=[row[0] for row in REASONS])
def test_a_state_of_a_pod_in_plain_words(
    applied: Kubernetes, cluster: Cluster, state: str, expected: InstanceState, reason: str
) -> None:
    ready(cluster, "mcp-time", state)
    status = applied.get_status("mcp-time")
    assert status.state is expected
    assert reason in status.reason
    assert bool(status.reason) == bool(reason)
    assert (status.id, status.server, status.where) == ("mcp-time", "time", "mcpctl")
    assert (status.desired, status.ready) == (1, int(state == "Ready"))
    assert status.image == "registry.example.com/mcp/time:2026.10.19"
    assert status.endpoint == "http://mcp-time.mcpctl.svc:8080/mcp"


def test_what_the_guard_must_answer_is_what_was_rendered(applied: Kubernetes, cluster: Cluster) -> None:
    ready(cluster, "mcp-time")
    assert applied.get_status("mcp-time").guard is None
    service = cluster.get("Service", "mcp-time")
    cluster.controllers.remove("Service", "mcp-time")
    note = '{"resource": "https://mcp.example.com/mcp", "scope": "", "issuers": {"https://i.example": ["x"]}}'
    service["metadata"] = {
        **{key: service["metadata"][key] for key in ("name", "namespace", "labels")},
        "annotations": {"mcpctl.io/access": note},
    }
    cluster.add(service)
    (listed,) = applied.list_instances(InstanceFilters()).instances
    for status in (applied.get_status("mcp-time"), listed):
        assert status.guard
        assert status.guard.issuers == {"https://i.example": ("x",)}


def test_every_phase_has_a_state() -> None:
    assert set(PHASES) == {"Pending", "Running", "Succeeded", "Failed"}


def test_a_crash_loop_shows_the_last_lines(applied: Kubernetes, cluster: Cluster) -> None:
    ready(cluster, "mcp-time", "CrashLoopBackOff")
    (pod,) = cluster.controllers.pods("mcp-time")
    cluster.log(pod, "old", *[f"line {n}" for n in range(5)], "Traceback: \x1b[31mno\x1b[0m token", previous=True)
    reason = applied.get_status("mcp-time").reason
    assert reason.endswith("its last lines: line 1 | line 2 | line 3 | line 4 | Traceback: \\x1b[31mno\\x1b[0m token")


@pytest.mark.parametrize(
    ("kind", "name", "example"), [("Deployment", "mcp-time", "time"), ("StatefulSet", "mcp-filesystem", "filesystem")]
)
def test_pods_that_cannot_be_made(
    orchestrator: Kubernetes, cluster: Cluster, kind: str, name: str, example: str
) -> None:
    placed(cluster, example)
    cluster.controllers.refuse_pods(kind, name, "quota")
    quota = orchestrator.get_status(name)
    assert quota.state is InstanceState.PENDING
    assert "the quota of the namespace allows no more pods" in quota.reason
    assert "limits.memory=1Gi" in quota.reason


def test_pod_security_refuses_for_good(applied: Kubernetes, cluster: Cluster, told: Told) -> None:
    cluster.controllers.refuse_pods("Deployment", "mcp-time", "pod-security")
    status = applied.get_status("mcp-time")
    assert status.state is InstanceState.FAILED
    assert "Pod Security of the namespace refuses the pod" in status.reason
    with pytest.raises(ApplyFailed, match="mcp-time will not start: Pod Security"):
        applied.wait(["mcp-time"], Wait(300, told.append))


def test_a_probe_that_fails_is_told_by_its_event(applied: Kubernetes, cluster: Cluster) -> None:
    ready(cluster, "mcp-time", "Running")
    (pod,) = cluster.controllers.pods("mcp-time")
    cluster.controllers.event(cluster.get("Pod", pod), "Unhealthy", "Readiness probe failed: HTTP 503")
    assert applied.get_status("mcp-time").reason == "does not answer its probe: Readiness probe failed: HTTP 503"
    cluster.faults.add("forbidden", resource="events")
    assert applied.get_status("mcp-time").reason.startswith("runs, and does not answer")


def test_a_volume_that_nobody_provides() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}
    found = of_claims([claim])
    assert found
    assert found.text == "the volume data of the StorageClass fast is pending"
    assert of_claims([{**claim, "status": {"phase": "Bound"}}]) is None


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "has failed: Evicted: low on memory"),
        ({"phase": "Unknown"}, "its node does not answer"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            },
            "waits at a scheduling gate: ",
        ),
        (
            {"initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 127}}}]},
            "i ended with exit code 127, its program was not found",
        ),
        (
            {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "Novel", "message": "\x1b]0;x"}}}]},
            "c does not start (Novel): \\x1b]0;x",
        ),
    ],
)
def test_rarer_states_of_pods(status: dict[str, object], text: str) -> None:
    found = of_pod({"metadata": {"name": "p", "ownerReferences": [{"kind": "ReplicaSet"}]}, "status": status})
    assert found
    assert (found.text, found.outlook) == (text, "elsewhere" if "gate" in text else "starts")


def test_nothing_makes_a_single_pod_again() -> None:
    found = of_pod({"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "Evicted"}})
    assert found
    assert found.text == "has failed, and nothing makes a single Pod again: apply it: Evicted"
    assert found.hopeless


@pytest.mark.parametrize(
    ("said", "text", "outlook"),
    [
        ('secret "x" not found', "c needs a Secret or ConfigMap", "elsewhere"),
        ("couldn't find key k in ConfigMap ns/x", "c needs a Secret or ConfigMap", "elsewhere"),
        ("container has runAsNonRoot and image will run as root", "c would run as root", "hopeless"),
        ("container has runAsNonRoot and image has non-numeric user (node)", "set spec.security.runAsUser", "hopeless"),
        ("failed to prepare subPath", "c cannot be created with this configuration: failed to", "starts"),
    ],
)
def test_the_kubelet_has_one_reason_for_all_that_a_container_needs(said: str, text: str, outlook: str) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": said}
    found = of_pod({"metadata": {}, "status": {"containerStatuses": [{"name": "c", "state": {"waiting": waiting}}]}})
    assert found
    assert (text in found.text, found.outlook) == (True, outlook)


def test_objects_with_nothing_in_them_are_no_defect() -> None:
    assert of_pod({}) is None
    assert of_workload({}) is None
    assert of_pod({"status": None, "metadata": {}}) is None


def test_a_rollout_counts_only_pods_of_the_newest_version(
    applied: Kubernetes, cluster: Cluster, told: Told, clock: Clock, kubectl_run: Callable[..., Run]
) -> None:
    ready(cluster, "mcp-time")
    kubectl_run("set", "image", "deployment/mcp-time", "mcp-server=new:1")
    assert applied.get_status("mcp-time").ready == 0
    cluster.controllers.run_pods("Deployment", "mcp-time", state="ImagePullBackOff", keep_old=True)
    status = applied.get_status("mcp-time")
    assert (status.state, status.ready) == (InstanceState.RUNNING, 0)
    assert status.reason.startswith("the image new:1 cannot be pulled")
    clock.then = [lambda: None, lambda: ready(cluster, "mcp-time")]
    (last,) = applied.wait(["mcp-time"], Wait(60, told.append))
    assert (last.ready, last.image) == (1, "new:1")
    assert [line.partition(":")[2][:15] for line in told] == [" 0 of 1 running", " 1 of 1 running"]


def test_a_wait_ends_with_what_is_missing(applied: Kubernetes, cluster: Cluster, told: Told, clock: Clock) -> None:
    ready(cluster, "mcp-time", "Unschedulable")
    with pytest.raises(WaitTimedOut, match="not ready after 20 s: mcp-time: 0 of 1 running: cannot be scheduled"):
        applied.wait(["mcp-time"], Wait(20, told.append))
    assert clock.now == pytest.approx(20, abs=0.1)


def test_a_deadline_of_the_rollout_ends_the_wait(applied: Kubernetes, cluster: Cluster, told: Told) -> None:
    ready(cluster, "mcp-time", "Running")
    cluster.controllers.refresh("Deployment", "mcp-time", deadline=True)
    with pytest.raises(ApplyFailed, match="will not start"):
        applied.wait(["mcp-time"], Wait(20, told.append))


def test_a_cluster_that_is_away_for_a_moment_does_not_end_the_wait(
    applied: Kubernetes, cluster: Cluster, told: Told, clock: Clock
) -> None:
    ready(cluster, "mcp-time")
    cluster.stop()
    clock.then = [cluster.start]
    assert applied.wait(["mcp-time"], Wait(20, told.append))[0].ready == 1


def test_a_wait_that_may_not_look_ends_at_once(applied: Kubernetes, cluster: Cluster, told: Told, clock: Clock) -> None:
    cluster.faults.add("forbidden", resource="pods")
    with pytest.raises(ApplyFailed, match="ask for the right"):
        applied.wait(["mcp-time"], Wait(20, told.append))
    assert clock.now == 0


def _deployments(cluster: Cluster, count: int) -> None:
    for number in range(count):
        name = f"mcp-s{number:03}"
        labels = {"mcpctl.io/managed": "true", "mcpctl.io/server": f"s{number:03}", "app.kubernetes.io/name": name}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "mcp-server", "image": "i:1"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
        meta = {"name": name, "labels": {**labels, "team": "even" if number % 2 == 0 else "odd"}}
        cluster.add({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}, "mcpctl")
        cluster.controllers.run_pods("Deployment", name, state="Ready" if number != 3 else "ImagePullBackOff")


def _pod(cluster: Cluster) -> None:
    labels = {"mcpctl.io/managed": "true", "mcpctl.io/server": "alone", "app.kubernetes.io/name": "mcp-alone"}
    spec = {"containers": [{"name": "mcp-server", "image": "i:1"}]}
    meta = {"name": "mcp-alone", "labels": labels}
    cluster.add({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, "mcpctl")


def _all(orchestrator: Kubernetes, filters: InstanceFilters, size: int) -> list[list[str]]:
    pages, page = [], ""
    while True:
        found = orchestrator.list_instances(filters, page, size)
        pages.append([one.id for one in found.instances])
        page = found.next
        if not page:
            return pages


def test_a_list_goes_page_by_page(orchestrator: Kubernetes, cluster: Cluster) -> None:
    _deployments(cluster, 70)
    placed(cluster, "filesystem")
    _pod(cluster)
    pages = _all(orchestrator, InstanceFilters(), 25)
    names = [name for page in pages for name in page]
    assert names == [*(f"mcp-s{n:03}" for n in range(70)), "mcp-filesystem", "mcp-alone"]
    assert [len(page) for page in pages][:4] == [25, 25, 20, 1]
    (filesystem,) = orchestrator.list_instances(InstanceFilters(servers=("filesystem",)), "statefulsets:").instances
    assert filesystem.endpoint == "http://mcp-filesystem.mcpctl.svc:8080/mcp"
    # No request asks for more than is shown, or for more pods than are kept at once.
    assert {int(request.query["limit"]) for request in cluster.sent("GET") if "limit" in request.query} <= {25, 500}


def test_filters_of_a_list(orchestrator: Kubernetes, cluster: Cluster) -> None:
    _deployments(cluster, 5)
    assert _all(orchestrator, InstanceFilters(servers=("s001", "s004")), 10)[0] == ["mcp-s001", "mcp-s004"]
    assert _all(orchestrator, InstanceFilters(labels={"team": "odd"}), 10)[0] == ["mcp-s001", "mcp-s003"]
    assert _all(orchestrator, InstanceFilters(states=(InstanceState.PENDING,)), 10)[0] == ["mcp-s003"]
    (one,) = orchestrator.list_instances(InstanceFilters(servers=("s003",))).instances
    assert "cannot be pulled" in one.reason


@pytest.mark.parametrize("page", ["nonsense", "secrets:x", "deployments:***"])
def test_a_page_that_nobody_gave(orchestrator: Kubernetes, page: str) -> None:
    with pytest.raises(ApplyFailed, match=r"list again|the API server rejects|continue key"):
        orchestrator.list_instances(InstanceFilters(), page)


def test_twenty_servers_cost_as_few_processes_as_one(
    connected: None, cluster: Cluster, kubeconfig: Path, clock: Clock, told: Told
) -> None:
    started: list[list[str]] = []

    def run(argv: Sequence[str], **options: Any) -> Done:
        started.append(list(argv))
        return quick.run(argv, **options)

    form = "apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata: {{name: s{0}}}\nspec: {{image: x:1, {1}}}\n"
    text = "---\n".join(form.format(n, "transport: {type: streamable-http, port: 8080}") for n in range(20))
    specs = pipeline.read(["-"], BytesIO(text.encode()))
    documents = pipeline.render(specs, target("kubernetes"), Options("mcpctl", "1.35")).documents
    kubectl = Kubectl(KubernetesConfig("mcpctl", str(kubeconfig)), run=run)
    orchestrator = Kubernetes(kubectl, waits=Time(clock, clock.sleep))
    assert not orchestrator.apply(documents, OWNED, told.append, told.confirm).failed
    ids = [server.resource_name for server in specs.servers]

    def all_ready() -> None:
        for name in ids:
            ready(cluster, name)

    clock.then = [lambda: None, lambda: None, all_ready]
    assert len(orchestrator.wait(ids, Wait(60, told.append))) == 20
    assert len(started) <= 12, started


def test_a_namespace_that_does_not_exist_is_told(
    connected: None, cluster: Cluster, kubeconfig: Path, clock: Clock
) -> None:
    with pytest.raises(ApplyFailed, match="the namespace other does not exist in test; check --namespace"):
        orchestrator_of(kubeconfig, clock, namespace="other").list_instances(InstanceFilters())
    assert not orchestrator_of(kubeconfig, clock).list_instances(InstanceFilters()).instances
    # Who may not read namespaces gets the empty list.
    cluster.faults.add("forbidden", verb="get", resource="namespaces")
    assert not orchestrator_of(kubeconfig, clock, namespace="other").list_instances(InstanceFilters()).instances


def test_what_the_kubelet_says_of_a_lost_log_is_not_the_servers(applied: Kubernetes, cluster: Cluster) -> None:
    ready(cluster, "mcp-time", "CrashLoopBackOff")
    (pod,) = cluster.controllers.pods("mcp-time")
    cluster.log(pod, "unable to retrieve container logs for containerd://1234", previous=True)
    assert applied.get_status("mcp-time").reason.endswith("; the kubelet has no log of it")


def test_an_autoscaled_server_has_arrived_with_its_minimum() -> None:
    labels = {"app.kubernetes.io/name": "a", "mcpctl.io/server": "a"}
    workload = {
        "kind": "Deployment",
        "metadata": {"name": "a", "labels": labels},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": 1, "replicas": 1, "updatedReplicas": 1},
    }
    autoscaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": {"minReplicas": 3}}
    seen = snapshot([workload, autoscaler])
    assert seen
    status = status_of(seen, {}, (), "mcpctl").status
    assert (status.ready, status.desired) == (1, 3)
    stopped = snapshot([workload | {"spec": {"replicas": 0}}, autoscaler])
    assert stopped
    assert stopped.desired == 0


def test_the_image_is_that_of_the_newest_pod(
    applied: Kubernetes, cluster: Cluster, kubectl_run: Callable[..., Run]
) -> None:
    ready(cluster, "mcp-time")
    kubectl_run("set", "image", "deployment/mcp-time", "mcp-server=new:1")
    for state in ("Running", "Ready"):
        cluster.controllers.run_pods("Deployment", "mcp-time", state=state, keep_old=True)
        assert applied.get_status("mcp-time").image == "new:1"


ELSEWHERE = b"""
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: far}
spec:
  namespace: data
  image: registry.example.com/mcp/far:1.0
  transport: {type: streamable-http, port: 8080}
  sandbox: {namespace: far-sandbox}
"""


@pytest.fixture
def far(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> Kubernetes:
    """A server in the run's namespace, and one in another."""
    cluster.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}})
    placed(cluster, "time")
    output = pipeline.render(pipeline.read(["-"], BytesIO(ELSEWHERE)), target("kubernetes"), Options("mcpctl", "1.35"))
    applied = orchestrator.apply(output.documents, OWNED._replace(namespaces=("data",)), told.append, told.confirm)
    assert not applied.failed, applied
    assert "and into namespaces data, far-sandbox" in told[0]
    return orchestrator


def every(orchestrator: Kubernetes, **filters: Any) -> list[InstanceStatus]:
    found, page = list[InstanceStatus](), ""
    while True:
        instances, page = orchestrator.list_instances(InstanceFilters(**filters), page)
        found += instances
        if not page:
            return found


def test_a_server_in_another_namespace_is_waited_for_listed_and_restarted_from_here(
    far: Kubernetes, cluster: Cluster, kubeconfig: Path, clock: Clock
) -> None:
    ready(cluster, "mcp-time")
    cluster.controllers.run_pods("Deployment", "mcp-far", namespace="data")
    statuses = far.wait(["mcp-time", "data/mcp-far"], Wait(30.0, lambda _: None, None, fail_fast=False))
    assert [(s.id, s.where, s.state) for s in statuses] == [
        ("mcp-time", "mcpctl", InstanceState.RUNNING),
        ("data/mcp-far", "data", InstanceState.RUNNING),
    ]
    assert statuses[1].endpoint == "http://mcp-far.data.svc:8080/mcp"
    listed = every(far)
    assert [(s.id, s.where) for s in listed] == [("mcp-time", "mcpctl"), ("data/mcp-far", "data")]
    assert [s.id for s in every(far, servers=("far",))] == ["data/mcp-far"]
    there = orchestrator_of(kubeconfig, clock, namespace="data")
    assert [s.id for s in every(there)] == ["mcp-far"]
    far.restart_server("data/mcp-far")
    template = cluster.get("Deployment", "mcp-far", "data")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


@pytest.mark.parametrize("namespace", ["mcpctl", "data"])
def test_it_is_deleted_with_its_sandbox_from_either(
    far: Kubernetes, cluster: Cluster, told: Told, kubeconfig: Path, clock: Clock, namespace: str
) -> None:
    there = orchestrator_of(kubeconfig, clock, namespace=namespace)
    assert not there.delete(["far"], data=True, tell=told.append, confirm=lambda _, __: True).failed
    assert "mcp-far" not in cluster.names("Deployment", "data")
    assert not cluster.names("NetworkPolicy", "far-sandbox")
    assert "data" in cluster.names("Namespace")
    assert cluster.get("Deployment", "mcp-time")


def test_what_moved_home_is_pruned_there(far: Kubernetes, cluster: Cluster, told: Told) -> None:
    text = ELSEWHERE.replace(b"  namespace: data\n", b"")
    output = pipeline.render(pipeline.read(["-"], BytesIO(text)), target("kubernetes"), Options("mcpctl", "1.35"))
    applied = far.apply(output.documents, OWNED._replace(prune=True), told.append, lambda _, __: True)
    assert not applied.failed, applied
    assert "mcp-far" in cluster.names("Deployment")
    assert not cluster.names("Deployment", "data")
