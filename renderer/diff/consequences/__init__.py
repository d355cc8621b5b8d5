"""What changes lead to, of all objects of one server at once: its policies belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from renderer.diff.consequences.access import access_rules
from renderer.diff.consequences.compose import compose_egress, compose_rules
from renderer.diff.consequences.hardening import hardening_rules
from renderer.diff.consequences.network import POLICIES, network_rules
from renderer.diff.consequences.values import (
    CONSEQUENCES,
    TEMPLATES,
    Consequence,
    Name,
    Pair,
    at,
    mapping,
    mappings,
)
from renderer.diff.consequences.workloads import workload_rules
from renderer.diff.fields import Change
from renderer.diff.objects import COMPOSE, TEXT, Object

__all__ = ["CONSEQUENCES", "POLICIES", "Consequence", "Name", "Pair", "consequences", "is_context"]

_ORDER = {name: i for i, name in enumerate(CONSEQUENCES)}
#: Their labels select, or are selected by somebody whom nobody here knows; or their annotations are settings.
_LABELS_COUNT = ("Namespace", "Pod", "ServiceMonitor", "PodMonitor", "PrometheusRule")
_ANNOTATIONS_COUNT = (
    "Ingress",
    "Service",
    "ServiceAccount",
    "HTTPRoute",
    "Gateway",
    "Namespace",
    "Pod",
    "Kustomization",
)
#: Found by their labels in every namespace, by controllers and sidecars.
_LABELS_FOUND = ("ConfigMap", "Secret")
#: Labels and annotations that only people read.
_IDLE = ("mcpctl.io/", "app.kubernetes.io/", "kubernetes.io/description", "helm.sh/chart")
_CONTEXT = ("NetworkPolicy", "services:", *TEMPLATES, "kind: Pod", "ServiceMonitor", "PodMonitor")
#: Files for people: what they say of the cluster is said by the objects too.
_FOR_PEOPLE = (".md", ".example")


def consequences(pairs: Sequence[Pair], beside: Sequence[Object] = ()) -> tuple[Consequence, ...]:
    """All consequences, each once, the gravest first; ``beside`` are objects that did not change."""
    found = [one for pair in pairs for one in _of_pair(pair, _selected(pairs, beside))]
    old = [*beside, *(pair.old for pair in pairs if pair.old)]
    new = [*beside, *(pair.new for pair in pairs if pair.new)]
    changed = {pair.object.kind for pair in pairs}
    if not changed.isdisjoint({*POLICIES, *TEMPLATES, "Pod"}):
        found += network_rules(old, new)
    if any(pair.object.group == COMPOSE for pair in pairs):
        found += compose_egress(old, new)
    told = sorted(set(found), key=lambda one: (_ORDER[one.name], one.detail))
    grave = [one for one in told if one.name != "cosmetic"]
    return tuple(grave or [Consequence("cosmetic")])


def is_context(text: str) -> bool:
    """Whether a file that did not change matters for what others do: policies, what runs, and who selects."""
    return any(word in text for word in _CONTEXT)


def _of_pair(pair: Pair, selected: set[str]) -> Iterator[Consequence]:
    if _is_cosmetic(pair, selected):
        return
    if pair.object.group == COMPOSE:
        own = list(compose_rules(pair))
    else:
        own = [*workload_rules(pair), *access_rules(pair), *hardening_rules(pair)]
    yield from own
    if pair.old and not pair.new:
        yield Consequence("removal", pair.object.label)
    elif not own:
        yield Consequence("update", pair.object.label)


def _is_cosmetic(pair: Pair, selected: set[str]) -> bool:
    one = pair.object
    if one.kind == TEXT and one.file.endswith(_FOR_PEOPLE):
        return "files" not in one.file.split("/")  # those are the server's own, whatever they are called
    if not (pair.old and pair.new):
        return False
    return all(_idle(change, one, selected) for change in pair.changes)


def _idle(change: Change, one: Object, selected: set[str]) -> bool:
    """Whether it is a label that nothing selects, or an annotation that nobody acts on."""
    path = change.path
    if one.group == COMPOSE:
        return False  # compose makes a container, a network or a volume anew for a label too
    keys = {path[2]} if path[2:] else {*mapping(change.old), *mapping(change.new)}
    # A name with a domain belongs to a program that may act on it: Argo CD, Flux, a mesh.
    if path[:2] == ("metadata", "labels"):
        known = one.kind not in _LABELS_COUNT and selected.isdisjoint(keys)
        return known and all(key.startswith(_IDLE) for key in keys if "/" in key or one.kind in _LABELS_FOUND)
    ours = all(key.startswith(_IDLE) for key in keys if "/" in key or one.kind in _ANNOTATIONS_COUNT)
    return path[:2] == ("metadata", "annotations") and ours


def _selected(pairs: Sequence[Pair], beside: Sequence[Object]) -> set[str]:
    """Names of labels by which objects here select others, beside pods."""
    objects = [*beside, *(one for pair in pairs for one in (pair.old, pair.new) if one)]
    names: set[str] = set()
    for one in objects:
        if one.kind in ("ServiceMonitor", "PodMonitor"):
            names |= set(mapping(at(one.data, "spec", "selector", "matchLabels")))
            names |= {
                str(expression.get("key"))
                for expression in mappings(at(one.data, "spec", "selector", "matchExpressions"))
            }
    return names
