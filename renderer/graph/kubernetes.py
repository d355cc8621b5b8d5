"""Connections of a server in a cluster and who enforces them."""

from __future__ import annotations

from collections.abc import Iterator

from renderer import pins
from renderer.graph.model import Edge, Node, Part
from renderer.graph.scene import Scene, enforcers, ports_of, server_id
from renderer.guard import opened_for_keys
from renderer.model import EgressCidr, EgressService, Expose, Peer, Server

_POLICIES: dict[str, tuple[str, ...]] = {
    "kubernetes": ("NetworkPolicy",),
    "cilium": ("CiliumNetworkPolicy",),
    "none": (),
}


def details(server: Server, scene: Scene) -> tuple[str, ...]:
    del scene
    least, most = server.fewest_pods, server.most_pods
    pods = f"{least} to {most} pods" if least != most else f"{most} pod{'s' * (most != 1)}"
    service = (f"Service {server.object_name('Service')}:{server.service.port}",) if server.listens else ()
    elsewhere = (f"namespace {server.namespace}",) if server.namespace else ()
    return (*service, pods, *elsewhere)


def ways_in(server: Server, scene: Scene) -> Iterator[Part]:
    """Clients in the cluster, Ingress or HTTPRoute, node ports, Prometheus."""
    if not server.listens:
        return
    policy, port = _POLICIES[scene.options.network_policy_provider], _entry(server)
    for node in _peers(server, server.network.ingress, scene):
        yield node
        yield Edge(node.id, server_id(server), f"port {port}", (*policy, *enforcers(server)))
    if not policy:
        node = Node("client every pod", "client", "every pod of the cluster")
        yield node
        yield Edge(node.id, server_id(server), f"port {port}", enforcers(server))
    if server.expose:
        yield from _exposed(server, server.expose, policy, port, scene)
    if server.service.type != "ClusterIP":
        yield from _published(server, policy, scene)
    if server.monitoring:
        for node in _peers(server, server.monitoring.peers or (), scene):
            yield node
            yield Edge(node.id, server_id(server), f"metrics, port {server.monitoring.port}", policy)


def _entry(server: Server) -> int:
    return pins.GUARD_PORT if server.guard else server.transport.port


def _exposed(server: Server, expose: Expose, policy: tuple[str, ...], port: int, scene: Scene) -> Iterator[Part]:
    scheme = "https" if expose.tls or expose.type == "HTTPRoute" else "http"
    kind = f"Ingress of class {expose.class_name}" if expose.class_name else expose.type
    kind = f"HTTPRoute of Gateway {expose.gateway.name}" if expose.gateway else kind
    admitted = [f"{node.title} of {node.lines[0]}" for node in _peers(server, expose.peers or (), scene)]
    tls = () if expose.type == "HTTPRoute" else ("TLS" if expose.tls else "no TLS",)
    through = (f"comes from {', '.join(admitted)}",) if admitted else ()
    access = ("access: none",) if server.access == "none" else ()
    for host in expose.hosts:
        for path in expose.paths:
            url = f"{scheme}://{host}{path}"
            way = Node(f"way {scene.place(server)}/{expose.type} {url}", "way", url, (kind, *tls, *access, *through))
            anyone = Node("client anyone", "client", "anyone who reaches it", ("outside of the cluster",))
            yield from (anyone, way)
            gateway = enforcers(server) if server.gateway_access else ()
            yield Edge(anyone.id, way.id, scheme.upper(), gateway)
            yield Edge(way.id, server_id(server), f"port {port}", (*(policy if admitted else ()), *enforcers(server)))


def _published(server: Server, policy: tuple[str, ...], scene: Scene) -> Iterator[Part]:
    service = server.service
    number = service.node_port if service.type == "NodePort" else service.port
    title = f"{service.type} {server.object_name('Service')}:{number or 'any port'}"
    way = Node(f"way {scene.place(server)}/{title}", "way", title, ("no TLS",))
    reach = Node("client network", "client", "every network that reaches the nodes")
    clients = [Node(f"client {block}", "client", block, ("addresses",)) for block in service.source_ranges] or [reach]
    yield way
    yield Edge(way.id, server_id(server), f"port {_entry(server)}", (*policy, *enforcers(server)))
    for client in clients:
        yield client
        yield Edge(
            client.id, way.id, f"port {number}" if number else "", ("sourceRanges",) * bool(service.source_ranges)
        )


def _peers(server: Server, peers: tuple[Peer, ...], scene: Scene) -> Iterator[Node]:
    for peer in peers:
        if peer.cidr:
            yield Node(f"client {peer.cidr}", "client", peer.cidr, ("addresses",))
            continue
        title = _pods(peer.pod_labels)
        where = _where(peer.namespace, peer.namespace_labels, server, scene)
        yield Node(f"client {title} of {where}", "client", title, (where,))


def _pods(labels: object) -> str:
    pairs = [f"{key}={value}" for key, value in sorted(labels.items())] if isinstance(labels, dict) else []
    return f"pods {', '.join(pairs)}" if pairs else "every pod"


def _where(namespace: str | None, labels: object, server: Server, scene: Scene) -> str:
    if isinstance(labels, dict):
        pairs = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
        return f"namespaces {pairs}" if pairs else "every namespace"
    return f"namespace {namespace or scene.place(server)}"


def ways_out(server: Server, scene: Scene) -> Iterator[Part]:
    """Without DNS, which every server may query."""
    egress, source = server.network.egress, server_id(server)
    provider = scene.options.network_policy_provider
    policy = _POLICIES[provider]
    if egress is None or not policy:
        lines = ("but cloud metadata",) * bool(policy)
        yield Node(f"open {lines}", "open", "every address", lines)
        yield Edge(source, f"open {lines}", "every port")
        return
    by_name = policy if provider == "cilium" else ("NetworkPolicy (the port alone)",)
    for host in dict.fromkeys((*egress.hosts, *opened_for_keys(server))):
        remote = scene.remote(host)
        if not remote:
            yield Node(f"host {host.name}", "host", host.name)
        keys = host in opened_for_keys(server) and host not in egress.hosts
        label = f"port {host.port}{', keys of tokens' * keys}"
        yield Edge(source, remote or f"host {host.name}", label, by_name)
    ways: tuple[EgressCidr | EgressService, ...] = (*egress.cidrs, *egress.services)
    for way in ways:
        node = _reached(server, way, scene)
        other = scene.remote(way) or (scene.server_of(way, server) if isinstance(way, EgressService) else "")
        if not other:
            yield node
        yield Edge(source, other or node.id, ports_of(way), policy)
    if server.mounts_token:
        yield Node("host kubernetes", "host", "Kubernetes API")
        yield Edge(source, "host kubernetes", "with a token", policy)
    if server.sandbox:
        ports = ", ".join(map(str, server.sandbox.ports)) or "none"
        lines = (f"namespace {server.sandbox.namespace}", f"may call ports {ports}", *server.sandbox.cidrs)
        yield Node(f"pods sandbox {server.sandbox.namespace}", "pods", "sandbox", lines)
        yield Edge(source, f"pods sandbox {server.sandbox.namespace}", "starts them", policy)


def _reached(server: Server, way: EgressCidr | EgressService, scene: Scene) -> Node:
    if isinstance(way, EgressCidr):
        without = tuple(f"without {block}" for block in way.excepted)
        return Node(f"block {way.cidr} {way.excepted}", "block", way.cidr, without)
    where = _where(way.namespace, way.namespace_labels, server, scene)
    return Node(f"pods {way.name} of {where}", "pods", way.name, (_pods(way.pod_labels), where))


def notes(server: Server) -> Iterator[str]:
    """NetworkPolicies express everything."""
    del server
    yield from ()
