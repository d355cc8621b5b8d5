"""Environments: what differs from one place to the next, kept out of the specs.

``make`` turns documents into Environments, ``apply`` an Environment and specs into servers.
"""

from __future__ import annotations

from renderer.environment.apply import Applied, apply, layers
from renderer.environment.make import is_environment, make_environments
from renderer.environment.places import told
from renderer.environment.select import members, name_of
from renderer.environment.values import Environment, Layer

__all__ = [
    "Applied",
    "Environment",
    "Layer",
    "apply",
    "is_environment",
    "layers",
    "make_environments",
    "members",
    "name_of",
    "told",
]
