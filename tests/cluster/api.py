"""What the API does with objects; knows nothing of HTTP but requests and answers."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from tests.cluster.apply import Manager, applied, updated
from tests.cluster.fields import merged
from tests.cluster.kinds import Json, Kind, copied
from tests.cluster.logs import Logs
from tests.cluster.requests import MERGE, Answer, Refused, Request, Target, no_such_path, not_found, of_json
from tests.cluster.rules import fill, refuse_invalid
from tests.cluster.storage import Store, selected

_STRATEGIC = "application/strategic-merge-patch+json"


class Api:
    """Answers requests for resources. ``allowed`` answers reviews of access."""

    def __init__(self, store: Store, logs: Logs, allowed: Callable[[Json], bool]) -> None:
        self.store = store
        self.logs = logs
        self.allowed = allowed
        #: What follows of a write: the part of controllers.
        self.follow: Callable[[Kind, Json], None] = lambda kind, data: None
        self._writing = threading.RLock()

    def answer(self, verb: str, target: Target, request: Request) -> Answer:
        handle: Any = getattr(self, f"_{verb}", None)
        if target.subresource:
            handle = getattr(self, f"_{target.subresource}") if target.subresource in target.kind.subresources else None
        if handle is None:
            raise no_such_path()
        # One writer at a time, as the versions of objects would see to.
        with contextlib.nullcontext() if request.method == "GET" else self._writing:
            answer: Answer = handle(target, request)
            return answer

    def _existing(self, target: Target) -> Json:
        data = self.store.get(target.kind, target.namespace, target.name)
        if data is None:
            raise not_found(target.kind, target.name)
        return data

    def _get(self, target: Target, request: Request) -> Answer:
        return of_json(self._existing(target))

    def _log(self, target: Target, request: Request) -> Answer:
        return self.logs.answer(self._existing(target), request.query)

    def _portforward(self, target: Target, request: Request) -> Answer:
        raise Refused(400, "BadRequest", "Upgrade request required: SPDY/3.1")

    def _list(self, target: Target, request: Request) -> Answer:
        query, kind = request.query, target.kind
        with self.store.lock:
            version = self.store.version
            items = [data for data in self.store.all(kind, target.namespace) if selected(data, target, query)]
        if query.get("continue"):
            try:
                start = json.loads(base64.urlsafe_b64decode(query["continue"]))
            except ValueError as error:
                raise Refused(400, "BadRequest", "continue key is not valid") from error
            items = [data for data in items if _order(data) > start]
        limit = int(query.get("limit") or 0) or len(items)
        meta: Json = {"resourceVersion": str(version)}
        if len(items) > limit:
            token = json.dumps(_order(items[limit - 1])).encode()
            meta |= {"continue": base64.urlsafe_b64encode(token).decode(), "remainingItemCount": len(items) - limit}
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta}
        return of_json({**head, "items": items[:limit]})

    def _watch(self, target: Target, request: Request) -> Answer:
        if "sendInitialEvents" in request.query:
            raise Refused(422, "Invalid", "sendInitialEvents is forbidden for watch unless WatchList is enabled")
        return Answer(200, self.store.watch(target, request.query))

    # --- writing ---

    def _create(self, target: Target, request: Request) -> Answer:
        data = request.data
        if target.kind.kind.endswith("Review"):
            allowed = self.allowed(data["spec"].get("resourceAttributes", {}))
            return of_json({**data, "status": {"allowed": allowed}}, 201)
        name = data.get("metadata", {}).get("name", "")
        if self.store.get(target.kind, target.namespace, name) is not None:
            details = {"name": name, "group": target.kind.group, "kind": target.kind.plural}
            raise Refused(409, "AlreadyExists", f'{target.kind.resource} "{name}" already exists', **details)
        target = target._replace(name=name)
        return self._write(target, {}, self._updated(target, request, {}, data), request)

    def _patch(self, target: Target, request: Request) -> Answer:
        live = self._existing(target)
        return self._write(target, live, self._updated(target, request, live, _patched(target, request, live)), request)

    def _apply(self, target: Target, request: Request) -> Answer:
        given, query = request.data, request.query
        if not query.get("fieldManager"):
            raise Refused(422, "Invalid", "fieldManager: Required value: is required for apply patch")
        if given.get("metadata", {}).get("managedFields"):
            raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
        live = self.store.get(target.kind, target.namespace, target.name) or {}
        manager = Manager(query["fieldManager"], "Apply", target.kind.api_version)
        force = query.get("force") == "true"
        new = applied(live, given, manager, builtin=target.kind.builtin, force=force)
        return self._write(target, live, new, request)

    def _scale(self, target: Target, request: Request) -> Answer:
        live = self._existing(target)
        if request.method == "PATCH":
            new = copied(live)
            new["spec"]["replicas"] = _patched(target, request, _scale_of(live))["spec"]["replicas"]
            self._write(target, live, self._updated(target, request, live, new), request)
            live = self._existing(target)
        return of_json(_scale_of(live))

    def _updated(self, target: Target, request: Request, live: Json, new: Json) -> Json:
        agent = request.headers.get("user-agent", "unknown").partition("/")[0]
        name = request.query.get("fieldManager") or agent
        manager = Manager(name, "Update", target.kind.api_version, target.subresource)
        return updated(live, new, manager, builtin=target.kind.builtin)

    def _write(self, target: Target, live: Json, new: Json, request: Request) -> Answer:
        kind, store = target.kind, self.store
        self._refuse_place(target, live, new["metadata"])
        new["metadata"] |= {"name": target.name} | ({"namespace": target.namespace} if kind.namespaced else {})
        if kind.builtin:  # a status is not the client's to write
            new = {name: value for name, value in new.items() if name != "status"}
            new |= {"status": live["status"]} if "status" in live else {}
        fill(kind, new, live)
        refuse_invalid(kind, live, new)
        if "dryRun" in request.query:
            return of_json(store.prepared(kind, new, live or None), 200 if live else 201)
        data = store.put(kind, target.namespace, target.name, new)
        if kind.kind == "CustomResourceDefinition":
            store.kinds.define(data)
        if kind.kind == "Namespace" and not live:
            account = {"apiVersion": "v1", "kind": "ServiceAccount"}
            meta = {"metadata": {"name": "default", "namespace": target.name}}
            store.put(store.kinds.named("ServiceAccount"), target.name, "default", account | meta)
        if data["metadata"]["resourceVersion"] != live.get("metadata", {}).get("resourceVersion"):
            self.follow(kind, data)
        return of_json(data, 200 if live else 201)

    def _refuse_place(self, target: Target, live: Json, meta: Json) -> None:
        for name in ("name", "namespace"):
            if meta.get(name) and meta[name] != getattr(target, name):
                message = f"the {name} of the provided object does not match the {name} sent on the request"
                raise Refused(400, "BadRequest", message)
        if live or not target.kind.namespaced:
            return
        kind = self.store.kinds.named("Namespace")
        home = self._existing(Target(kind, "", target.namespace))
        if home["metadata"].get("deletionTimestamp"):
            text = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}
            message = f'{target.kind.resource} "{target.name}" is forbidden: {text}'
            raise Refused(403, "Forbidden", message, causes=[cause])

    def _delete(self, target: Target, request: Request) -> Answer:
        live, options = self._existing(target), request.data
        uid = live["metadata"]["uid"]
        if (options.get("preconditions") or {}).get("uid", uid) != uid:
            raise Refused(409, "Conflict", "Precondition failed: UID in precondition does not match")
        if not (options.get("dryRun") or "dryRun" in request.query) and (left := self.store.delete(target.kind, live)):
            return of_json(left)
        details = {"name": target.name, "group": target.kind.group, "kind": target.kind.plural, "uid": uid}
        return of_json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})


def _patched(target: Target, request: Request, live: Json) -> Json:
    if request.media_type not in (MERGE, _STRATEGIC) or b'"$patch"' in request.body:
        raise Refused(415, "UnsupportedMediaType", f"this patch is not served here: {request.media_type}")
    builtin = target.kind.builtin and request.media_type == _STRATEGIC
    result: Json = merged(live, request.data, builtin=builtin, null_removes=True)
    return result


def _order(data: Json) -> list[str]:
    return [data["metadata"].get("namespace", ""), data["metadata"]["name"]]


def _scale_of(data: Json) -> Json:
    meta = {name: data["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    replicas = {"spec": {"replicas": data["spec"].get("replicas", 1)}, "status": {"replicas": 0}}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, **replicas}
