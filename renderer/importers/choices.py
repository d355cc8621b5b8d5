"""What a user chooses where a definition offers several ways, and whom an import may ask."""

from __future__ import annotations

from typing import NamedTuple


class Choices(NamedTuple):
    """``package``: a number from 1 or a type of registry, empty for the best. ``offline``: no program is asked."""

    package: str = ""
    remote: bool = False
    offline: bool = False
