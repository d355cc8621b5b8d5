"""What becomes of each field of an import or an export, as lines and as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from renderer.errors import dotted, excerpt
from renderer.model import JSON
from renderer.report import LONGEST

if TYPE_CHECKING:
    from renderer.importers.draft import Entry


def as_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """``place: outcome: source -> target: message``."""
    for entry in entries:
        yield excerpt(f"{entry.place}: {entry.outcome}: {field_text(entry)}", LONGEST)


def field_text(entry: Entry) -> str:
    """``source -> target: message``."""
    arrow = " -> ".join(filter(None, (dotted(entry.source), dotted(entry.target or ()))))
    return ": ".join(filter(None, (arrow, entry.message)))


def facts(entry: Entry) -> JSON:
    return {
        **entry.place._asdict(),
        "source": dotted(entry.source),
        "outcome": str(entry.outcome),
        "target": dotted(entry.target or ()),
        "message": entry.message,
        "harmless": entry.harmless,
    }
