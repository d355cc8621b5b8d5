"""The valid part of an invalid spec, so that all other faults are found in the same run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from renderer.errors import DocumentPath, Fault
from renderer.model import JSON, Source

#: Each round may remove mappings whose required field the last one removed.
_ROUNDS = 8
#: Stand-ins for required fields; faults that depend on them are not reported.
_NAME, _IMAGE = "name", "registry.example.com/image:1"


def valid_part(
    source: Source, faults_of: Callable[[JSON], Sequence[Fault]]
) -> tuple[Source, frozenset[DocumentPath]] | None:
    """The document without invalid values, and their paths; None if that is impossible."""
    data = copy.deepcopy(source.data)
    faulty: set[DocumentPath] = set()
    for _ in range(_ROUNDS):
        faults = faults_of(data)
        if not faults:
            return source._replace(data=data), frozenset(faulty)
        for fault in faults:
            path = _repair(data, fault, faulty)
            if not path:
                return None
            faulty.add(path)
    return None


def _repair(data: dict[str, Any], fault: Fault, faulty: set[DocumentPath]) -> DocumentPath:
    """Repairs one fault and returns the changed path; empty if that is impossible."""
    path, spec = fault.path, data.get("spec")
    if path == ("spec",) and isinstance(spec, dict) and not {"image", "package", "remote"} & spec.keys():
        spec["image"] = _IMAGE
        return "spec", "image"
    metadata = data.get("metadata")
    if path == ("metadata",) or (not path and metadata is None):
        data["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), "name": _NAME}
        return "metadata", "name"
    if len(path) < 2 and not fault.rule.endswith("unknown-field"):
        return ()
    parent, last = _parent(data, path), path[-1]
    if parent is None:  # another fault took it out
        return path
    value = parent[last]
    if path not in faulty and (other := _other_notation(fault, value)) is not None:
        parent[last] = other
        return path
    # Items are not removed, as the paths of later items would change.
    path = next((path[:i] for i, step in enumerate(path) if isinstance(step, int)), path)
    parent = _parent(data, path)
    if parent is not None:
        del parent[path[-1]]
    return path


def _parent(data: Any, path: DocumentPath) -> Any:
    """The mapping or list that holds the value at ``path``; None if there is no such value."""
    for step in path[:-1]:
        data = data[step] if _holds(data, step) else None
    return data if _holds(data, path[-1]) else None


def _holds(data: Any, step: str | int) -> bool:
    inside = isinstance(data, list) and isinstance(step, int) and step < len(data)
    return inside or (isinstance(data, dict) and step in data)


def _other_notation(fault: Fault, value: Any) -> Any:
    """A quoted number, or text without quotes: the meaning is clear."""
    if not fault.rule.endswith("/type"):
        return None
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20 else None
