"""Weaker hardening: what a container, a pod or a namespace held before and holds no more. New ones count as held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renderer.diff.consequences.values import Consequence, Pair, at, containers, items, mapping, mappings, pod_spec

_LEVELS = ("privileged", "baseline", "restricted")
_SHARED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
_ENFORCE = "pod-security.kubernetes.io/enforce"


def hardening_rules(pair: Pair) -> Iterator[Consequence]:
    """All of this module."""
    kind = pair.object.kind
    before, now = pod_spec(kind, pair.before), pod_spec(kind, pair.now)
    if now:
        for weak in _weak_pod(now) - (_weak_pod(before) if before else set()):
            yield Consequence("hardening", f"{pair.object.name}: {weak}")
        old = containers(before)
        for name, one in containers(now).items():
            earlier = _weak_container(old[name], before) if name in old else set()
            for weak in _weak_container(one, now) - earlier:
                yield Consequence("hardening", f"{pair.object.name}/{name}: {weak}")
        if before.get("hostUsers") is False and now.get("hostUsers") is not False:
            yield Consequence("hardening", f"{pair.object.name}: has the users of the node")
        was, runtime = at(before, "runtimeClassName"), at(now, "runtimeClassName")
        if was and was != runtime:
            yield Consequence("hardening", f"{pair.object.name}: runtime class {was} → {runtime or 'none'}")
    if kind == "Namespace" and pair.new and _level(pair.now) < (_level(pair.before) if pair.old else 2):
        yield Consequence("hardening", f"{pair.object.label}: enforces {_LEVELS[_level(pair.now)]}")


def _level(namespace: Mapping[str, Any]) -> int:
    level = at(namespace, "metadata", "labels", _ENFORCE)
    return _LEVELS.index(level) if level in _LEVELS else 0


def _weak_pod(spec: Mapping[str, Any]) -> set[str]:
    found = {f"{name} is true" for name in _SHARED if spec.get(name) is True}
    found |= {f"sets {one.get('name')} of the kernel" for one in mappings(at(spec, "securityContext", "sysctls"))}
    for volume in mappings(spec.get("volumes")):
        if "hostPath" in volume:
            found.add(f"mounts {at(volume, 'hostPath', 'path')} of the node")
    return found


def _weak_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> set[str]:
    own, shared = mapping(container.get("securityContext")), mapping(pod.get("securityContext"))
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
    found = {weak for weak, held in holds.items() if not held}
    return found | {f"has capability {name}" for name in items(at(own, "capabilities", "add"))}
