"""What is made when it is first used, as a short run mostly does without: modules, and patterns.

    if TYPE_CHECKING:
        from renderer.yaml_reader import events
    else:
        events = later("renderer.yaml_reader.events")  # 24 ms

so that types and the contracts on imports see a module as ever. ``pattern`` is ``re.compile``.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any


class later:  # noqa: N801 - used as a function
    """Stands for a module until something of it is asked for."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        # Kept here, so that the next time costs nothing.
        self.__dict__[name] = value = getattr(import_module(self._module), name)
        return value


if TYPE_CHECKING:
    pattern = re.compile
else:

    class pattern:  # noqa: N801 - used as a function
        """Stands for a pattern until it is asked for something: compiling all was a tenth of a short run."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._source = text, flags

        def __getattr__(self, name: str) -> Any:
            self.__dict__[name] = value = getattr(re.compile(*self._source), name)
            return value
