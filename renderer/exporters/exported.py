"""What an export makes of one server: documents, and what became of every field that its spec sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from renderer.errors import DocumentPath
from renderer.importers.draft import Entry, Outcome
from renderer.model import JSON, Options, Server


class Exported(NamedTuple):
    """``documents`` is empty where the form cannot run the server at all."""

    server: Server
    documents: tuple[Mapping[str, JSON], ...]
    entries: tuple[Entry, ...]


class Lost(NamedTuple):
    """Why a form cannot say a field, and what to do. ``harmless``: nothing that runs would have read it."""

    why: str
    harmless: bool = False


#: As on the objects that mcpctl renders.
_DESCRIPTION = "mcpctl.io/description"
_UNKNOWN = Lost("the resource has no such field")


#: By dotted path in a spec (the longest counts): the path in the document that carries it, or why there is none.
Fates: TypeAlias = Mapping[str, str | Lost]


def entry(server: Server, path: DocumentPath, outcome: Outcome, target: str = "", message: str = "") -> Entry:
    """What became of a field of the spec; ``target`` is a dotted path, whose numbers are positions in lists."""
    steps = tuple(int(step) if step.isdigit() else step for step in target.split(".")) if target else None
    return Entry(server.source.place(path, at_key=True), path, outcome, steps, message)


def entries_of(server: Server, fates: Fates) -> Iterator[Entry]:
    """An Entry for each field that the spec sets and ``fates`` knows, in the order of the spec."""
    spec = server.source.data.get("spec")
    assert isinstance(spec, dict)
    for path in _fields(spec, fates):
        fate = fates.get(".".join(path), _UNKNOWN)
        if isinstance(fate, Lost):
            yield entry(server, ("spec", *path), Outcome.LOST, message=fate.why)._replace(harmless=fate.harmless)
        elif fate:
            yield entry(server, ("spec", *path), Outcome.MAPPED, fate)


def network_entry(server: Server) -> Iterator[Entry]:
    """mcpctl renders a NetworkPolicy for each server, whatever its spec says, and most operators do not."""
    if not server.sets("spec", "network", "egress"):
        why = "the operator makes no NetworkPolicy: who may connect to the pods is open"
        yield entry(server, ("spec", "network"), Outcome.LOST, message=why)


def metadata_of(server: Server, options: Options) -> dict[str, JSON]:
    """Name, namespace, and the labels and annotations of the spec."""
    about = {_DESCRIPTION: server.description} if server.description else {}
    metadata: dict[str, JSON] = {"name": server.name, "namespace": options.namespace_of(server)}
    more = {"labels": dict(server.labels), "annotations": {**about, **server.annotations}}
    return {**metadata, **{key: dict[str, JSON](values) for key, values in more.items() if values}}


def _fields(node: Mapping[str, JSON], fates: Fates, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of fields that have a fate of their own: of a mapping that has fates inside, those inside."""
    for key, value in node.items():
        path = (*above, key)
        dotted = ".".join(path)
        if isinstance(value, dict) and any(known.startswith(f"{dotted}.") for known in fates):
            yield from _fields(value, fates, path)
        elif dotted in fates:
            yield path
        else:  # a test holds that there is none: what is new is lost until somebody looks
            yield path
