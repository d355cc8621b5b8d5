"""Adopting objects of other managers: the fields that they set become mcpctl's.

Otherwise server-side apply, which removes only what its manager owned before, would leave an old container beside the
new one.
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
from renderer.orchestrators.contract import MANAGED_LABEL
from renderer.orchestrators.kubernetes.client import Data, Kubectl
from renderer.orchestrators.kubernetes.objects import Object

#: Parts of Kubernetes keep their fields, such as the volume of a claim.
_KUBERNETES = re.compile(r"kube-.*|kubelet|kubelite|.*controller-manager|.*provisioner|k3s|k0s|rke2")


def is_taken_over(each: Object, live: Data | None) -> bool:
    """Whether the spec adopts it, and mcpctl has not applied it before."""
    wanted = ADOPT_NOTE in annotations_of(each.data)
    return live is not None and wanted and MANAGED_LABEL not in labels_of(live)


def take_over(kubectl: Kubectl, each: Object, subject: str, manager: str) -> str:
    """Takes over the fields of other managers, and returns their names; empty where there are none.

    Not of a claim: what binds it to its volume may be one of them, and its fields cannot change anyway.
    """
    if each.kind == "PersistentVolumeClaim":
        return ""
    name = f"{KINDS[each.kind].resource}/{each.identity[2]}"
    doing, namespace = f"taking over {subject}", each.namespace
    args = ["get", name, "--show-managed-fields", "--output=json"]
    done = kubectl.call(doing, *args, namespace=namespace, secret=each.kind == "Secret")
    meta: Mapping[str, Any] = json.loads(done.out)["metadata"]
    entries, others = merged(meta.get("managedFields") or [], manager)
    if not others:
        return ""
    patch = {"metadata": {"managedFields": entries, "resourceVersion": meta["resourceVersion"]}}
    args = ["patch", name, "--type=merge", f"--field-manager={manager}", "--patch-file=/dev/stdin", "--output=name"]
    kubectl.call(doing, *args, stdin=json.dumps(patch).encode(), namespace=namespace)
    return ", ".join(excerpt(other, 63) for other in others)


def merged(entries: list[dict[str, Any]], manager: str) -> tuple[list[dict[str, Any]], list[str]]:
    """``managedFields`` in which the fields of others are ``manager``'s, and the names of the others."""
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
    """Merges two trees of field names."""
    for name, inner in more.items():
        _add(fields.setdefault(name, {}), inner)
