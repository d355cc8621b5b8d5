"""The table of Kubernetes objects: kind, template, when, in the order in which they are applied.

Adding an object is a line here, a template and its golden file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from renderer.labels import accepted
from renderer.model import JSON, Server
from renderer.targets.kubernetes import sandbox

Values = Mapping[str, JSON]


class Instance(NamedTuple):
    """One object to render: name, own annotations, and the name of its file without ending."""

    name: str
    stem: str
    annotations: Mapping[str, str]
    extra: Values


_Instances = Callable[[Server, Mapping[str, Any]], Iterator[Instance]]


class ObjectType(NamedTuple):
    """One line of the table: ``instances`` yields what of this kind a server needs."""

    kind: str
    template: str
    instances: _Instances


def _service_account(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.service_account.create:
        # Its own annotations are for those who hand out identities, and concern nobody else.
        annotations = {**view["annotations"], **server.service_account.annotations}
        yield Instance(server.service_account.name, "serviceaccount", annotations, {})


def _config_map(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if view["config_data"]:
        yield _one(f"{server.resource_name}-files", "configmap", view)


def _claims(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.workload != "StatefulSet":
        for volume in view["storage"]:
            stem = f"persistentvolumeclaim-{volume['name']}"
            yield Instance(volume["claim"], stem, volume["annotations"], {"volume": volume})


def _network_policy(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if view["network_policy_provider"] != "kubernetes":
        return
    hosts = view["hosts_not_enforced"]
    # A tool that reads the object must learn the same as a person who reads its comment.
    own = {"mcpctl.io/egress-hosts-not-enforced": ",".join(hosts)} if hosts else {}
    annotations = {**view["annotations"], **own}
    yield Instance(f"{server.resource_name}-netpol", "networkpolicy", annotations, {})


def _cilium_policy(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if view["network_policy_provider"] == "cilium":
        yield _one(f"{server.resource_name}-netpol", "ciliumnetworkpolicy", view)


def _service(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.listens:
        yield _one(server.resource_name, "service", view)


def _autoscalers(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.autoscaling:
        yield _one(server.resource_name, "horizontalpodautoscaler", view)


def _budgets(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.disruption:
        yield _one(server.resource_name, "poddisruptionbudget", view)


def _ways_in(kind: str) -> _Instances:
    def instances(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
        if server.expose and server.expose.type == kind:
            annotations = {**view["annotations"], **view["expose"]["annotations"]}
            yield Instance(server.resource_name, kind.lower(), annotations, {})

    return instances


def _monitors(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.monitoring and server.monitoring.scrape == "ServiceMonitor":
        labels = {**view["labels"], **server.monitoring.labels}
        yield Instance(server.resource_name, "servicemonitor", view["annotations"], {"labels": labels})


def _alerts(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.monitoring and server.monitoring.alerts:
        labels = {**view["labels"], **server.monitoring.labels}
        yield Instance(server.resource_name, "prometheusrule", view["annotations"], {"labels": labels})


def _workload(kind: str) -> Callable[[Server, Mapping[str, Any]], Iterator[Instance]]:
    def instances(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
        if server.workload == kind:
            text = {"mcpctl.io/description": server.description} if server.description else {}
            # A Pod is its own pod: what a template would carry, it carries itself.
            base = view["pod_annotations"] if kind == "Pod" else view["annotations"]
            yield Instance(server.resource_name, kind.lower(), {**base, **text, **accepted(server)}, {})

    return instances


def _one(name: str, stem: str, view: Mapping[str, Any]) -> Instance:
    return Instance(name, stem, view["annotations"], {})


def _all(parts: Callable[[Server, Mapping[str, Any]], Iterator[sandbox.Own]]) -> _Instances:
    def instances(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
        for own in parts(server, view):
            yield Instance(own.name, own.stem, view["annotations"], own.extra)

    return instances


#: A NetworkPolicy stands before the workload, so that its first packet already meets it.
OBJECTS: tuple[ObjectType, ...] = (
    ObjectType("Namespace", "kubernetes/namespace.yaml.j2", _all(sandbox.namespaces)),
    ObjectType("RuntimeClass", "kubernetes/runtimeclass.yaml.j2", _all(sandbox.runtime_classes)),
    ObjectType("ServiceAccount", "kubernetes/serviceaccount.yaml.j2", _service_account),
    ObjectType("Role", "kubernetes/role.yaml.j2", _all(sandbox.roles)),
    ObjectType("RoleBinding", "kubernetes/rolebinding.yaml.j2", _all(sandbox.role_bindings)),
    ObjectType("ClusterRole", "kubernetes/clusterrole.yaml.j2", _all(sandbox.cluster_roles)),
    ObjectType("ClusterRoleBinding", "kubernetes/clusterrolebinding.yaml.j2", _all(sandbox.cluster_role_bindings)),
    ObjectType("NetworkPolicy", "kubernetes/sandbox-networkpolicy.yaml.j2", _all(sandbox.network_policies)),
    ObjectType("ResourceQuota", "kubernetes/resourcequota.yaml.j2", _all(sandbox.resource_quotas)),
    ObjectType("LimitRange", "kubernetes/limitrange.yaml.j2", _all(sandbox.limit_ranges)),
    ObjectType("NetworkPolicy", "kubernetes/networkpolicy.yaml.j2", _network_policy),
    ObjectType("CiliumNetworkPolicy", "kubernetes/ciliumnetworkpolicy.yaml.j2", _cilium_policy),
    ObjectType("ExternalSecret", "kubernetes/externalsecret.yaml.j2", _all(sandbox.external_secrets)),
    ObjectType("ConfigMap", "kubernetes/configmap.yaml.j2", _config_map),
    ObjectType("PersistentVolumeClaim", "kubernetes/persistentvolumeclaim.yaml.j2", _claims),
    ObjectType("Service", "kubernetes/service.yaml.j2", _service),
    ObjectType("Deployment", "kubernetes/deployment.yaml.j2", _workload("Deployment")),
    ObjectType("StatefulSet", "kubernetes/statefulset.yaml.j2", _workload("StatefulSet")),
    ObjectType("Pod", "kubernetes/pod.yaml.j2", _workload("Pod")),
    ObjectType("PodDisruptionBudget", "kubernetes/poddisruptionbudget.yaml.j2", _budgets),
    ObjectType("HorizontalPodAutoscaler", "kubernetes/horizontalpodautoscaler.yaml.j2", _autoscalers),
    ObjectType("Ingress", "kubernetes/ingress.yaml.j2", _ways_in("Ingress")),
    ObjectType("HTTPRoute", "kubernetes/httproute.yaml.j2", _ways_in("HTTPRoute")),
    ObjectType("ServiceMonitor", "kubernetes/servicemonitor.yaml.j2", _monitors),
    ObjectType("PrometheusRule", "kubernetes/prometheusrule.yaml.j2", _alerts),
)
