"""What was rendered, as the objects that deliver it have to name it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from renderer.check.documents import parsed
from renderer.model import Rendered
from renderer.render import is_shadowed


class Item(NamedTuple):
    """One rendered object. ``claims`` says whether it makes volumes of its own (a StatefulSet's)."""

    kind: str
    name: str
    namespace: str
    claims: bool = False


def inventory(documents: Sequence[Rendered]) -> list[Item]:
    """All objects, in order of application."""
    return list(_items(documents))


def _items(documents: Sequence[Rendered]) -> Iterator[Item]:
    for document in documents:
        kind, name, namespace = document.identity
        # A patch, or a user's template, may have made another object of it: then only the text knows.
        if document.changes or is_shadowed():
            data: Any = parsed(document)[0]
            metadata = data["metadata"]
            kind, name, namespace = data["kind"], metadata["name"], metadata.get("namespace", "")
        yield Item(kind, name, namespace, kind == "StatefulSet" and "\n  volumeClaimTemplates:" in document.text)
