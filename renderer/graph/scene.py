"""The run that is drawn, and nodes that do not depend on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from renderer.graph.model import Edge, Kind, Node, Part
from renderer.labels import SERVER_LABEL
from renderer.model import Access, EgressCidr, EgressService, Options, SecretRef, Server
from renderer.prerequisites import prerequisites
from renderer.resolve.links import Way, way_to

if TYPE_CHECKING:
    from renderer.pipeline import Run


class Scene(NamedTuple):
    """``remotes``: ids of remote servers by the connection that is allowed for them."""

    target: str
    options: Options
    servers: tuple[Server, ...]
    remotes: Mapping[str, str]

    def place(self, server: Server) -> str:
        """Its namespace; empty for compose."""
        return self.options.namespace_of(server) if self.target == "kubernetes" else ""

    def remote(self, way: Way) -> str:
        """The id of the remote server behind this connection, or empty."""
        return self.remotes.get(repr(way), "")

    def server_of(self, service: EgressService, server: Server) -> str:
        """The id of the server whose pods the service selects, or empty."""
        if service.namespace_labels is not None:
            return ""
        place = service.namespace or self.place(server)
        for other in self.servers:
            adopted = other.adopt.selector if other.adopt else {}
            labels = ({SERVER_LABEL: other.name}, {"app.kubernetes.io/name": other.resource_name}, adopted)
            if service.pod_labels in labels and self.place(other) == place:
                return server_id(other)
        return ""


def scene_of(run: Run) -> Scene:
    remotes = {repr(way_to(server.remote)): server_id(server) for server in run.specs.remotes if server.remote}
    return Scene(run.target, run.options, run.specs.servers, remotes)


def server_id(server: Server) -> str:
    return f"{'remote' if server.remote else 'server'} {server.name}"


def remote_node(server: Server) -> Node:
    """Shows names of secrets, never values."""
    remote = server.remote
    assert remote, "it is one"
    sent = []
    for name, value in remote.headers.items():
        secrets = [piece for piece in remote.pieces(value) if isinstance(piece, SecretRef)]
        sent.append(f"header {name}{_from(secrets)}")
    inside = [piece for piece in remote.pieces(remote.url) if isinstance(piece, SecretRef)]
    address = f"{remote.address}{_from(inside)}"
    return Node(server_id(server), "remote", server.name, (address, remote.transport, *sent))


def _from(secrets: list[SecretRef]) -> str:
    names = ", ".join(f"key {secret.key} of Secret {secret.secret}" for secret in secrets)
    return f" with {names}" if names else ""


def server_node(server: Server, lines: tuple[str, ...]) -> Node:
    package = server.package
    runs = server.image or (f"{package.registry} {package.name} {package.version}" if package else "")
    bridged = f"{server.transport.type} behind {server.transport.bridge}" if server.transport.bridge != "none" else ""
    speaks = bridged or server.transport.type
    return Node(server_id(server), "server", server.name, (runs, speaks, *lines, *_access(server)))


def _access(server: Server) -> tuple[str, ...]:
    if not server.listens:
        return ("nothing connects to it: clients attach to its stdin",)
    if isinstance(server.access, Access) and server.access.issuers:
        return (f"asks for tokens of {', '.join(issuer.url for issuer in server.access.issuers)}",)
    return ("access: none, asks for no token" if server.access == "none" else "asks for no token",)


def enforcers(server: Server) -> tuple[str, ...]:
    """Who checks requests, whichever way they come."""
    access = server.gateway_access or server.guard
    if access is None:
        return ()
    name = "guard" if server.guard else str(access.enforced_by)
    return (f"{name} ({'tokens' if access.issuers else 'origins'})",)


def ports_of(way: EgressCidr | EgressService) -> str:
    """``ports 80, 443, UDP 161`` or ``every port``."""
    ports = [*map(str, way.ports), *(f"UDP {port}" for port in way.udp_ports)]
    return f"port{'s' * (len(ports) > 1)} {', '.join(ports)}" if ports else "every port"


def dependencies(server: Server, scene: Scene) -> Iterator[Part]:
    """Secrets and ConfigMaps by name and key, and volumes."""
    place = scene.place(server)
    made = {secret.name: secret for secret in server.external_secrets}
    for secret in made.values():
        store = f"made by External Secrets from {secret.store_kind} {secret.store}"
        yield from _use(server, place, "secret", secret.name, (_keys(tuple(secret.made_keys), ()), store))
    for need in prerequisites(server, scene.options.network_policy_provider):
        kind: Kind | None = {"Secret": "secret", "ConfigMap": "config"}.get(need.kind)  # type: ignore[assignment]
        if kind:
            yield from _use(server, place, kind, need.name, (_keys(need.keys, need.optional_keys),))
    for volume in server.storage:
        name = volume.host_path or server.claim_name(volume)
        size = (volume.size,) if volume.size else ("of the machine",) if volume.host_path else ("is there already",)
        yield Node(f"volume {place}/{name}", "volume", name, size)
        label = f"{volume.mount_path}{', read-only' * volume.read_only}"
        yield Edge(server_id(server), f"volume {place}/{name}", label, connects=False)


def _use(server: Server, place: str, kind: Kind, name: str, lines: tuple[str, ...]) -> Iterator[Part]:
    node = Node(f"{kind} {place}/{name}", kind, name, lines)
    yield node
    yield Edge(server_id(server), node.id, connects=False)


def _keys(keys: tuple[str, ...], optional: tuple[str, ...]) -> str:
    if not keys:
        return "every key"
    names = [f"{key} (optional)" if key in optional else key for key in keys]
    return f"key{'s' * (len(names) > 1)} {', '.join(names)}"
