"""Argo CD: an Application, or an ApplicationSet for many clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderer.environment.delivery import ArgoCD, Delivery
from renderer.environment.values import Environment

#: Fields inside of lists that the API server or a controller fills in: group, kind, jq paths. Argo CD compares lists of
#: custom resources, and these of StatefulSets, as they are, and would report a difference for ever. The same for every
#: environment: an Application that named what is rendered would change with each server.
_FILLED_IN = (
    (
        "apps",
        "StatefulSet",
        (
            ".spec.volumeClaimTemplates[]?.apiVersion",
            ".spec.volumeClaimTemplates[]?.kind",
            ".spec.volumeClaimTemplates[]?.status",
            ".spec.volumeClaimTemplates[]?.spec.volumeMode",
        ),
    ),
    (
        "external-secrets.io",
        "ExternalSecret",
        (
            ".spec.data[]?.remoteRef.conversionStrategy",
            ".spec.data[]?.remoteRef.decodingStrategy",
            ".spec.data[]?.remoteRef.metadataPolicy",
        ),
    ),
    (
        "gateway.networking.k8s.io",
        "HTTPRoute",
        (
            ".spec.parentRefs[]?.group",
            ".spec.parentRefs[]?.kind",
            ".spec.rules[]?.backendRefs[]?.group",
            ".spec.rules[]?.backendRefs[]?.kind",
            ".spec.rules[]?.backendRefs[]?.weight",
        ),
    ),
)


def application(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """For one cluster."""
    if not isinstance(delivery, ArgoCD) or delivery.is_set:
        return None
    destination = {**(delivery.destination or {}), "namespace": environment.options.namespace}
    return {**_values(delivery), "destination": destination}


def application_set(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """For many: Argo CD fills in the braces, which no value of an environment may have."""
    if not isinstance(delivery, ArgoCD) or not delivery.is_set:
        return None
    destination = {"server": "{{.server}}", "namespace": environment.options.namespace}
    # A cluster that was added by hand may have a name that is no label.
    suffix = "{{.name}}" if delivery.clusters else "{{.nameNormalized}}"
    return {
        **_values(delivery),
        "destination": destination,
        "clusters": [dict(cluster) for cluster in delivery.clusters or ()],
        "cluster_labels": dict(delivery.cluster_labels or {}),
        "application_name": f"{delivery.name}-{suffix}",
    }


def _values(delivery: ArgoCD) -> dict[str, Any]:
    return {
        "delivery": {
            "project": delivery.project,
            "repo_url": delivery.repo_url,
            "revision": delivery.revision,
            "path": delivery.path,
            "automated": delivery.automated,
            "prune": delivery.prune,
            "self_heal": delivery.self_heal,
            "sync_options": list(delivery.sync_options),
            "finalizer": delivery.finalizer,
        },
        "ignored": [
            {"group": group, "kind": kind, "jqPathExpressions": list(paths)} for group, kind, paths in _FILLED_IN
        ],
    }
