"""What is made when it is first used, as a short run mostly does without: modules, and patterns.

    if TYPE_CHECKING:
        from renderer.yaml_reader import events
    else:
        events = later("renderer.yaml_reader.events")  # 24 ms

so that types and the contracts on imports see a module as ever. ``pattern`` is ``re.compile``. What libraries import,
and a run does not use, is held back by ``postpone`` and ``instead``, and their patterns by ``patterns_later``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any


class later:  # noqa: N801 - used as a function
    """Stands for a module until something of it is asked for."""

    #: An import looks here whether a module is complete.
    __spec__ = None

    def __init__(self, module: str, **contents: Any) -> None:
        self.__dict__.update(contents, _module=module)

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # so asks 'from x import y': none of these is a package
            raise AttributeError(name)
        if isinstance(sys.modules.get(self._module), later):
            del sys.modules[self._module]
        # Kept here, so that the next time costs nothing.
        with patterns_later():
            self.__dict__[name] = value = getattr(import_module(self._module), name)
        return value


_compile = re.compile
_METHODS = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split", "sub"})

if TYPE_CHECKING:
    pattern = re.compile
else:

    class pattern:  # noqa: N801 - used as a function
        """Stands for a pattern until it is asked for something: compiling all was a tenth of a short run."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._source = text, flags

        def __getattr__(self, name: str) -> Any:
            if name in _METHODS:  # modules keep those of patterns which they may never use
                return lambda *arguments, **options: self._kept(name)(*arguments, **options)
            return self._kept(name)

        def _kept(self, name: str) -> Any:
            self.__dict__[name] = value = getattr(_compile(*self._source), name)
            return value


@contextmanager
def patterns_later() -> Iterator[None]:
    """Inside of the block ``re.compile`` is ``pattern``: those of PyYAML alone take 10 ms, and a run uses none."""
    before, re.compile = re.compile, pattern
    try:
        yield
    finally:
        re.compile = before


def postpone(*modules: str) -> None:
    """Whoever imports one of these gets it read when something of it is asked for; ``from x import y`` asks at once.

    No packages: a module below a stand-in would be read twice.
    """
    for name in modules:
        sys.modules.setdefault(name, later(name))  # type: ignore[arg-type]


@contextmanager
def instead(module: str, **contents: Any) -> Iterator[None]:
    """Inside of the block, whoever imports the module gets these contents, and the module only for anything else."""
    known, stand_in = sys.modules.get(module), later(module, **contents)
    if known is None or isinstance(known, later):
        sys.modules[module] = stand_in  # type: ignore[assignment]
    try:
        yield
    finally:
        if sys.modules.get(module) is stand_in:  # type: ignore[comparison-overlap]
            del sys.modules[module]
            if known:
                sys.modules[module] = known
