"""What changes lead to, of all objects of one server at once: its policies belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from renderer.diff.consequences.access import access_rules
from renderer.diff.consequences.compose import compose_egress, compose_rules
from renderer.diff.consequences.network import POLICIES, label_rules, network_rules
from renderer.diff.consequences.pods import pod_rules
from renderer.diff.consequences.table import CONSEQUENCES, Consequence, Name, Pair
from renderer.diff.objects import COMPOSE, Change, Object
from renderer.kinds import POD_TEMPLATES, TEMPLATED
from renderer.manifest import as_mapping, at, mappings

__all__ = ["CONSEQUENCES", "Consequence", "Name", "Pair", "consequences", "is_context"]

#: Their labels select, or are selected by somebody whom nobody here knows; or their annotations are settings.
_LABELS_COUNT = ("Namespace", "Pod", "ServiceMonitor", "PodMonitor", "PrometheusRule")
_ANNOTATIONS_COUNT = ("Ingress", "Service", "ServiceAccount", "HTTPRoute", "Gateway", "Namespace", "Pod")
#: Found by their labels in every namespace, by controllers and sidecars.
_LABELS_FOUND = ("ConfigMap", "Secret")
#: Labels and annotations that only people read.
_IDLE = ("mcpctl.io/", "app.kubernetes.io/", "kubernetes.io/description", "helm.sh/chart")
_CONTEXT = ("NetworkPolicy", "services:", *TEMPLATED, "kind: Pod", "kind: Service\n", "ServiceMonitor", "PodMonitor")


def consequences(
    pairs: Sequence[Pair], beside: Sequence[Object], others: Callable[[], Sequence[Object]], *, new: bool = False
) -> Iterator[Consequence]:
    """All consequences; ``beside`` are objects of the server that did not change, ``others`` those of other servers."""
    selected = _selected(pairs, beside)
    for pair in pairs:
        yield from _of_pair(pair, selected, new=new)
    before = [*beside, *(pair.old for pair in pairs if pair.old)]
    now = [*beside, *(pair.new for pair in pairs if pair.new)]
    changed = {pair.object.kind for pair in pairs}
    if not changed.isdisjoint({*POLICIES, *POD_TEMPLATES}):
        yield from network_rules(before, now)
        yield from label_rules(before, now, others)
    if any(pair.object.group == COMPOSE for pair in pairs):
        yield from compose_egress(before, now)


def is_context(text: str) -> bool:
    """Whether a file that did not change matters for what others do: policies, what runs, and who selects."""
    return any(word in text for word in _CONTEXT)


def _of_pair(pair: Pair, selected: set[str], *, new: bool) -> Iterator[Consequence]:
    if pair.old and pair.new and all(_idle(change, pair.object, selected) for change in pair.changes):
        return
    if pair.object.group == COMPOSE:
        own = list(compose_rules(pair, new=new))
    else:
        own = [*pod_rules(pair, new=new), *access_rules(pair)]
    yield from own
    if not pair.new:
        yield Consequence("removal", pair.object.label)
    elif not pair.old:
        yield Consequence("addition", pair.object.label)
    elif not own:
        yield Consequence("update", pair.object.label)


def _idle(change: Change, one: Object, selected: set[str]) -> bool:
    """Whether it is a label that nothing selects, or an annotation that nobody acts on."""
    path = change.path
    if one.group == COMPOSE:
        return False  # compose makes a container, a network or a volume anew for a label too
    keys = {path[2]} if path[2:] else {*as_mapping(change.old), *as_mapping(change.new)}
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
            names |= set(as_mapping(at(one.data, "spec", "selector", "matchLabels")))
            names |= {
                str(expression.get("key"))
                for expression in mappings(at(one.data, "spec", "selector", "matchExpressions"))
            }
    return names
