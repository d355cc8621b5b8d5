"""The patches that are no apply: JSON merge patch, JSON patch, strategic merge patch."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import yaml

from tests.cluster.fields import MISSING, Path, Shape, item_element
from tests.cluster.kinds import Json

APPLY = "application/apply-patch+yaml"
_JSON = "application/json-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_MERGE = "application/merge-patch+json"


class BadPatch(Exception):
    """The patch cannot be read or applied."""


def read(body: bytes) -> Any:
    """JSON, or YAML as an apply may send it."""
    try:
        return json.loads(body)
    except ValueError:
        try:
            return yaml.safe_load(body)
        except yaml.YAMLError as error:
            raise BadPatch(str(error)) from error


def patched(live: Json, patch: Any, media_type: str, shape: Shape) -> Json:
    """``live`` with the patch."""
    if media_type == _JSON:
        try:
            return dict(jsonpatch.apply_patch(live, patch))
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise BadPatch(str(error)) from error
    if media_type not in (_STRATEGIC, _MERGE):
        raise BadPatch(f"the body of the request was in an unknown format: {media_type}")
    result: Json = _merge(live, patch, shape if media_type == _STRATEGIC else None, ())
    return result


def _merge(live: Any, patch: Any, shape: Shape | None, path: Path) -> Any:
    if isinstance(patch, list) and shape and isinstance(live, list):
        return _merge_list(live, patch, shape, path)
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) and patch.get("$patch") != "replace" else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif not name.startswith("$"):
            result[name] = _merge(result.get(name, MISSING), value, shape, (*path, f"f:{name}"))
    return result


def _merge_list(live: list[Any], patch: list[Any], shape: Shape, path: Path) -> list[Any]:
    keys = shape.keys(path, [*live, *patch])
    if not keys:
        return [*live, *(item for item in patch if item not in live)] if shape.is_set(path) else patch
    result = {item_element(item, keys): item for item in live}
    for item in patch:
        name = item_element(item, keys)
        if item.get("$patch") == "delete":
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name, MISSING), item, shape, (*path, name))
    return list(result.values())
