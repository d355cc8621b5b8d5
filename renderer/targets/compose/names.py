"""How the things of one server are called in a project, and what they are labelled with.

What belongs to a server is called ``<resource name>.<part>``. No resource name and no storage has a
'.' in its name, so the parts of two servers never have one name, in a file or on the shared network.
"""

from __future__ import annotations

from renderer.labels import object_labels
from renderer.model import Server
from renderer.targets.compose.references import literal

#: The network that all servers share; whoever is on it can connect to them.
NETWORK = "mcpctl-network"
#: Name of the project in a stream, where one file holds all servers.
STREAM_PROJECT = "mcpctl"


def part_of(server: Server, role: str) -> str:
    """Name of one part of a server."""
    return f"{server.resource_name}.{role}"


def is_isolated(server: Server) -> bool:
    """Whether the spec forbids all egress: compose can hold to that, and to no lesser restriction."""
    return server.network.egress is not None and server.network.egress.forbidden


def has_gateway(server: Server) -> bool:
    """Whether it is reached through a second container, because its own network leads nowhere."""
    return is_isolated(server) and server.listens


def service_labels(server: Server) -> dict[str, str]:
    """The labels of the server's own service: compose has no annotations, so they are labels as well."""
    text = {"mcpctl.io/description": server.description} if server.description else {}
    kept = object_labels(server)
    more = {key: value for key, value in {**server.annotations, **text}.items() if key not in kept}
    return {**kept, **{key: literal(value) for key, value in more.items()}}


def volume_labels(server: Server) -> dict[str, str]:
    """Never more: compose offers to make a volume anew, without its data, when a label of it changes."""
    return {"mcpctl.io/managed": "true", "mcpctl.io/server": server.name}
