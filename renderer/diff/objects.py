"""The objects in a file (of Kubernetes, or parts of a compose file, or else its text), and where two objects differ.

Lists of items with names are matched by these, other lists by equal items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.merge_patch import same
from renderer.model import JSON
from renderer.yaml_reader import Limits, read

_LIMITS = Limits(max_bytes=4_000_000, max_nodes=200_000, max_total=400_000)
#: Parts of a compose file that have names of their own.
PARTS = ("services", "networks", "volumes", "configs", "secrets")
TEXT = "file"
COMPOSE = "compose"


class Object(NamedTuple):
    """``data`` of a file is its text, None where it is no text."""

    group: str
    kind: str
    namespace: str
    name: str
    data: Any
    file: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return (self.group, self.kind, self.namespace, self.name)

    @property
    def label(self) -> str:
        return f"{self.kind} {self.name}"


def objects_in(path: str, text: str | None) -> list[Object]:
    whole = Object("", TEXT, "", path, text, path)
    # The files of a spec's ``files`` are text, whatever they look like.
    if text is None or not path.endswith((".yaml", ".yml")) or "files" in path.split("/")[:-1]:
        return [whole]
    documents, faults = read(text, strict=False, limits=_LIMITS, marks=False)
    data = [document.data for document in documents if document.data is not None]
    objects = [item for each in data if isinstance(each, dict) for item in _objects(path, each)]
    identities = {item.identity for item in objects}
    sound = not faults and len(identities) == len(objects) and all(isinstance(each, dict) for each in data)
    return objects if sound and objects else [whole]


def _objects(path: str, data: Mapping[str, JSON]) -> Iterator[Object]:
    kind, version, metadata = data.get("kind"), data.get("apiVersion"), data.get("metadata", {})
    if isinstance(kind, str) and isinstance(version, str) and isinstance(metadata, dict):
        group = version.rpartition("/")[0]
        yield Object(group, kind, str(metadata.get("namespace", "")), str(metadata.get("name", path)), data, path)
    elif isinstance(data.get("services"), dict):
        project = str(data.get("name", path))
        rest = {name: value for name, value in data.items() if name not in PARTS}
        yield Object(COMPOSE, "project", "", project, rest, path)
        for part in PARTS:
            inner = data.get(part)
            for name, value in inner.items() if isinstance(inner, dict) else ():
                yield Object(COMPOSE, part[:-1], project, name, value if value is not None else {}, path)


# ---------------------------------------------------------------------------------------------
# Changed fields.

#: No value; None would be one.
ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()
#: What names an item of a list, the first that all items have; as the Kubernetes API merges them.
MERGE_KEYS = ("name", "mountPath", "containerPort", "devicePath", "topologyKey", "target", "path", "port", "key", "ip")
#: With more changes, the whole object is one change.
MOST = 2000
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


class Change(NamedTuple):
    """One field before and now. A step in brackets is an item of a list, by its name."""

    path: tuple[str, ...]
    old: Any
    new: Any

    @property
    def where(self) -> str:
        """``spec.containers[mcp-server].image``."""
        text = ""
        for step in self.path:
            if step.startswith("["):
                text += step
            elif _PLAIN.fullmatch(step):
                text += f".{step}" if text else step
            else:
                text += f'["{step}"]'
        return text


def changes(old: Any, new: Any) -> tuple[Change, ...]:
    """In the order of the new object; empty for equal ones."""
    changed: list[Change] = []
    for change in _changes(old, new, ()):
        changed.append(change)
        if len(changed) > MOST:
            return (Change((), old, new),)
    return tuple(changed)


def _changes(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*new, *old]):
            yield from _changes(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and (key := _merge_key(old, new)):
        before, now = ({str(item[key]): item for item in items} for items in (old, new))
        for name in dict.fromkeys([*now, *before]):
            yield from _changes(before.get(name, ABSENT), now.get(name, ABSENT), (*path, f"[{name}]"))
        if before.keys() == now.keys() and list(before) != list(now):
            yield Change((*path, "[order]"), list(before), list(now))
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, dict) for item in (*old, *new)):
        yield from _of_items(old, new, path)
    elif not same(old, new):
        yield Change(path, old, new)


def _of_items(old: list[Any], new: list[Any], path: tuple[str, ...]) -> Iterator[Change]:
    """Items without names: equal ones are removed; equally many others on both sides are paired."""
    left, added = list(old), []
    for item in new:
        i = next((i for i, other in enumerate(left) if same(other, item)), None)
        if i is None:
            added.append(item)
        else:
            del left[i]
    if not left and not added and not same(old, new):
        yield Change((*path, "[order]"), list(old), list(new))
    elif len(left) == len(added):
        for before, now in zip(left, added, strict=True):
            yield from _changes(before, now, (*path, "[]"))
    else:
        yield from (Change((*path, "[]"), before, ABSENT) for before in left)
        yield from (Change((*path, "[]"), ABSENT, now) for now in added)


def _merge_key(old: Sequence[Any], new: Sequence[Any]) -> str:
    items = [*old, *new]
    if not items or not all(isinstance(item, dict) for item in items):
        return ""
    for key in MERGE_KEYS:
        if all(isinstance(item.get(key), str | int) for item in items) and _unique(old, key) and _unique(new, key):
            return key
    return ""


def _unique(items: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({str(item[key]) for item in items}) == len(items)
