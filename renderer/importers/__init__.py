"""Specs from what others wrote: definitions of registries, files of clients, manifests that run already."""
