"""What a pod is besides its containers: security, scheduling, names, and what has no field but a patch."""

from __future__ import annotations

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, lose_all
from renderer.importers.manifests.objects import mapping, settled_by_server
from renderer.model import JSON

_SPEC: DocumentPath = ("spec",)
#: Fields of a pod to fields of a spec, as they are.
_ALIKE: tuple[tuple[str, DocumentPath], ...] = (
    ("terminationGracePeriodSeconds", ("spec", "shutdown", "graceSeconds")),
    ("runtimeClassName", ("spec", "runtimeClass")),
    ("priorityClassName", ("spec", "scheduling", "priorityClassName")),
    ("nodeSelector", ("spec", "scheduling", "nodeSelector")),
)
_DEFAULTS: dict[str, JSON] = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
}
CONTAINER_DEFAULTS: dict[str, JSON] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
    "securityContext": {},
    "stdin": False,
    "tty": False,
}
_WORKLOAD_DEFAULTS: dict[str, JSON] = {
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
    "minReadySeconds": 0,
    "podManagementPolicy": "OrderedReady",
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
}
#: Without a field, and harmless: they stand in the spec as a patch.
_PATCHED = ("dnsConfig", "dnsPolicy", "hostname", "subdomain", "schedulerName", "setHostnameAsFQDN", "affinity")
_WEAK = {
    "hostNetwork": "the pod would share the network of its node",
    "hostPID": "the pod would see the processes of its node",
    "hostIPC": "the pod would share the memory of its node's processes",
    "shareProcessNamespace": "its containers would see the processes of one another",
}
_REFUSED = "Pod Security 'restricted' refuses it, so it is left out"
_SAME_NODE = "kubernetes.io/hostname"


def read_pod(reading: Reading, pod: DocumentPath, workload: str) -> None:
    """All fields of the pod but containers and volumes."""
    settled_by_server(reading, pod, _DEFAULTS)
    for key, target in _ALIKE:
        if reading.get(*pod, key) is not None:
            reading.map((*pod, key), target, reading.get(*pod, key))
    for key, why in _WEAK.items():
        if reading.get(*pod, key) is True:
            reading.lose((*pod, key), f"{why}: {_REFUSED}")
        elif key in reading.mapping(*pod):
            reading.note((*pod, key), None)
    for path, _ in reading.items(*pod, "imagePullSecrets"):
        reading.map(path, ("spec", "imagePullSecrets", END), reading.text(*path, "name"))
    _aliases(reading, pod)
    _tolerations(reading, pod)
    _spread(reading, pod)
    if _is_plain_anti_affinity(reading, pod):
        _anti_affinity(reading, pod)
    _patches(reading, pod, workload)
    lose_all(reading, ["nodeName"], "the scheduler's choice", pod)


def _aliases(reading: Reading, pod: DocumentPath) -> None:
    for path, _ in reading.items(*pod, "hostAliases"):
        for name, _ in reading.items(*path, "hostnames"):
            reading.map(name, ("spec", "network", "hostAliases", reading.text(*name)), reading.text(*path, "ip"))
        reading.note((*path, "ip"), ("spec", "network", "hostAliases"))


def _tolerations(reading: Reading, pod: DocumentPath) -> None:
    for path, item in reading.items(*pod, "tolerations"):
        fields = dict(item) if isinstance(item, dict) else {}
        if "tolerationSeconds" in fields:
            fields["seconds"] = fields.pop("tolerationSeconds")
        reading.map(path, ("spec", "scheduling", "tolerations", END), fields)


def _spread(reading: Reading, pod: DocumentPath) -> None:
    names = ("topologyKey", "maxSkew", "whenUnsatisfiable")
    for path, item in reading.items(*pod, "topologySpreadConstraints"):
        fields: dict[str, JSON] = {k: v for k, v in item.items() if k in names} if isinstance(item, dict) else {}
        message = (
            "counts the pods of this server"
            if set(reading.mapping(*path)) <= {*names, "labelSelector"}
            else ("without its further conditions")
        )
        reading.map(path, ("spec", "scheduling", "topologySpread", END), fields, message)


def _terms(reading: Reading, pod: DocumentPath) -> tuple[list[JSON], list[JSON]]:
    anti = mapping(reading.mapping(*pod), "affinity", "podAntiAffinity")
    required = anti.get("requiredDuringSchedulingIgnoredDuringExecution")
    preferred = anti.get("preferredDuringSchedulingIgnoredDuringExecution")
    return (required if isinstance(required, list) else []), (preferred if isinstance(preferred, list) else [])


def _is_plain_anti_affinity(reading: Reading, pod: DocumentPath) -> bool:
    """Whether it says no more than that two pods are not on one node."""
    required, preferred = _terms(reading, pod)
    if set(reading.mapping(*pod, "affinity")) != {"podAntiAffinity"} or len(required) + len(preferred) != 1:
        return False
    term = (
        required[0]
        if required
        else mapping(dict(preferred[0]), "podAffinityTerm")
        if isinstance(preferred[0], dict)
        else {}
    )
    return isinstance(term, dict) and term.get("topologyKey") == _SAME_NODE


def _anti_affinity(reading: Reading, pod: DocumentPath) -> None:
    value = "required" if _terms(reading, pod)[0] else "preferred"
    reading.map((*pod, "affinity"), ("spec", "scheduling", "antiAffinity"), value)


def _patches(reading: Reading, pod: DocumentPath, workload: str) -> None:
    """What a patch says as well; what is said or lost already is left alone."""
    said = {entry.source for entry in reading.entries}
    for key in _PATCHED:
        value = reading.get(*pod, key)
        if value is not None and (*reading.root, *pod, key) not in said:
            patch(reading, (*pod, key), workload, {"template": {"spec": {key: value}}})


def patch(reading: Reading, source: DocumentPath, kind: str, merge: dict[str, JSON]) -> None:
    """A merge patch of the workload, one for all such fields."""
    if kind == "Pod":
        merge = mapping(merge, "template").get("spec") or merge  # type: ignore[assignment]
    spec = reading.document.setdefault("spec", {})
    patches = spec.setdefault("patches", []) if isinstance(spec, dict) else []
    for number, each in enumerate(patches if isinstance(patches, list) else []):
        if isinstance(each, dict) and each.get("kind") == kind and isinstance(each.get("merge"), dict):
            _merge(each["merge"], {"spec": merge})
            reading.note(source, ("spec", "patches", number), "no field: a patch")
            return
    reading.map(source, ("spec", "patches", END), {"kind": kind, "merge": {"spec": merge}}, "no field: a patch")


def _merge(into: JSON, more: JSON) -> None:
    if isinstance(into, dict) and isinstance(more, dict):
        for key, value in more.items():
            if isinstance(value, dict) and isinstance(into.get(key), dict):
                _merge(into[key], value)
            else:
                into[key] = value


def read_security(reading: Reading, pod: DocumentPath, container: DocumentPath) -> None:
    """Users and groups; what is weaker than 'restricted' is left out, and what is as strict is always so."""
    for key in ("runAsUser", "runAsGroup", "fsGroup"):
        paths = [(*where, "securityContext", key) for where in (container, pod)]
        path = next((path for path in paths if reading.get(*path) is not None), None)
        for other in paths:
            if other != path:
                reading.note(other, ("spec", "security", key))
        target = ("spec", "security", key)
        if path is None:
            continue
        if reading.get(*path) == 0 and key == "runAsUser":
            reading.leave(
                path, target, f"root: {_REFUSED}, and the server runs as user 1000: choose a user that owns its files"
            )
        else:
            reading.map(path, target, reading.get(*path))
    _root(reading, pod, container)
    _read_only(reading, (*container, "securityContext", "readOnlyRootFilesystem"))
    for where in (container, pod):
        _harden(reading, (*where, "securityContext"))


def _root(reading: Reading, pod: DocumentPath, container: DocumentPath) -> None:
    if all(reading.get(*where, "securityContext", "runAsUser") is None for where in (pod, container)):
        question = "the user that the image expects; the manifest names none, and 1000 is assumed"
        reading.decide((), ("spec", "security", "runAsUser"), 1000, question)


def _read_only(reading: Reading, path: DocumentPath) -> None:
    target = ("spec", "security", "readOnlyRootFilesystem")
    if reading.get(*path) is True:
        reading.map(path, target, True)
        return
    question = "true, once the folders that it writes to are under writablePaths"
    reading.decide(path if reading.get(*path) is False else (), target, False, question)


def _harden(reading: Reading, path: DocumentPath) -> None:
    strict = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "procMount": "Default",
        "seccompProfile": {"type": "RuntimeDefault"},
        "fsGroupChangePolicy": None,
    }
    said = {entry.source for entry in reading.entries}
    for key, value in reading.mapping(*path).items():
        if (*reading.root, *path, key) in said:
            continue
        if (key in strict and (value == strict[key] or strict[key] is None)) or (
            key == "capabilities"
            and not mapping(dict(value) if isinstance(value, dict) else {}, "x")
            and not _adds(value)
        ):
            reading.note((*path, key), ("spec", "security"), "always so")
        elif value not in (None, [], {}):
            reading.lose((*path, key), f"{key}: {_REFUSED}")


def _adds(capabilities: JSON) -> bool:
    return isinstance(capabilities, dict) and bool(capabilities.get("add"))


def workload_strategy(reading: Reading, workload: str) -> None:
    """Replicas and how a new version is rolled out."""
    _replicas(reading)
    rolling = ("spec", "strategy", "rollingUpdate")
    for key in ("maxSurge", "maxUnavailable"):
        if (value := reading.get(*rolling, key)) is not None:
            reading.map((*rolling, key), ("spec", "rollout", key), value)
    if reading.text("spec", "strategy", "type") == "Recreate":
        reading.note(("spec", "strategy"), None, "follows from a volume that only one pod may mount")
    elif reading.get("spec", "strategy") in ({}, {"type": "RollingUpdate"}):
        reading.note(("spec", "strategy"), ("spec", "rollout"))
    else:
        reading.note(("spec", "strategy", "type"), ("spec", "rollout"))
    settled_by_server(reading, ("spec",), _WORKLOAD_DEFAULTS)
    said = {entry.source for entry in reading.entries}
    for key in _WORKLOAD_DEFAULTS:
        value = reading.get("spec", key)
        if value is not None and (*reading.root, "spec", key) not in said:
            patch(reading, ("spec", key), workload, {key: value})


def _replicas(reading: Reading) -> None:
    target, replicas = ("spec", "replicas"), reading.get("spec", "replicas")
    if replicas == 0:
        reading.leave(("spec", "replicas"), target, "it is stopped (0 replicas): 'mcpctl stop' does that")
    elif isinstance(replicas, int) and replicas > 1:
        reading.map(("spec", "replicas"), target, replicas)
    else:
        reading.note(("spec", "replicas"), target)


def pre_stop(reading: Reading, container: DocumentPath) -> None:
    """A hook that waits."""
    hook = (*container, "lifecycle", "preStop")
    words = [reading.text(*word) for word, _ in reading.items(*hook, "exec", "command")]
    waits = [word for word in " ".join(words).split() if word.isdigit()]
    seconds = reading.get(*hook, "sleep", "seconds")
    if isinstance(seconds, int):
        reading.map((*hook, "sleep", "seconds"), ("spec", "shutdown", "preStopSeconds"), seconds)
    elif len(waits) == 1 and "sleep" in " ".join(words):
        reading.map((*hook, "exec", "command"), ("spec", "shutdown", "preStopSeconds"), int(waits[0]))
    elif words or reading.mapping(*hook):
        reading.lose(hook, "no field runs a program before it stops; shutdown.preStopSeconds waits")
    if reading.mapping(*container, "lifecycle", "postStart"):
        reading.lose((*container, "lifecycle", "postStart"), "no field runs a program after the start")
