"""An installation of somebody else is imported and taken over: nothing of it is deleted or refused.

As in test_cluster.py, against the cluster that the tests keep, and a real one where there is one.
"""

from __future__ import annotations

import json
from typing import Any

from tests.integration.kubernetes.bed import Bed

_LABELS = {"app": "notes"}


def manifests(bed: Bed) -> list[dict[str, Any]]:
    """As people write them: a label of their own, a container called app, a claim called as they like."""
    mount, claim = {"name": "d", "mountPath": "/data"}, {"claimName": "notes-claim"}
    container = {
        "name": "app",
        "image": bed.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": "DEBUG", "value": "1"}],
        "volumeMounts": [mount],
    }
    pod = {"containers": [container], "volumes": [{"name": "d", "persistentVolumeClaim": claim}]}
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "notes-claim"},
         "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "notes-http"},
         "spec": {"selector": _LABELS, "ports": [{"port": 80, "targetPort": 8080}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "notes", "labels": _LABELS},
         "spec": {"selector": {"matchLabels": _LABELS}, "template": template}},
    ]  # fmt: skip


def test_what_others_have_installed_is_taken_over_in_place(bed: Bed) -> None:
    if bed.fake:
        bed.fake.create("v1", "Namespace", bed.namespace)
    else:
        bed.kubectl("create", "namespace", bed.namespace)
    items = {"apiVersion": "v1", "kind": "List", "items": manifests(bed)}
    bed.kubectl("apply", "--filename=-", stdin=json.dumps(items))
    kinds = ("deployments.apps/notes", "services/notes-http", "persistentvolumeclaims/notes-claim")
    before = {kind: bed.get(kind) for kind in kinds}
    running = bed.folder / "running.yaml"
    running.write_text(bed.kubectl("get", *kinds, "--output=yaml", "--show-managed-fields").out)
    specs = bed.folder / "specs"
    imported = bed.run("import", "--quiet", "--offline", f"--out={specs}", str(running))
    assert imported.code == 0, imported.err
    spec = specs / "notes.yaml"
    dry = bed.apply(spec, options=("--no-create-namespace", "--dry-run=server"))
    assert "failed" not in dry.out
    assert bed.get("deployments.apps/notes")["spec"] == before["deployments.apps/notes"]["spec"]
    bed.pods_turn("Ready")
    bed.apply(spec, options=("--no-create-namespace",))
    after = {kind: bed.get(kind) for kind in kinds}
    assert {kind: each["metadata"]["uid"] for kind, each in after.items()} == {
        kind: each["metadata"]["uid"] for kind, each in before.items()
    }
    assert after["services/notes-http"]["spec"]["clusterIP"] == before["services/notes-http"]["spec"]["clusterIP"]
    template = after["deployments.apps/notes"]["spec"]["template"]["spec"]
    assert [container["name"] for container in template["containers"]] == ["mcp-server"]
    assert template["volumes"][0]["persistentVolumeClaim"] == {"claimName": "notes-claim"}
    assert bed.status("notes")["id"] == "notes"
