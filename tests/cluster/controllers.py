"""What controllers would do, done when a test says so: pods of workloads, their states, events."""

from __future__ import annotations

import copy
import hashlib
import json

from tests.cluster.deletion import Deletion
from tests.cluster.kinds import Json, Kinds
from tests.cluster.pod_states import status
from tests.cluster.storage import Store


class Controllers:
    """All names are those of objects in ``namespace``."""

    def __init__(self, kinds: Kinds, store: Store, namespace: str) -> None:
        self._kinds = kinds
        self._store = store
        self._deletion = Deletion(kinds, store)
        self._namespace = namespace

    # --- reading ---

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        """An object; KeyError if it is not there."""
        known = self._kinds.named(kind)
        data = self._store.get(known, (namespace or self._namespace) if known.namespaced else "", name)
        if data is None:
            raise KeyError(f"{kind}/{name}")
        return data

    def pods(self, workload: str, namespace: str = "") -> list[str]:
        """Names of the pods that belong to a workload of that name."""
        found = self._store.all(self._kinds.named("Pod"), namespace or self._namespace)
        return [pod["metadata"]["name"] for pod in found if _workload_of(pod) == workload]

    # --- workloads ---

    def run_pods(
        self, kind: str, name: str, namespace: str = "", *, state: str = "Ready", keep_old: bool = False
    ) -> None:
        """Make the pods of a Deployment or StatefulSet what its template says, and put them into ``state``.

        ``keep_old``: pods of the template before stay, as in a rollout that does not get on.
        """
        owner = self.get(kind, name, namespace)
        stamp = _stamp(owner["spec"]["template"])
        parent = self._replica_set(owner, stamp) if owner["kind"] == "Deployment" else owner
        wanted = _pod_names(owner, stamp)
        for pod in self._pods_of(owner):
            old = pod["metadata"]["labels"].get(_HASH) != stamp
            surplus = pod["metadata"]["name"] not in wanted
            if (surplus or old) and not (old and keep_old):
                self._deletion.delete(self._kinds.named("Pod"), pod, "Background")
        for pod_name in wanted:
            self._pod(owner, parent, pod_name, stamp)
            self.pod_state(pod_name, state, namespace)
        self.refresh(kind, name, namespace)

    def _pods_of(self, owner: Json) -> list[Json]:
        home = owner["metadata"]["namespace"]
        return [self.get("Pod", name, home) for name in self.pods(owner["metadata"]["name"], home)]

    def _replica_set(self, owner: Json, stamp: str) -> Json:
        kind, meta = self._kinds.named("ReplicaSet"), owner["metadata"]
        revision = 1
        for other in self._store.all(kind, meta["namespace"]):
            if other["metadata"]["ownerReferences"][0]["uid"] == meta["uid"] and not _named_for(other, stamp):
                self._save({**other, "spec": {**other["spec"], "replicas": 0}})
                revision = max(revision, int(other["metadata"]["annotations"][_REVISION]) + 1)
        template = _labelled(owner["spec"]["template"], {_HASH: stamp})
        spec = {"replicas": owner["spec"]["replicas"], "selector": owner["spec"]["selector"], "template": template}
        named = _owned_by(owner, f"{meta['name']}-{stamp}", template["metadata"]["labels"])
        return self._save(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {**named, "annotations": {_REVISION: str(revision)}},
                "spec": spec,
                "status": {"replicas": owner["spec"]["replicas"]},
            }
        )

    def _pod(self, owner: Json, parent: Json, name: str, stamp: str) -> None:
        labels = {_HASH: stamp, _WORKLOAD: owner["metadata"]["name"]}
        labels |= {_REVISION_HASH: stamp} if owner["kind"] == "StatefulSet" else {}
        template = _labelled(owner["spec"]["template"], labels)
        meta = _owned_by(parent, name, template["metadata"]["labels"])
        meta["annotations"] = template["metadata"].get("annotations", {})
        self._save({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]})

    def refresh(self, kind: str, name: str, namespace: str = "", *, deadline: bool = False, refusal: str = "") -> None:
        """Status of a workload from its pods. ``deadline``: the rollout has taken too long; ``refusal``: why no pod
        can be made."""
        owner = self.get(kind, name, namespace)
        pods = self._pods_of(owner)
        stamp = _stamp(owner["spec"]["template"])
        new = [pod for pod in pods if pod["metadata"]["labels"].get(_HASH) == stamp]
        ready = len([pod for pod in pods if _is_ready(pod)])
        fresh_ready = len([pod for pod in new if _is_ready(pod)])
        wanted = owner["spec"]["replicas"]
        found: Json = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        if owner["kind"] == "Deployment":
            found["unavailableReplicas"] = max(0, wanted - ready)
            found["conditions"] = _conditions(
                fresh_ready >= wanted, ready >= wanted, deadline, refusal, self._store.now
            )
        else:
            found |= {"currentRevision": stamp, "updateRevision": stamp, "currentReplicas": len(new)}
        self._save({**owner, "status": found})

    def refuse_pods(self, kind: str, name: str, message: str, namespace: str = "") -> None:
        """No pod can be made, as a quota or Pod Security has it: the condition and the event FailedCreate."""
        owner = self.get(kind, name, namespace)
        parent = owner
        if owner["kind"] == "Deployment":
            parent = self._replica_set(owner, _stamp(owner["spec"]["template"]))
            condition = _condition("ReplicaFailure", "True", "FailedCreate", message, self._store.now)
            parent = self._save({**parent, "status": {"replicas": 0, "conditions": [condition]}})
        self.event(parent, "FailedCreate", f"Error creating: {message}")
        self.refresh(kind, name, namespace, refusal=message)

    def refuse_by_quota(self, kind: str, name: str, namespace: str = "") -> None:
        message = (
            "exceeded quota: mcp, requested: limits.memory=1Gi, used: limits.memory=2Gi, limited: limits.memory=2Gi"
        )
        self.refuse_pods(kind, name, f'pods "{name}-x" is forbidden: {message}', namespace)

    def refuse_by_pod_security(self, kind: str, name: str, namespace: str = "") -> None:
        message = (
            'violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "server" must set it)'
        )
        self.refuse_pods(kind, name, f'pods "{name}-x" is forbidden: {message}', namespace)

    def deadline(self, name: str, namespace: str = "") -> None:
        """The rollout of a Deployment has exceeded its deadline."""
        self.refresh("Deployment", name, namespace, deadline=True)

    # --- pods, volumes, events ---

    def pod_state(self, name: str, state: str, namespace: str = "", *, message: str = "", restarts: int = 0) -> None:
        """Put a pod into one of pod_states.STATES; the workload's status follows with ``refresh``."""
        pod = self.get("Pod", name, namespace)
        told = status(pod, state, self._store.now, message=message, restarts=restarts)
        pod = self._save({**pod, "status": told})
        reason = _EVENTS.get(state)
        if reason:
            self.event(pod, reason, message or _reason_text(told))

    def bind(self, claim: str, namespace: str = "") -> None:
        """A volume was found for the claim."""
        data = self.get("PersistentVolumeClaim", claim, namespace)
        self._save({**data, "status": {"phase": "Bound"}})

    def event(self, about: Json, reason: str, message: str, sort: str = "Warning", count: int = 1) -> None:
        """An event about an object; one that says the same counts up."""
        meta = about["metadata"]
        home = meta.get("namespace", "default")
        name = f"{meta['name']}.{hashlib.sha256(f'{reason}{message}'.encode()).hexdigest()[:16]}"
        known = self._store.get(self._kinds.named("Event"), home, name)
        involved = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": meta["name"], "uid": meta["uid"]}
        self._save(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": home},
                "involvedObject": {**involved, "namespace": home},
                "reason": reason,
                "message": message,
                "type": sort,
                "count": count + (known["count"] if known else 0),
                "firstTimestamp": known["firstTimestamp"] if known else self._store.now,
                "lastTimestamp": self._store.now,
                "source": {"component": "test"},
            }
        )

    def hold(self, kind: str, name: str, namespace: str = "") -> None:
        """A finalizer: deleting it does not end until ``let_go``."""
        data = self.get(kind, name, namespace)
        self._save({**data, "metadata": {**data["metadata"], "finalizers": ["test/held"]}})

    def let_go(self, kind: str, name: str, namespace: str = "") -> None:
        data = self.get(kind, name, namespace)
        meta = {key: value for key, value in data["metadata"].items() if key != "finalizers"}
        data = self._save({**data, "metadata": meta})
        if "deletionTimestamp" in meta:
            self._deletion.delete(self._kinds.named(kind), data, "Background")

    def remove(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object behind the client's back."""
        self._deletion.delete(self._kinds.named(kind), self.get(kind, name, namespace), "Background")

    def _save(self, data: Json) -> Json:
        group = data["apiVersion"].rpartition("/")[0]
        kind = self._kinds.named(data["kind"], group)
        return self._store.put(kind, data["metadata"].get("namespace", ""), data["metadata"]["name"], data)


_HASH = "pod-template-hash"
_REVISION_HASH = "controller-revision-hash"
_REVISION = "deployment.kubernetes.io/revision"
#: Which workload a pod belongs to: its own label of the simulation, so that nothing depends on selectors.
_WORKLOAD = "test.mcpctl.io/workload"
_EVENTS = {
    "CrashLoopBackOff": "BackOff",
    "ErrImagePull": "Failed",
    "ImagePullBackOff": "Failed",
    "Unschedulable": "FailedScheduling",
    "VolumePending": "FailedScheduling",
}


def _workload_of(pod: Json) -> str:
    return str(pod["metadata"].get("labels", {}).get(_WORKLOAD, ""))


def _stamp(template: Json) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _named_for(data: Json, stamp: str) -> bool:
    return bool(data["metadata"]["name"].endswith(stamp))


def _pod_names(owner: Json, stamp: str) -> list[str]:
    name, count = owner["metadata"]["name"], owner["spec"]["replicas"]
    if owner["kind"] == "StatefulSet":
        return [f"{name}-{index}" for index in range(count)]
    return [f"{name}-{stamp}-{index:05d}" for index in range(count)]


def _labelled(template: Json, labels: dict[str, str]) -> Json:
    template = copy.deepcopy(template)
    meta = template.setdefault("metadata", {})
    meta["labels"] = {**meta.get("labels", {}), **labels}
    return template


def _owned_by(owner: Json, name: str, labels: dict[str, str]) -> Json:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True}
    reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    home = owner["metadata"]["namespace"]
    return {"name": name, "namespace": home, "labels": labels, "ownerReferences": [reference]}


def _is_ready(pod: Json) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod.get("status", {}).get("conditions", [])
    )


def _conditions(complete: bool, available: bool, deadline: bool, refusal: str, now: str) -> list[Json]:
    progress = ("True", "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated")
    if deadline:
        progress = ("False", "ProgressDeadlineExceeded")
    found = [
        _condition(
            "Available", str(available), f"MinimumReplicas{'Available' if available else 'Unavailable'}", "", now
        ),
        _condition("Progressing", *progress, "", now),
    ]
    return [*found, _condition("ReplicaFailure", "True", "FailedCreate", refusal, now)] if refusal else found


def _condition(sort: str, status: str, reason: str, message: str, now: str) -> Json:
    return {"type": sort, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}


def _reason_text(told: Json) -> str:
    for container in told.get("containerStatuses", []):
        return str(container["state"].get("waiting", {}).get("message", ""))
    return str(told["conditions"][0].get("message", ""))
