"""The consequences of changes, by all objects of one server together: its policies depend on each other."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from renderer.diff import masks
from renderer.diff.consequences.access import access_rules
from renderer.diff.consequences.compose import compose_egress, compose_rules
from renderer.diff.consequences.data import data_rules
from renderer.diff.consequences.guard import guard_rules
from renderer.diff.consequences.network import POLICIES, label_rules, network_rules
from renderer.diff.consequences.pods import pod_rules
from renderer.diff.consequences.table import CONSEQUENCES, Consequence, Name, Pair, amount, few
from renderer.diff.objects import COMPOSE, Change, Object, objects_in
from renderer.kinds import DEFAULT_ACCOUNT, POD_TEMPLATES, TEMPLATED, WORKLOADS
from renderer.labels import PATH_ANNOTATION
from renderer.locks import LOCK_FILES, versions
from renderer.manifest import as_mapping, at, mappings

__all__ = [
    "CONSEQUENCES",
    "Consequence",
    "Name",
    "Pair",
    "comment_rules",
    "consequences",
    "delivery_rules",
    "is_context",
    "sandbox_rules",
]

#: Kinds whose labels unknown others may select, or whose annotations are settings.
_LABELS_COUNT = ("Namespace", "Pod", "ServiceMonitor", "PodMonitor", "PrometheusRule")
_ANNOTATIONS_COUNT = ("Ingress", "Service", "ServiceAccount", "HTTPRoute", "Gateway", "Namespace", "Pod")
#: Found by their labels in every namespace, by controllers and sidecars.
_LABELS_FOUND = ("ConfigMap", "Secret")
#: Labels and annotations that only people read.
_IDLE = ("mcpctl.io/", "app.kubernetes.io/", "kubernetes.io/description", "helm.sh/chart")
#: Statements of the spec, and what clients call.
_NOT_ENFORCED, _ACCEPTED = "mcpctl.io/egress-hosts-not-enforced", "mcpctl.io/accepted"
#: For reviewers, without effect on what runs.
_STATEMENTS = (("metadata", "annotations", _NOT_ENFORCED), ("metadata", "annotations", _ACCEPTED))
_TELLING = (_NOT_ENFORCED, _ACCEPTED, PATH_ANNOTATION)
_FINDING = re.compile(r"; (?=[\w/-]+(?: \(|: ))")
_ITEM = re.compile(r"(?:service )?\S*")
_COMMENT = re.compile(r"^#.*(?:\n#.*)*", re.MULTILINE)
_STATEMENT = re.compile(r"\b(NOT [A-Z]{4,}[A-Z ]*|OUT OF REACH): (?:egress only to )?(.+?)\.(?= |$)")
#: Of objects of Argo CD and Flux: when and how they deliver the same to the same place.
_SAME_DELIVERY = (
    *(("dependsOn",), ("healthChecks",), ("ignoreDifferences",), ("interval",), ("retryInterval",)),
    *(("revisionHistoryLimit",), ("syncPolicy", "retry"), ("syncPolicy", "syncOptions"), ("timeout",), ("wait",)),
)
_SANDBOX = re.compile(r"^- \[ \] RuntimeClass `([^`]+)`.*`spec\.sandbox\.runtimeClass`", re.MULTILINE)
_CONTEXT = ("NetworkPolicy", "services:", *TEMPLATED, "kind: Pod", "kind: Service\n", "ServiceMonitor", "PodMonitor")


def consequences(
    pairs: Sequence[Pair], same: Sequence[Object], others: Callable[[], Sequence[Object]], *, new: bool = False
) -> Iterator[Consequence]:
    """``same``: unchanged objects of the server; ``others``: objects of other servers."""
    selected = _selected([*same, *(each for pair in pairs for each in (pair.old, pair.new) if each)])
    shared = _annotated(pair for pair in pairs if pair.object.kind in WORKLOADS)
    for pair in pairs:
        yield from _stated(pair, new=new)
        yield from _of_pair(pair, selected, shared, new=new)
    # What is removed with its Namespace protects nothing that stays.
    removed = {pair.old.name for pair in pairs if pair.old and not pair.new and pair.object.kind == "Namespace"}
    before = [*same, *(pair.old for pair in pairs if pair.old and pair.old.namespace not in removed)]
    for old in (pair.old for pair in pairs if not pair.new):
        if old in before and (old.kind, old.name) == ("ServiceAccount", DEFAULT_ACCOUNT):
            yield Consequence("rbac", f"{old.label}: pods that name no account get a token of the Kubernetes API")
    now = [*same, *(pair.new for pair in pairs if pair.new)]
    yield from data_rules(before, now)
    yield from guard_rules(pairs, before, now)
    changed = {pair.object.kind for pair in pairs}
    if not changed.isdisjoint({*POLICIES, *POD_TEMPLATES}):
        yield from network_rules(before, now)
        yield from label_rules(before, now, others)
    if any(pair.object.group == COMPOSE for pair in pairs):
        yield from compose_egress(before, now)


def is_context(text: str) -> bool:
    """Whether an unchanged file affects the consequences of others: policies, workloads, selectors."""
    return any(word in text for word in _CONTEXT)


def delivery_rules(pair: Pair) -> Iterator[Consequence]:
    label = pair.object.label
    if not (pair.old and pair.new):
        yield Consequence("source", f"{label} {'is new' if pair.new else 'is removed'}")
        return
    for change in pair.changes:
        path = change.path[2:] if change.path[:2] == ("spec", "template") else change.path
        same = path[:2] == ("metadata", "labels") or any(
            path[1 : len(known) + 1] == known for known in _SAME_DELIVERY if path[:1] == ("spec",)
        )
        values = masks.one_line_each(pair.object.kind, change.path, change.old, change.new)
        old, new = (amount(value) for value in values)
        yield Consequence("delivery" if same else "source", f"{label}: {change.where} {old} → {new}")


def sandbox_rules(before: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[Consequence]:
    """The RuntimeClass of the pods that the server starts itself, which no manifest names."""
    if any(posixpath.basename(path).startswith("sandbox-") for path in now):
        old, new = _sandbox_classes(before), _sandbox_classes(now)
        for name in sorted(old - new):
            words = ", ".join(sorted(new - old)) or "none"
            yield Consequence("hardening", f"sandboxed pods: runtime class {name} → {words}")


def _sandbox_classes(texts: Mapping[str, str | None]) -> set[str]:
    """Those that are rendered, or listed in PREREQUISITES.md."""
    there = {path: text for path, text in texts.items() if text and "RuntimeClass" in text}
    rendered = {
        each.name for path, text in there.items() for each in objects_in(path, text) if each.kind == "RuntimeClass"
    }
    return rendered | {name for text in there.values() for name in _SANDBOX.findall(text)}


def comment_rules(before: str | None, now: str | None) -> Iterator[Consequence]:
    """Fields of the spec that nothing enforces, by the comments of one file."""
    old, new = _statements(before), _statements(now)
    for words in sorted({*old, *new}):
        # Of a new server only what is not enforced is listed.
        if before is not None or words.startswith("NOT ENFORCED"):
            yield from _unenforced(words, old.get(words, ""), new.get(words, ""))


def _statements(text: str | None) -> dict[str, str]:
    """``NOT ENFORCED`` to the sentence behind it; comments are wrapped."""
    lines = "\n".join(map(str.strip, (text or "").splitlines()))
    blocks = (block[0].replace("\n#", "") for block in _COMMENT.finditer(lines))
    return {match[1]: match[2] for block in blocks for match in _STATEMENT.finditer(block)}


def _unenforced(words: str, before: str, now: str) -> Iterator[Consequence]:
    old, new = map(_wishes, (before, now))
    yield from (Consequence("unenforced", f"{item} is new ({words.lower()})") for item in new if item not in old)
    yield from (Consequence("unenforced", f"{item} is removed ({words.lower()})") for item in old if item not in new)


def _wishes(text: str) -> list[str]:
    """The items of a list of hosts, addresses and services; any other text is one sentence."""
    items = re.split(", ?", text)
    whole = not all(_ITEM.fullmatch(item) for item in items)
    return [f"'{text}'"] if whole and text else list(filter(None, items))


def _stated(pair: Pair, *, new: bool) -> Iterator[Consequence]:
    """Statements in annotations, or in labels of compose."""
    sides = (
        as_mapping(at(data, "metadata", "annotations")) or as_mapping(data.get("labels"))
        for data in (pair.before, pair.now)
    )
    notes = [{key: value for key, value in side.items() if isinstance(value, str)} for side in sides]
    if pair.new and not pair.old and not new and _NOT_ENFORCED in notes[1]:
        yield Consequence("unenforced", "host names of egress")  # another provider: the hosts are as before
    elif pair.new:
        yield from _unenforced("NOT ENFORCED BY NAME", *(each.get(_NOT_ENFORCED, "") for each in notes))
    before, now = (_FINDING.split(each.get(_ACCEPTED, "")) for each in notes)
    yield from (Consequence("accepted", finding) for finding in now if finding and finding not in before)


def _annotated(pairs: Iterable[Pair]) -> set[str]:
    keys: set[str] = set()
    for pair in pairs:
        was, now = (as_mapping(at(data, "metadata", "annotations")) for data in (pair.before, pair.now))
        keys |= {str(key) for key in {*was, *now} if was.get(key) != now.get(key)}
    return keys


def _of_pair(pair: Pair, selected: set[str], shared: set[str], *, new: bool) -> Iterator[Consequence]:
    if pair.old and pair.new and all(_idle(change, pair.object, selected) for change in pair.changes):
        return
    if pair.object.group == COMPOSE:
        own = list(compose_rules(pair, new=new))
    else:
        own = [*pod_rules(pair, new=new), *access_rules(pair, shared)]
    own += _packages(pair) if pair.old else ()
    yield from own
    if not pair.new:
        yield Consequence("removal", pair.object.label)
    elif not pair.old:
        yield Consequence("addition", pair.object.label)
    elif not own and not all(change.path in _STATEMENTS for change in pair.changes):
        yield Consequence("update", f"{pair.object.label}: {_places(pair)}")


def _places(pair: Pair) -> str:
    """The changed fields, shortened: ``spec.tls``, ``annotation a/b``."""
    places: dict[str, None] = {}
    for path, old, new in ((change.path, change.old, change.new) for change in pair.changes):
        if path[:2] in (("metadata", "annotations"), ("metadata", "labels")):
            keys = [path[2]] if path[2:] else sorted({*as_mapping(old), *as_mapping(new)})
            places |= dict.fromkeys(f"{path[1][:-1]} {key}" for key in keys)
        else:
            places[".".join(map(str, path[:2])) or "content"] = None
    return few(places)


def _packages(pair: Pair) -> Iterator[Consequence]:
    old, new = (
        as_mapping(each.data.get("data")) if isinstance(each.data, dict) else {posixpath.basename(each.name): each.data}
        for each in (pair.old or pair.object, pair.object)
    )
    for name in sorted(LOCK_FILES & old.keys()):
        before, now = (versions(str(texts.get(name, ""))) for texts in (old, new if pair.new else {}))
        if not now:
            yield Consequence("packages", f"{pair.object.name}: {name} is removed, no lock fixes its dependencies")
            continue
        changed = [
            f"{package} {before.get(package, '(none)')} → {now.get(package, '(none)')}"
            for package in sorted({*before, *now})
            if before.get(package) != now.get(package)
        ]
        if old.get(name) != new.get(name):
            yield Consequence("packages", f"{pair.object.name}: {few(changed) or 'other hashes or sources'}")


def _idle(change: Change, each: Object, selected: set[str]) -> bool:
    """Whether it is a label that nothing selects, or an annotation that nothing acts on."""
    path = change.path
    if each.group == COMPOSE:
        return False  # for a changed label compose creates a container, network or volume again
    keys = {path[2]} if path[2:] else {*as_mapping(change.old), *as_mapping(change.new)}
    if keys.intersection(_TELLING):
        return False
    # A name with a domain belongs to a program that may act on it: Argo CD, Flux, a mesh.
    if path[:2] == ("metadata", "labels"):
        known = each.kind not in _LABELS_COUNT and selected.isdisjoint(keys)
        return known and all(key.startswith(_IDLE) for key in keys if "/" in key or each.kind in _LABELS_FOUND)
    ours = all(key.startswith(_IDLE) for key in keys if "/" in key or each.kind in _ANNOTATIONS_COUNT)
    return path[:2] == ("metadata", "annotations") and ours


def _selected(objects: Iterable[Object]) -> set[str]:
    """Keys of labels by which objects other than pods are selected."""
    names: set[str] = set()
    for each in objects:
        if each.kind in ("ServiceMonitor", "PodMonitor"):
            selector = as_mapping(at(each.data, "spec", "selector"))
            names |= as_mapping(selector.get("matchLabels")).keys()
            names |= {str(expression.get("key")) for expression in mappings(selector.get("matchExpressions"))}
    return names
