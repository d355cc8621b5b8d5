"""Kubernetes kinds: one row for each that is rendered, applied or checked. Adding a kind begins here.

Within a rank, rows are in order of application.
"""

from __future__ import annotations

from collections.abc import Mapping

from renderer.namedtuples import NamedTuple

#: Ranks of application, one call of kubectl each; later ones need earlier ones.
NAMESPACES, NEEDED_BY_PODS, PODS, AFTER_PODS = range(4)

#: The account that a controller creates in every namespace.
DEFAULT_ACCOUNT = "default"

_TEMPLATE = ("spec", "template")
_SELECTOR = ("spec.selector*",)


class Kind(NamedTuple):
    """A row of the table.

    ``resource``: plural and group, as in names of CustomResourceDefinitions. ``version``: of the rendered objects.
    ``wave``: Argo CD's sync wave. ``holds_data``: deleting the object deletes users' data.
    ``pod_template``: path of the pods' metadata and spec; () for a Pod itself, None without pods.
    ``immutable``: patterns of immutable fields; '!' excludes. ``custom``: needs a CustomResourceDefinition.
    ``rendered``: False for kinds that are only in patches, old trees or clusters.
    """

    name: str
    resource: str
    rank: int = NEEDED_BY_PODS
    wave: int = 0
    namespaced: bool = True
    holds_data: bool = False
    pod_template: tuple[str, ...] | None = None
    immutable: tuple[str, ...] = ()
    custom: bool = False
    rendered: bool = True
    version: str = "v1"

    @property
    def api_version(self) -> str:
        """``apps/v1``; ``v1`` for the core group."""
        return "/".join(filter(None, (self.resource.partition(".")[2], self.version)))


_STATEFUL_SET = (
    "spec.*",
    "!spec.replicas",
    "!spec.ordinals*",
    "!spec.template*",
    "!spec.updateStrategy*",
    "!spec.persistentVolumeClaimRetentionPolicy*",
    "!spec.minReadySeconds",
    "!spec.revisionHistoryLimit",
)
_POD = ("spec.*", "!spec.containers[[]*].image", "!spec.initContainers[[]*].image", "!spec.activeDeadlineSeconds")
_JOB = ("spec.selector*", "spec.template*", "spec.completionMode", "spec.completions", "spec.podFailurePolicy*")
_CLAIM = ("spec*", "!spec.resources.requests.storage", "!spec.volumeAttributesClassName")
_STORAGE_CLASS = ("provisioner", "parameters*", "reclaimPolicy", "volumeBindingMode")
_RBAC = "rbac.authorization.k8s.io"
_ENVOY, _AGENT, _ALPHA = "gateway.envoyproxy.io", "agentgateway.dev", "v1alpha1"

# Ranks: the first packet of a pod must meet its policy, and no pod starts without its account, Secret or volume.
# Waves: a claim goes with its workload, as with a StorageClass that waits for the first consumer it becomes healthy
# only then; scaling and ways in come when there is something behind them; monitoring last, as nothing needs it.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Namespace", "namespaces", NAMESPACES, -3, namespaced=False, holds_data=True),
        Kind(
            "CustomResourceDefinition",
            "customresourcedefinitions.apiextensions.k8s.io",
            wave=-3,
            namespaced=False,
            holds_data=True,
            rendered=False,
        ),
        Kind("RuntimeClass", "runtimeclasses.node.k8s.io", wave=-3, namespaced=False, immutable=("handler",)),
        Kind("ServiceAccount", "serviceaccounts", wave=-2),
        Kind("Role", f"roles.{_RBAC}", wave=-2),
        Kind("RoleBinding", f"rolebindings.{_RBAC}", wave=-2, immutable=("roleRef*",)),
        Kind("ClusterRole", f"clusterroles.{_RBAC}", wave=-2, namespaced=False),
        Kind("ClusterRoleBinding", f"clusterrolebindings.{_RBAC}", wave=-2, namespaced=False, immutable=("roleRef*",)),
        Kind("NetworkPolicy", "networkpolicies.networking.k8s.io", wave=-1),
        Kind("CiliumNetworkPolicy", "ciliumnetworkpolicies.cilium.io", wave=-1, custom=True, version="v2"),
        Kind("ResourceQuota", "resourcequotas", wave=-2),
        Kind("LimitRange", "limitranges", wave=-2),
        Kind("ExternalSecret", "externalsecrets.external-secrets.io", wave=-1, custom=True),
        Kind("ConfigMap", "configmaps", wave=-1),
        Kind("PersistentVolumeClaim", "persistentvolumeclaims", holds_data=True, immutable=_CLAIM),
        Kind("Service", "services", immutable=("spec.clusterIP", "spec.clusterIPs*")),
        Kind("Deployment", "deployments.apps", PODS, pod_template=_TEMPLATE, immutable=_SELECTOR),
        Kind("StatefulSet", "statefulsets.apps", PODS, pod_template=_TEMPLATE, immutable=_STATEFUL_SET),
        Kind("Pod", "pods", PODS, pod_template=(), immutable=_POD),
        Kind("PodDisruptionBudget", "poddisruptionbudgets.policy", AFTER_PODS, 1),
        Kind("HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling", AFTER_PODS, 1, version="v2"),
        # Policies of gateways precede their routes.
        Kind("SecurityPolicy", f"securitypolicies.{_ENVOY}", AFTER_PODS, custom=True, version=_ALPHA),
        Kind(
            "BackendTrafficPolicy", f"backendtrafficpolicies.{_ENVOY}", AFTER_PODS, 0, custom=True, version="v1alpha1"
        ),
        Kind("HTTPRouteFilter", f"httproutefilters.{_ENVOY}", AFTER_PODS, custom=True, version=_ALPHA),
        Kind("AgentgatewayBackend", f"agentgatewaybackends.{_AGENT}", AFTER_PODS, custom=True, version=_ALPHA),
        Kind("AgentgatewayPolicy", f"agentgatewaypolicies.{_AGENT}", AFTER_PODS, custom=True, version=_ALPHA),
        Kind("Ingress", "ingresses.networking.k8s.io", AFTER_PODS, 1),
        Kind("HTTPRoute", "httproutes.gateway.networking.k8s.io", AFTER_PODS, 1, custom=True),
        Kind("ServiceMonitor", "servicemonitors.monitoring.coreos.com", AFTER_PODS, 2, custom=True),
        Kind("PrometheusRule", "prometheusrules.monitoring.coreos.com", AFTER_PODS, 2, custom=True),
        # Never rendered, but in patches, old trees or clusters.
        Kind("DaemonSet", "daemonsets.apps", PODS, pod_template=_TEMPLATE, immutable=_SELECTOR, rendered=False),
        Kind("ReplicaSet", "replicasets.apps", PODS, pod_template=_TEMPLATE, immutable=_SELECTOR, rendered=False),
        Kind("ReplicationController", "replicationcontrollers", PODS, pod_template=_TEMPLATE, rendered=False),
        Kind("Job", "jobs.batch", PODS, pod_template=_TEMPLATE, immutable=_JOB, rendered=False),
        Kind("CronJob", "cronjobs.batch", PODS, pod_template=("spec", "jobTemplate", *_TEMPLATE), rendered=False),
        Kind("PersistentVolume", "persistentvolumes", namespaced=False, holds_data=True, rendered=False),
        Kind(
            "StorageClass", "storageclasses.storage.k8s.io", namespaced=False, immutable=_STORAGE_CLASS, rendered=False
        ),
        Kind(
            "PriorityClass", "priorityclasses.scheduling.k8s.io", namespaced=False, immutable=("value",), rendered=False
        ),
        Kind("IngressClass", "ingressclasses.networking.k8s.io", namespaced=False, rendered=False),
        Kind("Secret", "secrets", immutable=("type",), rendered=False),
        Kind("Gateway", "gateways.gateway.networking.k8s.io", custom=True, rendered=False),
        Kind("SecretStore", "secretstores.external-secrets.io", custom=True, rendered=False),
        Kind(
            "ClusterSecretStore",
            "clustersecretstores.external-secrets.io",
            namespaced=False,
            custom=True,
            rendered=False,
        ),
    )
}

#: Paths of pod metadata and spec by kind.
POD_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    name: kind.pod_template for name, kind in KINDS.items() if kind.pod_template is not None
}
#: Kinds that run a server.
WORKLOADS = tuple(name for name, kind in KINDS.items() if kind.pod_template is not None and kind.rendered)
#: Kinds with a pod template, without Pod.
TEMPLATED = {name: path for name, path in POD_TEMPLATES.items() if path}


def in_order(name: str) -> tuple[int, int]:
    """A sort key: order of application, unknown kinds last."""
    if name not in KINDS:
        return AFTER_PODS, len(KINDS)
    return KINDS[name].rank, list(KINDS).index(name)
