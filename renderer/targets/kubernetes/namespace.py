"""The namespace of the servers: the object itself, and what everything in it may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renderer.model import Options, Rendered
from renderer.render import render
from renderer.targets.kubernetes.waves import wave

#: Every name that their templates may read, and what it is: docs/templates.md has these lines.
NAMES: Mapping[str, str] = {
    "object_name": "name of this object",
    "object_annotations": "annotations of this object",
    "namespace": "namespace of this object; empty for the Namespace itself",
    "labels": "labels of this object",
    "enforce": "Pod Security level below which the API server refuses pods",
    "warn": "Pod Security level below which it warns",
    "kubernetes_version": "version of the Pod Security Standards, such as `1.35`",
    "quota": "`hard` of the ResourceQuota, from the environment",
    "limits": "amounts of the LimitRange for a container by name (`max`, `default`, …), from the environment",
    "pod_limits": "the same for all containers of a pod together",
}
_LABELS = {
    "app.kubernetes.io/managed-by": "mcpctl",
    "app.kubernetes.io/part-of": "mcp",
    "mcpctl.io/managed": "true",
}
#: Of the objects in it: there is one of each.
_NAME = "mcpctl"


def namespace_objects(options: Options) -> list[Rendered]:
    """The Namespace, and its quota and limits where an environment has some; nothing where it is not ours."""
    return list(_objects(options))


def _objects(options: Options) -> Iterator[Rendered]:
    rules = options.namespace_rules
    if not options.owns_namespace:
        return
    yield _object("Namespace", options.namespace, "", options)
    if rules.quota:
        yield _object("ResourceQuota", _NAME, options.namespace, options)
    if rules.limits:
        yield _object("LimitRange", _NAME, options.namespace, options)


def _object(kind: str, name: str, namespace: str, options: Options) -> Rendered:
    stem, rules = kind.lower(), options.namespace_rules
    template = f"kubernetes/{stem}.yaml.j2" if kind == "Namespace" else f"kubernetes/namespace-{stem}.yaml.j2"
    own, limits = kind == "Namespace", rules.limits or {}
    context: dict[str, Any] = {
        "object_name": name,
        "object_annotations": {**(rules.annotations if own else {}), **wave(kind, options)},
        "namespace": namespace,
        "labels": {**_LABELS, **(rules.labels if own else {})},
        "enforce": rules.enforce,
        "warn": rules.warn,
        "kubernetes_version": rules.version or options.kubernetes_version,
        "quota": dict(rules.quota or {}),
        "limits": {name: dict(amounts) for name, amounts in limits.items() if name != "podMax"},
        "pod_limits": {"max": dict(limits["podMax"])} if "podMax" in limits else {},
    }
    subject = f"namespace {options.namespace}"
    return Rendered(f"{stem}.yaml", render(template, context), template, context, subject, (kind, name, namespace))
