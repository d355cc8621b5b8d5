"""The namespace of the servers: the object itself, and what governs everything in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renderer.kinds import DEFAULT_ACCOUNT
from renderer.model import Options, Rendered
from renderer.render import render
from renderer.targets.kubernetes.values import answerer_values
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
    "dns": "who answers DNS: `port`, with `namespace` and `podLabels`, or with `cidr`, or with all of them; `note`",
}
_LABELS = {
    "app.kubernetes.io/managed-by": "mcpctl",
    "app.kubernetes.io/part-of": "mcp",
    "mcpctl.io/managed": "true",
}
#: Of the objects in it: there is one of each.
_NAME = "mcpctl"


def namespace_objects(options: Options) -> list[Rendered]:
    """The Namespace, what pods in it have without a word of their own, and quota and limits; nothing where not ours."""
    return list(_objects(options))


def _objects(options: Options) -> Iterator[Rendered]:
    rules = options.namespace_rules
    if not options.owns_namespace:
        return
    yield _object("Namespace", options.namespace, "", options)
    # A controller makes this account in every namespace: apply only sets what is rendered.
    yield _object("ServiceAccount", DEFAULT_ACCOUNT, options.namespace, options)
    # Cilium enforces NetworkPolicies too, so one template serves both providers.
    if options.network_policy_provider != "none":
        yield _object("NetworkPolicy", f"{_NAME}-default-deny", options.namespace, options)
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
        "dns": [answerer_values(answerer) for answerer in options.dns],
    }
    subject = f"namespace {options.namespace}"
    return Rendered(f"{stem}.yaml", render(template, context), template, context, subject, (kind, name, namespace))
