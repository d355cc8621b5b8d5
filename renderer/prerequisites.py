"""What a cluster must have before a server's manifests work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal

from renderer.kinds import KINDS
from renderer.model import JSON, ConfigMapRef, EnvValue, NetworkPolicyProvider, SecretRef, Server
from renderer.namedtuples import NamedTuple

Scope = Literal["namespace", "cluster"]
#: Without an object of its own: a controller, a plug-in.
COMPONENT = "Component"
#: The first releases with what is rendered: timeouts of routes, and external-secrets.io/v1.
_GATEWAY_API = "a controller of the Gateway API, in version 1.2 or later"
_EXTERNAL_SECRETS = "the External Secrets Operator, in version 0.16 or later"
_ENFORCED = "access.enforcedBy"
#: The first releases whose CustomResourceDefinitions have the rendered fields, and their API groups.
_GATEWAYS = {
    "envoy-gateway": ("Envoy Gateway, in version 1.9 or later", ".gateway.envoyproxy.io"),
    "agentgateway": ("agentgateway, in version 1.4 or later", ".agentgateway.dev"),
}


class Prerequisite(NamedTuple):
    """``keys``: those that are read; a Secret without keys is read whole. ``optional_keys``: those that may be missing.
    ``type``: of a Secret. ``reasons``: fields that need it. ``namespace``: empty for the server's own.
    """

    kind: str
    name: str
    reasons: tuple[str, ...]
    scope: Scope = "namespace"
    keys: tuple[str, ...] = ()
    optional_keys: tuple[str, ...] = ()
    type: str = ""
    namespace: str = ""
    optional: bool = False


def prerequisites(server: Server, provider: NetworkPolicyProvider = "kubernetes") -> tuple[Prerequisite, ...]:
    """Without duplicates, in the order in which to provide them."""
    needs: dict[tuple[str, str, str], Prerequisite] = {}
    sources = (
        _namespaces(server),
        _references(server),
        _identity(server),
        _volumes(server),
        _classes(server),
        _custom_resources(server),
        _components(server, provider),
    )
    for need in chain.from_iterable(sources):
        key = (need.kind, need.name, need.scope)
        needs[key] = _joined(needs[key], need) if key in needs else need
    return tuple(needs.values())


def _joined(first: Prerequisite, other: Prerequisite) -> Prerequisite:
    must = {*first.keys} - {*first.optional_keys} | {*other.keys} - {*other.optional_keys}
    return first._replace(
        reasons=tuple(dict.fromkeys(first.reasons + other.reasons)),
        keys=tuple(dict.fromkeys(first.keys + other.keys)),
        optional_keys=tuple(key for key in dict.fromkeys(first.optional_keys + other.optional_keys) if key not in must),
        type=first.type or other.type,
        optional=first.optional and other.optional,
    )


def _namespaces(server: Server) -> Iterator[Prerequisite]:
    if server.namespace:
        yield Prerequisite("Namespace", server.namespace, ("namespace",), "cluster")
    if server.sandbox and not server.sandbox.create:
        yield Prerequisite("Namespace", server.sandbox.namespace, ("sandbox.namespace",), "cluster")


def _references(server: Server) -> Iterator[Prerequisite]:
    """Secrets and ConfigMaps but those that External Secrets creates."""
    made = {secret.name for secret in server.external_secrets}
    for need in (*_values(server), *_whole(server)):
        if need.kind != "Secret" or need.name not in made:
            yield need


def _values(server: Server) -> Iterator[Prerequisite]:
    environments: list[tuple[str, Mapping[str, EnvValue]]] = [("env", server.env)]
    environments += [(f"{path[1]}.{c.name}.env", c.env) for path, c in server.further_containers]
    for where, values in environments:
        for name, value in values.items():
            yield from _value(value, f"{where}.{name}")
    for file in server.files:
        yield from _value(file.source, f"files.{file.path}")
    access = server.guard or server.gateway_access
    for i, issuer in enumerate(access.issuers if access else ()):
        if isinstance(issuer.jwks, ConfigMapRef):
            yield from _value(issuer.jwks, f"access.issuers[{i}].jwksFrom")


def _value(value: EnvValue, reason: str) -> Iterator[Prerequisite]:
    if isinstance(value, SecretRef):
        need = Prerequisite("Secret", value.secret, (reason,), keys=(value.key,) if value.key else ())
    elif isinstance(value, ConfigMapRef):
        need = Prerequisite("ConfigMap", value.config_map, (reason,), keys=(value.key,) if value.key else ())
    else:
        return
    yield need._replace(optional=True, optional_keys=need.keys) if value.optional else need


def _whole(server: Server) -> Iterator[Prerequisite]:
    """Those read as a whole, and Secrets of a prescribed type."""
    sources = [("envFrom", server.env_from)]
    sources += [(f"{path[1]}.{c.name}.envFrom", c.env_from) for path, c in server.further_containers]
    for where, items in sources:
        for item in items:
            kind = "Secret" if item.kind == "secret" else "ConfigMap"
            yield Prerequisite(kind, item.name, (where,), optional=item.optional)
    if server.expose and server.expose.tls_secret and server.expose.type == "Ingress":
        keys = ("tls.crt", "tls.key")
        yield Prerequisite("Secret", server.expose.tls_secret, ("expose.tls",), keys=keys, type="kubernetes.io/tls")
    for name in server.image_pull_secrets:
        kind = "kubernetes.io/dockerconfigjson"
        yield Prerequisite("Secret", name, ("imagePullSecrets",), keys=(".dockerconfigjson",), type=kind)


def _identity(server: Server) -> Iterator[Prerequisite]:
    account = server.service_account
    if not account.create and account.name != "default":
        yield Prerequisite("ServiceAccount", account.name, ("serviceAccount",))
    for role in account.cluster_roles:
        yield Prerequisite("ClusterRole", role, ("serviceAccount.clusterRoles",), "cluster")
    for rights in account.elsewhere:
        yield Prerequisite("Namespace", rights.namespace, ("serviceAccount.namespaces",), "cluster")
        for role in rights.cluster_roles:
            yield Prerequisite("ClusterRole", role, ("serviceAccount.namespaces",), "cluster")


def _volumes(server: Server) -> Iterator[Prerequisite]:
    for volume in server.storage:
        if volume.existing_claim:
            yield Prerequisite("PersistentVolumeClaim", volume.existing_claim, (f"storage.{volume.name}",))
        elif volume.size is None:
            continue
        elif volume.storage_class == "":
            yield Prerequisite(COMPONENT, "a PersistentVolume without a class", (f"storage.{volume.name}",), "cluster")
        elif volume.storage_class:
            yield Prerequisite("StorageClass", volume.storage_class, (f"storage.{volume.name}",), "cluster")
        else:
            yield Prerequisite(COMPONENT, "a default StorageClass", (f"storage.{volume.name}",), "cluster")


def _classes(server: Server) -> Iterator[Prerequisite]:
    """Referenced classes, and the governing Service."""
    governing = server.adopt and server.adopt.service_name
    if governing and governing != server.object_name("Service"):
        yield Prerequisite("Service", governing, ("adopt.serviceName",))
    runtime = server.sandbox and server.sandbox.runtime_class
    if server.runtime_class and not (runtime and runtime.create and runtime.name == server.runtime_class):
        yield Prerequisite("RuntimeClass", server.runtime_class, ("runtimeClass",), "cluster")
    if runtime and not runtime.create:
        yield Prerequisite("RuntimeClass", runtime.name, ("sandbox.runtimeClass",), "cluster")
    if server.scheduling.priority_class:
        yield Prerequisite("PriorityClass", server.scheduling.priority_class, ("scheduling",), "cluster")
    if server.expose and server.expose.type == "Ingress" and server.expose.class_name:
        yield Prerequisite("IngressClass", server.expose.class_name, ("expose.className",), "cluster")


def _definition(kind: str, reason: str) -> Prerequisite:
    return Prerequisite("CustomResourceDefinition", KINDS[kind].resource, (reason,), "cluster")


def _custom_resources(server: Server) -> Iterator[Prerequisite]:
    """CustomResourceDefinitions, and what custom resources refer to."""
    monitoring, expose = server.monitoring, server.expose
    if monitoring and monitoring.scrape == "ServiceMonitor":
        yield _definition("ServiceMonitor", "monitoring")
    if monitoring and monitoring.alerts:
        yield _definition("PrometheusRule", "monitoring.alerts")
    if expose and expose.type == "HTTPRoute":
        yield _definition("HTTPRoute", "expose")
        if expose.gateway:
            place = expose.gateway.namespace or ""
            yield Prerequisite("Gateway", expose.gateway.name, ("expose.gateway",), namespace=place)
    for secret in server.external_secrets:
        yield _definition("ExternalSecret", "externalSecrets")
        scope: Scope = "namespace" if secret.store_kind == "SecretStore" else "cluster"
        yield Prerequisite(secret.store_kind, secret.store, (f"externalSecrets.{secret.name}",), scope)
    if server.gateway_access:
        name, group = _GATEWAYS[server.gateway_access.enforced_by]
        yield from (_definition(kind.name, _ENFORCED) for kind in KINDS.values() if kind.resource.endswith(group))
        yield Prerequisite(COMPONENT, name, (_ENFORCED,), "cluster")


def _components(server: Server, provider: NetworkPolicyProvider) -> Iterator[Prerequisite]:
    """Controllers and plug-ins without which objects have no effect."""
    reason = ("network",)
    if provider == "cilium":
        yield _definition("CiliumNetworkPolicy", "network")
        yield Prerequisite(COMPONENT, "Cilium as the network plugin (CNI), with its DNS proxy", reason, "cluster")
    elif provider == "kubernetes":
        yield Prerequisite(COMPONENT, "a network plugin (CNI) that enforces NetworkPolicies", reason, "cluster")
    if server.expose:
        name = "an ingress controller" if server.expose.type == "Ingress" else _GATEWAY_API
        yield Prerequisite(COMPONENT, name, ("expose",), "cluster")
    if server.external_secrets:
        yield Prerequisite(COMPONENT, _EXTERNAL_SECRETS, ("externalSecrets",), "cluster")
    if server.autoscaling:
        yield Prerequisite(COMPONENT, "the metrics server (metrics.k8s.io)", ("autoscaling",), "cluster")
    if server.gpu:
        name = "nodes with NVIDIA GPUs, their device plugin and GPU feature discovery"
        yield Prerequisite(COMPONENT, name, ("gpu",), "cluster")
    runtime = server.sandbox and server.sandbox.runtime_class
    if runtime and runtime.create:
        name = f"nodes whose container runtime has the handler {runtime.handler}"
        yield Prerequisite(COMPONENT, name, ("sandbox.runtimeClass",), "cluster")


# ---------------------------------------------------------------------------------------------
# As data and as text.


def as_data(server: Server, namespace: str, provider: NetworkPolicyProvider = "kubernetes") -> dict[str, JSON]:
    """``namespace``: that of the run. Empty values are left out."""
    place = server.namespace or namespace
    return {
        "server": server.name,
        "namespace": place,
        "prerequisites": as_fields(prerequisites(server, provider), place),
    }


def as_fields(needs: Sequence[Prerequisite], namespace: str) -> list[JSON]:
    """``namespace``: for those that do not name one."""
    rows: list[dict[str, JSON]] = [
        {
            "kind": need.kind,
            "name": need.name,
            "namespace": need.namespace or (namespace if need.scope == "namespace" else ""),
            "type": need.type,
            "keys": list(need.keys),
            "optionalKeys": list(need.optional_keys),
            "optional": need.optional,
            "neededBy": [f"spec.{reason}" for reason in need.reasons],
        }
        for need in needs
    ]
    return [{name: value for name, value in row.items() if value not in ("", [], False)} for row in rows]


def as_json(
    servers: Sequence[Server], namespace: str, provider: NetworkPolicyProvider = "kubernetes", more: Sequence[JSON] = ()
) -> str:
    """An object for a single result, else a list; ``more`` is appended."""
    data = [*(as_data(server, namespace, provider) for server in servers), *more]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=True) + "\n"


def as_markdown(server: Server, namespace: str, provider: NetworkPolicyProvider = "kubernetes") -> str:
    return markdown_of(server.name, server.namespace or namespace, prerequisites(server, provider))


def markdown_of(name: str, namespace: str, needs: Sequence[Prerequisite]) -> str:
    title = f"What server {name} needs before it is applied"
    where = f"In namespace `{namespace}` unless it says otherwise. "
    where += "As data: `mcpctl prerequisites --output json`."
    return as_list(title, where, needs)


def as_list(title: str, where: str, needs: Sequence[Prerequisite]) -> str:
    """A Markdown checklist after the paragraph ``where``."""
    return "\n".join([f"# {title}", "", where, "", *(f"- [ ] {_sentence(need)}" for need in needs)]) + "\n"


def _sentence(need: Prerequisite) -> str:
    text = need.name if need.kind == COMPONENT else f"{need.kind} `{need.name}`"
    if need.keys:
        optional = () if need.optional else need.optional_keys  # of an optional object that goes without saying
        keys = [f"`{key}`{' (optional)' if key in optional else ''}" for key in need.keys]
        text += f" with {'key' if len(keys) == 1 else 'keys'} {', '.join(keys)}"
    if need.type:
        text += f", of type `{need.type}`"
    if need.namespace:
        text += f", in namespace `{need.namespace}`"
    reasons = ", ".join(f"`spec.{reason}`" for reason in need.reasons)
    return f"{text}{' (optional)' if need.optional else ''}: for {reasons}"
