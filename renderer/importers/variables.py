"""Variables that a definition asks for: values, references to keys, or comments on what may be set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Reading
from renderer.model import JSON

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_ABOUT = 300


class Variable(NamedTuple):
    """What a definition says of a variable. ``default`` None: it says no value."""

    name: str
    default: str | None = None
    required: bool = False
    secret: bool = False
    about: str = ""
    choices: Sequence[str] = ()
    key: str = ""

    @property
    def words(self) -> str:
        """Its description and choices, for a comment."""
        choices = f"one of {', '.join(self.choices)}" if self.choices else ""
        return excerpt("; ".join(filter(None, (" ".join(self.about.split()), choices))), _LONGEST_ABOUT)


def settings_of(name: str) -> str:
    """The ConfigMap for values that only a person knows."""
    return f"{name}-settings"


def set_variable(reading: Reading, source: DocumentPath, variable: Variable, server: str) -> None:
    """Writes the variable into ``spec.env``: a value where there is one, else a reference, or a comment if optional."""
    target: DocumentPath = ("spec", "env", variable.name)
    if not _NAME.fullmatch(variable.name) or len(variable.name) > 253:
        message = f"'{excerpt(variable.name)}' is no name of an environment variable"
        hint = "a name has letters, digits and '_', and does not begin with a digit"
        reading.refuse(source, "import/variable-name", message, hint)
        return
    words = f": {variable.words}" if variable.words else ""
    key = variable.key or variable.name
    if variable.secret:
        optional: dict[str, JSON] = {} if variable.required else {"optional": True}
        reference: JSON = {"secret": server, "key": key, **optional}
        if variable.words:
            reading.comment(target, variable.words)
        reading.map(source, target, reference, f"a secret: set the key {key} of the Secret {server}{words}")
    elif variable.default is not None:
        if variable.words:
            reading.comment(target, variable.words)
        reading.map(source, target, variable.default)
    elif variable.required:
        reference = {"configMap": settings_of(server), "key": key}
        question = f"set the key {key} of the ConfigMap {settings_of(server)}, or write the value here{words}"
        reading.decide(source, target, reference, question)
    else:
        reading.comment(target, f'optional{words}\n{variable.name}: ""')
        reading.leave(source, target, f"optional, and not set{words}")
