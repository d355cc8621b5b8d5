"""Taking over objects that others have made: the fields that they set become ours, so that an apply removes what the
spec no longer has.

Without that, server-side apply would leave an old container beside the new one: it removes only what it owned before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from renderer.errors import excerpt
from renderer.kinds import KINDS
from renderer.labels import ADOPT_NOTE
from renderer.manifest import annotations_of, labels_of
from renderer.orchestrators.kubernetes.client import Data, Kubectl
from renderer.orchestrators.kubernetes.objects import MANAGED_LABEL, Object

#: Parts of Kubernetes: what they write is theirs, as the volume of a claim is.
_KUBERNETES = re.compile(r"kube-.*|kubelet|kubelite|.*controller-manager|.*provisioner|k3s|k0s|rke2")


def is_taken_over(each: Object, live: Data | None) -> bool:
    """Whether the spec takes it over, and nothing of ours has applied it before."""
    asked = ADOPT_NOTE in annotations_of(each.data)
    return live is not None and asked and MANAGED_LABEL not in labels_of(live)


def take_over(kubectl: Kubectl, each: Object, subject: str, manager: str) -> str:
    """Makes the fields of others ours, and returns whose they were, for people; empty where they were nobody's.

    Not of a claim: what binds it to its volume may stand in it, and nothing in it can change anyway.
    """
    if each.kind == "PersistentVolumeClaim":
        return ""
    name = f"{KINDS[each.kind].resource}/{each.identity[2]}"
    doing, namespace = f"taking over {subject}", each.namespace
    asked = ["get", name, "--show-managed-fields", "--output=json"]
    done = kubectl.call(doing, *asked, namespace=namespace, secret=each.kind == "Secret")
    meta: Mapping[str, Any] = json.loads(done.out)["metadata"]
    entries, others = merged(meta.get("managedFields") or [], manager)
    if not others:
        return ""
    patch = {"metadata": {"managedFields": entries, "resourceVersion": meta["resourceVersion"]}}
    asked = ["patch", name, "--type=merge", f"--field-manager={manager}", "--patch-file=/dev/stdin", "--output=name"]
    kubectl.call(doing, *asked, stdin=json.dumps(patch).encode(), namespace=namespace)
    return ", ".join(excerpt(other, 63) for other in others)


def merged(entries: list[dict[str, Any]], manager: str) -> tuple[list[dict[str, Any]], list[str]]:
    """``managedFields`` in which the fields of others are ``manager``'s, and the names of these others."""
    movable = [e for e in entries if not e.get("subresource") and not _KUBERNETES.fullmatch(str(e.get("manager")))]
    others = sorted({str(entry.get("manager")) for entry in movable} - {manager})
    if not others:
        return entries, []
    fields: dict[str, Any] = {}
    for entry in movable:
        _add(fields, entry.get("fieldsV1") or {})
    own = {**movable[-1], "manager": manager, "operation": "Apply", "fieldsV1": fields}
    return [*(entry for entry in entries if entry not in movable), own], others


def _add(fields: dict[str, Any], more: Mapping[str, Any]) -> None:
    """The union of two trees of field names."""
    for name, inner in more.items():
        _add(fields.setdefault(name, {}), inner)
