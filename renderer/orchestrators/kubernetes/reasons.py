"""Why a pod does not run, or a workload has none, from the objects alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.errors import excerpt
from renderer.orchestrators.contract import Outlook
from renderer.orchestrators.failures import ended, loops
from renderer.orchestrators.kubernetes.client import Data

#: Characters of one text of the cluster.
_SHOWN = 300


class Reason(NamedTuple):
    """``log_of``: the container whose last lines tell more."""

    text: str
    outlook: Outlook = "starts"
    log_of: str = ""

    @property
    def hopeless(self) -> bool:
        return self.outlook == "hopeless"


def of_pod(pod: Data, events: Sequence[Data] = ()) -> Reason | None:
    """The first cause; None where all is well."""
    meta, status = pod.get("metadata", {}), pod.get("status") or {}
    if meta.get("deletionTimestamp"):
        return Reason("is ending")
    for look in (_placed, _containers, _ended, _events(events), _unready):
        reason = look(pod, status)
        if reason:
            return reason
    return None


def _placed(_pod: Data, status: Data) -> Reason | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            text = _cut(condition.get("message"))
            if re.search(r"PersistentVolumeClaim|volume", text, re.IGNORECASE):
                return Reason(f"waits for its volume: {text}", "elsewhere")
            gated = condition.get("reason") == "SchedulingGated"
            words = f"waits at a scheduling gate: {text}" if gated else f"cannot be scheduled: {text}"
            return Reason(words, "elsewhere")
    return None


def _containers(pod: Data, status: Data) -> Reason | None:
    for container in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        state = container.get("state") or {}
        if waiting := state.get("waiting"):
            reason = _waiting(pod, container, waiting)
        elif (last := state.get("terminated")) and last.get("exitCode"):
            reason = Reason(f"{_name(container)} {_how_it_ended(last)}", log_of=_name(container))
        else:
            reason = None
        if reason:
            return reason
    return None


def _waiting(pod: Data, container: Data, waiting: Mapping[str, Any]) -> Reason | None:
    code, message, name = str(waiting.get("reason", "")), _cut(waiting.get("message")), _name(container)
    if code in ("", "ContainerCreating", "PodInitializing"):
        return None
    if code == "CrashLoopBackOff":
        last = (container.get("lastState") or {}).get("terminated") or {}
        count = int(container.get("restartCount") or 0)
        # The second back-off takes 20 s: a server that only waited for another one is up again by then.
        outlook: Outlook = "hopeless" if count >= 3 else "starts"
        return Reason(f"{name} {loops(count, _how_it_ended(last) if last else '')}", outlook, log_of=name)
    named = {each.get("name"): each.get("image", "") for each in pod.get("spec", {}).get("containers") or []}
    image = excerpt(str(container.get("image") or named.get(name, "")), 200)
    text, outlook = _WAITING.get(code, ("{name} does not start ({code})", "starts"))
    if code == "CreateContainerConfigError":
        text, outlook = _misconfigured(message)
    if text is _PULL and _REFUSED.search(str(waiting.get("message", ""))):
        outlook = "hopeless"
    sentence = text.format(name=name, image=image, code=excerpt(code, 80))
    return Reason(f"{sentence}: {message}" if message else sentence, outlook)


def _misconfigured(message: str) -> tuple[str, Outlook]:
    """The kubelet has one reason for all that it needs before it makes a container."""
    if "runAsNonRoot" in message:
        return "{name} would run as root, or as a user without a number: set spec.security.runAsUser", "hopeless"
    if re.search(r"secret|configmap", message, re.IGNORECASE):
        return "{name} needs a Secret or ConfigMap, or a key in it, that does not exist", "elsewhere"
    return "{name} cannot be created with this configuration", "starts"


_PULL = "the image {image} cannot be pulled: check its name and tag, and imagePullSecrets"
#: What a registry says that no second pull changes: the name is wrong, or the right is missing.
_REFUSED = re.compile(
    r"not found|manifest unknown|does not exist|invalid reference"
    r"|unauthorized|denied|forbidden|authentication required",
    re.IGNORECASE,
)
#: By the reason of a waiting container.
_WAITING: Mapping[str, tuple[str, Outlook]] = {
    "ErrImagePull": (_PULL, "starts"),
    "ImagePullBackOff": (_PULL, "elsewhere"),
    "ErrImageNeverPull": ("the image {image} is not on the node, and may not be pulled", "hopeless"),
    "InvalidImageName": ("{image} is not the name of an image", "hopeless"),
    "ImageInspectError": ("the image {image} is broken", "hopeless"),
    "RegistryUnavailable": ("the registry of the image {image} does not answer", "elsewhere"),
    "CreateContainerError": ("{name} cannot be created", "hopeless"),
    "RunContainerError": ("{name} cannot be started: is the command in the image?", "hopeless"),
    "StartError": ("{name} cannot be started: is the command in the image?", "hopeless"),
}


def _how_it_ended(last: Mapping[str, Any]) -> str:
    killed = last.get("reason") == "OOMKilled"
    return ended(int(last.get("exitCode") or 0), out_of_memory=killed, message=_cut(last.get("message")))


def _ended(pod: Data, status: Data) -> Reason | None:
    """Evicted, or its node lost. A Pod without a controller is not created again."""
    if status.get("phase") != "Failed":
        return None
    reason, message = _cut(status.get("reason")), _cut(status.get("message"))
    alone = not pod.get("metadata", {}).get("ownerReferences")
    words = ("has failed, and nothing makes a single Pod again: apply it" if alone else "has failed", reason, message)
    return Reason(": ".join(filter(None, words)), "hopeless" if alone else "starts")


def _events(events: Sequence[Data]) -> Callable[[Data, Data], Reason | None]:
    def look(_pod: Data, status: Data) -> Reason | None:
        if has_ready_condition(status):
            return None
        messages = {str(event.get("reason")): _cut(event.get("message")) for event in events}
        for code, text in _EVENTS.items():
            if code in messages:
                return Reason(f"{text}: {messages[code]}", "starts" if code == "Unhealthy" else "elsewhere")
        return None

    return look


#: By the reason of a warning about a pod, the most telling first.
_EVENTS: Mapping[str, str] = {
    "FailedMount": "a volume cannot be mounted",
    "FailedAttachVolume": "a volume cannot be attached to the node",
    "FailedCreatePodSandBox": "the node cannot make the pod's network or sandbox",
    "Unhealthy": "does not answer its probe",
}


def _unready(_pod: Data, status: Data) -> Reason | None:
    if status.get("phase") == "Unknown":
        return Reason("its node does not answer")
    if status.get("phase") != "Running" or has_ready_condition(status):
        return None
    waiting = [_name(c) for c in status.get("containerStatuses") or [] if not c.get("ready")]
    return Reason(f"runs, and does not answer its readiness probe yet ({', '.join(waiting) or 'a readiness gate'})")


#: Key of an event that happened again, or for the first time, while it was watched.
REPEATED = "mcpctl.io/repeated"
#: Refusals of admission that stay until the spec or the rights change. A service account may be made a moment later.
_FORBIDDEN = re.compile(r"(?<!serviceaccount )is forbidden|denied the request|\(Forbidden\)")


def of_workload(workload: Data, sets: Iterable[Data] = (), events: Iterable[Data] = ()) -> Reason | None:
    for message, is_current in _refusals(workload, sets, events):
        text = _cut(message)
        if "exceeded quota" in message:
            return Reason(f"the quota of the namespace allows no more pods: {text}", "elsewhere")
        if "violates PodSecurity" in message:
            sentence = f"Pod Security of the namespace refuses the pod: {text}"
            return Reason(sentence, "hopeless" if is_current else "starts")
        refused = is_current and _FORBIDDEN.search(message)
        return Reason(f"its pods cannot be created: {text}", "hopeless" if refused else "starts")
    for condition in (workload.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return Reason("the rollout has made no progress within its deadline", "hopeless")
    if workload.get("spec", {}).get("paused") and not (workload.get("status") or {}).get("updatedReplicas"):
        return Reason("its rollout is paused, and no pod is replaced: see `kubectl rollout resume`", "hopeless")
    return None


def _refusals(workload: Data, sets: Iterable[Data], events: Iterable[Data]) -> Iterator[tuple[str, bool]]:
    """Messages of refused pods, and whether each is certainly of the newest version."""
    # A Deployment repeats what its ReplicaSets say, also those of versions before.
    for data in tuple(sets) or (workload,):
        for condition in (data.get("status") or {}).get("conditions") or []:
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                yield str(condition.get("message", "")), True
    # A StatefulSet has no such condition. An event may be of an hour ago, and of the version before.
    alone = workload.get("metadata", {}).get("generation") == 1
    for event in events:
        if event.get("reason") == "FailedCreate":
            yield str(event.get("message", "")), alone or bool(event.get(REPEATED))


def of_claims(claims: Iterable[Data]) -> Reason | None:
    for claim in claims:
        phase = (claim.get("status") or {}).get("phase")
        if phase in ("Pending", "Lost"):
            name = excerpt(str(claim["metadata"]["name"]), 100)
            named = claim.get("spec", {}).get("storageClassName")
            of_class = f"of the StorageClass {excerpt(str(named), 80)}" if named else "of the default StorageClass"
            return Reason(f"the volume {name} {of_class} is {phase.lower()}", "elsewhere")
    return None


def has_ready_condition(status: Data) -> bool:
    conditions = status.get("conditions") or []
    return any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)


def _name(container: Data) -> str:
    return excerpt(str(container.get("name", "")), 63)


def _cut(text: Any) -> str:
    """In the middle: programs that wrap one another's messages give the cause last."""
    whole = str(text or "")
    if len(whole) <= _SHOWN:
        return excerpt(whole, _SHOWN)
    return f"{excerpt(whole, _SHOWN // 3)} {excerpt(whole[-2 * _SHOWN // 3 :], _SHOWN)}"
