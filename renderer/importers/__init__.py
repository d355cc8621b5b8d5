"""Specs from registries, files of MCP clients, compose files and running manifests."""
