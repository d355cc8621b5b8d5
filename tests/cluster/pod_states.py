"""The statuses of a pod in its good and bad days, as the kubelet and the scheduler write them."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.kinds import Json

_NO_NODE = "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available"
_NO_VOLUME = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims"


def status(pod: Json, state: str, now: str, *, message: str = "", restarts: int = 0) -> Json:
    """For ``state``, one of STATES."""
    return {"startTime": now, **STATES[state](pod, now, message, restarts)}


def _phase(phase: str, pod: Json, now: str, containers: list[Json], *, ready: bool = False) -> Json:
    answer = "True" if ready else "False"
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
        {"type": "Initialized", "status": "True", "lastTransitionTime": now},
        {"type": "ContainersReady", "status": answer, "lastTransitionTime": now},
        {"type": "Ready", "status": answer, "lastTransitionTime": now},
    ]
    address = {"podIP": "10.244.0.10", "hostIP": "10.0.0.1"}
    return {"phase": phase, "conditions": conditions, "containerStatuses": containers, **address}


def _containers(
    pod: Json, state: Json, *, ready: bool = False, restarts: int = 0, last: Json | None = None
) -> list[Json]:
    return [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "started": ready,
            "restartCount": restarts,
            "state": state,
            "lastState": last or {},
        }
        for container in pod["spec"]["containers"]
    ]


def _ready(pod: Json, now: str, message: str, restarts: int) -> Json:
    state = {"running": {"startedAt": now}}
    return _phase("Running", pod, now, _containers(pod, state, ready=True, restarts=restarts), ready=True)


def _running(pod: Json, now: str, message: str, restarts: int) -> Json:
    """Started, and not ready."""
    return _phase("Running", pod, now, _containers(pod, {"running": {"startedAt": now}}, restarts=restarts))


def _waiting(reason: str, text: str = "") -> Callable[[Json, str, str, int], Json]:
    def build(pod: Json, now: str, message: str, restarts: int) -> Json:
        told = message or text.format(image=pod["spec"]["containers"][0]["image"])
        state = {"waiting": {"reason": reason, **({"message": told} if told else {})}}
        return _phase("Pending", pod, now, _containers(pod, state, restarts=restarts))

    return build


def _crashing(pod: Json, now: str, message: str, restarts: int) -> Json:
    text = message or f"back-off 40s restarting failed container={pod['spec']['containers'][0]['name']}"
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}}
    return _phase("Running", pod, now, _containers(pod, state, restarts=restarts or 3, last=last))


def _terminated(phase: str, reason: str, code: int) -> Callable[[Json, str, str, int], Json]:
    def build(pod: Json, now: str, message: str, restarts: int) -> Json:
        end = {"exitCode": code, "reason": reason, "message": message, "startedAt": now, "finishedAt": now}
        return _phase(phase, pod, now, _containers(pod, {"terminated": end}, restarts=restarts))

    return build


def _unscheduled(text: str) -> Callable[[Json, str, str, int], Json]:
    def build(pod: Json, now: str, message: str, restarts: int) -> Json:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message or text,
            "lastTransitionTime": now,
        }
        return {"phase": "Pending", "conditions": [condition]}

    return build


STATES: dict[str, Callable[[Json, str, str, int], Json]] = {
    "ContainerCreating": _waiting("ContainerCreating"),
    "CrashLoopBackOff": _crashing,
    "CreateContainerConfigError": _waiting("CreateContainerConfigError", 'secret "missing" not found'),
    "ErrImagePull": _waiting("ErrImagePull", 'failed to pull and unpack image "{image}": not found'),
    "Failed": _terminated("Failed", "Error", 1),
    "ImagePullBackOff": _waiting("ImagePullBackOff", 'Back-off pulling image "{image}"'),
    "InvalidImageName": _waiting("InvalidImageName", 'Failed to apply default image tag "{image}"'),
    "OOMKilled": _terminated("Failed", "OOMKilled", 137),
    "Ready": _ready,
    "Running": _running,
    "Succeeded": _terminated("Succeeded", "Completed", 0),
    "Unschedulable": _unscheduled(_NO_NODE),
    "VolumePending": _unscheduled(_NO_VOLUME),
}
