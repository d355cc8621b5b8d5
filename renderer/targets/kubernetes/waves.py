"""Sync waves of Argo CD: it applies the next one when all of this one is healthy."""

from __future__ import annotations

from renderer.kinds import KINDS
from renderer.model import Options

ANNOTATION = "argocd.argoproj.io/sync-wave"


def wave(kind: str, options: Options) -> dict[str, str]:
    """The annotation of an object, where the environment asks for it; wave 0 is what has none."""
    number = KINDS[kind].wave
    return {ANNOTATION: str(number)} if options.sync_waves and number else {}
