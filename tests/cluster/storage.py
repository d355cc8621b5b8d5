"""What the cluster holds: objects, their versions, and the events that watches read."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.cluster.kinds import Json, Kind

#: The cluster has no clock: this is its time until a test sets another.
START = "2026-01-01T00:00:00Z"
_WITHOUT_GENERATION = frozenset(
    ["Namespace", "Service", "ServiceAccount", "ConfigMap", "Secret", "Event", "LimitRange", "ResourceQuota"]
)
Key = tuple[str, str, str, str]


class Change(NamedTuple):
    """What a watch tells: ADDED, MODIFIED or DELETED."""

    version: int
    sort: str
    key: Key
    data: Json


def key_of(kind: Kind, namespace: str, name: str) -> Key:
    """Objects are the same in all versions of their group."""
    return kind.group, kind.plural, namespace if kind.namespaced else "", name


class Store:
    """Objects by key. Every change takes the lock and wakes who waits for ``changed``."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.changes: list[Change] = []
        self.now = START
        self.version = 1
        #: Called after an object was created or changed by a client.
        self.after_write: list[Callable[[Kind, Json], None]] = []
        self._objects: dict[Key, Json] = {}
        self._uids = 0

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        with self.lock:
            return copy.deepcopy(self._objects.get(key_of(kind, namespace, name)))

    def all(self, kind: Kind, namespace: str = "") -> list[Json]:
        """By namespace and name; of all namespaces with ''."""
        with self.lock:
            return [
                copy.deepcopy(data)
                for key, data in sorted(self._objects.items())
                if key[:2] == (kind.group, kind.plural) and namespace in ("", key[2])
            ]

    def in_namespace(self, namespace: str) -> list[Json]:
        with self.lock:
            return [copy.deepcopy(data) for key, data in sorted(self._objects.items()) if key[2] == namespace]

    def children(self, uid: str) -> list[tuple[Key, Json]]:
        """What an object owns."""
        with self.lock:
            return [
                (key, copy.deepcopy(data))
                for key, data in sorted(self._objects.items())
                if any(owner.get("uid") == uid for owner in data["metadata"].get("ownerReferences", []))
            ]

    def prepared(self, kind: Kind, new: Json, live: Json | None) -> Json:
        """``new`` with what the server itself sets, as ``put`` would keep it."""
        data = copy.deepcopy(new)
        meta = data["metadata"]
        for name in ("uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp"):
            meta.pop(name, None)
            if live is not None and name in live["metadata"]:
                meta[name] = live["metadata"][name]
        if live is None:
            meta["uid"] = str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._uids + 1)))
            meta["creationTimestamp"] = self.now
        if kind.kind not in _WITHOUT_GENERATION:
            meta["generation"] = self._generation(data, live)
        return data

    def _generation(self, data: Json, live: Json | None) -> int:
        if live is None:
            return 1
        before: int = live["metadata"].get("generation", 1)
        return before + (_desired(data) != _desired(live))

    def put(self, kind: Kind, namespace: str, name: str, new: Json) -> Json:
        """Keep ``new``; nothing happens when it says what is kept already."""
        with self.lock:
            key = key_of(kind, namespace, name)
            live = self._objects.get(key)
            data = self.prepared(kind, new, live)
            if data == live:
                return copy.deepcopy(data)
            self._uids += live is None
            self._objects[key] = data
            return self._tell("MODIFIED" if live else "ADDED", key, data)

    def drop(self, key: Key) -> Json | None:
        with self.lock:
            data = self._objects.pop(key, None)
            return self._tell("DELETED", key, data) if data else None

    def mark(self, key: Key) -> Json:
        """Set the deletion timestamp: finalizers still hold the object."""
        with self.lock:
            data = self._objects[key] = copy.deepcopy(self._objects[key])
            data["metadata"].setdefault("deletionTimestamp", self.now)
            return self._tell("MODIFIED", key, data)

    def _tell(self, sort: str, key: Key, data: Json) -> Json:
        self.version += 1
        data["metadata"]["resourceVersion"] = str(self.version)
        self.changes.append(Change(self.version, sort, key, copy.deepcopy(data)))
        self.changed.notify_all()
        return copy.deepcopy(data)

    def since(self, version: int) -> list[Change]:
        with self.lock:
            return [change for change in self.changes if change.version > version]


def _desired(data: Json) -> Json:
    return {name: value for name, value in data.items() if name not in ("metadata", "status")}


def matches_labels(data: Json, selector: str) -> bool:
    """A label selector as kubectl sends it: ``a=b,c!=d,e,!f,g in (x,y)``."""
    labels = data["metadata"].get("labels", {})
    return all(_label_holds(labels, term.strip()) for term in _terms(selector))


def _terms(selector: str) -> Iterator[str]:
    depth, term = 0, ""
    for letter in selector + ",":
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            if term:
                yield term
            term = ""
        else:
            term += letter


def _label_holds(labels: dict[str, str], term: str) -> bool:
    if term.endswith(")"):
        name, relation, values = term[:-1].replace("(", " ").split(None, 2)
        listed = labels.get(name) in [value.strip() for value in values.split(",")]
        return listed if relation == "in" else not listed
    if "!=" in term:
        name, value = term.split("!=")
        return labels.get(name) != value
    if "=" in term:
        name, _, value = term.replace("==", "=").partition("=")
        return labels.get(name) == value
    return term[1:] not in labels if term.startswith("!") else term in labels


def matches_fields(data: Json, selector: str) -> bool:
    """A field selector: ``metadata.name=x,status.phase!=Running``."""
    return all(_field_holds(data, term) for term in selector.split(",") if term)


def _field_holds(data: Json, term: str) -> bool:
    name, _, value = term.replace("==", "=").partition("=")
    found: Any = data
    for part in name.rstrip("!").split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return (str(found) != value) if name.endswith("!") else (str(found) == value)
