"""Watches: what happened since a version, and then what happens."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.cluster.kinds import Json
from tests.cluster.routes import Target
from tests.cluster.storage import Change, Store, matches_fields, matches_labels


def watch(store: Store, target: Target, query: dict[str, str]) -> Iterator[bytes]:
    """Lines of events until the client's own time limit; b'' while there is nothing, to find out who has left."""
    version = query.get("resourceVersion", "")
    seen = int(version or 0)
    if seen == 0:
        with store.lock:
            seen = store.version
            now = store.all(target.kind, target.namespace)
        for data in now:
            if _holds(data, target, query):
                yield _line("ADDED", data)
    turns = 4 * int(query.get("timeoutSeconds") or 3600)
    while turns > 0:
        with store.changed:
            if store.version <= seen:
                store.changed.wait(0.25)
                turns -= 1
        changes = store.since(seen)
        for change in changes:
            seen = change.version
            yield from _told(change, store, target, query)
        if not changes:
            yield b""


def _told(change: Change, store: Store, target: Target, query: dict[str, str]) -> Iterator[bytes]:
    """One change, as this watch sees it: what no longer fits its selectors is gone."""
    group, plural, namespace, _ = change.key
    if (group, plural) != (target.kind.group, target.kind.plural) or target.namespace not in ("", namespace):
        return
    if _holds(change.data, target, query):
        yield _line(change.sort, change.data)
    elif _held_before(change, store, target, query):
        yield _line("DELETED", change.data)


def _held_before(change: Change, store: Store, target: Target, query: dict[str, str]) -> bool:
    earlier = [other for other in store.changes if other.key == change.key and other.version < change.version]
    return bool(earlier) and _holds(earlier[-1].data, target, query)


def _holds(data: Json, target: Target, query: dict[str, str]) -> bool:
    named = not target.name or data["metadata"]["name"] == target.name
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    return named and matches_labels(data, labels) and matches_fields(data, fields)


def _line(sort: str, data: Json) -> bytes:
    return json.dumps({"type": sort, "object": data}).encode() + b"\n"
