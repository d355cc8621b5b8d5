"""Compose files: the Compose Specification, and what docker compose refuses beyond it.

Measured with docker compose 5.6 and Engine 20.10: some faults pass ``docker compose config`` and only appear, or are
silently ignored, when the project starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from renderer import assets
from renderer.check.compose.ports import container_name_faults, port_faults, unreachable_port_faults
from renderer.check.compose.references import (
    cycle_faults,
    health_faults,
    mount_faults,
    read_only_faults,
    reference_faults,
)
from renderer.check.compose.workload import Workload, is_small, workloads
from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.manifest import Json
from renderer.schemas import Schema
from renderer.wording import excerpt

_LIMITS, _RESERVATIONS = ("deploy", "resources", "limits"), ("deploy", "resources", "reservations")
#: Powers of 1024; docker compose ignores an 'i'.
_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


#: Bounded, as huge numbers would be slow.
_AMOUNT = pattern(r"(-?[0-9]{1,18}(?:\.[0-9]{1,18})?) ?([bkmgtp]?)i?b?", re.IGNORECASE)


def _bytes(value: str) -> Fraction | None:
    match = _AMOUNT.fullmatch(value)
    return Fraction(match[1]) * Fraction(1024) ** _POWERS[match[2].lower()] if match else None


def _number(value: str) -> Fraction | None:
    match = _AMOUNT.fullmatch(value)
    return Fraction(match[1]) if match and not match[2] else None


_Reader = Callable[[str], Fraction | None]

#: Limits that can be set at the service and under ``deploy``, which must agree.
_TWINS: tuple[tuple[str, DocumentPath, _Reader], ...] = (
    ("cpus", (*_LIMITS, "cpus"), _number),
    ("mem_limit", (*_LIMITS, "memory"), _bytes),
    ("pids_limit", (*_LIMITS, "pids"), _number),
    ("mem_reservation", (*_RESERVATIONS, "memory"), _bytes),
    ("scale", ("deploy", "replicas"), _number),
)


def limit_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Two different values for one limit, or a reservation above the limit."""
    for workload in workloads:
        for field, path, read in _TWINS:
            own, deployed = _amount(workload.body, (field,), read), _amount(workload.body, path, read)
            if own is not None and deployed is not None and own != deployed:
                message = f"has another value than {excerpt('.'.join(map(str, path)))}"
                yield Fault(workload.at(field), "compose/two-values", message, "keep one of the two")
        limit = _amount(workload.body, (*_LIMITS, "memory"), _bytes)
        limit = _amount(workload.body, ("mem_limit",), _bytes) if limit is None else limit
        for path in ((*_RESERVATIONS, "memory"), ("mem_reservation",)):
            reserved = _amount(workload.body, path, _bytes)
            if limit and reserved and reserved > limit:
                message = "more memory is reserved than the limit allows"
                yield Fault(workload.at(*path), "compose/reservation-above-limit", message, "lower it")


def _amount(body: Json, path: DocumentPath, read: _Reader) -> Fraction | None:
    """None if absent or unreadable, which the schema reports."""
    value: Any = body
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return read(str(value)) if type(value) in (str, float) or is_small(value) else None


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
    """Rules are ``compose/<name>``; the schema's are included.

    Texts count as interpolated: whether a ``$`` was meant literally is unknown here.
    """
    problems = _schema().faults(doc, "compose")
    running = workloads(doc) if isinstance(doc, dict) else []
    return [*problems, *(fault for check in _CHECKS if running for fault in check(doc, running))]


@cache
def _schema() -> Schema:
    return Schema(assets.schema("output/compose"))
