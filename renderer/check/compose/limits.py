"""Limits that can be given in two places, and guarantees beyond a limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from renderer.check.compose.workload import Workload, is_small
from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.manifest import Json
from renderer.wording import excerpt

_LIMITS, _RESERVATIONS = ("deploy", "resources", "limits"), ("deploy", "resources", "reservations")
#: The units of docker compose are powers of 1024, with or without an 'i'.
_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


#: Bounded: an exponent or a million digits would cost more than they are worth.
_AMOUNT = pattern(r"(-?[0-9]{1,18}(?:\.[0-9]{1,18})?) ?([bkmgtp]?)i?b?", re.IGNORECASE)


def _bytes(value: str) -> Fraction | None:
    match = _AMOUNT.fullmatch(value)
    return Fraction(match[1]) * Fraction(1024) ** _POWERS[match[2].lower()] if match else None


def _number(value: str) -> Fraction | None:
    match = _AMOUNT.fullmatch(value)
    return Fraction(match[1]) if match and not match[2] else None


_Reader = Callable[[str], Fraction | None]

#: The same limit, written at the service and under ``deploy``; docker compose wants one value.
_TWINS: tuple[tuple[str, DocumentPath, _Reader], ...] = (
    ("cpus", (*_LIMITS, "cpus"), _number),
    ("mem_limit", (*_LIMITS, "memory"), _bytes),
    ("pids_limit", (*_LIMITS, "pids"), _number),
    ("mem_reservation", (*_RESERVATIONS, "memory"), _bytes),
    ("scale", ("deploy", "replicas"), _number),
)


def limit_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Two values for one limit, and more memory guaranteed than allowed."""
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
    """The number at a path; None where there is none, or none that can be read (the schema tells)."""
    value: Any = body
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return read(str(value)) if type(value) in (str, float) or is_small(value) else None
