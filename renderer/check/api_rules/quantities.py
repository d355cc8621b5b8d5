"""Quantities in a document: their form, their bounds, and requests within limits."""

from __future__ import annotations

from typing import Any

from renderer.check.api_rules.forms import refused
from renderer.check.shape import Json, mapping
from renderer.errors import DocumentPath, Fault
from renderer.quantity import nano
from renderer.wording import excerpt

#: Python refuses to make text of integers with thousands of digits.
_MOST_BITS = 64

HINT = "write a number with a suffix, such as 500m, 1 or 1.5 of cpu, 128Mi or 2Gi of memory"


def _size(value: Any) -> int | None:
    """The size of a value as it stands in a document: text or a number; None when it is no quantity."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return None
    return nano(str(value)) if isinstance(value, str | int | float) else None


def quantity_faults(value: Any, path: DocumentPath, *, least: int = 0) -> list[Fault]:
    """At most one Fault: that a value is no quantity, or is below ``least`` (in units of 10^-9)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    size = _size(value)
    if size is None:
        return [refused(path, "quantity", f"{excerpt(value)} is not a quantity", HINT)]
    if size < least:
        bound = "more than 0" if least else "0 or more"
        return [refused(path, "quantity-range", f"must be {bound}, is {excerpt(value)}")]
    return []


def resource_faults(resources: Json, path: DocumentPath) -> list[Fault]:
    """Faults of a container's ``resources``: the quantities, and requests above their limits."""
    requests, limits = mapping(resources, "requests"), mapping(resources, "limits")
    faults = []
    for name, values in (("requests", requests), ("limits", limits)):
        for key, value in values.items():
            faults += quantity_faults(value, (*path, name, key))
    for key, value in requests.items():
        most = limits.get(key)
        asked, allowed = _size(value), _size(most)
        if asked is not None and allowed is not None and asked > allowed:
            message = f"requests {excerpt(value)} of {excerpt(key)}, more than the limit {excerpt(most)}"
            faults.append(refused((*path, "requests", key), "request-above-limit", message))
    return faults
