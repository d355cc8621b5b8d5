"""Kubernetes quantities: ``500m``, ``1.5Gi``, ``1e3``.

Grammar (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/):
sign? digits with at most one point, then a binary suffix, a decimal suffix, or an exponent.
"""

from __future__ import annotations

import re
from functools import lru_cache

from renderer.later import pattern

_QUANTITY = pattern(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d{1,3}))", re.ASCII)
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

#: API servers round up to 10^-9.
_NANO = 9
_ONE = 1_000_000_000
_LONGEST = 64


@lru_cache(maxsize=2048)
def nano(text: str) -> int | None:
    """In units of 10^-9; None if it is no quantity."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    sign, number, binary, decimal, exponent = match.groups()
    whole, _, fraction = number.partition(".")
    power = _NANO - len(fraction) + (int(exponent) if exponent else _DECIMAL[decimal or ""])
    value: int = int(whole + fraction) * _BINARY.get(binary, 1)
    value = value * 10**power if power >= 0 else -(-value // 10**-power)
    return -value if sign == "-" else value


def amount(text: str) -> int:
    """In units of 10^-9. ValueError if it is no quantity."""
    size = nano(text)
    if size is None:
        raise ValueError("not a quantity")
    return size


# ---------------------------------------------------------------------------------------------
# In the words of compose.


def bytes_of(quantity: str) -> int:
    """Whole bytes, rounded up as in Kubernetes."""
    return -(-amount(quantity) // _ONE)


def cpus(quantity: str) -> str:
    """``500m`` as ``0.5``, in thousandths of a CPU."""
    whole, rest = divmod(-(-amount(quantity) * 1000 // _ONE), 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")


def memory(quantity: str) -> str:
    """``512Mi`` as ``512M``: compose's units are powers of 1024, without the 'i'."""
    size = bytes_of(quantity)
    for unit, factor in (("G", 1024**3), ("M", 1024**2)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def tmpfs_size(quantity: str) -> str:
    """In the kernel's units, for the mount option."""
    return memory(quantity).lower()
