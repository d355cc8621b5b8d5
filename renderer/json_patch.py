"""JSON Patches (RFC 6902): the library applies them to data, and here the result becomes a merge patch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer

from renderer.errors import DocumentPath, Fault
from renderer.model import JSON, Patch

_REFUSALS = (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException)


def as_merge(before: dict[str, JSON], patch: Patch) -> tuple[dict[str, JSON], list[Fault]]:
    """The merge patch that has the effect of the operations; else the Fault of the first that does not fit."""
    after: Any = copy.deepcopy(before)
    origin: DocumentPath = ("spec", "patches", patch.position, "json")
    for i, operation in enumerate(patch.json):
        try:
            after = jsonpatch.JsonPatch([dict(operation)]).apply(after)
        except _REFUSALS as error:
            return {}, [_refused(operation, (*origin, i), error)]
        if operation["op"] in ("add", "replace") and holds_null([operation["value"]]):
            message = "the patch would write a null, which no rendered object has"
            return {}, [Fault((*origin, i, "value"), "spec/patch-null", message, "leave the field out, or remove it")]
    return difference(before, after), []


def touched(operation: Mapping[str, JSON]) -> list[DocumentPath]:
    """The paths that an operation changes; the place behind a list's last item counts as the list."""
    pointers = {"test": (), "move": (operation.get("from"), operation["path"])}.get(
        str(operation["op"]), (operation["path"],)
    )
    return [_steps(str(pointer)) for pointer in pointers]


def _steps(pointer: str) -> DocumentPath:
    parts = jsonpointer.JsonPointer(pointer).parts
    return tuple(int(part) if part.isdigit() else part for part in parts if part != "-")


def _refused(operation: Mapping[str, JSON], where: DocumentPath, error: Exception) -> Fault:
    if isinstance(error, jsonpatch.JsonPatchTestFailed):
        message = f"{operation['path']} does not hold the value that is tested"
        return Fault((*where, "value"), "spec/patch-test", message, "nothing is rendered while the test fails")
    places = " or ".join(str(operation[name]) for name in ("from", "path") if name in operation)
    return Fault(
        (*where, "path"),
        "spec/patch-path",
        f"cannot {operation['op']}: the rendered object has no place {places}",
        "name each step, keys and positions in lists (from 0); render without the patch to see them",
    )


def difference(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> dict[str, JSON]:
    """The merge patch that turns one mapping into the other, which holds no null."""
    changed: dict[str, JSON] = dict.fromkeys(key for key in before if key not in after)
    for key, value in after.items():
        old = before.get(key)
        if key in before and same(old, value):
            continue
        both = isinstance(old, dict) and isinstance(value, dict)
        changed[key] = difference(old, value) if both else value  # type: ignore[arg-type]
    return changed


def same(one: JSON, other: JSON) -> bool:
    """Equal, and of one type: to Python, true is 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def holds_null(value: JSON) -> bool:
    """Whether there is a null at any depth, which a merge patch cannot write."""
    if isinstance(value, dict | list):
        return any(map(holds_null, value.values() if isinstance(value, dict) else value))
    return value is None
