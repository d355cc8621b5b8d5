"""What is ours and only that: prune, delete, stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.contract import ApplyOptions, InstanceState
from renderer.orchestrators.kubernetes import Kubernetes
from tests.cluster import Cluster
from tests.orchestrators.kubernetes.conftest import (
    OWNED,
    Clock,
    Told,
    orchestrator_of,
    placed,
    ready,
    rendered,
)

PRUNE = OWNED._replace(prune=True)
TIME = ["Deployment mcp-time", "Service mcp-time", "NetworkPolicy mcp-time-netpol", "ServiceAccount mcp-time"]


@pytest.fixture
def both(orchestrator: Kubernetes, cluster: Cluster) -> Kubernetes:
    """time and fetch are applied."""
    placed(cluster, "time", "fetch")
    return orchestrator


def test_prune_shows_asks_and_removes_what_is_no_longer_rendered(
    both: Kubernetes, cluster: Cluster, told: Told
) -> None:
    applied = both.apply(rendered("fetch"), PRUNE, told.append, told.confirm)
    assert told.questions == [(TIME, False)]
    assert [change.subject for change in applied.changes if change.outcome == "removed"] == TIME
    assert cluster.names("Deployment") == ["mcp-fetch"]
    assert cluster.names("NetworkPolicy") == ["mcp-fetch-netpol"]


def test_without_an_answer_nothing_is_removed(both: Kubernetes, cluster: Cluster, told: Told) -> None:
    told.answer = False
    applied = both.apply(rendered("fetch"), PRUNE, told.append, told.confirm)
    assert [change.message for change in applied.changes[-4:]] == ["kept: not confirmed"] * 4
    assert not applied.failed
    assert not cluster.sent("DELETE")


def test_a_dry_run_only_says_what_would_be_removed(both: Kubernetes, cluster: Cluster, told: Told) -> None:
    applied = both.apply(rendered("fetch"), PRUNE._replace(dry_run="server"), told.append, told.confirm)
    assert [change.message for change in applied.changes[-4:]] == ["dry run: would be removed"] * 4
    assert not told.questions
    assert not cluster.sent("DELETE")


def test_what_is_not_ours_is_never_pruned(both: Kubernetes, cluster: Cluster, told: Told) -> None:
    ours = {"mcpctl.io/managed": "true", "mcpctl.io/owner": "tree-a", "mcpctl.io/home": "mcpctl"}
    for name, labels in {
        "by-hand": {},
        "no-owner": {"mcpctl.io/managed": "true"},
        "other-owner": {**ours, "mcpctl.io/owner": "tree-b"},
        "other-home": {**ours, "mcpctl.io/home": "staging"},
        "not-managed": {**ours, "mcpctl.io/managed": "false"},
        "stale": ours,
    }.items():
        meta = {"name": name, "labels": labels}
        cluster.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}, "mcpctl")
    both.apply(rendered("time", "fetch"), PRUNE, told.append, told.confirm)
    assert told.questions == [(["ConfigMap stale"], False)]
    assert cluster.names("ConfigMap", "mcpctl") == ["by-hand", "no-owner", "not-managed", "other-home", "other-owner"]


def test_a_selector_that_the_server_ignores_removes_nothing_of_others(
    both: Kubernetes, cluster: Cluster, told: Told
) -> None:
    other = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}})
    cluster.faults.add("answer", other, verb="list", resource="configmaps")
    applied = both.apply(rendered("time", "fetch"), PRUNE, told.append, told.confirm)
    assert not told.questions
    assert not applied.failed


def test_delete_in_a_namespace_that_is_not_there(connected: None, kubeconfig: Path, clock: Clock, told: Told) -> None:
    away = orchestrator_of(kubeconfig, clock, namespace="away")
    with pytest.raises(ApplyFailed, match="the namespace away does not exist in test"):
        away.delete(["time"], data=False, tell=told.append, confirm=told.confirm)


def test_pruning_needs_an_owner(both: Kubernetes, told: Told) -> None:
    with pytest.raises(ApplyFailed, match="--prune needs --owner"):
        both.apply(rendered("time"), ApplyOptions("", prune=True), told.append, told.confirm)


def test_namespaces_and_volumes_are_asked_for_separately(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    placed(cluster, "boxed", "memory")
    for name in ("theirs", "kube-root-ca.crt"):
        cluster.create("v1", "ConfigMap", name, namespace="mcp-sandboxes")
    applied = orchestrator.apply(rendered("time"), PRUNE, told.append, told.confirm)
    assert not applied.failed
    assert [precious for _, precious in told.questions] == [False, True, True]
    assert told.questions[1][0] == ["PersistentVolumeClaim mcp-memory-data with its data"]
    holds = "holds 1 objects of others (configmap/theirs)"
    assert told.questions[2][0] == [f"Namespace mcp-sandboxes with everything in it; {holds}"]
    assert not any("mcp-sandboxes with" in what or "PersistentVolumeClaim" in what for what in told.questions[0][0])
    assert cluster.names("Namespace") == ["default", "kube-system", "mcpctl"]


def test_one_that_came_after_it_was_shown_stays(both: Kubernetes, cluster: Cluster, told: Told) -> None:
    def confirm(what: object, precious: bool) -> bool:
        cluster.controllers.remove("ServiceAccount", "mcp-time")
        cluster.create("v1", "ServiceAccount", "mcp-time")
        return True

    applied = both.apply(rendered("fetch"), PRUNE, told.append, confirm)
    assert applied.changes[-1].outcome == "failed"
    assert "it was changed at the same time" in applied.changes[-1].message
    assert "mcp-time" in cluster.names("ServiceAccount", "mcpctl")


def test_who_may_not_list_is_told_and_removes_less(both: Kubernetes, cluster: Cluster, told: Told) -> None:
    cluster.faults.add("forbidden", verb="list", resource="deployments*")
    cluster.faults.add("forbidden", verb="list", resource="services", namespace="")
    applied = both.apply(rendered("fetch"), PRUNE, told.append, told.confirm)
    assert "may not list Deployment: none of them is removed" in told
    assert "may not list Service of all namespaces: searched mcpctl only" in told
    assert [change.subject for change in applied.changes if change.outcome == "removed"] == TIME[1:]


def test_what_a_finalizer_holds_is_told_and_not_waited_for_for_ever(
    both: Kubernetes, cluster: Cluster, told: Told, clock: Clock
) -> None:
    cluster.controllers.hold("Service", "mcp-time")
    clock.step = 100
    applied = both.apply(rendered("fetch"), PRUNE, told.append, told.confirm)
    failed = [change for change in applied.changes if change.outcome == "failed"]
    assert [change.message for change in failed] == ["is being removed and not gone in time: held by test/held"]
    assert clock.now >= OWNED.seconds


def test_delete_leaves_nothing_of_a_server_and_everything_of_others(
    both: Kubernetes, cluster: Cluster, told: Told
) -> None:
    applied = both.delete(["time", "nobody"], data=False, tell=told.append, confirm=told.confirm)
    assert told.questions == [(TIME, False)]
    assert [change.outcome for change in applied.changes] == ["removed"] * 4
    assert told[0].startswith("from context test, ")
    assert "mcpctl manages nothing of nobody" in told
    assert cluster.names("ServiceAccount", "mcpctl") == ["default", "mcp-fetch"]


def test_delete_keeps_volumes_until_told_otherwise(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    placed(cluster, "memory")
    applied = orchestrator.delete(["memory"], data=False, tell=told.append, confirm=told.confirm)
    assert applied.changes[-1] == ("PersistentVolumeClaim mcp-memory-data", "unchanged", "kept, with its data")
    assert cluster.names("PersistentVolumeClaim") == ["mcp-memory-data"]
    told.questions.clear()
    orchestrator.delete(["memory"], data=True, tell=told.append, confirm=told.confirm)
    assert told.questions == [(["PersistentVolumeClaim mcp-memory-data with its data"], True)]
    assert not cluster.names("PersistentVolumeClaim")


def test_delete_takes_what_the_same_home_made_elsewhere(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, kubeconfig: Path, clock: Clock
) -> None:
    placed(cluster, "boxed")
    cluster.create("v1", "Namespace", "staging")
    other = orchestrator_of(kubeconfig, clock, namespace="staging")
    assert not other.delete(["boxed"], data=True, tell=told.append, confirm=told.confirm).changes
    orchestrator.delete(["boxed"], data=False, tell=told.append, confirm=told.confirm)
    assert not cluster.names("ClusterRole")
    assert "mcp-sandboxes" not in cluster.names("Namespace")


@pytest.mark.parametrize("name", ["-x", "a b", "a,b", "A", "", "a=b", "x\n"])
def test_a_hostile_name_reaches_no_argument_list(orchestrator: Kubernetes, told: Told, name: str) -> None:
    with pytest.raises(ApplyFailed, match="is not a name in Kubernetes"):
        orchestrator.delete([name], data=False, tell=told.append, confirm=told.confirm)
    with pytest.raises(ApplyFailed, match="is not a name in Kubernetes"):
        orchestrator.get_status(name)


def test_stop_scales_to_nothing_waits_and_apply_starts_it_again(
    both: Kubernetes, cluster: Cluster, told: Told, clock: Clock
) -> None:
    both.apply(rendered("time"), OWNED, told.append, told.confirm)
    ready(cluster, "mcp-time")
    clock.then.append(lambda: ready(cluster, "mcp-time"))
    both.stop_server("mcp-time")
    assert clock.now > 0
    assert both.get_status("mcp-time").state is InstanceState.STOPPED
    # Its own manager stands in the way of nobody's field but ours.
    applied = both.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert [change.outcome for change in applied.changes] == ["unchanged"] * 4 + ["changed"]
    assert cluster.get("Deployment", "mcp-time")["spec"]["replicas"] == 1


def test_what_an_autoscaler_scales_is_started_again_with_its_least(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    cluster.define_custom_kinds()
    placed(cluster, "panda")
    orchestrator.stop_server("ethpandaops-mcp")
    applied = orchestrator.apply(rendered("panda"), OWNED, told.append, told.confirm)
    assert applied.changes[-1].message == "started again with 3 pods"
    assert cluster.get("Deployment", "ethpandaops-mcp")["spec"]["replicas"] == 3


def test_a_pod_is_stopped_by_removing_it(orchestrator: Kubernetes, cluster: Cluster) -> None:
    labels = {"mcpctl.io/managed": "true", "app.kubernetes.io/name": "mcp-alone"}
    spec = {"containers": [{"name": "mcp-server", "image": "i:1"}]}
    meta = {"name": "mcp-alone", "labels": labels}
    cluster.add({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, "mcpctl")
    orchestrator.stop_server("mcp-alone")
    assert not cluster.names("Pod")


def test_pods_that_do_not_end_end_the_wait(both: Kubernetes, cluster: Cluster, clock: Clock) -> None:
    ready(cluster, "mcp-time")
    clock.step = 30
    with pytest.raises(WaitTimedOut, match="have not ended in time"):
        both.stop_server("mcp-time")
    assert clock.now >= 60


def test_there_is_nothing_to_stop(both: Kubernetes) -> None:
    with pytest.raises(ApplyFailed, match=r"no server runs as mcp-none \(context test, .*namespace mcpctl\)"):
        both.stop_server("mcp-none")
