"""Fields of an object as server-side apply counts them: paths, and which lists and maps are merged.

An element of a path is written as in ``fieldsV1``: ``f:spec``, ``k:{"name":"app"}`` for an item of a list that is
merged by key, ``v:"x"`` for an item of a list that is a set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from tests.cluster.kinds import Json

Path = tuple[str, ...]
Fields = frozenset[Path]
MISSING: Final = object()

#: Keys of the lists that Kubernetes' own schema merges (x-kubernetes-list-map-keys), by the name of the field.
_KEYS = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
#: Maps that are replaced whole (x-kubernetes-map-type: atomic).
_ATOMIC = frozenset(
    [
        "configMapKeyRef",
        "fieldRef",
        "labelSelector",
        "namespaceSelector",
        "nodeSelector",
        "podSelector",
        "resourceFieldRef",
        "roleRef",
        "secretKeyRef",
        "selector",
    ]
)
_KEY_DEFAULTS = {"protocol": "TCP"}
#: Never owned by anyone.
_UNOWNED = frozenset(
    [("f:apiVersion",), ("f:kind",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in [
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "generation",
            "managedFields",
            "name",
            "namespace",
            "resourceVersion",
            "selfLink",
            "uid",
        ]
    ]
)


class Shape:
    """How the fields of a kind are merged. Custom kinds without a schema merge maps, and replace lists."""

    def __init__(self, *, builtin: bool) -> None:
        self.builtin = builtin

    def _known(self, path: Path) -> bool:
        return self.builtin or path[:1] == ("f:metadata",)

    def keys(self, path: Path, items: list[Any]) -> tuple[str, ...]:
        """The keys of a list that is merged by key, () of one that is replaced."""
        if not self._known(path) or path[:2] == ("f:spec", "f:volumeClaimTemplates"):
            return ()
        keys = self._list_keys(path)
        complete = all(isinstance(item, dict) and all(k in item or k in _KEY_DEFAULTS for k in keys) for item in items)
        return keys if complete else ()

    def _list_keys(self, path: Path) -> tuple[str, ...]:
        if path[-1] != "f:ports":
            return _KEYS.get(path[-1][2:], ())
        return ("containerPort", "protocol") if path[-2].startswith("k:") else ("port", "protocol")

    def is_set(self, path: Path) -> bool:
        return path == ("f:metadata", "f:finalizers")

    def is_atomic(self, path: Path) -> bool:
        return self._known(path) and bool(path) and path[-1][2:] in _ATOMIC and path[-2:-1] != ("f:data",)


def item_element(item: Any, keys: Iterable[str]) -> str:
    """The element of a path for an item of a list that is merged by ``keys``."""
    return "k:" + _compact({key: item.get(key, _KEY_DEFAULTS.get(key)) for key in sorted(keys)})


def set_element(value: Any) -> str:
    return "v:" + _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def owned(data: Json, shape: Shape) -> Fields:
    """The fields that giving ``data`` lays claim to."""
    return frozenset(path for path in _leaves(data, (), shape) if path not in _UNOWNED)


def _leaves(value: Any, path: Path, shape: Shape) -> Iterator[Path]:
    if isinstance(value, dict) and value and not shape.is_atomic(path):
        for name, inner in value.items():
            if inner is not None and (*path, f"f:{name}") not in _UNOWNED:
                yield from _leaves(inner, (*path, f"f:{name}"), shape)
    elif isinstance(value, list) and value:
        yield from _list_leaves(value, path, shape)
    elif path:
        yield path


def _list_leaves(items: list[Any], path: Path, shape: Shape) -> Iterator[Path]:
    if shape.is_set(path):
        yield from ((*path, set_element(item)) for item in items)
    elif keys := shape.keys(path, items):
        for item in items:
            here = (*path, item_element(item, keys))
            yield here
            yield from _leaves(item, here, shape)
    else:
        yield path


def lookup(data: Any, path: Path) -> Any:
    """The value at ``path``, or MISSING."""
    for element in path:
        data = _step(data, element)
        if data is MISSING:
            return MISSING
    return data


def _step(data: Any, element: str) -> Any:
    if element.startswith("f:"):
        return data.get(element[2:], MISSING) if isinstance(data, dict) else MISSING
    index = position(data, element)
    return MISSING if index is None else data[index]


def position(items: Any, element: str) -> int | None:
    """Where an item is in its list."""
    if not isinstance(items, list):
        return None
    wanted = json.loads(element[2:])
    for index, item in enumerate(items):
        if item == wanted if element.startswith("v:") else _has_keys(item, wanted):
            return index
    return None


def _has_keys(item: Any, wanted: Json) -> bool:
    return isinstance(item, dict) and all(item.get(key, _KEY_DEFAULTS.get(key)) == wanted[key] for key in wanted)


def remove(data: Any, path: Path, keep: Fields = frozenset(), done: Path = ()) -> None:
    """Take ``path`` out of ``data``, and the maps and lists that this empties unless they are in ``keep``."""
    element, rest = path[0], path[1:]
    inner = _step(data, element)
    if inner is MISSING:
        return
    here = (*done, element)
    if rest:
        remove(inner, rest, keep, here)
        if inner not in ({}, []) or here in keep:
            return
    if element.startswith("f:"):
        del data[element[2:]]
    else:
        del data[position(data, element)]


def differing(old: Json, new: Json, shape: Shape) -> tuple[Fields, Fields]:
    """The fields that were set or changed, and those that are gone."""
    before, after = owned(old, shape), owned(new, shape)
    changed = {path for path in after if path not in before or _leaf_changed(old, new, path)}
    return frozenset(changed), before - after


def _leaf_changed(old: Json, new: Json, path: Path) -> bool:
    return not path[-1].startswith(("k:", "v:")) and bool(lookup(old, path) != lookup(new, path))


def to_fields_v1(fields: Fields) -> Json:
    tree: Json = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _without_leaf_dots(tree)


def _without_leaf_dots(node: Json) -> Json:
    """A dot means: this field itself, besides the ones below it; a leaf needs none."""
    if set(node) == {"."}:
        return {}
    return {name: {} if name == "." else _without_leaf_dots(inner) for name, inner in node.items()}


def from_fields_v1(tree: Json, path: Path = ()) -> Fields:
    if not tree:
        return frozenset([path])
    found: set[Path] = set()
    for name, inner in tree.items():
        found |= {path} if name == "." else from_fields_v1(inner, (*path, name))
    return frozenset(found)


def spelled(path: Path) -> str:
    """As messages spell a path: ``.spec.containers[name="app"].image``."""
    return "".join(_spelled_element(element[:1], element[2:]) for element in path)


def _spelled_element(sort: Literal["f", "k", "v"] | str, text: str) -> str:
    if sort == "f":
        return f".{text}"
    if sort == "v":
        return f"[={text}]"
    return "[" + ",".join(f"{key}={_compact(value)}" for key, value in json.loads(text).items()) + "]"
