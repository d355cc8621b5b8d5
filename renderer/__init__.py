"""Renders declarative specs of MCP servers into Kubernetes manifests and compose files."""

__version__ = "0.1.0"
