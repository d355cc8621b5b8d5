"""Digests and locks: texts, registries, packages, and the command."""
