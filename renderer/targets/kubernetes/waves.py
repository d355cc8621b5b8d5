"""Sync waves of Argo CD: it applies the next one when all of this one is healthy."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.model import Options

ANNOTATION = "argocd.argoproj.io/sync-wave"

#: A claim goes with its workload: with a StorageClass that waits for the first consumer it becomes healthy only then,
#: and in a wave of its own it would hold up everything. Scaling and ways in come when there is something behind them;
#: monitoring last, as nothing needs it.
WAVES: Mapping[str, int] = {
    **dict.fromkeys(("Namespace", "RuntimeClass"), -3),
    **dict.fromkeys(("ResourceQuota", "LimitRange"), -2),
    **dict.fromkeys(("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), -2),
    **dict.fromkeys(("NetworkPolicy", "CiliumNetworkPolicy", "ExternalSecret", "ConfigMap"), -1),
    **dict.fromkeys(("PersistentVolumeClaim", "Service", "Deployment", "StatefulSet", "Pod"), 0),
    **dict.fromkeys(("PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress", "HTTPRoute"), 1),
    **dict.fromkeys(("ServiceMonitor", "PrometheusRule"), 2),
}


def wave(kind: str, options: Options) -> dict[str, str]:
    """The annotation of an object, where the environment asks for it; wave 0 is what has none."""
    return {ANNOTATION: str(WAVES[kind])} if options.sync_waves and WAVES[kind] else {}
