"""Pod-level fields: security, scheduling, and patches for what has no field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading
from renderer.importers.manifests.objects import lose_defaults, mapping
from renderer.manifest import as_mapping, at, items
from renderer.model import JSON

#: Fields that are copied unchanged.
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
#: Harmless fields that become a patch.
_PATCHED = ("dnsConfig", "dnsPolicy", "hostname", "subdomain", "schedulerName", "setHostnameAsFQDN", "affinity")
_WEAK = {
    "hostNetwork": "the pod would share the network of its node",
    "hostPID": "the pod would see the processes of its node",
    "hostIPC": "the pod would share the memory of its node's processes",
    "shareProcessNamespace": "its containers would see the processes of one another",
}
#: Values that mcpctl always sets (None: any value is dropped).
_STRICT = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "procMount": "Default",
    "seccompProfile": {"type": "RuntimeDefault"},
    "fsGroupChangePolicy": None,
}
_REFUSED = "Pod Security 'restricted' refuses it, so it is left out"
_SAME_NODE = "kubernetes.io/hostname"


def read_pod(reading: Reading, pod: DocumentPath, workload: str) -> None:
    """All fields but containers and volumes."""
    lose_defaults(reading, pod, _DEFAULTS)
    for key, target in _ALIKE:
        reading.carry((*pod, key), target)
    for key, why in _WEAK.items():
        if reading.get(*pod, key) is True:
            reading.lose((*pod, key), f"{why}: {_REFUSED}")
        elif key in reading.mapping(*pod):
            reading.note((*pod, key), None)
    reading.carry_names((*pod, "imagePullSecrets"), ("spec", "imagePullSecrets"))
    _aliases(reading, pod)
    _scheduling(reading, pod)
    for key in _PATCHED:  # a patch says them as well
        value = reading.get(*pod, key)
        if value is not None and not reading.has_entry((*pod, key)):
            patch(reading, (*pod, key), workload, {"template": {"spec": {key: value}}})
    reading.lose_all(["nodeName"], "the scheduler's choice", pod)


def _aliases(reading: Reading, pod: DocumentPath) -> None:
    for path, _ in reading.items(*pod, "hostAliases"):
        for name, _ in reading.items(*path, "hostnames"):
            reading.map(name, ("spec", "network", "hostAliases", reading.text(*name)), reading.text(*path, "ip"))
        reading.note((*path, "ip"), ("spec", "network", "hostAliases"))


def _scheduling(reading: Reading, pod: DocumentPath) -> None:
    target: DocumentPath = ("spec", "scheduling")
    for path, item in reading.items(*pod, "tolerations"):
        fields = {"seconds" if key == "tolerationSeconds" else key: value for key, value in as_mapping(item).items()}
        reading.map(path, (*target, "tolerations", END), fields)
    names = ("topologyKey", "maxSkew", "whenUnsatisfiable")
    for path, item in reading.items(*pod, "topologySpreadConstraints"):
        fields = {key: value for key, value in as_mapping(item).items() if key in names}
        further = reading.mapping(*path).keys() - {*names, "labelSelector"}
        message = "without its further conditions" if further else "counts the pods of this server"
        reading.map(path, (*target, "topologySpread", END), fields, message)
    affinity = reading.mapping(*pod, "affinity")
    required, preferred = (
        items(at(affinity, "podAntiAffinity", f"{kind}DuringSchedulingIgnoredDuringExecution"))
        for kind in ("required", "preferred")
    )
    terms = [*required, *(at(each, "podAffinityTerm") for each in preferred)]
    # A plain anti-affinity by node; anything else becomes a patch.
    if set(affinity) == {"podAntiAffinity"} and [at(term, "topologyKey") for term in terms] == [_SAME_NODE]:
        reading.map((*pod, "affinity"), (*target, "antiAffinity"), "required" if required else "preferred")


def patch(reading: Reading, source: DocumentPath, kind: str, merge: dict[str, JSON]) -> None:
    """Adds to the one merge patch of the workload."""
    if kind == "Pod":
        merge = mapping(merge, "template").get("spec") or merge
    for number, each in enumerate(items(reading.spec.get("patches"))):
        if each.get("kind") == kind and isinstance(each.get("merge"), dict):
            _merge(each["merge"], {"spec": merge})
            reading.note(source, ("spec", "patches", number), "no field: a patch")
            return
    reading.map(source, ("spec", "patches", END), {"kind": kind, "merge": {"spec": merge}}, "no field: a patch")


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def read_security(reading: Reading, pod: DocumentPath, container: DocumentPath) -> None:
    """Users and groups; what is weaker than 'restricted' is left out."""
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
            runs = "the server runs as user 1000: choose a user that owns its files"
            reading.leave(path, target, f"root: {_REFUSED}, and {runs}")
        else:
            reading.map(path, target, reading.get(*path))
    if all(reading.get(*where, "securityContext", "runAsUser") is None for where in (pod, container)):
        question = "the user that the image expects; the manifest names none, and 1000 is assumed"
        reading.decide((), ("spec", "security", "runAsUser"), 1000, question)
    read_only(reading, (*container, "securityContext", "readOnlyRootFilesystem"))
    for where in (container, pod):
        _harden(reading, (*where, "securityContext"))


def read_only(reading: Reading, path: DocumentPath) -> None:
    """The root file system stays writable where nothing says it is read-only."""
    target = ("spec", "security", "readOnlyRootFilesystem")
    if reading.get(*path) is True:
        reading.map(path, target, True)
    else:
        question = "true, once the folders that it writes to are under writablePaths"
        reading.decide(path if reading.get(*path) is False else (), target, False, question)


def _harden(reading: Reading, path: DocumentPath) -> None:
    for key, value in reading.mapping(*path).items():
        if reading.has_entry((*path, key)):
            continue
        strict = not at(value, "add") if key == "capabilities" else key in _STRICT and _STRICT[key] in (None, value)
        if strict:
            reading.note((*path, key), ("spec", "security"), "always so")
        elif value not in (None, [], {}):
            reading.lose((*path, key), f"{key}: {_REFUSED}")


def workload_strategy(reading: Reading, workload: str) -> None:
    """Replicas and update strategy."""
    target, replicas = ("spec", "replicas"), reading.get("spec", "replicas")
    if replicas == 0:
        reading.leave(("spec", "replicas"), target, "it is stopped (0 replicas): 'mcpctl stop' does that")
    elif isinstance(replicas, int) and replicas > 1:
        reading.map(("spec", "replicas"), target, replicas)
    else:
        reading.note(("spec", "replicas"), target)
    rolling = ("spec", "strategy", "rollingUpdate")
    for key in ("maxSurge", "maxUnavailable"):
        reading.carry((*rolling, key), ("spec", "rollout", key))
    if reading.text("spec", "strategy", "type") == "Recreate":
        reading.note(("spec", "strategy"), None, "follows from a volume that only one pod may mount")
    elif reading.get("spec", "strategy") in ({}, {"type": "RollingUpdate"}):
        reading.note(("spec", "strategy"), ("spec", "rollout"))
    else:
        reading.note(("spec", "strategy", "type"), ("spec", "rollout"))
    lose_defaults(reading, ("spec",), _WORKLOAD_DEFAULTS)
    for key in _WORKLOAD_DEFAULTS:
        value = reading.get("spec", key)
        if value is not None and not reading.has_entry(("spec", key)):
            patch(reading, ("spec", key), workload, {key: value})


def pre_stop(reading: Reading, container: DocumentPath) -> None:
    """A hook that sleeps."""
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
