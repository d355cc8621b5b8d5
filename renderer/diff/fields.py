"""Which fields two objects differ in: lists of things with names are matched by their names, not by position."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.json_patch import same

#: Stands for what is not there: None would be a value.
ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()
#: What names an item of a list, the first that all items have; as the Kubernetes API merges them.
MERGE_KEYS = ("name", "mountPath", "containerPort", "devicePath", "topologyKey", "target", "path", "port", "key", "ip")
#: More changes of one object are one: it is another.
MOST = 2000
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


class Change(NamedTuple):
    """One field: where, what it was and what it is. A step in brackets is an item of a list, by its name."""

    path: tuple[str, ...]
    old: Any
    new: Any

    @property
    def where(self) -> str:
        """The path as people write it."""
        return shown(self.path)


def shown(path: Sequence[str]) -> str:
    """``spec.containers[mcp-server].image``."""
    text = ""
    for step in path:
        if step.startswith("["):
            text += step
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def changes(old: Any, new: Any) -> tuple[Change, ...]:
    """All changed fields, in the order of the new object; empty for equal ones."""
    found: list[Change] = []
    for change in _changes(old, new, ()):
        found.append(change)
        if len(found) > MOST:
            return (Change((), old, new),)
    return tuple(found)


def _changes(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_mappings(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and (key := _merge_key(old, new)):
        yield from _of_lists(old, new, path, key)
    elif not same(old, new):
        yield Change(path, old, new)


def _of_mappings(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Change]:
    for key in dict.fromkeys([*new, *old]):
        before, now = old.get(key, ABSENT), new.get(key, ABSENT)
        yield from _changes(before, now, (*path, key))


def _of_lists(old: Sequence[Any], new: Sequence[Any], path: tuple[str, ...], key: str) -> Iterator[Change]:
    before, now = ({str(item[key]): item for item in items} for items in (old, new))
    for name in dict.fromkeys([*now, *before]):
        yield from _changes(before.get(name, ABSENT), now.get(name, ABSENT), (*path, f"[{name}]"))
    if before.keys() == now.keys() and list(before) != list(now):
        yield Change((*path, "[order]"), list(before), list(now))


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
