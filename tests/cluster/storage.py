"""What the cluster holds: objects, their versions, what goes with what, and the events that watches read."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.cluster.kinds import Json, Kind, Kinds, copied
from tests.cluster.requests import Target

#: The cluster has no clock: this is its time.
NOW = "2026-01-01T00:00:00Z"
_WITHOUT_GENERATION = {"Namespace", "Service", "ServiceAccount", "ConfigMap", "Secret", "Event"}


class Key(NamedTuple):
    """Objects are the same in all versions of their group."""

    group: str
    plural: str
    namespace: str
    name: str


class Change(NamedTuple):
    version: int
    sort: str
    key: Key
    data: Json


def key_of(kind: Kind, namespace: str, name: str) -> Key:
    return Key(kind.group, kind.plural, namespace if kind.namespaced else "", name)


class Store:
    """Objects by key. Every change takes the lock and wakes who waits for ``changed``."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.changes: list[Change] = []
        self.version = 1
        self._objects: dict[Key, Json] = {}
        self._uids = 0

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        with self.lock:
            return copied(self._objects.get(key_of(kind, namespace, name)))

    def all(self, kind: Kind, namespace: str = "") -> list[Json]:
        """By namespace and name; of all namespaces with ''."""
        of_kind = (kind.group, kind.plural)
        return [data for _, data in self._where(lambda key, _: key[:2] == of_kind and namespace in ("", key.namespace))]

    def _where(self, wanted: Callable[[Key, Json], bool]) -> list[tuple[Key, Json]]:
        with self.lock:
            return [(key, copied(data)) for key, data in sorted(self._objects.items()) if wanted(key, data)]

    def prepared(self, kind: Kind, new: Json, live: Json | None) -> Json:
        """``new`` with what the server itself sets, as ``put`` would keep it."""
        data = copied(new)
        meta = data["metadata"]
        for name in ("uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp"):
            meta.pop(name, None)
            if live is not None and name in live["metadata"]:
                meta[name] = live["metadata"][name]
        if live is None:
            meta |= {"uid": str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._uids + 1))), "creationTimestamp": NOW}
        if kind.kind not in _WITHOUT_GENERATION:
            meta["generation"] = meta.get("generation", int(live is not None)) + (_desired(data) != _desired(live))
        return data

    def put(self, kind: Kind, namespace: str, name: str, new: Json) -> Json:
        """Keep ``new``; nothing happens when it says what is kept already."""
        with self.lock:
            key = key_of(kind, namespace, name)
            live = self._objects.get(key)
            data = self.prepared(kind, new, live)
            if data == live:
                return copied(data)
            self._uids += live is None
            self._objects[key] = data
            return self._changed("MODIFIED" if live else "ADDED", key, data)

    def _changed(self, sort: str, key: Key, data: Json) -> Json:
        self.version += 1
        data["metadata"]["resourceVersion"] = str(self.version)
        self.changes.append(Change(self.version, sort, key, copied(data)))
        self.changed.notify_all()
        return copied(data)

    def delete(self, kind: Kind, data: Json) -> Json | None:
        """With what it owns, and a namespace with what is in it. What is left while finalizers hold, else None."""
        meta = data["metadata"]
        with self.lock:
            owned = self._where(lambda _, other: meta["uid"] in _owners(other))
            inside = self._where(lambda key, _: kind.kind == "Namespace" and key.namespace == meta["name"])
            for key, other in owned:
                self.delete(self.kinds.of_key(key.group, key.plural), other)
            left = [self.delete(self.kinds.of_key(key.group, key.plural), other) for key, other in inside]
            key = key_of(kind, meta.get("namespace", ""), meta["name"])
            if key not in self._objects:
                return None
            if meta.get("finalizers") or any(left):
                held = self._objects[key] = copied(self._objects[key])
                held["metadata"].setdefault("deletionTimestamp", NOW)
                return self._changed("MODIFIED", key, held)
            self._changed("DELETED", key, self._objects.pop(key))
            return None

    def watch(self, target: Target, query: dict[str, str]) -> Iterator[bytes]:
        """Lines of events from a version on; b'' while there is nothing, to find out who has left."""
        seen = int(query.get("resourceVersion") or 0)
        if not seen:
            with self.lock:
                seen, now = self.version, self.all(target.kind, target.namespace)
            yield from (_line("ADDED", data) for data in now if selected(data, target, query))
        while True:
            with self.changed:
                if self.version <= seen:
                    self.changed.wait(0.25)
                changes = [change for change in self.changes if change.version > seen]
            for change in changes:
                seen, key = change.version, change.key
                of_kind = key[:2] == (target.kind.group, target.kind.plural)
                here = target.namespace in ("", key.namespace)
                if of_kind and here and selected(change.data, target, query):
                    yield _line(change.sort, change.data)
            if not changes:
                yield b""


def _line(sort: str, data: Json) -> bytes:
    return json.dumps({"type": sort, "object": data}).encode() + b"\n"


def _owners(data: Json) -> list[str]:
    return [owner.get("uid") for owner in data["metadata"].get("ownerReferences", [])]


def _desired(data: Json | None) -> Json:
    return {name: value for name, value in (data or {}).items() if name not in ("metadata", "status")}


def selected(data: Json, target: Target, query: dict[str, str]) -> bool:
    """Whether it has the name and fits the selectors: ``a=b,c!=d,e,!f,g in (x,y)``, ``status.phase!=Running``."""
    labels = data["metadata"].get("labels", {})
    terms = re.split(r",(?![^(]*\))", query.get("labelSelector", ""))
    fields = query.get("fieldSelector", "").split(",")
    return (
        target.name in ("", data["metadata"]["name"])
        and all(_label_holds(labels, term.strip()) for term in terms if term)
        and all(_field_holds(data, term) for term in fields if term)
    )


def _label_holds(labels: dict[str, str], term: str) -> bool:
    if term.endswith(")"):
        name, relation, values = term[:-1].replace("(", " ").split(None, 2)
        listed = labels.get(name) in [value.strip() for value in values.split(",")]
        return listed == (relation == "in")
    if "=" in term:
        name, _, value = term.replace("==", "=").partition("=")
        return (labels.get(name.rstrip("!")) == value) != name.endswith("!")
    return term[1:] not in labels if term.startswith("!") else term in labels


def _field_holds(data: Json, term: str) -> bool:
    name, _, value = term.replace("==", "=").partition("=")
    found: Any = data
    for part in name.rstrip("!").split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return (str(found) == value) != name.endswith("!")
