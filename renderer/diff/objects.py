"""What a file holds: objects of Kubernetes, parts of a compose file, or text that is compared by lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from renderer.model import JSON
from renderer.yaml_reader import Limits, read

_LIMITS = Limits(max_bytes=4_000_000, max_nodes=200_000, max_total=400_000)
#: Parts of a compose file that have names of their own.
PARTS = ("services", "networks", "volumes", "configs", "secrets")
TEXT = "file"
COMPOSE = "compose"


class Object(NamedTuple):
    """One thing that has a name; ``data`` of a file is its text, None where it is no text."""

    group: str
    kind: str
    namespace: str
    name: str
    data: Any
    file: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """By this the old and the new one are found to be the same."""
        return (self.group, self.kind, self.namespace, self.name)

    @property
    def label(self) -> str:
        """As people call it."""
        return f"{self.kind} {self.name}"


def objects_in(path: str, text: str | None) -> list[Object]:
    """All objects of a file."""
    whole = Object("", TEXT, "", path, text, path)
    # What a spec puts into files of its own is not ours to understand, whatever it looks like.
    if text is None or not path.endswith((".yaml", ".yml")) or "files" in path.split("/")[:-1]:
        return [whole]
    documents, faults = read(text, strict=False, limits=_LIMITS, marks=False)
    data = [document.data for document in documents if document.data is not None]
    found = [one for each in data if isinstance(each, dict) for one in _objects(path, each)]
    identities = {one.identity for one in found}
    sound = not faults and len(identities) == len(found) and all(isinstance(each, dict) for each in data)
    return found if sound and found else [whole]


def _objects(path: str, data: Mapping[str, JSON]) -> Iterator[Object]:
    kind, version, metadata = data.get("kind"), data.get("apiVersion"), data.get("metadata", {})
    if isinstance(kind, str) and isinstance(version, str) and isinstance(metadata, dict):
        group = version.rpartition("/")[0]
        yield Object(group, kind, str(metadata.get("namespace", "")), str(metadata.get("name", path)), data, path)
    elif isinstance(data.get("services"), dict):
        yield from _parts(path, data)


def _parts(path: str, data: Mapping[str, JSON]) -> Iterator[Object]:
    project = str(data.get("name", path))
    rest = {name: value for name, value in data.items() if name not in PARTS}
    yield Object(COMPOSE, "project", "", project, rest, path)
    for part in PARTS:
        inner = data.get(part)
        for name, value in inner.items() if isinstance(inner, dict) else ():
            yield Object(COMPOSE, part[:-1], project, name, value if value is not None else {}, path)
