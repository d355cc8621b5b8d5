"""``{{server.param|filter}}`` of Docker's registry, resolved as far as the definition itself says the values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading, plain_text
from renderer.importers.variables import literal
from renderer.model import JSON

_TERM = re.compile(r"\{\{(.*?)\}\}")
_PROPERTIES = ("config", "parameters", "properties")


class Unset(NamedTuple):
    """A parameter without a value: only a person knows it."""

    path: DocumentPath
    name: str
    required: bool
    about: str
    choices: Sequence[str]


class Parameters:
    """The parameters that a definition declares: JSON Schema, of which ``default`` is the value."""

    def __init__(self, reading: Reading, server: str) -> None:
        self._reading = reading
        self._server = server
        self._used: set[DocumentPath] = set()

    def resolve(self, path: DocumentPath) -> list[str] | Unset:
        """The words that the text there stands for; the first parameter without a value, where there is one."""
        text = self._reading.text(*path)
        whole = _TERM.fullmatch(text)
        if whole and "}}" not in whole[1]:
            return self._term(whole[1])
        unset: list[Unset] = []

        def substituted(term: re.Match[str]) -> str:
            value = self._term(term[1])
            if isinstance(value, Unset):
                unset.append(value)
                return ""
            return "".join(value)

        result = _TERM.sub(substituted, text)
        return unset[0] if unset else [result]

    def about(self, path: DocumentPath) -> str:
        """The description of the only parameter in the value there."""
        term = _TERM.fullmatch(self._reading.text(*path, "value"))
        return self._reading.text(*self._path(term[1].partition("|")[0]), "description") if term else ""

    def variable(self, unset: Unset) -> str:
        """The environment variable for a parameter in an argument."""
        return "ARG_" + re.sub(r"[^A-Za-z0-9]+", "_", unset.name).upper().strip("_")

    def with_reference(self, text: str, variable: str) -> str:
        """The argument with the variable's value in the place of its parameter."""
        return f"$({variable})".join(literal(part) for part in _TERM.sub("\0", text).split("\0"))

    def finish(self) -> None:
        """Says of each declared parameter whether a template uses it."""
        reading = self._reading
        for name in reading.mapping(*_PROPERTIES):
            path = (*_PROPERTIES, name)
            if any(used[: len(path)] == path for used in self._used):
                reading.note(path, ("spec", "env"), "where the value of its templates stands")
            else:
                reading.lose(path, "no template of the definition uses it")
        for key in ("type", "required", "anyOf", "title", "description"):
            if reading.get("config", "parameters", key) is not None:
                reading.note(("config", "parameters", key), ("spec", "env"))

    def _path(self, name: str) -> DocumentPath:
        """Where ``server.group.param`` is declared."""
        steps = name.strip().removeprefix(f"{self._server}.").split(".")
        return (*_PROPERTIES, *"\0properties\0".join(steps).split("\0"))

    def _term(self, term: str) -> list[str] | Unset:
        name, *filters = (part.strip() for part in term.split("|"))
        path = self._path(name)
        self._used.add(path)
        reading = self._reading
        value = reading.get(*path, "default")
        for each in filters:
            value = _filtered(value, each)
        if value is None or (value in ("", []) and not any(each.startswith("or:") for each in filters)):
            *group, key = path
            required = reading.get(*group[:-1], "required")
            choices = [plain_text(choice) for _, choice in reading.items(*path, "enum")]
            needed = isinstance(required, list) and key in required
            return Unset(path, name.partition(".")[2] or name, needed, reading.text(*path, "description"), choices)
        return [plain_text(item) for item in value] if isinstance(value, list) else [plain_text(value)]


def _filtered(value: JSON, name: str) -> JSON:
    """As Docker's gateway: ``or:default``, ``first``, ``last``; what forms mounts changes no value here."""
    if name.startswith("or:") and value in (None, "", []):
        rest = name.removeprefix("or:")
        return [word for word in rest[1:-1].split(",") if word] if re.fullmatch(r"\[.*\]", rest) else rest
    if name in ("first", "last") and isinstance(value, list):
        return value[0 if name == "first" else -1] if value else ""
    return value
