"""The targets by name: the one list that options, documents and tests read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from renderer.target import Target

#: Name to one line of help. The module of the same name in ``renderer.targets`` has the ``TARGET``.
TARGETS: Mapping[str, str] = {
    "compose": "a compose file, for docker compose",
    "kubernetes": "Kubernetes manifests, for kubectl and GitOps trees",
}


def target(name: str) -> Target:
    """The target of that name, imported only now: a run needs one, and each costs its import."""
    found: Target = import_module(f"renderer.targets.{name}").TARGET
    return found
