"""Server-side apply: who owns which field, conflicts, and what an apply that leaves a field out removes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tests.cluster.fields import (
    MISSING,
    Fields,
    Path,
    Shape,
    differing,
    from_fields_v1,
    item_element,
    lookup,
    owned,
    remove,
    spelled,
    to_fields_v1,
)
from tests.cluster.kinds import Json


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields."""

    name: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: Fields

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.name, self.operation, self.api_version, self.subresource

    def described(self) -> str:
        """As conflicts name it."""
        text = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return text if self.operation == "Apply" else f"{text} using {self.api_version} at {self.time}"


@dataclass(frozen=True)
class Writer:
    """Who writes, and how."""

    name: str
    api_version: str
    shape: Shape
    time: str
    subresource: str = ""

    def manager(self, operation: str, fields: Fields) -> Manager:
        return Manager(self.name, operation, self.api_version, self.subresource, self.time, fields)


class Conflict(Exception):
    """Fields that others own and that would change; the managers with their fields."""

    def __init__(self, conflicts: list[tuple[Manager, Path]]) -> None:
        self.conflicts = conflicts
        super().__init__(_message(conflicts))

    @property
    def causes(self) -> list[Json]:
        return [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {manager.described()}",
                "field": spelled(path),
            }
            for manager, path in self.conflicts
        ]


def _message(conflicts: list[tuple[Manager, Path]]) -> str:
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {manager.described()}: {spelled(path)}"
    lines: list[str] = []
    for name in sorted({manager.described() for manager, _ in conflicts}):
        lines.append(f"conflicts with {name}:")
        lines += [f"- {spelled(path)}" for manager, path in conflicts if manager.described() == name]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def applied(live: Json, given: Json, writer: Writer, *, force: bool) -> Json:
    """``live`` ({} for a new object) after an apply of ``given``; raises Conflict."""
    managers = read_managers(live)
    claimed = owned(given, writer.shape)
    mine = writer.manager("Apply", claimed)
    before = next((manager.fields for manager in managers if _same_applier(manager, mine)), frozenset())
    others = [manager for manager in managers if not _same_applier(manager, mine)]
    conflicts = [
        (manager, path)
        for manager in others
        for path in sorted(manager.fields & claimed)
        if not path[-1].startswith(("k:", "v:")) and lookup(live, path) != lookup(given, path)
    ]
    if conflicts and not force:
        raise Conflict(conflicts)
    taken = frozenset(path for _, path in conflicts)
    others = [replace(manager, fields=manager.fields - taken) for manager in others]
    result: Json = merged(live, given, writer.shape)
    _drop(result, before - claimed, [manager.fields for manager in others] + [claimed])
    write_managers(result, [*others, mine])
    return result


def _same_applier(one: Manager, other: Manager) -> bool:
    """Who applies keeps one entry, whatever version of the API it used."""
    return (one.name, one.operation, one.subresource) == (other.name, other.operation, other.subresource)


def _drop(data: Json, paths: Fields, kept: Iterable[Fields]) -> None:
    keep: Fields = frozenset().union(*kept)
    # The shortest first: an item of a list is found by its keys, so it must go before they do.
    for path in sorted(paths - keep, key=lambda path: (len(path), path)):
        held = any(other[: len(path)] == path for other in keep)
        if not held and not _is_key(path):
            remove(data, path, keep)


def _is_key(path: Path) -> bool:
    """Whether a field is what its item is known by."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in set(json.loads(path[-2][2:]))


def merged(live: Any, given: Any, shape: Shape, path: Path = ()) -> Any:
    """``given`` laid over ``live``."""
    if isinstance(live, dict) and isinstance(given, dict) and not shape.is_atomic(path):
        result = dict(live)
        for name, value in given.items():
            if value is not None:
                result[name] = merged(live.get(name, MISSING), value, shape, (*path, f"f:{name}"))
        return result
    if isinstance(live, list) and isinstance(given, list):
        return _merged_list(live, given, shape, path)
    return copy.deepcopy(given)


def _merged_list(live: list[Any], given: list[Any], shape: Shape, path: Path) -> list[Any]:
    if shape.is_set(path):
        return [*live, *(item for item in given if item not in live)]
    keys = shape.keys(path, [*live, *given])
    if not keys:
        return copy.deepcopy(given)
    old = {item_element(item, keys): item for item in live}
    new = {item_element(item, keys): item for item in given}
    # The order given wins where it contradicts, or two runs of one apply would differ in nothing but order.
    in_both = [name for name in old if name in new]
    order = [*old, *new] if in_both == [name for name in new if name in old] else [*new, *old]
    return [
        merged(old.get(name, MISSING), new[name], shape, (*path, name)) if name in new else old[name]
        for name in dict.fromkeys(order)
    ]


def updated(live: Json, new: Json, writer: Writer) -> Json:
    """``new`` after a write that is no apply: the writer owns what it changed, and nobody what is gone."""
    result = copy.deepcopy(new)
    changed, gone = differing(live, result, writer.shape)
    managers = read_managers(live)
    mine = writer.manager("Update", frozenset())
    before = next((manager.fields for manager in managers if manager.identity == mine.identity), frozenset())
    others = [
        replace(manager, fields=manager.fields - changed - gone)
        for manager in managers
        if manager.identity != mine.identity
    ]
    write_managers(result, [*others, replace(mine, fields=(before | changed) - gone)])
    return result


def read_managers(data: Json) -> list[Manager]:
    return [
        Manager(
            entry["manager"],
            entry["operation"],
            entry["apiVersion"],
            entry.get("subresource", ""),
            entry.get("time", ""),
            from_fields_v1(entry["fieldsV1"]),
        )
        for entry in data.get("metadata", {}).get("managedFields", [])
    ]


def write_managers(data: Json, managers: list[Manager]) -> None:
    """managedFields of ``data``; the time of an entry whose fields stayed the same stays too."""
    before = {manager.identity: manager for manager in read_managers(data)}
    entries = []
    for manager in sorted(managers, key=lambda manager: manager.identity):
        known = before.get(manager.identity)
        same = known is not None and known.fields == manager.fields
        if manager.fields:
            entries.append(_entry(known if same and known else manager))
    data.setdefault("metadata", {})["managedFields"] = entries


def _entry(manager: Manager) -> Json:
    entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(manager.fields),
    }
    return {**entry, "subresource": manager.subresource} if manager.subresource else entry
