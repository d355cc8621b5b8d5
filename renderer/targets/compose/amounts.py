"""Kubernetes quantities in the words of compose."""

from __future__ import annotations

import math

from renderer.quantity import amount


def bytes_of(quantity: str) -> int:
    """Whole bytes; a fraction of one counts as one, as in Kubernetes."""
    return math.ceil(amount(quantity))


def cpus(quantity: str) -> str:
    """``500m`` as ``0.5``, in thousandths of a CPU."""
    whole, rest = divmod(math.ceil(amount(quantity) * 1000), 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")


def memory(quantity: str) -> str:
    """``512Mi`` as ``512M``: compose means powers of 1024 by its units, and refuses the 'i'."""
    return _shortest(bytes_of(quantity))


def tmpfs_size(quantity: str) -> str:
    """The same for the option of a mount, whose units are the kernel's."""
    return _shortest(bytes_of(quantity)).lower()


def _shortest(size: int) -> str:
    for unit, factor in (("G", 1024**3), ("M", 1024**2)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
