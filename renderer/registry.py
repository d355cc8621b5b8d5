"""The targets: the one list that options, schemas, documents and tests read, and where each is."""

from __future__ import annotations

from importlib import import_module

from renderer.target import Target
from renderer.target_names import TARGETS

__all__ = ["TARGETS", "target"]


def target(name: str) -> Target:
    """The target of that name, imported only now: a run needs one, and each costs its import."""
    chosen: Target = import_module(f"renderer.targets.{name}").TARGET
    return chosen
