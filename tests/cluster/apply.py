"""Who owns which field: server-side apply, its conflicts and what it removes, and what other writes take over."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.cluster.fields import (
    Fields,
    Path,
    changed,
    differing,
    from_fields_v1,
    merged,
    owned,
    remove,
    spelled,
    to_fields_v1,
)
from tests.cluster.kinds import Json, copied
from tests.cluster.requests import Refused
from tests.cluster.storage import NOW


class Manager(NamedTuple):
    """One entry of managedFields."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""
    fields: Fields = frozenset()

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.name, self.operation, self.subresource

    def __str__(self) -> str:
        """As conflicts name it."""
        text = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return text if self.operation == "Apply" else f"{text} using {self.api_version} at {NOW}"


def applied(live: Json, given: Json, manager: Manager, *, builtin: bool, force: bool) -> Json:
    """``live`` ({} for a new object) after an apply of ``given``; raises Refused for fields of others that differ."""
    claimed = owned(given, builtin=builtin)
    before, others = _managers(live, manager)
    conflicts = [
        (other, path) for other in others for path in sorted(other.fields & claimed) if changed(live, given, path)
    ]
    if conflicts and not force:
        raise _conflict(conflicts)
    taken = frozenset(path for _, path in conflicts)
    others = [other._replace(fields=other.fields - taken) for other in others]
    result: Json = merged(live, given, builtin=builtin)
    _drop(result, before - claimed, claimed.union(*(other.fields for other in others)))
    return _with_managers(result, [*others, manager._replace(fields=claimed)])


def updated(live: Json, new: Json, manager: Manager, *, builtin: bool) -> Json:
    """``new`` after a write that is no apply: the writer owns what it changed, and nobody what is gone."""
    result = copied(new)
    taken, gone = differing(live, result, builtin=builtin)
    # A write may say itself who manages what.
    before, others = _managers(result if result["metadata"].get("managedFields") else live, manager)
    others = [other._replace(fields=other.fields - taken - gone) for other in others]
    return _with_managers(result, [*others, manager._replace(fields=(before | taken) - gone)])


def _conflict(conflicts: list[tuple[Manager, Path]]) -> Refused:
    manager, path = conflicts[0]
    message = f"Apply failed with 1 conflict: conflict with {manager}: {spelled(path)}"
    if len(conflicts) > 1:
        message = f"Apply failed with {len(conflicts)} conflicts: "
        for name in sorted({str(manager) for manager, _ in conflicts}):
            paths = [spelled(path) for manager, path in conflicts if str(manager) == name]
            message += "\n- ".join([f"conflicts with {name}:", *paths]) + "\n"
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": spelled(path)}
        for manager, path in conflicts
    ]
    return Refused(409, "Conflict", message.rstrip("\n"), causes=causes)


def _drop(data: Json, paths: Fields, keep: Fields) -> None:
    # The shortest first: an item of a list is found by its keys, so it must go before they do.
    for path in sorted(paths - keep, key=lambda path: (len(path), path)):
        is_key = len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])
        if not is_key and not any(other[: len(path)] == path for other in keep):
            remove(data, path, keep)


def _managers(data: Json, writer: Manager) -> tuple[Fields, list[Manager]]:
    """What ``writer`` has owned so far, and the managers but it."""
    managers = [
        Manager(
            entry["manager"],
            entry["operation"],
            entry["apiVersion"],
            entry.get("subresource", ""),
            from_fields_v1(entry["fieldsV1"]),
        )
        for entry in data.get("metadata", {}).get("managedFields", [])
    ]
    before = next((known.fields for known in managers if known.identity == writer.identity), Fields())
    return before, [known for known in managers if known.identity != writer.identity]


def _with_managers(data: Json, managers: list[Manager]) -> Json:
    data.setdefault("metadata", {})["managedFields"] = [
        {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(manager.fields),
            **({"subresource": manager.subresource} if manager.subresource else {}),
        }
        for manager in sorted(managers)
        if manager.fields
    ]
    return data
