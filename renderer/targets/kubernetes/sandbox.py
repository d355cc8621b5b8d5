"""The second namespace, in which a server starts pods of its own, and Secrets that an operator makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from renderer.errors import Fault, Severity
from renderer.labels import object_labels
from renderer.model import JSON, Amounts, ExternalSecret, Options, Sandbox, Server
from renderer.targets.kubernetes.network import PRIVATE_V4, PRIVATE_V6

#: Objects of the cluster, which lie in no namespace.
_CLUSTER: Mapping[str, JSON] = {"namespace": None}


class Own(NamedTuple):
    """One object to render: its name, the name of its file without ending, and what it sets in the view."""

    name: str
    stem: str
    extra: Mapping[str, JSON]


def sandbox_view(server: Server, options: Options) -> dict[str, JSON]:
    """What the templates of the sandbox read; empty for a server that has none."""
    sandbox = server.sandbox
    if sandbox is None:
        return {}
    return {
        "namespace": sandbox.namespace,
        "create": sandbox.create and options.create_namespace,
        "kubernetes_version": options.kubernetes_version,
        "labels": {**object_labels(server, "sandbox")},
        "runtime_handler": sandbox.runtime_class.handler if sandbox.runtime_class else None,
        "hard": {
            "pods": str(sandbox.pods),
            **{f"requests.{name}": value for name, value in _amounts(sandbox.requests).items()},
            **{f"limits.{name}": value for name, value in _amounts(sandbox.limits).items()},
        },
        "default_request": _amounts(sandbox.default_request),
        "default": _amounts(sandbox.default),
        "max": _amounts(sandbox.most),
        "egress_to": _destinations(sandbox),
        "egress_ports": [{"protocol": "TCP", "port": port} for port in sandbox.ports],
        "egress_comment": "The data sources."
        if sandbox.cidrs
        else "The data sources: every public address, on these ports only; private addresses stay closed.",
    }


def sandbox_limits(server: Server, options: Options) -> Iterator[Fault]:
    """What cannot be walled off, the server's own namespace, and what its own walls must leave open."""
    sandbox, egress = server.sandbox, server.network.egress
    if sandbox and sandbox.namespace == options.namespace:
        yield _own_namespace(server, options)
    # To Cilium the API server has a name, for which the policy has a rule.
    if sandbox and options.network_policy_provider == "kubernetes" and egress is not None and not egress.cidrs:
        yield _without_api()


def _own_namespace(server: Server, options: Options) -> Fault:
    return Fault(
        ("spec", "sandbox", "namespace") if server.given("spec", "sandbox", "namespace") else ("spec", "sandbox"),
        "kubernetes/sandbox-namespace",
        f"the sandbox would be the server's own namespace ('{options.namespace}'): its default deny and its quota "
        "would hold for the server too",
        "choose another --namespace, or another sandbox.namespace",
    )


def _without_api() -> Fault:
    return Fault(
        ("spec", "network", "egress"),
        "kubernetes/sandbox-without-api",
        "the server starts pods through the Kubernetes API, but may connect to no address block that could hold it",
        "add the API server's address with its port under network.egress.cidrs (kubectl get endpoints kubernetes)",
        Severity.WARNING,
        at_key=True,
    )


def _amounts(amounts: Amounts) -> dict[str, JSON]:
    return {"cpu": amounts.cpu, "memory": amounts.memory}


def _destinations(sandbox: Sandbox) -> list[JSON]:
    if sandbox.cidrs:
        return [{"ipBlock": {"cidr": cidr}} for cidr in sandbox.cidrs]
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE_V4)}},
        {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_V6)}},
    ]


def namespaces(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """The namespace of the sandboxed pods."""
    if server.sandbox and view["sandbox"]["create"]:
        # Whatever the servers' own namespace asks for: what runs here is less trusted.
        version = view["sandbox"]["kubernetes_version"]
        level = {"enforce": "restricted", "warn": "restricted", "kubernetes_version": version}
        extra = {**_own(view), **_CLUSTER, **level}
        yield Own(server.sandbox.namespace, "sandbox-namespace", extra)


def runtime_classes(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """The RuntimeClass of the sandboxed pods, unless somebody else keeps it."""
    runtime = server.sandbox and server.sandbox.runtime_class
    if runtime and runtime.create:
        yield Own(runtime.name, "runtimeclass", {**_own(view), **_CLUSTER})


def roles(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """What the server may do in the sandbox, and to whom that is given."""
    if server.sandbox:
        name = f"{server.resource_name}-sandbox"
        yield Own(name, "sandbox-role", _own(view))


def role_bindings(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """Gives the Role to the server's ServiceAccount."""
    for role in roles(server, view):
        yield role._replace(stem="sandbox-rolebinding", extra={**role.extra, "role": role.name})


def cluster_roles(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """Reading the one Namespace. The name holds the server's namespace, as the cluster has only one of a name."""
    if server.sandbox:
        name = f"{view['namespace']}:{server.resource_name}-sandbox"
        yield Own(name, "clusterrole", {**_own(view), **_CLUSTER})


def cluster_role_bindings(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """Gives the ClusterRole to the server's ServiceAccount."""
    for role in cluster_roles(server, view):
        yield role._replace(stem="clusterrolebinding", extra={**role.extra, "role": role.name})


def network_policies(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """First nothing is open; then the server may come in, and pods may reach DNS and the data sources.

    They name nobody by host name, so every provider understands them: Cilium enforces NetworkPolicies too.
    """
    if server.sandbox and view["network_policy_provider"] != "none":
        for policy in ("deny", "ingress", "egress"):
            name = f"{server.resource_name}-sandbox-{policy}"
            yield Own(name, f"sandbox-networkpolicy-{policy}", {**_own(view), "policy": policy})


def resource_quotas(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """What all sandboxed pods may use together."""
    if server.sandbox:
        yield Own(f"{server.resource_name}-sandbox", "sandbox-resourcequota", _own(view))


def limit_ranges(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """What one container of a sandboxed pod may use."""
    if server.sandbox:
        yield Own(f"{server.resource_name}-sandbox", "sandbox-limitrange", _own(view))


def external_secrets(server: Server, view: Mapping[str, Any]) -> Iterator[Own]:
    """One object for each Secret; they lie in the server's own namespace."""
    del view
    for secret in server.external_secrets:
        yield Own(secret.name, f"externalsecret-{secret.name}", {"secret": _external(secret)})


def _external(secret: ExternalSecret) -> dict[str, JSON]:
    data: list[JSON] = []
    for key in secret.keys:
        remote: dict[str, JSON] = {"key": key.remote_key}
        if key.property is not None:
            remote["property"] = key.property
        data.append({"secretKey": key.key, "remoteRef": remote})
    return {"refresh": secret.refresh, "store": secret.store, "store_kind": secret.store_kind, "data": data}


def _own(view: Mapping[str, Any]) -> dict[str, JSON]:
    """Objects of the sandbox lie in its namespace and are labelled as its parts."""
    sandbox = view["sandbox"]
    return {"namespace": sandbox["namespace"], "labels": sandbox["labels"], "server_namespace": view["namespace"]}
