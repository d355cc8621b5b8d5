"""Workloads: restart, replacement, containers, resources, scaling, data, and hardening."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from renderer.diff.consequences.table import RESOLVER_FILES, Consequence, Pair, added, amount, few, image_rules, unlike
from renderer.kinds import KINDS, TEMPLATED
from renderer.manifest import as_mapping, at, containers, items, mappings, pod_spec
from renderer.merge_patch import same
from renderer.quantity import nano

_CLAIMS = ("spec", "volumeClaimTemplates")


def pod_rules(pair: Pair, *, new: bool) -> Iterator[Consequence]:
    """``new``: its server is new."""
    if pair.old and pair.new and (fields := dict.fromkeys(_immutable(pair))):
        yield Consequence("replacement", f"{pair.object.label}: {few(fields)}")
    yield from _restart(pair)
    kind = pair.object.kind
    before, now = (containers(pod_spec(kind, data)) for data in (pair.before, pair.now))
    for name, container in now.items():
        image = container.get("image")
        yield from image_rules(f"{pair.object.name}/{name}", at(before.get(name), "image"), image)
    if not new:
        yield from _containers(pair)
    yield from _resources(pair)
    yield from _scaling(pair)
    yield from _data_loss(pair)
    yield from _hardening(pair)
    yield from added("dns", f"{pair.object.name}:", _names(kind, pair.before), _names(kind, pair.now))


def _immutable(pair: Pair) -> Iterator[str]:
    kind = pair.object.kind
    if kind in ("Secret", "ConfigMap") and at(pair.before, "immutable") is True:
        names = ("data", "stringData", "binaryData", "immutable")
        yield from (change.path[0] for change in pair.changes if change.path and change.path[0] in names)
    patterns = KINDS[kind].immutable if kind in KINDS else ()
    yield from (change.where for change in pair.changes if _matches(change.where, patterns))
    if kind == "PersistentVolumeClaim" and _shrinks(pair.before, pair.now):
        yield "spec.resources.requests.storage"


def _matches(where: str, patterns: tuple[str, ...]) -> bool:
    matches = False
    for pattern in patterns:
        if fnmatchcase(where, pattern.removeprefix("!")):
            matches = not pattern.startswith("!")
    return matches


def _restart(pair: Pair) -> Iterator[Consequence]:
    path = TEMPLATED.get(pair.object.kind)
    if pair.object.kind in ("Job", "CronJob") or not (pair.old and pair.new):
        return  # a job runs once; the next one uses the new template
    if path and not same(at(pair.before, *path), at(pair.now, *path)):
        inside = [change.path[len(path) :] for change in pair.changes if change.path[: len(path)] == path]
        yield Consequence("restart", f"{pair.object.label}: {_parts(inside)}")
    if pair.object.kind == "Pod" and any(change.path[:1] == ("spec",) for change in pair.changes):
        yield Consequence("restart", f"{pair.object.label}: {_parts([change.path for change in pair.changes])}")


def _parts(paths: Iterable[Sequence[object]]) -> str:
    """``livenessProbe of mcp-server``, ``volumes``."""
    parts: dict[str, None] = {}
    for path in paths:
        if path[:1] != ("spec",):
            parts[str(path[1] if path[1:] else "metadata")] = None
        elif str(path[1]).lower().endswith("containers") and path[3:]:
            parts[f"{path[3]} of {str(path[2]).strip('[]')}"] = None
        else:
            parts[str(path[1] if path[1:] else "everything")] = None
    return few(parts)


def _containers(pair: Pair) -> Iterator[Consequence]:
    before, now = (pod_spec(pair.object.kind, data) for data in (pair.before, pair.now))
    known = containers(before)
    for name, container in containers(now).items():
        if name not in known:
            yield Consequence("container", f"{pair.object.name}/{name}: {container.get('image')}")
    mounted = (
        {str(image) for volume in mappings(spec.get("volumes")) if (image := at(volume, "image", "reference"))}
        for spec in (before, now)
    )
    yield from added("container", f"{pair.object.name} mounts the image", *mounted)
    was, will = (_injecting(pair.object.kind, data) for data in (pair.before, pair.now))
    for key in sorted(was.keys() | will.keys()):
        if was.get(key) != will.get(key):
            amounts = f"{amount(was.get(key))} → {amount(will.get(key))}"
            yield Consequence("container", f"{pair.object.name}: {key} {amounts} decides which containers are put in")


def _injecting(kind: str, data: Mapping[str, Any]) -> dict[str, str]:
    """Labels and annotations of pods by which a webhook injects containers: ``sidecar.istio.io/inject``."""
    template = data if kind in ("Pod", "Namespace") else at(data, *TEMPLATED[kind]) if kind in TEMPLATED else None
    notes = [(part, as_mapping(at(template, "metadata", f"{part}s"))) for part in ("label", "annotation")]
    return {f"{part} {key}": str(value) for part, each in notes for key, value in each.items() if "inject" in str(key)}


def _resources(pair: Pair) -> Iterator[Consequence]:
    kind = pair.object.kind
    if kind in ("ResourceQuota", "LimitRange"):
        # Limits are compared by type.
        old, new = (_by_type(as_mapping(data.get("spec"))) for data in (pair.before, pair.now))
        if not same(old, new):
            yield Consequence("resources", f"{pair.object.label}: {unlike(old, new)}")
    before, now = (pod_spec(kind, data) for data in (pair.before, pair.now))
    known, there = containers(before), containers(now)
    for name in sorted(known.keys() & there.keys()):
        old, new = (as_mapping(each[name].get("resources")) for each in (known, there))
        if not same(old, new):
            yield Consequence("resources", f"{pair.object.name}/{name}: {unlike(old, new)}")
    folders, wanted = _folders(before), _folders(now)
    if before and now and not same(folders, wanted):
        yield Consequence("resources", f"{pair.object.name}: {unlike(folders, wanted)}")


def _by_type(spec: Mapping[str, Any]) -> dict[str, Any]:
    limits = {
        str(each.get("type")): {k: v for k, v in each.items() if k != "type"} for each in mappings(spec.get("limits"))
    }
    return {**spec, **({"limits": limits} if limits else {})}


def _folders(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Mount paths of emptyDir volumes, to their sizes."""
    sizes = {
        volume.get("name"): f"{at(volume, 'emptyDir', 'sizeLimit') or 'any size'}"
        + " in memory" * (at(volume, "emptyDir", "medium") == "Memory")
        for volume in mappings(spec.get("volumes"))
        if "emptyDir" in volume
    }
    mounts = [mount for container in containers(spec).values() for mount in mappings(container.get("volumeMounts"))]
    return {
        f"folder {mount.get('mountPath')}": sizes[mount.get("name")] for mount in mounts if mount.get("name") in sizes
    }


#: Of autoscalers and budgets.
_BOUNDS = ("minReplicas", "maxReplicas", "minAvailable", "maxUnavailable")


def _scaling(pair: Pair) -> Iterator[Consequence]:
    kind = pair.object.kind
    scaler = kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget")
    before, now = at(pair.before, "spec", "replicas"), at(pair.now, "spec", "replicas")
    if pair.old and pair.new and kind in TEMPLATED and before != now:
        yield Consequence("scaling", f"{pair.object.label}: replicas {amount(before)} → {amount(now)}")
    elif scaler and (not (pair.old and pair.new) or any(change.path[:1] == ("spec",) for change in pair.changes)):
        bounds = [{name: at(data, "spec", name) for name in _BOUNDS} for data in (pair.before, pair.now)]
        yield Consequence("scaling", ": ".join(filter(None, (pair.object.label, unlike(*bounds)))))


def _data_loss(pair: Pair) -> Iterator[Consequence]:
    kind, label = pair.object.kind, pair.object.label
    if kind in KINDS and KINDS[kind].holds_data and not pair.new:
        yield Consequence("data-loss", f"{label} is removed")
    if kind == "PersistentVolumeClaim" and pair.old and pair.new and any(True for _ in _immutable(pair)):
        yield Consequence("data-loss", f"{label} must be replaced")
    if pair.old and pair.new:
        for claim in sorted(_mounted(pod_spec(kind, pair.before)) - _mounted(pod_spec(kind, pair.now))):
            yield Consequence("data-loss", f"{label} no longer uses claim {claim}")
    if kind == "StatefulSet" and pair.old:
        yield from _claims(pair)


def _mounted(spec: Mapping[str, object]) -> set[str]:
    claims = [at(volume, "persistentVolumeClaim", "claimName") for volume in mappings(spec.get("volumes"))]
    return {str(name) for name in claims if name}


def _claims(pair: Pair) -> Iterator[Consequence]:
    before, now = (
        {str(at(claim, "metadata", "name")): claim for claim in mappings(at(data, *_CLAIMS))}
        for data in (pair.before, pair.now)
    )
    for name, claim in before.items():
        if name not in now:
            why = "is left behind" if pair.new else "loses its StatefulSet"
            yield Consequence("data-loss", f"claim {name} of {pair.object.label} {why}")
        elif _shrinks(claim, now[name]):
            yield Consequence("data-loss", f"claim {name} of {pair.object.label} shrinks")
    for event in ("whenDeleted", "whenScaled"):
        path = ("spec", "persistentVolumeClaimRetentionPolicy", event)
        if before and at(pair.now, *path) == "Delete" != at(pair.before, *path):
            yield Consequence("data-loss", f"{pair.object.label} deletes its claims ({event})")


def _shrinks(before: object, now: object) -> bool:
    path = ("spec", "resources", "requests", "storage")
    sizes = [nano(value) if isinstance(value := at(data, *path), str) else None for data in (before, now)]
    return sizes[0] is not None and sizes[1] is not None and sizes[1] < sizes[0]


# ---------------------------------------------------------------------------------------------
# Weaker hardening: protections that a container, a pod or a namespace loses. A new one counts as protected before.

#: How much a namespace that enforces it refuses.
_LEVELS = {"privileged": 0, "baseline": 1, "restricted": 2}
_SHARED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
#: Volumes that do not reach the node.
_CLOSED_VOLUMES = frozenset(
    ["name", "configMap", "downwardAPI", "emptyDir", "image", "persistentVolumeClaim", "projected", "secret"]
)
_ENFORCE = "pod-security.kubernetes.io/enforce"


def _hardening(pair: Pair) -> Iterator[Consequence]:
    kind, name = pair.object.kind, pair.object.name
    before, now = pod_spec(kind, pair.before), pod_spec(kind, pair.now)
    if now:
        yield from added("hardening", f"{name}:", _weak_pod(before), _weak_pod(now))
        old = containers(before)
        for container, body in containers(now).items():
            earlier = _weak_container(old[container], before) if container in old else set()
            yield from added("hardening", f"{name}/{container}:", earlier, _weak_container(body, now))
        if before.get("hostUsers") is False and now.get("hostUsers") is not False:
            yield Consequence("hardening", f"{name}: has the users of the node")
        was, runtime = at(before, "runtimeClassName"), at(now, "runtimeClassName")
        if was and was != runtime:
            yield Consequence("hardening", f"{name}: runtime class {was} → {runtime or 'none'}")
    if kind == "Namespace" and pair.new:
        was, level = (str(at(data, "metadata", "labels", _ENFORCE)) for data in (pair.before, pair.now))
        if _LEVELS.get(level, 0) < _LEVELS.get(was if pair.old else "restricted", 0):
            yield Consequence("hardening", f"{pair.object.label}: enforces {level if level in _LEVELS else 'nothing'}")
    handlers = [at(data, "handler") for data in (pair.before, pair.now)]
    if kind == "RuntimeClass" and pair.old and pair.new and not same(*handlers):
        yield Consequence("hardening", f"{pair.object.label}: pods run by {handlers[1]} instead of {handlers[0]}")


#: Options of a resolver that do not change which server it asks.
_ASKING = ("attempts", "edns0", "ndots", "single-request", "single-request-reopen", "timeout", "use-vc")


def _names(kind: str, data: Mapping[str, Any]) -> set[str]:
    """Who resolves names for pods, apart from the DNS of the cluster, and the target of a Service."""
    if kind == "Service":
        return {f"is {name}" for name in [at(data, "spec", "externalName")] if name}
    spec = pod_spec(kind, data)
    policy, config = spec.get("dnsPolicy", "ClusterFirst"), as_mapping(spec.get("dnsConfig"))
    answers = set() if policy in ("ClusterFirst", "ClusterFirstWithHostNet") else {f"dnsPolicy {policy}"}
    answers |= {f"asks nameserver {entry}" for entry in items(config.get("nameservers"))}
    answers |= {f"searches {entry}" for entry in items(config.get("searches"))}
    options = [str(option.get("name")) for option in mappings(config.get("options"))]
    answers |= {f"has DNS option {name}" for name in options if name not in _ASKING}
    for alias in mappings(spec.get("hostAliases")):
        answers |= {f"resolves {name} as {alias.get('ip')}" for name in items(alias.get("hostnames"))}
    mounts = [mount for container in containers(spec).values() for mount in mappings(container.get("volumeMounts"))]
    return answers | {f"mounts {mount['mountPath']}" for mount in mounts if mount.get("mountPath") in RESOLVER_FILES}


def _weak_pod(spec: Mapping[str, Any]) -> set[str]:
    weaknesses = {f"{name} is true" for name in _SHARED if spec.get(name) is True}
    weaknesses |= {
        f"sets {sysctl.get('name')} of the kernel" for sysctl in mappings(at(spec, "securityContext", "sysctls"))
    }
    weaknesses |= {f"has group {group}" for group in items(at(spec, "securityContext", "supplementalGroups"))}
    weaknesses |= _nodes(spec)
    for volume in mappings(spec.get("volumes")):
        for source in volume.keys() - _CLOSED_VOLUMES:
            where = at(volume, source, "path") or at(volume, source, "driver") or ""
            mounted = f"{where} of the node" if source == "hostPath" else f"{source} {where}".strip()
            weaknesses.add(f"mounts {mounted}")
    return weaknesses


#: Taints and labels of the control plane, and of single nodes.
_CONTROL_PLANE = ("node-role.kubernetes.io/", "kubernetes.io/hostname", "metadata.name")
#: Tolerated whatever their value: devices, and what Kubernetes gives every pod.
_TOLERATED = (
    "nvidia.com/",
    "amd.com/",
    "gpu.intel.com/",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
)
#: Priorities from here on are the system's: its pods preempt all others.
_SYSTEM_PRIORITY = 2_000_000_000


def _nodes(spec: Mapping[str, Any]) -> set[str]:
    """How pods get to nodes that are not for them, or evict others."""
    ways = {f"runs on node {name}, whatever the scheduler says" for name in [spec.get("nodeName")] if name}
    for toleration in mappings(spec.get("tolerations")):
        key = str(toleration.get("key") or "")
        if toleration.get("operator") == "Exists" and not key:
            ways.add("tolerates every taint")
        elif key.startswith(_CONTROL_PLANE) or (
            toleration.get("operator") == "Exists" and not key.startswith(_TOLERATED)
        ):
            ways.add(f"tolerates {key}")
    affinity = as_mapping(at(spec, "affinity", "nodeAffinity"))
    required = mappings(at(affinity, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"))
    preferred = mappings(affinity.get("preferredDuringSchedulingIgnoredDuringExecution"))
    terms = [*required, *(as_mapping(preference.get("preference")) for preference in preferred)]
    wanted = [
        each for term in terms for each in (*mappings(term.get("matchExpressions")), *mappings(term.get("matchFields")))
    ]
    labels = [str(each.get("key")) for each in wanted if each.get("operator") not in ("NotIn", "DoesNotExist")]
    labels += map(str, as_mapping(spec.get("nodeSelector")))
    ways |= {f"asks for nodes by {label}" for label in labels if label.startswith(_CONTROL_PLANE)}
    name, priority = str(spec.get("priorityClassName", "")), spec.get("priority")
    ways |= {f"has priority {name}"} if name.startswith("system-") else set()
    is_system = isinstance(priority, int) and priority >= _SYSTEM_PRIORITY
    return ways | ({"has a priority of the system"} if is_system else set())


def _weak_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> set[str]:
    own, shared = as_mapping(container.get("securityContext")), as_mapping(pod.get("securityContext"))
    merged = {**shared, **own}
    dropped = [str(name).upper() for name in items(at(own, "capabilities", "drop"))]
    holds = {
        "is privileged": own.get("privileged") is not True,
        "may gain privileges": own.get("allowPrivilegeEscalation") is False,
        "may write to its root file system": own.get("readOnlyRootFilesystem") is True,
        "may run as root": merged.get("runAsNonRoot") is True,
        "runs as user 0": merged.get("runAsUser") != 0,
        "keeps capabilities": "ALL" in dropped,
        "has no seccomp profile": at(merged, "seccompProfile", "type") in ("RuntimeDefault", "Localhost"),
        "has no AppArmor profile": at(merged, "appArmorProfile", "type") != "Unconfined",
        "is a process of the node": at(merged, "windowsOptions", "hostProcess") is not True,
        "runs in group 0": merged.get("runAsGroup") != 0,
        "sees all of /proc": own.get("procMount", "Default") == "Default",
    }
    weaknesses = {weak for weak, held in holds.items() if not held}
    weaknesses |= {f"has the device {device.get('devicePath')}" for device in mappings(container.get("volumeDevices"))}
    for mount in mappings(container.get("volumeMounts")):
        if (mode := mount.get("mountPropagation")) not in (None, "None"):
            weaknesses.add(f"mounts {mount.get('mountPath')} with propagation {mode}")
    weaknesses |= {f"has SELinux type {kind}" for kind in [at(merged, "seLinuxOptions", "type")] if kind}
    return weaknesses | {f"has capability {name}" for name in items(at(own, "capabilities", "add"))}
