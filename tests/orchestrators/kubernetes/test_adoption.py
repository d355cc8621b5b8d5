"""Taking over what others have installed: nothing is deleted or refused, and nothing of the old pods stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.adoption import merged
from tests.cluster import Cluster
from tests.cluster.fixtures import Run
from tests.orchestrators.kubernetes.conftest import OWNED, Told, rendered
from tests.orchestrators.kubernetes.test_apply import outcomes

OLD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: notes-app, labels: {app.kubernetes.io/name: notes}}
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/name: notes}}
  template:
    metadata: {labels: {app.kubernetes.io/name: notes}}
    spec:
      containers:
        - name: app
          image: registry.example.com/mcp/notes:1.2.3
          env: [{name: DEBUG, value: "1"}]
          volumeMounts: [{name: d, mountPath: /data}]
      volumes: [{name: d, persistentVolumeClaim: {claimName: notes-data}}]
---
apiVersion: v1
kind: Service
metadata: {name: notes-http}
spec:
  clusterIP: 10.96.0.77
  selector: {app.kubernetes.io/name: notes}
  ports: [{name: http, port: 8080, targetPort: 8080}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: notes-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def installed(cluster: Cluster, kubectl_run: Callable[..., Run]) -> dict[str, str]:
    """The uid of each object of the old installation."""
    run = kubectl_run("apply", "--filename=-", stdin=OLD)
    assert run.code == 0, run.err
    return uids(cluster)


def uids(cluster: Cluster) -> dict[str, str]:
    names = {"Deployment": "notes-app", "Service": "notes-http", "PersistentVolumeClaim": "notes-data"}
    return {kind: cluster.get(kind, name)["metadata"]["uid"] for kind, name in names.items()}


def test_what_is_taken_over_stays_the_same_object_without_what_others_had_put_into_it(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, installed: dict[str, str]
) -> None:
    applied = orchestrator.apply(rendered("notes"), OWNED, told.append, told.confirm)
    assert not applied.failed, applied.changes
    assert uids(cluster) == installed
    assert "taking over Deployment notes-app from kubectl-client-side-apply" in told
    notes = {change.subject: change.message for change in applied.changes}
    assert notes["Deployment notes-app"] == "was there before, and is managed by mcpctl now"
    deployment = cluster.get("Deployment", "notes-app")
    template = deployment["spec"]["template"]
    assert deployment["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": "notes"}}
    assert template["metadata"]["labels"]["app.kubernetes.io/name"] == "notes"
    assert [container["name"] for container in template["spec"]["containers"]] == ["mcp-server"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in deployment["metadata"].get("annotations", {})
    service = cluster.get("Service", "notes-http")["spec"]
    assert service["clusterIP"] == "10.96.0.77"
    assert [port["name"] for port in service["ports"]] == ["mcp"]
    again = orchestrator.apply(rendered("notes"), OWNED, told.append, told.confirm)
    assert set(outcomes(again)) == {"unchanged"}


def test_a_dry_run_changes_nobodys_fields(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, installed: dict[str, str]
) -> None:
    before = cluster.get("Deployment", "notes-app")
    applied = orchestrator.apply(rendered("notes"), OWNED._replace(dry_run="server"), told.append, told.confirm)
    assert not applied.failed, applied.changes
    assert cluster.get("Deployment", "notes-app") == before
    assert ("Deployment notes-app", "changed") in [(change.subject, change.outcome) for change in applied.changes]


def test_a_status_finds_the_pods_by_the_server_where_the_old_selector_names_them_differently(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, installed: dict[str, str]
) -> None:
    orchestrator.apply(rendered("notes"), OWNED, told.append, told.confirm)
    cluster.controllers.run_pods("Deployment", "notes-app", state="Ready")
    status = orchestrator.get_status("notes-app")
    assert (status.ready, len(status.replicas)) == (1, 1)


_FIELDS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
_MOVED = [
    # entries as (manager, operation, subresource), and whose fields are taken
    ([("helm", "Update", "")], ["helm"]),
    ([("kubectl", "Apply", ""), ("helm", "Update", "")], ["helm", "kubectl"]),
    ([("mcpctl", "Apply", "")], []),
    ([("kube-controller-manager", "Update", "")], []),
    ([("k3s", "Update", "status"), ("k3s", "Update", "")], []),
    ([("helm", "Update", "scale")], []),
]


@pytest.mark.parametrize(("entries", "others"), _MOVED)
def test_only_fields_that_people_and_their_tools_have_set_are_taken(
    entries: list[tuple[str, str, str]], others: list[str]
) -> None:
    fields = [
        {"manager": name, "operation": operation, "fieldsV1": _FIELDS, **({"subresource": sub} if sub else {})}
        for name, operation, sub in entries
    ]
    result, names = merged(fields, "mcpctl")
    assert names == others
    if others:
        assert result == [{"manager": "mcpctl", "operation": "Apply", "fieldsV1": _FIELDS}]
    else:
        assert result == fields
