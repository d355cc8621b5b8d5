"""What controllers, scheduler and kubelet would do, done when a test says so."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from tests.cluster.kinds import Json, copied
from tests.cluster.storage import NOW, Store

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
#: Which workload a pod belongs to: its own label of the simulation, so that nothing depends on selectors.
_WORKLOAD = "test.mcpctl.io/workload"


class _State(NamedTuple):
    """``container``: what its containers are, '' where no node has the pod; ``event``: the event that tells of it."""

    phase: str
    container: str
    reason: str = ""
    message: str = ""
    code: int = 0
    event: str = ""


_NO_NODE = "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available"
_NO_VOLUME = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims"
_CRASHED = "back-off 40s restarting failed container={name}"
_CREATING, _BAD_CONFIG = "ContainerCreating", "CreateContainerConfigError"
STATES = {
    "ContainerCreating": _State("Pending", "waiting", _CREATING),
    "CrashLoopBackOff": _State("Running", "waiting", "CrashLoopBackOff", _CRASHED, event="BackOff"),
    "CreateContainerConfigError": _State("Pending", "waiting", _BAD_CONFIG, 'secret "missing" not found'),
    "ErrImagePull": _State("Pending", "waiting", "ErrImagePull", 'failed to pull "{image}": not found', event="Failed"),
    "Failed": _State("Failed", "terminated", "Error", code=1),
    "ImagePullBackOff": _State(
        "Pending", "waiting", "ImagePullBackOff", 'Back-off pulling image "{image}"', event="Failed"
    ),
    "InvalidImageName": _State("Pending", "waiting", "InvalidImageName", 'Failed to apply default image tag "{image}"'),
    "OOMKilled": _State("Failed", "terminated", "OOMKilled", code=137),
    "Ready": _State("Running", "running"),
    "Running": _State("Running", "running"),
    "Succeeded": _State("Succeeded", "terminated", "Completed"),
    "Unschedulable": _State("Pending", "", "Unschedulable", _NO_NODE, event="FailedScheduling"),
    "VolumePending": _State("Pending", "", "Unschedulable", _NO_VOLUME, event="FailedScheduling"),
}
#: Why no pod can be made.
_REFUSALS = {
    "limit-range": "maximum cpu usage per Container is 50m, but limit is 500m",
    "quota": "exceeded quota: mcp, requested: limits.memory=1Gi, used: limits.memory=2Gi, limited: limits.memory=2Gi",
    "pod-security": (
        'violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "server" must set it)'
    ),
}


class Controllers:
    """All names are those of objects in ``namespace``."""

    def __init__(self, store: Store, namespace: str) -> None:
        self._kinds = store.kinds
        self._store = store
        self._namespace = namespace

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        """An object; KeyError if it is not there."""
        known = self._kinds.named(kind)
        data = self._store.get(known, namespace or self._namespace, name)
        if data is None:
            raise KeyError(f"{kind}/{name}")
        return data

    def pods(self, workload: str, namespace: str = "") -> list[str]:
        """Names of the pods that belong to a workload of that name."""
        pods = self._store.all(self._kinds.named("Pod"), namespace or self._namespace)
        return [pod["metadata"]["name"] for pod in pods if pod["metadata"].get("labels", {}).get(_WORKLOAD) == workload]

    def remove(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object behind the client's back."""
        self._store.delete(self._kinds.named(kind), self.get(kind, name, namespace))

    def hold(self, kind: str, name: str, namespace: str = "") -> None:
        """A finalizer: deleting it does not end."""
        data = self.get(kind, name, namespace)
        self._save({**data, "metadata": {**data["metadata"], "finalizers": ["test/held"]}})

    def bind(self, claim: str, namespace: str = "") -> None:
        self._save({**self.get("PersistentVolumeClaim", claim, namespace), "status": {"phase": "Bound"}})

    # --- workloads ---

    def run_pods(
        self, kind: str, name: str, namespace: str = "", *, state: str = "Ready", keep_old: bool = False
    ) -> None:
        """Make the pods of a Deployment or StatefulSet what its template says, and put them into ``state``.

        ``keep_old``: pods of the template before stay, as in a rollout that does not get on.
        """
        owner = self.get(kind, name, namespace)
        stamp, count, template = _stamp(owner), owner["spec"]["replicas"], owner["spec"]["template"]
        deployed = owner["kind"] == "Deployment"
        parent = self._replica_set(owner) if deployed else owner
        wanted = [f"{name}-{stamp}-{index:05d}" if deployed else f"{name}-{index}" for index in range(count)]
        for pod in self._pods_of(owner):
            old = pod["metadata"]["labels"].get(_HASH) != stamp
            if (old and not keep_old) or (not old and pod["metadata"]["name"] not in wanted):
                self._store.delete(self._kinds.named("Pod"), pod)
        labels = {**template["metadata"].get("labels", {}), _HASH: stamp, _WORKLOAD: name}
        labels |= {} if deployed else {"controller-revision-hash": stamp}
        for pod_name in wanted:
            meta = _owned_by(parent, pod_name, labels, template["metadata"].get("annotations", {}))
            self._save({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": copied(template["spec"])})
            self.pod_state(pod_name, state, namespace)
        self.refresh(kind, name, namespace)

    def _pods_of(self, owner: Json) -> list[Json]:
        home = owner["metadata"]["namespace"]
        return [self.get("Pod", name, home) for name in self.pods(owner["metadata"]["name"], home)]

    def _replica_set(self, owner: Json, status: Json | None = None) -> Json:
        """The one of the template as it is; those before have no replicas any more."""
        kind, meta, stamp, revision = self._kinds.named("ReplicaSet"), owner["metadata"], _stamp(owner), 1
        for other in self._store.all(kind, meta["namespace"]):
            of_owner = other["metadata"]["ownerReferences"][0]["uid"] == meta["uid"]
            if of_owner and not other["metadata"]["name"].endswith(stamp):
                self._save({**other, "spec": {**other["spec"], "replicas": 0}})
                revision = max(revision, int(other["metadata"]["annotations"][_REVISION]) + 1)
        template = copied(owner["spec"]["template"])
        labels = template["metadata"]["labels"] = {**template["metadata"].get("labels", {}), _HASH: stamp}
        spec = {**{name: owner["spec"][name] for name in ("replicas", "selector")}, "template": template}
        return self._save(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": _owned_by(owner, f"{meta['name']}-{stamp}", labels, {_REVISION: str(revision)}),
                "spec": spec,
                "status": status or {"replicas": owner["spec"]["replicas"]},
            }
        )

    def refresh(self, kind: str, name: str, namespace: str = "", *, deadline: bool = False, refusal: str = "") -> None:
        """Status of a workload from its pods. ``deadline``: the rollout has taken too long."""
        owner = self.get(kind, name, namespace)
        pods, stamp, wanted = self._pods_of(owner), _stamp(owner), owner["spec"]["replicas"]
        new = [pod for pod in pods if pod["metadata"]["labels"].get(_HASH) == stamp]
        ready = len([pod for pod in pods if _is_ready(pod)])
        status: Json = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        if owner["kind"] == "Deployment":
            complete = len([pod for pod in new if _is_ready(pod)]) >= wanted
            progress = ("True", "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated")
            status |= {
                "unavailableReplicas": max(0, wanted - ready),
                "conditions": [
                    _condition("Available", str(ready >= wanted), "MinimumReplicas"),
                    _condition("Progressing", *(("False", "ProgressDeadlineExceeded") if deadline else progress)),
                    *([_condition("ReplicaFailure", "True", "FailedCreate", refusal)] if refusal else []),
                ],
            }
        else:
            status |= {"currentRevision": stamp, "updateRevision": stamp, "currentReplicas": len(new)}
        self._save({**owner, "status": status})

    def refuse_pods(self, kind: str, name: str, why: str, namespace: str = "") -> None:
        """No pod can be made, for one of _REFUSALS: the condition and the event FailedCreate."""
        parent = self.get(kind, name, namespace)
        message = f'pods "{name}-x" is forbidden: {_REFUSALS[why]}'
        if kind == "Deployment":
            condition = _condition("ReplicaFailure", "True", "FailedCreate", message)
            parent = self._replica_set(parent, {"replicas": 0, "conditions": [condition]})
        self.event(parent, "FailedCreate", f"Error creating: {message}")
        self.refresh(kind, name, namespace, refusal=message)

    # --- pods, events ---

    def pod_state(self, name: str, state: str, namespace: str = "") -> None:
        """Put a pod into one of STATES; the workload's status follows with ``refresh``."""
        pod, row = self.get("Pod", name, namespace), STATES[state]
        first = pod["spec"]["containers"][0]
        message = row.message.format(name=first["name"], image=first["image"])
        status: Json = {"phase": row.phase, "startTime": NOW}
        if row.container:
            answer = str(state == "Ready")
            conditions = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": answer, "Ready": answer}
            status |= {
                "conditions": [_condition(name, value) for name, value in conditions.items()],
                "containerStatuses": [_container(each, row, state, message) for each in pod["spec"]["containers"]],
                "podIP": "10.244.0.10",
                "hostIP": "10.0.0.1",
            }
        else:
            status["conditions"] = [_condition("PodScheduled", "False", row.reason, message)]
        pod = self._save({**pod, "status": status})
        if row.event:
            self.event(pod, row.event, message)

    def event(self, about: Json, reason: str, message: str) -> None:
        """A warning about an object; one that says the same counts up."""
        meta = about["metadata"]
        home = meta.get("namespace", "default")
        name = f"{meta['name']}.{hashlib.sha256(f'{reason}{message}'.encode()).hexdigest()[:16]}"
        known = self._store.get(self._kinds.named("Event"), home, name)
        involved = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": meta["name"], "uid": meta["uid"]}
        times = {"firstTimestamp": NOW, "lastTimestamp": NOW, "count": 1 + (known["count"] if known else 0)}
        self._save(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": home},
                "involvedObject": {**involved, "namespace": home},
                "reason": reason,
                "message": message,
                "type": "Warning",
                **times,
            }
        )

    def _save(self, data: Json) -> Json:
        kind = self._kinds.named(data["kind"], data["apiVersion"].rpartition("/")[0])
        return self._store.put(kind, data["metadata"].get("namespace", ""), data["metadata"]["name"], data)


def _stamp(owner: Json) -> str:
    return hashlib.sha256(json.dumps(owner["spec"]["template"], sort_keys=True).encode()).hexdigest()[:10]


def _owned_by(owner: Json, name: str, labels: Json, annotations: Json) -> Json:
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    owned = {"ownerReferences": [{**reference, "controller": True}], "annotations": annotations}
    return {"name": name, "namespace": meta["namespace"], "labels": labels, **owned}


def _is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any((condition["type"], condition["status"]) == ("Ready", "True") for condition in conditions)


def _condition(sort: str, status: str, reason: str = "", message: str = "") -> Json:
    return {"type": sort, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}


def _container(container: Json, row: _State, state: str, message: str) -> Json:
    details = {
        "running": {"startedAt": NOW},
        "terminated": {"exitCode": row.code, "reason": row.reason, "startedAt": NOW, "finishedAt": NOW},
        "waiting": {"reason": row.reason, **({"message": message} if message else {})},
    }
    crashed = state == "CrashLoopBackOff"
    last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": NOW, "finishedAt": NOW}}
    return {
        "name": container["name"],
        "image": container["image"],
        "ready": state == "Ready",
        "restartCount": 3 if crashed else 0,
        "state": {row.container: details[row.container]},
        "lastState": last if crashed else {},
    }
