"""The namespace of the servers: the object itself, and what everything in it may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renderer.model import Options, Rendered
from renderer.render import render
from renderer.targets.kubernetes.waves import wave

_LABELS = {
    "app.kubernetes.io/managed-by": "mcpctl",
    "app.kubernetes.io/part-of": "mcp",
    "mcpctl.io/managed": "true",
}
#: Of the objects in it: there is one of each.
_NAME = "mcpctl"


def namespace_objects(options: Options) -> list[Rendered]:
    """The Namespace, unless somebody else keeps it, and its quota and limits, where an environment has some."""
    return list(_objects(options))


def _objects(options: Options) -> Iterator[Rendered]:
    rules = options.namespace_rules
    if options.create_namespace:
        values = {
            "enforce": rules.enforce,
            "warn": rules.warn,
            "kubernetes_version": rules.version or options.kubernetes_version,
        }
        yield _object("Namespace", options.namespace, "", values, options)
    if rules.quota:
        yield _object("ResourceQuota", _NAME, options.namespace, {"quota": dict(rules.quota)}, options)
    if rules.limits:
        limits = {name: dict(amounts) for name, amounts in rules.limits.items()}
        yield _object("LimitRange", _NAME, options.namespace, {"limits": limits}, options)


def _object(kind: str, name: str, namespace: str, values: Mapping[str, Any], options: Options) -> Rendered:
    stem = kind.lower()
    template = f"kubernetes/{stem}.yaml.j2" if kind == "Namespace" else f"kubernetes/namespace-{stem}.yaml.j2"
    common = {"object_name": name, "namespace": namespace, "labels": _LABELS}
    context = {**common, "object_annotations": wave(kind, options), **values}
    subject = f"namespace {options.namespace}"
    return Rendered(f"{stem}.yaml", render(template, context), template, context, subject, (kind, name, namespace))
