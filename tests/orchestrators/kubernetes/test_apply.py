"""Applying to a cluster: order, outcomes, conflicts, faults in the middle, whose the objects are."""

from __future__ import annotations

import copy
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from renderer.command import Done
from renderer.errors import ApplyFailed
from renderer.kinds import KINDS
from renderer.orchestrators.contract import OWNER_LABEL, Applied, ApplyOptions, owner_value
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.apply import Application
from renderer.orchestrators.kubernetes.failures import Conflict, conflicts
from renderer.orchestrators.kubernetes.objects import (
    CREATED,
    HOME_LABEL,
    REPLICAS,
    objects,
    stamped,
)
from renderer.targets.kubernetes.objects import OBJECTS
from tests.cluster import Cluster
from tests.orchestrators.kubernetes.conftest import NOW, OWNED, Clock, Told, orchestrator_of, rendered, server


def outcomes(applied: Applied) -> list[str]:
    return [change.outcome for change in applied.changes]


def test_all_that_is_rendered_has_a_place_in_the_order() -> None:
    assert {kind.kind for kind in OBJECTS} <= KINDS.keys()


def test_namespaces_come_first_and_users_of_definitions_last() -> None:
    kinds = [one.kind for one in objects(rendered("panda", "time"), "mcpctl")]
    assert kinds[:2] == ["Namespace", "Namespace"]
    assert kinds[-2:] == ["ServiceMonitor", "PrometheusRule"]
    workload = kinds.index("Deployment")
    before = {"ServiceAccount", "Role", "ConfigMap", "NetworkPolicy", "ResourceQuota", "Service"}
    assert all(workload > place for place, kind in enumerate(kinds) if kind in before)
    assert workload < kinds.index("HorizontalPodAutoscaler")


def test_what_is_applied_is_what_was_checked_but_for_the_stamps() -> None:
    for one in objects(rendered("panda", "everything", "filesystem"), "mcpctl", ["search", "shop"]):
        data = copy.deepcopy(stamped(one, None, "tree-a", "mcpctl", NOW))
        for key in (OWNER_LABEL, HOME_LABEL):
            data["metadata"].get("labels", {}).pop(key, None)
        notes = data["metadata"].get("annotations", {})
        for key in (CREATED,):
            notes.pop(key, None)
        if not notes and "annotations" not in one.data["metadata"]:
            data["metadata"].pop("annotations", None)
        assert data == one.data


def test_a_defect_in_the_middle_says_what_was_applied(
    orchestrator: Kubernetes, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = Application._apply_stage

    def broken(self: Application, stage: Any) -> Any:
        if any(each.kind == "Deployment" for each in stage):
            raise TypeError("a defect")
        return stages(self, stage)

    monkeypatch.setattr(Application, "_apply_stage", broken)
    with pytest.raises(TypeError) as caught:
        orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    (note,) = caught.value.__notes__
    assert re.match(r"3 of \d objects were applied \(", note)
    assert "ServiceAccount mcp-time" in note
    assert "Deployment" not in note
    assert note.endswith("; run the command again to continue")


def test_a_second_apply_changes_nothing(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    documents = rendered("time")
    first = orchestrator.apply(documents, OWNED, told.append, told.confirm)
    assert outcomes(first) == ["unchanged", *["created"] * 4]
    assert first.changes[0].message.startswith("was there before: used as it is, and never changed or deleted")
    assert told[0].startswith("5 objects to context test, cluster test (http://127.0.0.1:")
    assert told[0].endswith(", namespace mcpctl; 1 of them for the whole cluster")
    before = cluster.get("Deployment", "mcp-time")
    assert outcomes(orchestrator.apply(documents, OWNED, told.append, told.confirm)) == ["unchanged"] * 5
    assert cluster.get("Deployment", "mcp-time") == before
    assert not told.questions


def test_the_first_time_stays_and_says_whose_it_is(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, kubeconfig: Path, clock: Clock
) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    later = orchestrator_of(kubeconfig, clock, now="2030-01-01T00:00:00Z")
    assert set(outcomes(later.apply(rendered("time"), OWNED, told.append, told.confirm))) == {"unchanged"}
    meta = cluster.get("Deployment", "mcp-time")["metadata"]
    assert meta["annotations"][CREATED] == NOW
    assert (meta["labels"][OWNER_LABEL], meta["labels"][HOME_LABEL]) == ("tree-a", "mcpctl")
    # The pods are not: a stamp would restart them.
    assert "tree-a" not in json.dumps(cluster.get("Deployment", "mcp-time")["spec"])


def test_a_shared_namespace_is_nobodys(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert OWNER_LABEL not in cluster.get("Namespace", "mcpctl")["metadata"]["labels"]


def test_it_is_a_server_side_apply_in_our_name_with_documents_on_stdin(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    sent = cluster.sent("PATCH", "/deployments/mcp-time")
    assert [request.query["fieldManager"] for request in sent] == ["mcpctl"]
    assert sent[0].query.get("force", "false") == "false"


def test_start_makes_one_server_and_keeps_its_owner(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    assert orchestrator.start_server(server("time"), {}) == "mcp-time"
    meta = cluster.get("Deployment", "mcp-time")["metadata"]
    assert OWNER_LABEL not in meta["labels"]
    assert meta["annotations"][CREATED] == NOW
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    orchestrator.start_server(server("time"), {})
    assert cluster.get("Deployment", "mcp-time")["metadata"]["labels"][OWNER_LABEL] == "tree-a"


def test_a_conflict_names_fields_and_managers_and_is_never_forced(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, kubectl_run: object
) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert callable(kubectl_run)
    kubectl_run("scale", "deployment/mcp-time", "--replicas=3")
    applied = orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert outcomes(applied) == ["unchanged"] * 4 + ["failed"]
    message = applied.changes[-1].message
    assert "1 conflict: .spec.replicas is managed by 'kubectl'" in message
    assert "--force-conflicts" in message
    assert cluster.get("Deployment", "mcp-time")["spec"]["replicas"] == 3
    forced = orchestrator.apply(rendered("time"), OWNED._replace(force_conflicts=True), told.append, told.confirm)
    assert outcomes(forced)[-1] == "changed"
    assert cluster.get("Deployment", "mcp-time")["spec"]["replicas"] == 1


def test_conflicts_of_several_managers_are_read() -> None:
    said = (
        'Apply failed with 3 conflicts: conflicts with "a" using apps/v1 at 2026-01-01T00:00:00Z:\n- .spec.replicas\n'
        '- .spec.paused\nconflicts with "b" with subresource "scale" using apps/v1:\n- .spec.x'
    )
    assert conflicts(said) == [
        Conflict(".spec.replicas", "a"),
        Conflict(".spec.paused", "a"),
        Conflict(".spec.x", "b", True),
    ]


def test_a_failure_in_the_middle_says_what_stands_and_a_second_run_repairs(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    cluster.faults.add("broken", verb="apply", resource="services")
    applied = orchestrator.apply(rendered("time"), OWNED._replace(prune=True), told.append, told.confirm)
    assert outcomes(applied) == ["unchanged", "created", "created", "failed", "not tried"]
    assert "applying Service mcp-time" in applied.changes[3].message
    assert told[-2:] == ["4/5 Service mcp-time: failed", "5/5 Deployment mcp-time: not tried"]
    assert not told.questions
    cluster.faults.clear()
    again = orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert outcomes(again) == ["unchanged"] * 3 + ["created"] * 2


def test_a_cluster_that_dies_in_the_middle(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    cluster.faults.add("stop", verb="apply", resource="networkpolicies*")
    applied = orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert outcomes(applied)[0] == "unchanged"
    assert outcomes(applied)[2:] == ["failed", "not tried", "not tried"]
    cluster.faults.clear()
    cluster.start()
    assert not orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm).failed


def test_a_restart_rolls_out_the_same_version(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    before = cluster.get("Deployment", "mcp-time")
    orchestrator.restart_server("mcp-time")
    after = cluster.get("Deployment", "mcp-time")
    assert after["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
    assert after["metadata"]["generation"] > before["metadata"]["generation"]
    # The stamp is nobody's to remove, and no conflict.
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert cluster.get("Deployment", "mcp-time")["spec"] == after["spec"]


def test_what_does_not_run_is_not_restarted(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    orchestrator.apply(rendered("time", "sample-pod"), OWNED, told.append, told.confirm)
    with pytest.raises(ApplyFailed, match="is a single Pod, which cannot be restarted in place"):
        orchestrator.restart_server("mcp-sample-pod")
    orchestrator.stop_server("mcp-time")
    with pytest.raises(ApplyFailed, match="mcp-time is stopped; mcpctl start it"):
        orchestrator.restart_server("mcp-time")


def test_a_server_that_was_stopped_is_started_by_its_name(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    workload = cluster.get("Deployment", "mcp-time")
    workload["spec"]["replicas"] = 3
    cluster.store.put(cluster.kinds.named("Deployment"), "mcpctl", "mcp-time", workload)
    orchestrator.stop_server("mcp-time")
    assert cluster.get("Deployment", "mcp-time")["spec"]["replicas"] == 0
    orchestrator.resume_server("mcp-time")
    assert cluster.get("Deployment", "mcp-time")["spec"]["replicas"] == 3
    assert REPLICAS not in cluster.get("Deployment", "mcp-time")["metadata"]["annotations"]
    orchestrator.resume_server("mcp-time")
    assert cluster.get("Deployment", "mcp-time")["spec"]["replicas"] == 3


def test_start_raises_and_says_what_stands(orchestrator: Kubernetes, cluster: Cluster) -> None:
    cluster.faults.add("quota", verb="apply", resource="services")
    with pytest.raises(ApplyFailed, match=r"exceeded quota.*raise the quota.*applied: Namespace mcpctl, "):
        orchestrator.start_server(server("time"), {})


def test_objects_of_another_owner_are_left_alone(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    other = ApplyOptions("tree-b")
    applied = orchestrator.apply(rendered("time"), other, told.append, told.confirm)
    assert outcomes(applied)[:2] == ["unchanged", "failed"]
    assert "belongs to 'tree-a' (mcpctl.io/owner), not to 'tree-b'" in applied.changes[1].message
    taken = orchestrator.apply(rendered("time"), other._replace(force_conflicts=True), told.append, told.confirm)
    assert not taken.failed


def test_another_namespace_is_refused_before_anything_is_sent(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    with pytest.raises(ApplyFailed, match="4 of 4 objects are for another namespace than mcpctl"):
        orchestrator.apply(rendered("time", namespace="elsewhere"), OWNED, told.append, told.confirm)
    assert not cluster.sent("PATCH")


def test_sandboxes_and_the_whole_cluster_are_named(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    applied = orchestrator.apply(rendered("boxed"), OWNED, told.append, told.confirm)
    assert not applied.failed
    assert "4 of them for the whole cluster; and into namespace mcp-sandboxes" in told[0]
    # A namespace that was not there is created with a stamp.
    assert cluster.get("Namespace", "mcp-sandboxes")["metadata"]["annotations"][CREATED] == NOW
    assert not orchestrator.apply(rendered("boxed"), OWNED, told.append, told.confirm).failed


def test_a_kind_that_the_cluster_does_not_know(orchestrator: Kubernetes, told: Told) -> None:
    applied = orchestrator.apply(rendered("panda"), OWNED, told.append, told.confirm)
    assert outcomes(applied)[-2:] == ["failed", "failed"]
    assert all("install what defines this kind" in change.message for change in applied.changes[-2:])


def test_a_dry_run_by_the_server_changes_nothing(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    tried = OWNED._replace(dry_run="server", prune=True)
    applied = orchestrator.apply(rendered("boxed"), tried, told.append, told.confirm)
    assert not applied.failed
    waiting = [change for change in applied.changes if change.outcome == "not tried"]
    assert waiting
    assert all("in namespace mcp-sandboxes" in change.subject for change in waiting)
    assert not cluster.names("Deployment")


@pytest.mark.parametrize("live", [True, False])
def test_a_dry_run_by_the_client_sends_nothing(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, live: bool
) -> None:
    if live:
        orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    sent = len(cluster.sent("PATCH"))
    applied = orchestrator.apply(rendered("time"), OWNED._replace(dry_run="client"), told.append, told.confirm)
    assert outcomes(applied) == (["unchanged"] * 5 if live else ["unchanged", *["created"] * 4])
    assert len(cluster.sent("PATCH")) == sent


def test_warnings_of_the_server_are_told(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    cluster.faults.add("warn", 'would violate PodSecurity "restricted:latest"', verb="apply", resource="deployments*")
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    assert 'warning: Deployment mcp-time: would violate PodSecurity "restricted:latest"' in told


def test_ctrl_c_says_how_far_it_came(orchestrator: Kubernetes, told: Told) -> None:
    def tell(line: str) -> None:
        told.append(line)
        if line.startswith("3/5 objects"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        orchestrator.apply(rendered("time"), OWNED, tell, told.confirm)
    assert told[-1] == "interrupted: 3 of 5 objects were applied; run the command again to continue"


def test_one_call_of_kubectl_for_each_stage(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    """Of 20 servers as of one: what is there, what pods need, pods, and what is there then."""
    calls: list[list[str]] = []
    run = orchestrator._kubectl._run

    def counted(argv: list[str], **more: Any) -> Done:
        calls.append([word for word in argv[1:] if not word.startswith("-")][:1])
        return run(argv, **more)

    orchestrator._kubectl._run = counted
    documents = [each for name in ("time", "fetch", "memory") for each in rendered(name)]
    unique = {each.identity: each for each in documents}
    assert not orchestrator.apply(list(unique.values()), OWNED, told.append, told.confirm).failed
    assert calls == [["version"], ["config"], ["get"], ["apply"], ["apply"], ["get"]]


def test_a_refused_server_is_left_out_and_the_others_go_on(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    cluster.faults.add("forbidden", verb="apply", resource="services", name="mcp-time")
    documents = {each.identity: each for name in ("time", "fetch") for each in rendered(name)}
    applied = orchestrator.apply(list(documents.values()), OWNED, told.append, told.confirm)
    outcomes = {change.subject: change.outcome for change in applied.changes}
    assert (outcomes["Service mcp-time"], outcomes["Deployment mcp-time"]) == ("failed", "not tried")
    assert (outcomes["Service mcp-fetch"], outcomes["Deployment mcp-fetch"]) == ("created", "created")


# ---------------------------------------------------------------------------------------------
# Namespaces of others, and the way from kubectl.


def other_namespace(cluster: Cluster) -> None:
    cluster.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mcp-sandboxes"}})


def test_a_namespace_that_is_not_ours_is_used_and_never_changed(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    before = cluster.get("Namespace", "mcpctl")
    assert not orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm).failed
    assert cluster.get("Namespace", "mcpctl") == before


FOREIGN = {"containers": [{"name": "a", "image": "x", "securityContext": {"privileged": True}}]}


@pytest.mark.parametrize("dry", ["client", "server"])
def test_the_plan_says_what_adoption_would_change_for_others(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, dry: Any
) -> None:
    cluster.create("v1", "Pod", "theirs", spec=FOREIGN)
    effects = (
        "sets the label pod-security.kubernetes.io/enforce to restricted",
        "refuses 1 of 1 pods of others at their next start (theirs)",
    )
    plan = OWNED._replace(dry_run=dry)
    applied = orchestrator.apply(rendered("time"), plan, told.append, told.confirm)
    assert applied.changes[0].outcome == "unchanged"
    assert "never changed or deleted; --adopt-namespace sets" in applied.changes[0].message
    assert all(effect in applied.changes[0].message for effect in effects)
    assert not any(line.startswith("adopting") for line in told)
    orchestrator.apply(rendered("time"), plan._replace(adopt_namespace=True), told.append, told.confirm)
    line = next(line for line in told if line.startswith("adopting Namespace mcpctl: "))
    assert all(effect in line for effect in effects)


def test_one_that_is_adopted_becomes_ours(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    adopting = OWNED._replace(adopt_namespace=True)
    applied = orchestrator.apply(rendered("time"), adopting, told.append, told.confirm)
    assert outcomes(applied)[0] == "changed"
    meta = cluster.get("Namespace", "mcpctl")["metadata"]
    assert meta["annotations"][CREATED] == NOW
    assert meta["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert outcomes(orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm))[0] == "unchanged"


GOVERNING = ("ServiceAccount default", "NetworkPolicy mcpctl-default-deny")


def test_what_governs_a_namespace_is_applied_in_ours_only(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    documents = rendered("time", whole=True)
    before = cluster.get("ServiceAccount", "default")
    applied = {
        change.subject: change for change in orchestrator.apply(documents, OWNED, told.append, told.confirm).changes
    }
    for what in GOVERNING:
        assert applied[what].outcome == "not tried"
        assert "it would apply to everything in mcpctl, which mcpctl did not create" in applied[what].message
    assert cluster.get("ServiceAccount", "default") == before
    adopting = OWNED._replace(adopt_namespace=True)
    adopted = orchestrator.apply(documents, adopting, told.append, told.confirm)
    assert [change.outcome for change in adopted.changes if change.subject in GOVERNING] == ["changed", "created"]
    line = next(line for line in told if line.startswith("adopting Namespace mcpctl: "))
    assert "sets ServiceAccount default, which applies to every pod in it" in line
    assert "adds NetworkPolicy mcpctl-default-deny, which applies to every pod in it" in line
    assert cluster.get("ServiceAccount", "default")["automountServiceAccountToken"] is False
    assert set(outcomes(orchestrator.apply(documents, OWNED, told.append, told.confirm))) == {"unchanged"}


@pytest.mark.parametrize("made", [True, False], ids=["rendered", "create-false"])
def test_nothing_governs_a_sandbox_namespace_of_others(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, *, made: bool
) -> None:
    other_namespace(cluster)
    documents = [each for each in rendered("boxed") if made or each.identity[:2] != ("Namespace", "mcp-sandboxes")]
    documents = [each for each in documents if made or each.identity[:2] != ("ServiceAccount", "default")]
    applied = orchestrator.apply(documents, OWNED, told.append, told.confirm)
    assert applied.failed
    failed = [change for change in applied.changes if change.outcome == "failed"]
    kinds = {"NetworkPolicy", "ResourceQuota", "LimitRange"} | ({"ServiceAccount"} if made else set())
    assert {change.subject.partition(" ")[0] for change in failed} == kinds
    assert all("which mcpctl did not create" in change.message for change in failed)
    assert all("--adopt-namespace" in change.message for change in failed)
    assert cluster.names("ResourceQuota", "mcp-sandboxes") == []
    assert cluster.names("Deployment") == [], "no server without the walls of its sandbox"
    adopting = OWNED._replace(adopt_namespace=True)
    assert not orchestrator.apply(documents, adopting, told.append, told.confirm).failed
    assert len(cluster.names("ResourceQuota", "mcp-sandboxes")) == 1
    # What is ours there may change without the option.
    assert not orchestrator.apply(documents, OWNED, told.append, told.confirm).failed


def test_delete_leaves_the_default_account_disarmed(orchestrator: Kubernetes, cluster: Cluster, told: Told) -> None:
    orchestrator.apply(rendered("boxed"), OWNED, told.append, told.confirm)
    assert cluster.get("ServiceAccount", "default", "mcp-sandboxes")["automountServiceAccountToken"] is False
    deleted = orchestrator.delete(["boxed"], data=False, tell=told.append, confirm=told.confirm)
    assert not any("ServiceAccount default" in change.subject for change in deleted.changes)
    assert cluster.get("ServiceAccount", "default", "mcp-sandboxes")["automountServiceAccountToken"] is False


def test_delete_keeps_a_namespace_that_is_not_ours_with_what_is_in_it(
    orchestrator: Kubernetes, cluster: Cluster, told: Told
) -> None:
    other_namespace(cluster)
    cluster.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "mcp-sandboxes"}})
    documents = [each for each in rendered("boxed") if each.identity != ("Namespace", "mcp-sandboxes", "")]
    adopting = OWNED._replace(adopt_namespace=True)
    orchestrator.apply(documents, adopting, told.append, told.confirm)
    deleted = orchestrator.delete(["boxed"], data=True, tell=told.append, confirm=told.confirm)
    kept = next(change for change in deleted.changes if change.subject == "Namespace mcp-sandboxes")
    assert kept.outcome == "unchanged"
    assert "did not create this namespace, which holds 1 objects of others (configmap/theirs)" in kept.message
    assert "mcp-sandboxes" in cluster.names("Namespace")
    assert cluster.get("ConfigMap", "theirs", "mcp-sandboxes")


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_what_kubectl_applied_of_the_same_rendering_is_taken_over(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, kubectl_run: Any, way: list[str], tmp_path: Path
) -> None:
    documents = rendered("time")
    file = tmp_path / "all.yaml"
    file.write_text("".join(f"---\n{each.text}" for each in documents if each.identity[0] != "Namespace"))
    assert kubectl_run("apply", "-f", str(file), *way).code == 0
    newer_documents = [
        each._replace(text=each.text.replace("revisionHistoryLimit: 3", "revisionHistoryLimit: 4"))
        for each in documents
    ]
    applied = orchestrator.apply(newer_documents, OWNED, told.append, told.confirm)
    assert not applied.failed, applied
    assert cluster.get("Deployment", "mcp-time")["spec"]["revisionHistoryLimit"] == 4


def test_a_resized_claim_of_a_stateful_set_is_told_with_what_helps(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, kubectl_run: Any
) -> None:
    documents = rendered("filesystem")
    orchestrator.apply(documents, OWNED, told.append, told.confirm)
    larger = [each._replace(text=each.text.replace("storage: 5Gi", "storage: 9Gi")) for each in documents]
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
    cluster.create("v1", "PersistentVolumeClaim", "projects-mcp-filesystem-0", spec=claim)
    message = orchestrator.apply(larger, OWNED, told.append, told.confirm).changes[-1].message
    assert "a StatefulSet cannot grow its volumes in place (projects from 5Gi to 9Gi): grow the claims" in message
    # The advice, as it stands there.
    for command in message.partition("run the command again: ")[2].split("; "):
        assert kubectl_run(*shlex.split(command)[1:]).code == 0, command
    found = cluster.get("PersistentVolumeClaim", "projects-mcp-filesystem-0")
    assert found["spec"]["resources"]["requests"]["storage"] == "9Gi"
    assert not orchestrator.apply(larger, OWNED, told.append, told.confirm).failed


def test_back_to_kubectl(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, kubectl_run: Any, tmp_path: Path
) -> None:
    """As docs/apply-kubernetes.md says: client-side without more, server-side in our name."""
    documents = rendered("time")
    orchestrator.apply(documents, OWNED, told.append, told.confirm)
    file = tmp_path / "all.yaml"

    def newer(limit: int) -> None:
        texts = [each.text.replace("revisionHistoryLimit: 3", f"revisionHistoryLimit: {limit}") for each in documents]
        file.write_text("---\n".join(texts))

    newer(4)
    assert kubectl_run("apply", "-f", str(file)).code == 0
    assert cluster.get("Deployment", "mcp-time")["spec"]["revisionHistoryLimit"] == 4
    orchestrator.apply(documents, OWNED, told.append, told.confirm)
    newer(5)
    assert kubectl_run("apply", "--server-side", "-f", str(file)).code == 1
    assert kubectl_run("apply", "--server-side", "--field-manager=mcpctl", "-f", str(file)).code == 0
    assert cluster.get("Deployment", "mcp-time")["spec"]["revisionHistoryLimit"] == 5


@pytest.mark.parametrize("owner", ["", "a", "team.a-1", "x" * 63])
def test_an_owner_that_fits_into_a_label_stands_there_as_it_is(owner: str) -> None:
    assert owner_value(owner) == owner


@pytest.mark.parametrize("owner", ["/a b", "x" * 64, "-a", "ä", "a\n"])
def test_any_other_owner_is_a_digest(owner: str) -> None:
    value = owner_value(owner)
    assert value.startswith("sha256-")
    assert owner_value(value) == value
    assert owner_value(owner + "x") != value
