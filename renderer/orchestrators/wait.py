"""Looking again and again until something is so, or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    look: Callable[[], T | None],
    *,
    seconds: float,
    interval: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T | None:
    """The first result of ``look`` that is not None; None when ``seconds`` are over.

    Looks at least once, and once more when the time is over: what came true in the last pause counts.
    """
    deadline = clock() + seconds
    while True:
        late = clock() >= deadline
        found = look()
        if found is not None or late:
            return found
        sleep(min(interval, max(0.0, deadline - clock())))
