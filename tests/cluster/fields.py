"""Fields as server-side apply counts them: paths, and which lists and maps are merged.

An element of a path is written as in ``fieldsV1``: ``f:spec``, or ``k:{"name":"app"}`` for an item of a list that is
merged by key. ``builtin`` says whether the kind has a schema: without one, maps are merged and lists replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tests.cluster.kinds import Json, copied

Path = tuple[str, ...]
Fields = frozenset[Path]
MISSING: Final = object()

#: Keys of the lists that Kubernetes' own schema merges (x-kubernetes-list-map-keys), by the name of the field.
_KEYS = {
    "f:conditions": ("type",),
    "f:hostAliases": ("ip",),
    "f:ownerReferences": ("uid",),
    "f:topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "f:volumeMounts": ("mountPath",),
    **dict.fromkeys(
        ["f:containers", "f:env", "f:imagePullSecrets", "f:initContainers", "f:secrets", "f:volumes"], ("name",)
    ),
}
_KEY_DEFAULTS = {"protocol": "TCP"}
#: Maps that are replaced whole (x-kubernetes-map-type: atomic).
_ATOMIC = re.compile("f:((configMapKey|field|resourceField|role|secretKey)Ref|((label|namespace|node|pod)S|s)elector)")
#: Never owned by anyone.
_UNOWNED = re.compile(
    r"f:(apiVersion|kind|metadata/f:(\w+Timestamp|generation|managedFields|name|namespace|resourceVersion|uid))"
)


def _list_keys(path: Path, items: list[Any], *, builtin: bool) -> tuple[str, ...]:
    """The keys of a list that is merged by key, () of one that is replaced."""
    if path[:2] == ("f:spec", "f:volumeClaimTemplates") or not (builtin or path[0] == "f:metadata"):
        return ()
    keys = _KEYS.get(path[-1], ())
    if path[-1] == "f:ports":
        keys = ("containerPort" if path[-2].startswith("k:") else "port", "protocol")
    complete = all(isinstance(item, dict) and all(k in item or k in _KEY_DEFAULTS for k in keys) for item in items)
    return keys if complete else ()


def _is_atomic(path: Path, *, builtin: bool) -> bool:
    # A key of a ConfigMap may have any name.
    return builtin and bool(path) and bool(_ATOMIC.fullmatch(path[-1])) and path[-2:-1] != ("f:data",)


def _element(item: Json, keys: tuple[str, ...]) -> str:
    return "k:" + _compact({key: item.get(key, _KEY_DEFAULTS.get(key)) for key in sorted(keys)})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def owned(data: Any, *, builtin: bool, path: Path = ()) -> Fields:
    """The fields that giving ``data`` lays claim to."""
    return frozenset(_leaves(data, path, builtin=builtin))


def _leaves(value: Any, path: Path, *, builtin: bool) -> Iterator[Path]:
    if isinstance(value, dict) and value and not _is_atomic(path, builtin=builtin):
        for name, inner in value.items():
            if inner is not None and not _UNOWNED.fullmatch("/".join((*path, f"f:{name}"))):
                yield from _leaves(inner, (*path, f"f:{name}"), builtin=builtin)
    elif isinstance(value, list) and value and (keys := _list_keys(path, value, builtin=builtin)):
        for item in value:
            here = (*path, _element(item, keys))
            yield here
            yield from _leaves(item, here, builtin=builtin)
    elif path:
        yield path


def merged(live: Any, new: Any, *, builtin: bool, path: Path = (), null_removes: bool = False) -> Any:
    """``new`` laid over ``live``; a null in it says nothing (an apply) or removes (a patch)."""
    if isinstance(new, dict) and (null_removes or not _is_atomic(path, builtin=builtin)):
        result = dict(live) if isinstance(live, dict) else {}
        for name, value in new.items():
            if value is None:
                result.pop(name if null_removes else "", None)
            elif not name.startswith("$"):  # hints of kubectl: $setElementOrder, $retainKeys
                here = (*path, f"f:{name}")
                old = result.get(name, MISSING)
                result[name] = merged(old, value, builtin=builtin, path=here, null_removes=null_removes)
        return result
    keys = _list_keys(path, [*live, *new], builtin=builtin) if isinstance(live, list) and isinstance(new, list) else ()
    if not keys:
        return copied(new)
    before, given = ({_element(item, keys): item for item in items} for items in (live, new))
    # The order given wins where it contradicts, or two runs of one apply would differ in nothing but order.
    same_order = [name for name in before if name in given] == [name for name in given if name in before]
    return [
        merged(before.get(name, MISSING), given[name], builtin=builtin, path=(*path, name), null_removes=null_removes)
        if name in given
        else before[name]
        for name in dict.fromkeys([*before, *given] if same_order else [*given, *before])
    ]


def lookup(data: Any, path: Path) -> Any:
    """The value at ``path``, or MISSING."""
    for element in path:
        place = _place(data, element)
        if place is None:
            return MISSING
        data = data[place]
    return data


def _place(data: Any, element: str) -> str | int | None:
    """The key or index that an element means, None where there is nothing."""
    if element.startswith("f:"):
        return element[2:] if isinstance(data, dict) and element[2:] in data else None
    wanted = json.loads(element[2:])
    for index, item in enumerate(data if isinstance(data, list) else ()):
        if isinstance(item, dict) and all(item.get(key, _KEY_DEFAULTS.get(key)) == wanted[key] for key in wanted):
            return index
    return None


def remove(data: Any, path: Path, keep: Fields = frozenset(), done: Path = ()) -> None:
    """Take ``path`` out of ``data``, and the maps and lists that this empties unless they are in ``keep``."""
    place, here = _place(data, path[0]), (*done, path[0])
    if place is None:
        return
    if path[1:]:
        remove(data[place], path[1:], keep, here)
        if data[place] not in ({}, []) or here in keep:
            return
    del data[place]


def differing(old: Json, new: Json, *, builtin: bool) -> tuple[Fields, Fields]:
    """The fields that were set or changed, and those that are gone."""
    before, after = owned(old, builtin=builtin), owned(new, builtin=builtin)
    return frozenset(path for path in after if path not in before or changed(old, new, path)), before - after


def changed(old: Json, new: Json, path: Path) -> bool:
    """Whether a leaf is another; an item of a list is what its leaves are."""
    return not path[-1].startswith("k:") and bool(lookup(old, path) != lookup(new, path))


def to_fields_v1(fields: Fields) -> Json:
    tree: Json = {}
    ordered = sorted(fields)
    for path, following in zip(ordered, [*ordered[1:], ()], strict=True):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        # A dot means: this field itself, besides the ones below it; a leaf needs none.
        if following[: len(path)] == path:
            node["."] = {}
    return tree


def from_fields_v1(tree: Json, path: Path = ()) -> Fields:
    if not tree:
        return frozenset([path])
    parts = [{path} if name == "." else from_fields_v1(inner, (*path, name)) for name, inner in tree.items()]
    return frozenset().union(*parts)


def spelled(path: Path) -> str:
    """As messages spell a path: ``.spec.containers[name="app"].image``."""
    return "".join(f".{text[2:]}" if text.startswith("f:") else _spelled_keys(text) for text in path)


def _spelled_keys(element: str) -> str:
    return "[" + ",".join(f"{key}={_compact(value)}" for key, value in json.loads(element[2:]).items()) + "]"
