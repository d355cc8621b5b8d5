"""What the objects or the cluster cannot do, reported at the field of the spec."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from renderer.errors import DocumentPath, Fault, Severity
from renderer.guard import is_public_name, key_host
from renderer.labels import SERVER_LABEL, object_labels
from renderer.later import later, pattern
from renderer.model import Expose, Options, Peer, Server
from renderer.pins import system_namespace
from renderer.targets.kubernetes.values import SIDECARS_FROM, pre_stop

if TYPE_CHECKING:
    from renderer.targets.kubernetes import admission, gateway
else:
    admission = later("renderer.targets.kubernetes.admission")  # 1 ms, which few servers need
    gateway = later("renderer.targets.kubernetes.gateway")  # 1 ms, as well

#: Suffixes that only the cluster's DNS resolves.
_INSIDE = (".svc", ".cluster.local")
#: The IngressClass of ingress-nginx.
_NGINX = "nginx"
_PLACEHOLDER = pattern(r"\$\{(\w+)\}")


def limits(server: Server, options: Options) -> Iterator[Fault]:
    """In the order in which problems of one line are reported."""
    yield from _namespace_limits(server, options)
    yield from _network_limits(server, options)
    yield from _guard_limits(server, options)
    if server.gateway_access:
        yield from gateway.gateway_limits(server, server.gateway_access)
    yield from _sandbox_limits(server, options)
    if options.owns_namespace and options.namespace_rules.bounds_pods:
        yield from admission.refused_by_the_namespace(server, options)
    if server.shutdown.pre_stop and pre_stop(server, options) is None:
        yield Fault(
            ("spec", "shutdown", "preStopSeconds"),
            "kubernetes/pre-stop-not-rendered",
            f"not rendered for Kubernetes {options.kubernetes_version}: the sleep action needs 1.30, and mcpctl "
            "does not know which programs the image has",
            "render for 1.30 or later, or let the server finish its requests after SIGTERM",
            Severity.WARNING,
        )
    yield from _machine_limits(server)
    yield from _ways_in_limits(server, options)


def _machine_limits(server: Server) -> Iterator[Fault]:
    """What only a container on a known machine can have."""
    for name, address in server.network.host_aliases.items():
        if address == "host-gateway":
            yield Fault(
                ("spec", "network", "hostAliases", name),
                "kubernetes/host-gateway",
                "not rendered for kubernetes: pods run on any node, so no machine is theirs",
                "write the address, or set network.hostAliases for this server in the Environment",
            )
    for i, volume in enumerate(server.storage):
        if volume.host_path:
            yield Fault(
                ("spec", "storage", i, "hostPath"),
                "kubernetes/host-path",
                "not rendered for kubernetes: Pod Security 'restricted' refuses hostPath volumes",
                "write 'size' for a volume, or set spec.storage for this server in the Environment",
            )
    for i, folder in enumerate(server.security.writable):
        if folder.executable is False:
            yield _warning(
                ("spec", "security", "writablePaths", i, "exec"),
                "exec-not-forbidden",
                "not enforced: Kubernetes has no mount option noexec for temporary storage",
                "rely on it in compose alone, or leave 'exec' out",
            )


def _warning(path: DocumentPath, rule: str, message: str, hint: str) -> Fault:
    return Fault(path, f"kubernetes/{rule}", message, hint, Severity.WARNING, at_key=True)


def _namespace_limits(server: Server, options: Options) -> Iterator[Fault]:
    """The namespace of the spec against option and environment."""
    path, name = ("spec", "namespace"), server.namespace
    asked = server.data["spec"].get("namespace")
    if options.namespace_typed and asked not in (None, options.namespace):
        message = f"--namespace {options.namespace} holds for every server, and this one asks for '{asked}'"
        yield _warning(path, "namespace-option", message, "leave the option out, or render this server by itself")
    if name and options.other_namespaces is not None and name not in options.other_namespaces:
        message = f"the environment allows no server in namespace {name}"
        hint = f"add it to namespace.others of the Environment, or use its own: {options.namespace}"
        yield Fault(path, "kubernetes/namespace-not-allowed", message, hint)
    if name and options.create_namespace is not False and (whose := system_namespace(name)):
        hint = "choose another name, or add --no-create-namespace to use it as it is"
        yield Fault(path, "kubernetes/reserved-namespace", f"the namespace {name} {whose}", hint)


def annotates_nothing(server: Server, kinds: Collection[str]) -> Iterator[Fault]:
    """Annotations for kinds that are not rendered."""
    for kind in server.kind_annotations:
        if kind not in kinds:
            claims = kind == "PersistentVolumeClaim" and server.workload == "StatefulSet" and server.storage
            reason = "the claim templates of a StatefulSet never change" if claims else "the server has none"
            hint = "remove them" + (", or annotate the claims with kubectl" if claims else "")
            yield _warning(("spec", "annotations", kind), "annotation-of-nothing", f"not rendered: {reason}", hint)


def elsewhere(server: Server, servers: Sequence[Server], options: Options) -> Iterator[Fault]:
    """Servers that are expected in this server's namespace but are in another."""
    own = options.namespace_of(server)
    here = {other.resource_name for other in servers if options.namespace_of(other) == own}
    others = {o.resource_name: o for o in servers if options.namespace_of(o) != own and o.resource_name not in here}
    for path, name, fix in _looked_for(server, {other.name: name for name, other in others.items()}):
        if name in others:
            place = options.namespace_of(others[name])
            message = f"{name} is in namespace {place}; without a namespace it is expected in {own}"
            yield Fault(path, "kubernetes/other-namespace", message, fix.format(place), Severity.WARNING)


def not_admitted(server: Server, known: Mapping[str, Server], options: Options) -> Iterator[Fault]:
    """Servers that this one calls but whose NetworkPolicy does not admit it."""
    egress = server.network.egress
    if egress is None or options.network_policy_provider == "none":
        return
    for i, name in enumerate(egress.servers):
        other = known.get(name)
        if other is None or not other.listens:
            continue
        peers = (*other.network.ingress, *(other.expose.peers or () if other.expose else ()))
        here = options.namespace_of(server)
        place = f"namespace: {here}, " if here != options.namespace_of(other) else ""
        if not any(_admits(peer, server, other, options) for peer in peers):
            yield Fault(
                ("spec", "network", "egress", "servers", i),
                "kubernetes/server-not-admitted",
                f"the NetworkPolicy of {name} does not admit this server, so every call times out",
                f"add to network.ingress.from of {name}: {{{place}podLabels: {{{SERVER_LABEL}: {server.name}}}}}",
                Severity.WARNING,
            )


def _admits(peer: Peer, server: Server, other: Server, options: Options) -> bool:
    """Whether the peer may match the pods; addresses and namespace labels are unknown and count as matching."""
    here, there = options.namespace_of(server), options.namespace_of(other)
    if peer.cidr or peer.namespace_labels:
        return True
    if peer.namespace_labels is None and here != (peer.namespace or there):
        return False
    adopted = server.adopt.selector if server.adopt else {}
    return (peer.pod_labels or {}).items() <= {**object_labels(server), **adopted}.items()


def _looked_for(server: Server, names: Mapping[str, str]) -> Iterator[tuple[DocumentPath, str, str]]:
    """Path, object name and fix; ``names``: object names by server."""
    network = server.network
    for i, service in enumerate(network.egress.services if network.egress else ()):
        if service.namespace is None and service.namespace_labels is None:
            yield ("spec", "network", "egress", "services", i), service.name, "write namespace: {}"
    for i, peer in enumerate(network.ingress):
        if peer.pod_labels and peer.namespace is None and peer.namespace_labels is None:
            name = peer.pod_labels.get("app.kubernetes.io/name") or names.get(peer.pod_labels.get(SERVER_LABEL, ""), "")
            yield ("spec", "network", "ingress", "from", i), name, "write namespace: {}"
    for variable, value in server.env.items():
        for name in re.findall(r"//([a-z][-a-z0-9]*)(?=[:/]|$)", value) if isinstance(value, str) else ():
            yield ("spec", "env", variable), name, f"write {name}.{{}} as its host"


def _network_limits(server: Server, options: Options) -> Iterator[Fault]:
    """Reported every time, so that nobody relies on a rule that is not enforced."""
    provider, egress = options.network_policy_provider, server.network.egress
    if provider == "none":
        pods = "its pods and its sandboxed pods" if server.sandbox else "its pods"
        yield _warning(
            ("spec", "network") if server.sets("spec", "network") else ("metadata", "name"),
            "not-isolated",
            f"no network policy is rendered: every pod may connect to {pods}, and they to every address",
            "use --network-policy-provider kubernetes or cilium, or keep policies of your own for them",
        )
    elif egress and egress.hosts:
        if provider != "cilium":
            yield _warning(
                ("spec", "network", "egress", "hosts"),
                "egress-hosts",
                "host names are not enforced: a NetworkPolicy knows only addresses and ports, so these ports are open "
                "to every public address, and closed to private ones",
                "list address blocks under network.egress.cidrs where that is too wide, or have Cilium enforce names: "
                "networkPolicy.provider of the environment, --network-policy-provider without one",
            )
        for i, host in enumerate(egress.hosts):
            # Cilium selects pods by labels only, and NetworkPolicies allow public addresses for names.
            if "." not in host.name or host.name.endswith(_INSIDE):
                yield Fault(
                    ("spec", "network", "egress", "hosts", i),
                    "kubernetes/egress-host-inside",
                    f"'{host.name}' is a name inside the cluster: no policy opens the way to pods by name, so it stays "
                    "closed",
                    "name the Service under network.egress.services",
                    Severity.WARNING,
                )


def _guard_limits(server: Server, options: Options) -> Iterator[Fault]:
    access, egress = server.guard, server.network.egress
    if access is None:
        return
    if options.kubernetes_minor < SIDECARS_FROM:
        yield _warning(
            ("spec", "access"),
            "guard-ends-early",
            f"in Kubernetes {options.kubernetes_version} the guard ends together with the server, and cuts the calls "
            "that the server would still finish: sidecars need 1.29",
            "render for 1.29 or later",
        )
    if egress is None or options.network_policy_provider != "kubernetes":
        return
    opened = {host.port for host in egress.hosts}
    for i, issuer in enumerate(access.issuers):
        host = key_host(issuer)
        if host and is_public_name(host.name) and host.port not in opened:
            yield _warning(
                ("spec", "access", "issuers", i, "jwks"),
                "guard-opens-egress",
                f"port {host.port} is open to every public address, also to the server, so that the guard can fetch "
                f"the keys from {host.name}: a NetworkPolicy knows neither names nor containers",
                "keep the keys in a ConfigMap (jwksFrom), or have Cilium enforce names",
            )
            opened.add(host.port)


def _sandbox_limits(server: Server, options: Options) -> Iterator[Fault]:
    sandbox, egress = server.sandbox, server.network.egress
    own = options.namespace_of(server)
    if sandbox and sandbox.namespace == own:
        yield Fault(
            ("spec", "sandbox", "namespace") if server.sets("spec", "sandbox", "namespace") else ("spec", "sandbox"),
            "kubernetes/sandbox-namespace",
            f"the sandbox would be the server's own namespace ('{own}'): its default deny and its quota "
            "would apply to the server too",
            "choose another sandbox.namespace, or another namespace for the server",
        )
    if sandbox and (whose := system_namespace(sandbox.namespace)):
        yield Fault(
            ("spec", "sandbox", "namespace"),
            "kubernetes/sandbox-namespace",
            f"the namespace {sandbox.namespace} {whose}: default deny and quota of a sandbox hold for every pod in it",
            "choose another name",
        )
    # For Cilium the policy has a rule by entity (kube-apiserver).
    plain = options.network_policy_provider == "kubernetes"
    if plain and server.mounts_token and egress is not None and not (egress.cidrs or options.api_server):
        yield _warning(
            ("spec", "network", "egress"),
            "api-server-assumed",
            "a token of the Kubernetes API is mounted, but its address is not set: port 6443 of private addresses "
            "is open",
            "write networkPolicy.apiServer of an Environment, or its address with its port under network.egress.cidrs "
            "(kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes)",
        )


def _public_names(server: Server) -> Iterator[tuple[DocumentPath, str]]:
    """Fields that may hold Flux placeholders."""
    access, several = server.guard, server.sets("spec", "expose", "hosts")
    if access and access.url:
        yield ("spec", "access", "url"), access.url
    for i, issuer in enumerate(access.issuers if access else ()):
        yield ("spec", "access", "issuers", i, "url"), issuer.url
        if isinstance(issuer.jwks, str):
            yield ("spec", "access", "issuers", i, "jwks"), issuer.jwks
    for i, host in enumerate(server.expose.hosts if server.expose else ()):
        yield ("spec", "expose", "hosts", i) if several else ("spec", "expose", "host"), host


def _ways_in_limits(server: Server, options: Options) -> Iterator[Fault]:
    for path, text in _public_names(server):
        unknown = [name for name in _PLACEHOLDER.findall(text) if name not in options.placeholders]
        if unknown:
            yield Fault(
                path,
                "kubernetes/placeholder",
                f"nothing replaces '${{{unknown[0]}}}'",
                f"write the host, or name it in an Environment that Flux delivers: delivery.substitute: [{unknown[0]}]",
            )
    # Without a policy everything is admitted, which another warning reports.
    walled = options.network_policy_provider != "none"
    if walled and server.expose and server.expose.peers is None:
        yield _warning(
            ("spec", "expose"),
            "expose-not-admitted",
            f"the NetworkPolicy does not admit the {_way_in(server.expose)}, unless network.ingress.from names it",
            "name its pods under expose.from: [{namespace: ingress-nginx}], or say 'from: []' where it is named",
        )
    sticky = server.most_pods > 1 and server.transport.keeps_sessions
    if server.expose and sticky and server.expose.class_name != _NGINX:
        yield _warning(
            ("spec", "expose"),
            "expose-affinity",
            f"most {_way_in(server.expose)}s send to pods directly, past the Service and its session affinity: with "
            "several pods, sessions that live in one of them break",
            "have it send a client to the same pod each time, or write transport.stateful: false",
        )
    if walled and server.service.type != "ClusterIP" and not any(peer.cidr for peer in server.network.ingress):
        yield _warning(
            ("spec", "service", "type"),
            "service-not-admitted",
            "the NetworkPolicy admits no address outside of the cluster",
            "list the clients' addresses under network.ingress.from: [{cidr: …}]; where the nodes take their place "
            "(externalTrafficPolicy: Cluster), the nodes'",
        )
    if walled and server.monitoring and server.monitoring.peers is None:
        yield _warning(
            ("spec", "monitoring"),
            "metrics-not-admitted",
            "the NetworkPolicy does not admit Prometheus, so it cannot scrape",
            "name its pods under monitoring.from: [{namespace: monitoring}]; 'from: []' where another policy does",
        )


def _way_in(expose: Expose) -> str:
    return "ingress controller" if expose.type == "Ingress" else "gateway"
