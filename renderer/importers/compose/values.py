"""Compose syntax: interpolation, command lines, durations, lists and mappings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading, plain_text
from renderer.manifest import as_mapping, at, items
from renderer.model import JSON

#: How to join several files. Without --no-interpolate compose would insert values of secrets.
WHOLE = "join the files first: docker compose config --no-interpolate | mcpctl import -"

_WORD = r"(?P<word>(?:[^{}$]|\$\{[^{}]*\}|\$)*)"
_PIECE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])" + _WORD + r")?\})"
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")


class Piece(NamedTuple):
    """Literal text, or a variable with its default (None: it must be set)."""

    text: str
    name: str = ""
    default: str | None = None


def pieces(text: str) -> list[Piece]:
    """Splits a text as compose interpolates it; ``$$`` is ``$``."""
    parts: list[Piece] = []
    end = 0
    for match in _PIECE.finditer(text):
        parts += [Piece(text[end : match.start()])] if match.start() > end else []
        end = match.end()
        name = match["name"] or match["braced"]
        if match["dollar"]:
            parts.append(Piece("$"))
        elif match["how"] in (":-", "-"):
            parts.append(Piece("", name, filled(match["word"])))
        elif match["how"] in (":+", "+"):
            parts.append(Piece("", name, ""))
        else:
            parts.append(Piece("", name))
    return parts + ([Piece(text[end:])] if end < len(text) else [])


def filled(text: str) -> str | None:
    """The text with defaults filled in; None if a variable has none."""
    parts = [piece.default if piece.name else piece.text for piece in pieces(text)]
    return None if any(part is None for part in parts) else "".join(part or "" for part in parts)


def words(value: JSON) -> list[str]:
    """A command line, as a list or as text that a shell splits."""
    if isinstance(value, list):
        return [plain_text(word) for word in value]
    try:
        return shlex.split(plain_text(value))
    except ValueError:
        return [plain_text(value)]


def listed(reading: Reading, key: str) -> Iterator[tuple[DocumentPath, JSON]]:
    """Path and value of each item; a single value counts as a list of one."""
    value = reading.get(key)
    if isinstance(value, list):
        yield from reading.items(key)
    elif value:
        yield (key,), value


def pairs(value: JSON) -> dict[str, str | None]:
    """A mapping, or a list of ``NAME=value``; None for a name without a value."""
    if isinstance(value, dict):
        return {key: None if item is None else plain_text(item) for key, item in value.items()}
    values: dict[str, str | None] = {}
    for item in items(value):
        name, stands, text = plain_text(item).partition("=")
        values[name] = text if stands else None
    return values


def seconds(value: JSON) -> int | None:
    """A duration such as ``1m30s`` in whole seconds, rounded up; None if invalid."""
    text = plain_text(value)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    hours, minutes, whole, milliseconds = match.groups()
    total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(whole or 0) + int(milliseconds or 0) / 1000
    return int(total) + (total % 1 > 0)


class Project(NamedTuple):
    """``name``: empty if unknown. ``others``: there are services besides the server."""

    name: str
    others: bool
    data: Mapping[str, JSON]

    def section(self, key: str, name: str) -> Mapping[str, JSON]:
        """An entry of volumes, networks, secrets or configs."""
        return as_mapping(at(self.data.get(key), name))

    def full_name(self, key: str, name: str) -> str:
        """Docker's name of a volume or network; empty if unknown."""
        entry = self.section(key, name)
        if entry.get("name"):
            return filled(plain_text(entry["name"])) or ""
        if entry.get("external"):
            return name
        return f"{self.name}_{name}" if self.name else ""
