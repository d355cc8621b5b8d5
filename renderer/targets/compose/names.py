"""How the things of one server are called in a project, and what they are labelled with.

What belongs to a server is called ``<resource name>.<part>``. No resource name and no storage has a
'.' in its name, so the parts of two servers never have one name, in a file or on the shared network.
"""

from __future__ import annotations

from renderer.labels import accepted, object_labels
from renderer.model import Server
from renderer.targets.compose.references import literal

#: The network that all servers share; whoever is on it can connect to them.
NETWORK = "mcpctl-network"
#: Name of the project in a stream, where one file holds all servers.
STREAM_PROJECT = "mcpctl"


def part_of(server: Server, role: str) -> str:
    """Name of one part of a server."""
    return f"{server.resource_name}.{role}"


def has_proxy(server: Server) -> bool:
    """Whether the spec lists hosts: a proxy with that list is then the only way out."""
    return server.network.egress is not None and bool(server.network.egress.hosts)


def is_isolated(server: Server) -> bool:
    """Whether its own network leads nowhere: all egress is forbidden, or goes through the proxy."""
    egress = server.network.egress
    return egress is not None and (egress.forbidden or has_proxy(server))


def has_gateway(server: Server) -> bool:
    """Whether it is reached through a second container, because its own network leads nowhere."""
    return is_isolated(server) and server.listens


def has_network(server: Server) -> bool:
    """Whether there is an internal network: somebody has to be on it beside the server."""
    return has_gateway(server) or has_proxy(server)


def service_labels(server: Server) -> dict[str, str]:
    """The labels of the server's own service: compose has no annotations, so they are labels as well."""
    text = {"mcpctl.io/description": server.description} if server.description else {}
    kept = object_labels(server)
    more = {key: value for key, value in {**server.annotations, **text, **accepted(server)}.items() if key not in kept}
    return {**kept, **{key: literal(value) for key, value in more.items()}}


def volume_labels(server: Server) -> dict[str, str]:
    """Never more: compose offers to make a volume anew, without its data, when a label of it changes."""
    return {"mcpctl.io/managed": "true", "mcpctl.io/server": server.name}
