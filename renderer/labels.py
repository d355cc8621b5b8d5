"""The labels that every target puts on what it renders."""

from __future__ import annotations

from renderer.model import Server


def object_labels(server: Server, component: str = "mcp-server") -> dict[str, str]:
    """The labels of one object: ours, which select and list, then the spec's own."""
    return {
        "app.kubernetes.io/name": server.resource_name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "mcpctl",
        "app.kubernetes.io/part-of": "mcp",
        "mcpctl.io/managed": "true",
        "mcpctl.io/server": server.name,
        **server.labels,
    }
