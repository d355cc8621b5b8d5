"""What stands in the way of an apply: programs, the daemon or cluster, rights, and what the specs need there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import NamedTuple

from renderer.doctor.checks import Check, Result
from renderer.model import Options, Rendered, Server
from renderer.orchestrator import OrchestratorConfig

__all__ = ["Check", "Patient", "Result", "diagnose"]

#: Orchestrator to the module of its checks, which has ``checks``.
_CHECKS = {"docker": "engine", "kubernetes": "cluster"}


class Patient(NamedTuple):
    """What is to be applied, rendered as an apply would render it; nothing of it may be there."""

    servers: tuple[Server, ...] = ()
    documents: tuple[Rendered, ...] = ()
    options: Options | None = None


def diagnose(config: OrchestratorConfig, patient: Patient) -> Iterator[Check]:
    """One check after the other, as they are made. Nothing is changed anywhere."""
    from renderer.doctor import programs

    yield from programs.checks()
    yield from import_module(f"renderer.doctor.{_CHECKS[config.type]}").checks(config, patient)


def has_failed(checks: Sequence[Check]) -> bool:
    """Whether anything will go wrong."""
    return any(check.result is Result.FAILED for check in checks)
