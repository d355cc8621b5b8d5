"""The Namespace of the servers and the objects that apply to all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderer.kinds import DEFAULT_ACCOUNT, KINDS
from renderer.model import Options, Rendered
from renderer.render import render
from renderer.targets.kubernetes.values import answerer_values

#: Names for their templates, also listed in docs/templates.md.
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
#: Argo CD applies a wave when the one before is healthy.
WAVE = "argocd.argoproj.io/sync-wave"
#: The name of the objects in it.
_NAME = "mcpctl"


def namespace_objects(options: Options) -> list[Rendered]:
    """Empty if the namespace is not ours."""
    rules = options.namespace_rules
    rows = (
        ("Namespace", options.namespace, True),
        # A controller creates this account in every namespace; apply only changes the rendered fields.
        ("ServiceAccount", DEFAULT_ACCOUNT, True),
        # Cilium enforces NetworkPolicies too, so one template serves both providers.
        ("NetworkPolicy", f"{_NAME}-default-deny", options.network_policy_provider != "none"),
        ("ResourceQuota", _NAME, rules.quota),
        ("LimitRange", _NAME, rules.limits),
    )
    return [_object(kind, name, options) for kind, name, is_wanted in rows if options.owns_namespace and is_wanted]


def _object(kind: str, name: str, options: Options) -> Rendered:
    stem, rules, own = kind.lower(), options.namespace_rules, kind == "Namespace"
    template = f"kubernetes/{'' if own else 'namespace-'}{stem}.yaml.j2"
    namespace, limits = "" if own else options.namespace, rules.limits or {}
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


def wave(kind: str, options: Options) -> dict[str, str]:
    """Argo CD's sync wave, if the environment asks for it; 0 is the default."""
    number = KINDS[kind].wave
    return {WAVE: str(number)} if options.sync_waves and number else {}
