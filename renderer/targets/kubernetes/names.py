"""Names and selectors of a server's objects, also of adopted ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderer.labels import SERVER_LABEL, object_labels
from renderer.model import Adopt, Server

#: Names for templates; part of ``values.NAMES``.
NAMES: Mapping[str, str] = {
    "selector": "labels that select the server's pods: mcpctl's own, or `spec.adopt.selector`",
    "own_selector": "mcpctl's own label of the server, by which other objects select its Service",
    "pod_labels": "labels of the pods: those of the objects, and `spec.adopt.selector`",
    "service_name": "name of the Service",
    "workload_name": "name of the Deployment, StatefulSet or Pod",
    "route_name": "name of the HTTPRoute",
    "claims": "names of the PersistentVolumeClaims, by the names of `spec.storage`",
    "claim_labels": "labels of a StatefulSet's volumeClaimTemplates",
}


def object_names(server: Server) -> dict[str, Any]:
    adopt = server.adopt or Adopt()
    labels = object_labels(server)
    own = {SERVER_LABEL: server.name}  # only the name: a Deployment's selector can never change
    # Neither can a claim template, so it has no labels of the spec.
    claim_labels = {name: value for name, value in labels.items() if name not in server.labels}
    return {
        "selector": dict(adopt.selector or own),
        "own_selector": own,
        "pod_labels": {**labels, **adopt.selector},
        "service_name": server.object_name("Service"),
        "workload_name": server.object_name(server.workload),
        "route_name": server.object_name("HTTPRoute"),
        "claims": {volume.name: server.claim_name(volume) for volume in server.storage},
        "claim_labels": dict(adopt.claim_labels) if server.adopt else claim_labels,
    }
