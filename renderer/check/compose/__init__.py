"""Compose files: the Compose Specification, and what docker compose refuses though the schema allows it.

Measured against docker compose 5.6 and Engine 20.10: several of these faults pass ``docker compose
config`` and only fail, or are ignored in silence, when the project starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from renderer import assets
from renderer.check.compose.limits import limit_faults
from renderer.check.compose.ports import container_name_faults, port_faults, unreachable_port_faults
from renderer.check.compose.references import (
    cycle_faults,
    health_faults,
    mount_faults,
    read_only_faults,
    reference_faults,
)
from renderer.check.compose.workload import Workload, workloads
from renderer.errors import Fault
from renderer.schemas import Schema

_Check = Callable[[Mapping[str, Any], Sequence[Workload]], Iterable[Fault]]

_CHECKS: tuple[_Check, ...] = (
    reference_faults,
    health_faults,
    cycle_faults,
    port_faults,
    unreachable_port_faults,
    mount_faults,
    read_only_faults,
    container_name_faults,
    limit_faults,
)


def faults(doc: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with a parsed compose file; rules are ``compose/<name>``.

    Text is taken as docker compose reads it after interpolation; whether a ``$`` was meant as one
    cannot be told here.
    """
    problems = _schema().faults(doc, "compose")
    running = workloads(doc) if isinstance(doc, dict) else []
    return [*problems, *(fault for check in _CHECKS if running for fault in check(doc, running))]


@cache
def _schema() -> Schema:
    return Schema(assets.schema("output/compose"))
