"""The labels that every target puts on what it renders."""

from __future__ import annotations

from renderer.model import Server

#: Names the server that an object belongs to, in every target.
SERVER_LABEL = "mcpctl.io/server"
#: Where a server speaks MCP, on what leads to it; not there: at the default path.
PATH_ANNOTATION = "mcpctl.io/path"
DEFAULT_PATH = "/mcp"


def object_labels(server: Server, component: str = "mcp-server") -> dict[str, str]:
    """The labels of one object: ours, which select and list, then the spec's own."""
    return {
        "app.kubernetes.io/name": server.resource_name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "mcpctl",
        "app.kubernetes.io/part-of": "mcp",
        "mcpctl.io/managed": "true",
        SERVER_LABEL: server.name,
        **server.labels,
    }


def path_note(server: Server) -> dict[str, str]:
    """What tells later commands under which path the server is asked."""
    return {PATH_ANNOTATION: server.transport.path} if server.listens and server.transport.path != DEFAULT_PATH else {}


def accepted(server: Server) -> dict[str, str]:
    """What the spec accepts of policy, for a reviewer of the output: each with reason and date."""
    if not server.accepted:
        return {}
    places = [", ".join(filter(None, (each.path, each.digest and f"digest {each.digest}"))) for each in server.accepted]
    found = [(each, f" ({place})" if place else "") for each, place in zip(server.accepted, places, strict=True)]
    return {"mcpctl.io/accepted": "; ".join(f"{each.rule}{where}: {each.explanation}" for each, where in found)}
