"""Bounds of values in templates of users, and of their run time.

A value is refused before it is made, as it may not fit into memory. Steps are counted, not seconds, so that a template
ends at the same place on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

#: Characters of one text, up to which it can be read back; bytes of one list, at eight an item.
MOST_TEXT = 64_000_000
#: Columns of padding, and bits of a number.
WIDEST = 10_000
#: Items of loops, calls, filters and includes of one document: a compose file of 1000 servers takes 100,000.
MOST_STEPS = 5_000_000
#: Steps of a call.
CALL = 10
#: Characters or items read or made in one step.
_IN_A_STEP = 1000
#: Filters with widths as arguments.
_WIDTHS = ("batch", "block", "center", "comment", "indent", "slice", "text", "tojson", "wordwrap")


class TooLarge(ValueError):
    def __init__(self, message: str = f"this makes a text or list of more than {MOST_TEXT // 1_000_000} MB") -> None:
        super().__init__(message)


class _Budget:
    left = MOST_STEPS


def begin_document() -> None:
    _Budget.left = MOST_STEPS


def spend(steps: int = 1) -> None:
    _Budget.left -= steps
    if _Budget.left < 0:
        raise TooLarge(f"this takes more than {MOST_STEPS:,} steps: loop over less, and call less")


def each(values: Iterable[Any]) -> Iterator[Any]:
    """Counts the items of a loop."""
    for value in values:
        spend()
        yield value


def within(value: Any) -> Any:
    """The value, if within bounds; counts steps by its size."""
    if isinstance(value, str | bytes | list | tuple):
        if _size(value) > MOST_TEXT:
            raise TooLarge
        spend(len(value) // _IN_A_STEP)
    return value


def _size(value: Any) -> int:
    return len(value) * (1 if isinstance(value, str | bytes) else 8)


def refuse_operator(operator: str, left: Any, right: Any) -> None:
    if operator == "%" and isinstance(left, str):
        refuse_widths(left, right if isinstance(right, tuple) else (right,))
    elif operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length()
        if (bits * max(right, 0) if operator == "**" else bits + right.bit_length()) > WIDEST:
            raise TooLarge(f"a number has at most {WIDEST} bits")
    elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
        _refuse_times(len(left) + len(right), "+")
    elif operator == "*":
        for value, times in ((left, right), (right, left)):
            if isinstance(times, int) and hasattr(value, "__len__"):
                _refuse_times(times, value)


def refuse_filter(name: str, value: Any, arguments: Sequence[Any]) -> None:
    # Most filters look at every item of a list.
    spend(CALL + (len(value) if isinstance(value, list | tuple | dict | set | range) else 0))
    within(value)
    if name in _WIDTHS:
        _refuse_wide(arguments)
    elif name == "format":
        refuse_widths(str(value), arguments)
    elif name == "join":
        _refuse_times(len(value), *(text for text in arguments if isinstance(text, str)))
    elif name == "replace":
        refuse_method(name, str(value), arguments)


def refuse_method(name: str, owner: Any, arguments: Sequence[Any]) -> None:
    within(owner)
    if name == "join" and arguments:
        _refuse_times(len(arguments[0]), owner)
    elif name == "replace" and len(arguments) > 1:
        old, new = map(str, arguments[:2])
        _refuse_times(owner.count(old) if isinstance(owner, str) else len(owner), new)
    elif name == "translate" and arguments and isinstance(arguments[0], Mapping):
        _refuse_times(len(owner), *(text for text in arguments[0].values() if isinstance(text, str)))
    else:
        _refuse_wide(arguments)


def refuse_widths(form: str, arguments: Iterable[Any]) -> None:
    """Of a format string, which may take them from its arguments."""
    _refuse_wide(int(number[:18]) for number in re.findall(r"[0-9]+", form))
    arguments = [value for each in arguments for value in (each.values() if isinstance(each, Mapping) else (each,))]
    if "*" in form or re.search(r":[^{}]*\{", form):
        _refuse_wide(arguments)


def _refuse_wide(values: Iterable[Any]) -> None:
    if any(isinstance(value, int) and value > WIDEST for value in values):
        raise TooLarge(f"a width is at most {WIDEST}")


def _refuse_times(times: int, *values: Any) -> None:
    if times * max(map(_size, values), default=0) > MOST_TEXT:
        raise TooLarge
