"""Deleting: finalizers hold, owners take what they own with them, namespaces and definitions everything inside."""

from __future__ import annotations

import copy

from tests.cluster.kinds import Json, Kind, Kinds
from tests.cluster.storage import Key, Store, key_of


class Deletion:
    """Deletes at once what nothing holds."""

    def __init__(self, kinds: Kinds, store: Store) -> None:
        self._kinds = kinds
        self._store = store

    def delete(self, kind: Kind, data: Json, policy: str) -> Json | None:
        """What is left for the time being, None if it is gone."""
        meta = data["metadata"]
        key = key_of(kind, meta.get("namespace", ""), meta["name"])
        with self._store.lock:
            for child_key, child in self._store.children(meta["uid"]):
                if policy == "Orphan":
                    self._orphan(child_key, child, meta["uid"])
                else:
                    self._delete_key(child_key, child)
            held = self._empty(kind, data)
            if meta.get("finalizers") or held:
                return self._store.mark(key)
            self._store.drop(key)
            return None

    def finish(self, kind: Kind, data: Json) -> None:
        """The last finalizer went."""
        self._store.drop(key_of(kind, data["metadata"].get("namespace", ""), data["metadata"]["name"]))

    def _delete_key(self, key: Key, data: Json) -> Json | None:
        kind = next((kind for kind in self._kinds if (kind.group, kind.plural) == key[:2]), None)
        return self.delete(kind, data, "Background") if kind else self._store.drop(key)

    def _orphan(self, key: Key, child: Json, uid: str) -> None:
        kind = next(kind for kind in self._kinds if (kind.group, kind.plural) == key[:2])
        orphan = copy.deepcopy(child)
        owners = orphan["metadata"]["ownerReferences"]
        orphan["metadata"]["ownerReferences"] = [owner for owner in owners if owner.get("uid") != uid]
        self._store.put(kind, key[2], key[3], orphan)

    def _empty(self, kind: Kind, data: Json) -> bool:
        """Delete what is inside a namespace or of a definition; whether something is held there."""
        if kind.kind == "Namespace":
            inside = self._store.in_namespace(data["metadata"]["name"])
            left = [self._delete_key(self._key_of(item), item) for item in inside]
            return any(item is not None for item in left)
        if kind.kind == "CustomResourceDefinition":
            for gone in self._kinds.forget(data):
                for item in self._store.all(gone):
                    meta = item["metadata"]
                    self._store.drop(key_of(gone, meta.get("namespace", ""), meta["name"]))
        return False

    def _key_of(self, data: Json) -> Key:
        group = data["apiVersion"].rpartition("/")[0]
        kind = self._kinds.named(data["kind"], group)
        return key_of(kind, data["metadata"].get("namespace", ""), data["metadata"]["name"])
