"""The table of Kubernetes objects in order of application.

A new object is a line here, a template and its golden file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from renderer.guard import opened_for_keys, pod_config
from renderer.kinds import DEFAULT_ACCOUNT
from renderer.labels import DESCRIPTION_ANNOTATION, accepted, notes, object_labels
from renderer.model import AccessRule, Monitoring, Options, Server
from renderer.model.access import AGENT, ENVOY
from renderer.namedtuples import NamedTuple
from renderer.targets.kubernetes.files import mounted_files, server_files
from renderer.targets.kubernetes.values import pod_annotations


class Instance(NamedTuple):
    """One object; ``stem``: its file name without suffix; ``extra``: values for its template."""

    name: str
    stem: str
    annotations: Mapping[str, str]
    extra: Mapping[str, Any] = {}

    def named(self, kind: str, server: Server) -> str:
        """The adopted name, if this is the server's main object of the kind."""
        is_main = self.stem.removeprefix("account-") == kind.lower()
        return server.object_name(kind, self.name) if is_main else self.name


_Instances = Callable[[Server, Options], Iterator[Instance]]


class ObjectType(NamedTuple):
    """``instances`` yields the objects that a server needs."""

    kind: str
    template: str
    instances: _Instances


def _service_accounts(server: Server, _options: Options) -> Iterator[Instance]:
    if server.service_account.create:
        # Its annotations are for identity providers, so no other object has them.
        annotations = {**server.annotations, **server.service_account.annotations}
        yield Instance(server.service_account.name, "serviceaccount", annotations)


def _account_roles(kind: str) -> _Instances:
    """RBAC of the server's account: namespaced, or cluster-wide."""
    stem, is_wide = f"account-{kind.lower()}", kind.startswith("Cluster")

    def instances(server: Server, options: Options) -> Iterator[Instance]:
        account = server.service_account
        # Cluster-scoped names are unique, so the name includes the namespace.
        name = f"{options.namespace_of(server)}:{server.resource_name}" if is_wide else server.resource_name
        extra = {"namespace": None} if is_wide else {}
        if rules := account.cluster_rules if is_wide else account.rules:
            role = server.object_name(kind.removesuffix("Binding"), name)
            own = {"role": role} if kind.endswith("Binding") else {"rules": [_access_rule(rule) for rule in rules]}
            yield Instance(name, stem, server.annotations, {**extra, **own})
        for role in account.cluster_roles if kind == "ClusterRoleBinding" else ():
            file = f"{stem}-{role.replace(':', '_')}"
            yield Instance(f"{name}:{role}", file, server.annotations, {**extra, "role": role})
        for rights in account.elsewhere if not is_wide else ():
            # A server in that namespace may have the same name.
            name, file = f"{options.namespace_of(server)}:{server.resource_name}", f"{stem}-{rights.namespace}"
            there = {"namespace": rights.namespace}
            if rights.rules:
                own = {"role": name} if kind == "RoleBinding" else {"rules": [_access_rule(r) for r in rights.rules]}
                yield Instance(name, file, server.annotations, {**there, **own})
            for role in rights.cluster_roles if kind == "RoleBinding" else ():
                bound = {**there, "role": role, "role_kind": "ClusterRole"}
                yield Instance(f"{name}:{role}", f"{file}-{role.replace(':', '_')}", server.annotations, bound)

    return instances


def _access_rule(rule: AccessRule) -> dict[str, list[str]]:
    names = ("apiGroups", "resources", "resourceNames", "verbs", "nonResourceURLs")
    return {name: list(values) for name, values in zip(names, rule, strict=True) if values}


def _claims(server: Server, _options: Options) -> Iterator[Instance]:
    for i, volume in enumerate(server.storage if server.workload != "StatefulSet" else ()):
        if volume.size:
            name, stem = server.claim_name(volume), f"persistentvolumeclaim-{volume.name}"
            yield Instance(name, stem, {**server.annotations, "mcpctl.io/purpose": volume.purpose}, {"position": i})


def _network_policies(server: Server, options: Options) -> Iterator[Instance]:
    if options.network_policy_provider != "kubernetes":
        return
    egress = server.network.egress
    named = dict.fromkeys((*egress.hosts, *opened_for_keys(server))) if egress else ()
    hosts = ",".join(f"{host.name}:{host.port}" for host in named)
    # Tells tools what the comment tells people.
    own = {"mcpctl.io/egress-hosts-not-enforced": hosts} if hosts else {}
    yield Instance(f"{server.resource_name}-netpol", "networkpolicy", {**server.annotations, **own})


def _services(server: Server, _options: Options) -> Iterator[Instance]:
    if server.listens:
        annotations = {**server.annotations, **server.service.annotations, **notes(server)}
        yield Instance(server.resource_name, "service", annotations)


def _alone(stem: str, is_wanted: Callable[[Server, Options], object], suffix: str = "") -> _Instances:
    """One object named after the server with ``suffix``."""

    def instances(server: Server, options: Options) -> Iterator[Instance]:
        if is_wanted(server, options):
            yield Instance(f"{server.resource_name}{suffix}", stem, server.annotations)

    return instances


def _ways_in(kind: str) -> _Instances:
    def instances(server: Server, _options: Options) -> Iterator[Instance]:
        if server.expose and server.expose.type == kind:
            annotations = {**server.annotations, **server.expose.annotations}
            yield Instance(server.resource_name, kind.lower(), annotations)

    return instances


def _of_gateway(stem: str, gateway: str, suffix: str = "", /, **extra: Any) -> _Instances:
    """One object if that gateway enforces access; ``suffix`` ends name and file."""

    def instances(server: Server, _options: Options) -> Iterator[Instance]:
        if server.gateway_access and server.gateway_access.enforced_by == gateway and server.expose:
            yield Instance(f"{server.resource_name}{suffix}", f"{stem}{suffix}", server.annotations, extra)

    return instances


def _of_prometheus(stem: str, is_wanted: Callable[[Monitoring], object]) -> _Instances:
    def instances(server: Server, _options: Options) -> Iterator[Instance]:
        if server.monitoring and is_wanted(server.monitoring):
            labels = {**object_labels(server), **server.monitoring.labels}
            yield Instance(server.resource_name, stem, server.annotations, {"labels": labels})

    return instances


def _workload(kind: str) -> _Instances:
    def instances(server: Server, _options: Options) -> Iterator[Instance]:
        if server.workload == kind:
            text = {DESCRIPTION_ANNOTATION: server.description} if server.description else {}
            # A Pod itself has the annotations of a pod template.
            is_pod, own = kind == "Pod", server.annotations
            base = pod_annotations(server, pod_config(server), server_files(server)) if is_pod else own
            yield Instance(server.resource_name, kind.lower(), {**base, **text, **accepted(server)})

    return instances


def _external_secrets(server: Server, _options: Options) -> Iterator[Instance]:
    for i, secret in enumerate(server.external_secrets):
        yield Instance(secret.name, f"externalsecret-{secret.name}", server.annotations, {"position": i})


# ---------------------------------------------------------------------------------------------
# The sandbox: the second namespace, in which a server starts pods of its own.


def _in_sandbox(server: Server, name: str, stem: str, /, **extra: Any) -> Instance:
    """``namespace`` None is for cluster-scoped objects."""
    assert server.sandbox, "asked for by its owner"
    own = {"namespace": server.sandbox.namespace, "labels": object_labels(server, "sandbox")}
    return Instance(name, stem, server.annotations, {**own, **extra})


def _sandbox_namespaces(server: Server, options: Options) -> Iterator[Instance]:
    # Ours if the spec says so, unless '--no-create-namespace' says that no Namespace is.
    if server.sandbox and server.sandbox.create and options.create_namespace is not False:
        # Whatever level the servers' namespace has: pods of a sandbox are less trusted.
        level = {"enforce": "restricted", "warn": "restricted", "kubernetes_version": options.kubernetes_version}
        yield _in_sandbox(server, server.sandbox.namespace, "sandbox-namespace", namespace=None, **level)


def _sandbox_accounts(server: Server, options: Options) -> Iterator[Instance]:
    """The default account, for pods that name none; only if the Namespace is ours."""
    for namespace in _sandbox_namespaces(server, options):
        yield _in_sandbox(server, DEFAULT_ACCOUNT, "sandbox-serviceaccount", namespace=namespace.name)


def _runtime_classes(server: Server, _options: Options) -> Iterator[Instance]:
    runtime = server.sandbox and server.sandbox.runtime_class
    if runtime and runtime.create:
        yield _in_sandbox(server, runtime.name, "runtimeclass", namespace=None)


def _sandbox_objects(stem: str, /, **extra: Any) -> _Instances:
    def instances(server: Server, _options: Options) -> Iterator[Instance]:
        if server.sandbox:
            name = f"{server.resource_name}-sandbox"
            yield _in_sandbox(server, name, stem, **({"role": name} if stem.endswith("rolebinding") else {}), **extra)

    return instances


def _cluster_roles(stem: str) -> _Instances:
    """Reads the Namespace. The name includes the namespace, as cluster-scoped names are unique."""

    def instances(server: Server, options: Options) -> Iterator[Instance]:
        if server.sandbox:
            name = f"{options.namespace_of(server)}:{server.resource_name}-sandbox"
            extra = {"role": name} if stem == "clusterrolebinding" else {}
            yield _in_sandbox(server, name, stem, namespace=None, **extra)

    return instances


def _sandbox_policies(server: Server, options: Options) -> Iterator[Instance]:
    """Default deny, then the server may connect, and pods may reach DNS and data sources.

    No host names, so NetworkPolicies serve all providers: Cilium enforces them too.
    """
    for policy in ("deny", "ingress", "egress") if server.sandbox and options.network_policy_provider != "none" else ():
        name = f"{server.resource_name}-sandbox-{policy}"
        yield _in_sandbox(server, name, f"sandbox-networkpolicy-{policy}", policy=policy)


#: NetworkPolicies precede workloads, so that they apply to the first packet.
OBJECTS: tuple[ObjectType, ...] = (
    ObjectType("Namespace", "kubernetes/namespace.yaml.j2", _sandbox_namespaces),
    ObjectType("RuntimeClass", "kubernetes/runtimeclass.yaml.j2", _runtime_classes),
    ObjectType("ServiceAccount", "kubernetes/namespace-serviceaccount.yaml.j2", _sandbox_accounts),
    ObjectType("ServiceAccount", "kubernetes/serviceaccount.yaml.j2", _service_accounts),
    ObjectType("Role", "kubernetes/role.yaml.j2", _account_roles("Role")),
    ObjectType("RoleBinding", "kubernetes/rolebinding.yaml.j2", _account_roles("RoleBinding")),
    ObjectType("ClusterRole", "kubernetes/clusterrole.yaml.j2", _account_roles("ClusterRole")),
    ObjectType("ClusterRoleBinding", "kubernetes/clusterrolebinding.yaml.j2", _account_roles("ClusterRoleBinding")),
    ObjectType("Role", "kubernetes/role.yaml.j2", _sandbox_objects("sandbox-role")),
    ObjectType("RoleBinding", "kubernetes/rolebinding.yaml.j2", _sandbox_objects("sandbox-rolebinding")),
    ObjectType("ClusterRole", "kubernetes/clusterrole.yaml.j2", _cluster_roles("clusterrole")),
    ObjectType("ClusterRoleBinding", "kubernetes/clusterrolebinding.yaml.j2", _cluster_roles("clusterrolebinding")),
    ObjectType("NetworkPolicy", "kubernetes/sandbox-networkpolicy.yaml.j2", _sandbox_policies),
    ObjectType("ResourceQuota", "kubernetes/resourcequota.yaml.j2", _sandbox_objects("sandbox-resourcequota")),
    ObjectType("LimitRange", "kubernetes/limitrange.yaml.j2", _sandbox_objects("sandbox-limitrange")),
    ObjectType("NetworkPolicy", "kubernetes/networkpolicy.yaml.j2", _network_policies),
    ObjectType(
        "CiliumNetworkPolicy",
        "kubernetes/ciliumnetworkpolicy.yaml.j2",
        _alone("ciliumnetworkpolicy", lambda _, options: options.network_policy_provider == "cilium", "-netpol"),
    ),
    ObjectType("ExternalSecret", "kubernetes/externalsecret.yaml.j2", _external_secrets),
    ObjectType(
        "ConfigMap",
        "kubernetes/configmap.yaml.j2",
        _alone("configmap", lambda s, _: any(isinstance(file.source, str) for file in mounted_files(s)), "-files"),
    ),
    ObjectType(
        "ConfigMap", "kubernetes/guard-configmap.yaml.j2", _alone("configmap-guard", lambda s, _: s.guard, "-guard")
    ),
    ObjectType("PersistentVolumeClaim", "kubernetes/persistentvolumeclaim.yaml.j2", _claims),
    ObjectType("Service", "kubernetes/service.yaml.j2", _services),
    ObjectType("Deployment", "kubernetes/deployment.yaml.j2", _workload("Deployment")),
    ObjectType("StatefulSet", "kubernetes/statefulset.yaml.j2", _workload("StatefulSet")),
    ObjectType("Pod", "kubernetes/pod.yaml.j2", _workload("Pod")),
    ObjectType(
        "PodDisruptionBudget",
        "kubernetes/poddisruptionbudget.yaml.j2",
        _alone("poddisruptionbudget", lambda s, _: s.disruption),
    ),
    ObjectType(
        "HorizontalPodAutoscaler",
        "kubernetes/horizontalpodautoscaler.yaml.j2",
        _alone("horizontalpodautoscaler", lambda s, _: s.autoscaling),
    ),
    ObjectType("SecurityPolicy", "kubernetes/securitypolicy.yaml.j2", _of_gateway("securitypolicy", ENVOY)),
    ObjectType(
        "BackendTrafficPolicy",
        "kubernetes/backendtrafficpolicy.yaml.j2",
        _of_gateway("backendtrafficpolicy", ENVOY),
    ),
    ObjectType(
        "HTTPRouteFilter",
        "kubernetes/httproutefilter.yaml.j2",
        _of_gateway("httproutefilter", ENVOY, "-metadata"),
    ),
    ObjectType(
        "AgentgatewayBackend",
        "kubernetes/agentgatewaybackend.yaml.j2",
        _of_gateway("agentgatewaybackend", AGENT, is_keys=False),
    ),
    ObjectType(
        "AgentgatewayBackend",
        "kubernetes/agentgatewaybackend.yaml.j2",
        _of_gateway("agentgatewaybackend", AGENT, "-keys", is_keys=True),
    ),
    ObjectType("AgentgatewayPolicy", "kubernetes/agentgatewaypolicy.yaml.j2", _of_gateway("agentgatewaypolicy", AGENT)),
    ObjectType("Ingress", "kubernetes/ingress.yaml.j2", _ways_in("Ingress")),
    ObjectType("HTTPRoute", "kubernetes/httproute-metadata.yaml.j2", _of_gateway("httproute", ENVOY, "-metadata")),
    ObjectType("HTTPRoute", "kubernetes/httproute.yaml.j2", _ways_in("HTTPRoute")),
    ObjectType(
        "ServiceMonitor",
        "kubernetes/servicemonitor.yaml.j2",
        _of_prometheus("servicemonitor", lambda m: m.scrape == "ServiceMonitor"),
    ),
    ObjectType(
        "PrometheusRule", "kubernetes/prometheusrule.yaml.j2", _of_prometheus("prometheusrule", lambda m: m.alerts)
    ),
)
