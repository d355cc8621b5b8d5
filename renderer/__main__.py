"""The console script, and ``python -m renderer``."""

from __future__ import annotations

import gc
import os
import sys
from _thread import _local
from contextlib import suppress
from importlib import import_module
from types import FunctionType

from renderer.later import instead, patterns_later, postpone


class Unused:
    """Stands for the type of a kind of click's parameters, of which no command has any."""


def _ngettext(singular: str, plural: str, number: int) -> str:
    return singular if number == 1 else plural


def cleandoc(text: str) -> str:
    """As inspect has it: a docstring without the indent that all of its lines have."""
    first, *others = text.expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return "\n".join([first.lstrip(), *(line[margin:] for line in others)]).strip("\n")


def run() -> None:
    """Ends the process."""
    # One short run makes no garbage worth looking for: a tenth of the time (measured on 1,000 servers).
    gc.disable()
    postpone("base64", "bz2", "copy", "decimal", "ipaddress", "lzma", "pathlib", "platform", "shlex", "shutil")
    postpone("selectors", "signal", "socket", "ssl", "subprocess", "tempfile", "textwrap", "urllib.parse")
    # A third of click is what it imports for one name each: inspect reads Python, uuid looks at the platform, and
    # gettext for a translation of each text, which nobody has made.
    with (
        instead("inspect", cleandoc=cleandoc, isfunction=lambda value: isinstance(value, FunctionType)),
        instead("uuid", UUID=Unused),
        instead("datetime", datetime=Unused),
        instead("threading", local=_local),
        instead("weakref", WeakKeyDictionary=dict),
        instead("gettext", gettext=str, ngettext=_ngettext),
        patterns_later(),
    ):
        import_module("click")
    code = import_module("renderer.cli").main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream and stream.flush()
    # All is written and closed; taking the interpreter apart piece by piece would cost a tenth of a short run.
    os._exit(code)


if __name__ == "__main__":
    run()
