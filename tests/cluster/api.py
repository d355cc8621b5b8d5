"""What the API does with objects; knows nothing of HTTP but requests and answers."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable

from tests.cluster import patches, protobuf, streams
from tests.cluster.answers import Answer, Refused, Request, no_such_path, not_found, of_json
from tests.cluster.apply import Conflict, Writer, applied, updated
from tests.cluster.defaults import filled, refuse_immutable, refuse_invalid
from tests.cluster.deletion import Deletion
from tests.cluster.fields import Shape
from tests.cluster.kinds import Json, Kind, Kinds
from tests.cluster.logs import Logs
from tests.cluster.reviews import review
from tests.cluster.routes import Target
from tests.cluster.storage import Store, matches_fields, matches_labels


class Api:
    """Answers requests for resources."""

    def __init__(self, kinds: Kinds, store: Store, logs: Logs, allowed: Callable[[Json], bool]) -> None:
        self.kinds = kinds
        self.store = store
        self.logs = logs
        self.allowed = allowed
        self.deletion = Deletion(kinds, store)

    def answer(self, verb: str, target: Target, request: Request) -> Answer:
        if target.subresource:
            return self._of_subresource(verb, target, request)
        handle: dict[str, Callable[[Target, Request], Answer]] = {
            "apply": self._apply,
            "create": self._create,
            "delete": self._delete,
            "deletecollection": self._delete_all,
            "get": self._get,
            "list": self._list,
            "patch": self._patch,
            "update": self._update,
            "watch": self._watch,
        }
        return handle[verb](target, request)

    def _of_subresource(self, verb: str, target: Target, request: Request) -> Answer:
        if target.subresource not in target.kind.subresources:
            raise no_such_path()
        if target.subresource == "log":
            return self.logs.answer(self._existing(target), request.query, self.store.now)
        if target.subresource == "portforward":
            raise Refused(400, "BadRequest", "Upgrade request required: SPDY/3.1")
        if target.subresource == "scale":
            return self._scale(verb, target, request)
        return self._get(target, request) if verb == "get" else self._patch(target, request)

    def _existing(self, target: Target) -> Json:
        data = self.store.get(target.kind, target.namespace, target.name)
        if data is None:
            raise not_found(target.kind, target.name)
        return data

    def _get(self, target: Target, request: Request) -> Answer:
        return of_json(self._existing(target))

    # --- many ---

    def _list(self, target: Target, request: Request) -> Answer:
        query = request.query
        with self.store.lock:
            version = self.store.version
            found = [data for data in self.store.all(target.kind, target.namespace) if _selected(data, query)]
        start = _place(query.get("continue", ""))
        rest = [data for data in found if _order(data) > start]
        limit = int(query.get("limit") or 0) or len(rest)
        meta: Json = {"resourceVersion": str(version)}
        if len(rest) > limit:
            token = json.dumps(_order(rest[limit - 1])).encode()
            meta |= {"continue": base64.urlsafe_b64encode(token).decode(), "remainingItemCount": len(rest) - limit}
        kind = target.kind
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta}
        return of_json({**head, "items": rest[:limit]})

    def _watch(self, target: Target, request: Request) -> Answer:
        if "sendInitialEvents" in request.query:
            raise Refused(422, "Invalid", "sendInitialEvents is forbidden for watch unless WatchList is enabled")
        return Answer(200, streams.watch(self.store, target, request.query))

    # --- writing ---

    def _create(self, target: Target, request: Request) -> Answer:
        packed = request.body.startswith(protobuf.MAGIC)
        data = protobuf.review(request.body) if packed else patches.read(request.body)
        if not target.kind.stored:
            return of_json(review(data, self.allowed), 201)
        meta = data.setdefault("metadata", {})
        name = meta.get("name") or meta.get("generateName", "") + f"{self.store.version:05d}"
        meta["name"] = name
        live = self.store.get(target.kind, target.namespace, name)
        if live is not None:
            details = {"name": name, "group": target.kind.group, "kind": target.kind.plural}
            raise Refused(409, "AlreadyExists", f'{target.kind.resource} "{name}" already exists', details)
        return self._write(target._replace(name=name), {}, updated({}, data, self._writer(target, request)), request)

    def _update(self, target: Target, request: Request) -> Answer:
        live, data = self._existing(target), patches.read(request.body)
        version = data.get("metadata", {}).get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            message = "the object has been modified; please apply your changes to the latest version and try again"
            name = f'Operation cannot be fulfilled on {target.kind.resource} "{target.name}": '
            raise Refused(409, "Conflict", name + message, {"name": target.name, "kind": target.kind.plural})
        return self._write(target, live, updated(live, data, self._writer(target, request)), request)

    def _patch(self, target: Target, request: Request) -> Answer:
        live, writer = self._existing(target), self._writer(target, request)
        try:
            new = patches.patched(live, patches.read(request.body), request.media_type, writer.shape)
        except patches.BadPatch as error:
            raise Refused(400, "BadRequest", str(error)) from error
        return self._write(target, live, updated(live, new, writer), request)

    def _apply(self, target: Target, request: Request) -> Answer:
        given, query = patches.read(request.body), request.query
        if not query.get("fieldManager"):
            raise Refused(422, "Invalid", "fieldManager: Required value: is required for apply patch")
        if given.get("metadata", {}).get("managedFields"):
            raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
        live = self.store.get(target.kind, target.namespace, target.name) or {}
        if "status" in target.kind.subresources:
            given = {name: value for name, value in given.items() if name != "status"}
        try:
            new = applied(live, given, self._writer(target, request), force=query.get("force") == "true")
        except Conflict as conflict:
            raise Refused(409, "Conflict", str(conflict), {"causes": conflict.causes}) from conflict
        return self._write(target, live, new, request)

    def _scale(self, verb: str, target: Target, request: Request) -> Answer:
        live = self._existing(target)
        if verb != "get":
            given = patches.patched(_scale_of(live), patches.read(request.body), request.media_type, _GRANULAR)
            new = copy.deepcopy(live)
            new["spec"]["replicas"] = given["spec"]["replicas"]
            self._write(
                target._replace(subresource=""), live, updated(live, new, self._writer(target, request)), request
            )
            live = new if "dryRun" in request.query else self._existing(target)
        return of_json(_scale_of(live))

    def _writer(self, target: Target, request: Request) -> Writer:
        agent = request.headers.get("user-agent", "unknown").partition("/")[0]
        name = request.query.get("fieldManager") or agent
        shape = Shape(builtin=target.kind.builtin)
        return Writer(name, target.kind.api_version, shape, self.store.now, target.subresource)

    def _write(self, target: Target, live: Json, new: Json, request: Request) -> Answer:
        kind, store = target.kind, self.store
        self._check(target, live, new)
        new = filled(kind, _with_status(target, live, new))
        new["metadata"]["name"] = target.name
        if kind.namespaced:
            new["metadata"]["namespace"] = target.namespace
        if live:
            refuse_immutable(kind, live, new)
        refuse_invalid(kind, new)
        status = 200 if live else 201
        if "dryRun" in request.query:
            return of_json(store.prepared(kind, new, live or None), status)
        data = store.put(kind, target.namespace, target.name, new)
        if data["metadata"].get("deletionTimestamp") and not data["metadata"].get("finalizers"):
            self.deletion.finish(kind, data)
        elif data["metadata"]["resourceVersion"] != live.get("metadata", {}).get("resourceVersion"):
            self.written(kind, data)
        return of_json(data, status)

    def written(self, kind: Kind, data: Json) -> None:
        """What follows of a write: definitions are served, controllers look."""
        if kind.kind == "CustomResourceDefinition":
            self.kinds.define(data)
        if kind.kind == "Namespace" and data["metadata"].get("generation") is None:
            self._account(data["metadata"]["name"])
        for follow in self.store.after_write:
            follow(kind, data)

    def _account(self, namespace: str) -> None:
        """Every namespace has a default ServiceAccount."""
        kind = self.kinds.named("ServiceAccount")
        if self.store.get(kind, namespace, "default") is None:
            meta = {"name": "default", "namespace": namespace}
            self.store.put(kind, namespace, "default", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})

    def _check(self, target: Target, live: Json, new: Json) -> None:
        """Raises where an object may not be written at all."""
        meta = new.get("metadata", {})
        for name, given in (("name", meta.get("name")), ("namespace", meta.get("namespace"))):
            wanted = getattr(target, name)
            if given and given != wanted:
                message = f"the {name} of the provided object does not match the {name} sent on the request"
                raise Refused(400, "BadRequest", message)
        if live or not target.kind.namespaced:
            return
        kind = self.kinds.named("Namespace", "")
        home = self.store.get(kind, "", target.namespace)
        if home is None:
            raise not_found(kind, target.namespace)
        if home["metadata"].get("deletionTimestamp"):
            text = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}
            message = f'{target.kind.resource} "{target.name}" is forbidden: {text}'
            raise Refused(403, "Forbidden", message, {"causes": [cause]})

    # --- deleting ---

    def _delete(self, target: Target, request: Request) -> Answer:
        live = self._existing(target)
        options = patches.read(request.body) if request.body else {}
        wanted = (options.get("preconditions") or {}).get("uid", live["metadata"]["uid"])
        if wanted != live["metadata"]["uid"]:
            raise Refused(409, "Conflict", "Precondition failed: UID in precondition does not match")
        details = {
            "name": target.name,
            "group": target.kind.group,
            "kind": target.kind.plural,
            "uid": live["metadata"]["uid"],
        }
        if not (options.get("dryRun") or "dryRun" in request.query):
            policy = options.get("propagationPolicy") or request.query.get("propagationPolicy", "Background")
            remaining = self.deletion.delete(target.kind, live, policy)
            if remaining is not None:
                return of_json(remaining)
        return of_json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _delete_all(self, target: Target, request: Request) -> Answer:
        for data in self.store.all(target.kind, target.namespace):
            if _selected(data, request.query) and "dryRun" not in request.query:
                self.deletion.delete(target.kind, data, "Background")
        return of_json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


_GRANULAR = Shape(builtin=False)


def _selected(data: Json, query: dict[str, str]) -> bool:
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    return matches_labels(data, labels) and matches_fields(data, fields)


def _order(data: Json) -> list[str]:
    return [data["metadata"].get("namespace", ""), data["metadata"]["name"]]


def _place(token: str) -> list[str]:
    try:
        return list(json.loads(base64.urlsafe_b64decode(token))) if token else []
    except ValueError as error:
        raise Refused(400, "BadRequest", "continue key is not valid") from error


def _with_status(target: Target, live: Json, new: Json) -> Json:
    """The status is written through its subresource only, and nothing else is there."""
    if "status" not in target.kind.subresources:
        return new
    if target.subresource == "status":
        kept = {**live, "metadata": {**live["metadata"], "managedFields": new["metadata"]["managedFields"]}}
        return {**kept, "status": new.get("status", {})}
    rest = {name: value for name, value in new.items() if name != "status"}
    return {**rest, "status": live["status"]} if "status" in live else rest


def _scale_of(data: Json) -> Json:
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = data["spec"].get("selector", {}).get("matchLabels", {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: data["metadata"][name] for name in names},
        "spec": {"replicas": data["spec"].get("replicas", 1)},
        "status": {
            "replicas": data.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
        },
    }
