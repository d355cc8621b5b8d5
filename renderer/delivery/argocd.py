"""Argo CD: an Application, or an ApplicationSet for many clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.delivery.inventory import Item
from renderer.environment.delivery import ArgoCD, Delivery
from renderer.environment.values import Environment
from renderer.model import JSON

#: Fields inside of lists that the API server or a controller fills in, by group and kind. Argo CD compares lists of
#: custom resources, and these of StatefulSets, as they are, and would tell a difference for ever.
_FILLED_IN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "StatefulSet": (
        "apps",
        (
            ".spec.volumeClaimTemplates[]?.apiVersion",
            ".spec.volumeClaimTemplates[]?.kind",
            ".spec.volumeClaimTemplates[]?.status",
            ".spec.volumeClaimTemplates[]?.spec.volumeMode",
        ),
    ),
    "ExternalSecret": (
        "external-secrets.io",
        (
            ".spec.data[]?.remoteRef.conversionStrategy",
            ".spec.data[]?.remoteRef.decodingStrategy",
            ".spec.data[]?.remoteRef.metadataPolicy",
        ),
    ),
    "HTTPRoute": (
        "gateway.networking.k8s.io",
        (
            ".spec.parentRefs[]?.group",
            ".spec.parentRefs[]?.kind",
            ".spec.rules[]?.backendRefs[]?.group",
            ".spec.rules[]?.backendRefs[]?.kind",
            ".spec.rules[]?.backendRefs[]?.weight",
        ),
    ),
}
_SCALED = ("Deployment", "StatefulSet")


def application(environment: Environment, delivery: Delivery | None, found: Sequence[Item]) -> Mapping[str, Any] | None:
    """For one cluster."""
    if not isinstance(delivery, ArgoCD) or delivery.is_set:
        return None
    destination = {**(delivery.destination or {}), "namespace": environment.options.namespace}
    return {**_values(delivery, found), "destination": destination}


def application_set(
    environment: Environment, delivery: Delivery | None, found: Sequence[Item]
) -> Mapping[str, Any] | None:
    """For many: Argo CD fills in the braces, which no value of an environment may have."""
    if not isinstance(delivery, ArgoCD) or not delivery.is_set:
        return None
    destination = {"server": "{{.server}}", "namespace": environment.options.namespace}
    # A cluster that was added by hand may have a name that is no label.
    suffix = "{{.name}}" if delivery.clusters else "{{.nameNormalized}}"
    return {
        **_values(delivery, found),
        "destination": destination,
        "clusters": [dict(cluster) for cluster in delivery.clusters or ()],
        "cluster_labels": dict(delivery.cluster_labels or {}),
        "application_name": f"{delivery.name}-{suffix}",
    }


def _values(delivery: ArgoCD, found: Sequence[Item]) -> dict[str, Any]:
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
        "ignored": list(_ignored(found)),
    }


def _ignored(found: Sequence[Item]) -> Iterator[dict[str, JSON]]:
    """Only what the rendered objects need: every rule hides something."""
    scaled = {(item.name, item.namespace) for item in found if item.kind == "HorizontalPodAutoscaler"}
    for item in found:
        if item.kind in _SCALED and (item.name, item.namespace) in scaled:
            yield {
                "group": "apps",
                "kind": item.kind,
                "name": item.name,
                "namespace": item.namespace,
                "jsonPointers": ["/spec/replicas"],
            }
    kinds = {item.kind for item in found if item.kind != "StatefulSet" or item.claims}
    for kind, (group, expressions) in _FILLED_IN.items():
        if kind in kinds:
            yield {"group": group, "kind": kind, "jqPathExpressions": list(expressions)}
