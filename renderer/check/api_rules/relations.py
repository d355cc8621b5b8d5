"""What holds between the objects of one set: identities, selectors, ports, Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from renderer.check.api_rules.containers import port_names
from renderer.check.api_rules.forms import refused
from renderer.check.api_rules.selectors import label_pairs, matches
from renderer.check.api_rules.workloads import SELECTING
from renderer.check.shape import CONTAINER_FIELDS, Json, entries, kind_of, labels, mapping, pod_of, text
from renderer.errors import DocumentPath, Fault
from renderer.schemas.wording import did_you_mean, either, excerpt

#: Names the server that an object belongs to: what selects no pod of its own server is a mistake.
SERVER_LABEL = "mcpctl.io/server"

Found = Iterator[tuple[int, Fault]]


class _Object(NamedTuple):
    """One document: its position in the set and what others refer to it by."""

    position: int
    kind: str
    namespace: str
    name: str
    doc: Json


class _Pods(NamedTuple):
    """A pod, or what makes pods: the labels that selectors see."""

    owner: _Object
    labels: Mapping[str, str]
    spec: Json


@dataclass(frozen=True, slots=True)
class _Index:
    """The set, read once. Pods are found by one label of the selector, so that big sets stay linear."""

    objects: list[_Object]
    pods: list[_Pods] = field(default_factory=list)
    by_label: dict[tuple[str, str, str], list[_Pods]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)

    def selected(self, namespace: str, selector: Json) -> list[_Pods]:
        """The pods of a namespace that a selector (``matchLabels``, …) matches."""
        groups = [self.by_label.get((namespace, k, v), []) for k, v in label_pairs(selector).items()]
        candidates = min(groups, key=len) if groups else self.pods
        return [p for p in candidates if p.owner.namespace == namespace and matches(selector, p.labels)]


def set_faults(docs: Sequence[Json]) -> list[tuple[int, Fault]]:
    """Faults between the documents of one set, each with the position of the document it belongs to."""
    index = _read(docs)
    found = list(_duplicates(index.objects))
    for item in index.objects:
        if item.kind in SELECTING:
            found += _overlaps(item, index)
        if item.kind == "Service":
            found += _service(item, index)
        elif item.kind == "NetworkPolicy":
            found += _policy(item, index)
        elif item.kind == "StatefulSet":
            found += _governing_service(item, index)
    return sorted(found, key=lambda pair: pair[0])


def _read(docs: Sequence[Json]) -> _Index:
    index = _Index([_object(position, doc) for position, doc in enumerate(docs)])
    for item in index.objects:
        if item.kind == "Service":
            index.services.setdefault(item.namespace, []).append(item.name)
        if (found := pod_of(item.doc)) is not None:
            given = labels(mapping(mapping(found[1], "metadata"), "labels"))
            pods = _Pods(item, given, mapping(found[1], "spec"))
            index.pods.append(pods)
            for key, value in given.items():
                index.by_label.setdefault((item.namespace, key, value), []).append(pods)
    return index


def _object(position: int, doc: Json) -> _Object:
    about = mapping(doc, "metadata")
    return _Object(position, kind_of(doc), text(about, "namespace"), text(about, "name"), doc)


def _duplicates(objects: list[_Object]) -> Found:
    """Two objects of one group, kind, namespace and name: the later would overwrite the earlier."""
    seen: dict[tuple[str, str, str, str], list[_Object]] = {}
    for item in objects:
        group = text(item.doc, "apiVersion").rpartition("/")[0]
        seen.setdefault((group, text(item.doc, "kind"), item.namespace, item.name), []).append(item)
    for same in seen.values():
        if len(same) > 1 and same[0].name:
            for item in same:
                yield item.position, _duplicate(item, [other for other in same if other is not item])


def _duplicate(item: _Object, others: list[_Object]) -> Fault:
    place = f" in namespace {excerpt(item.namespace)}" if item.namespace else ""
    documents = " and ".join(str(other.position + 1) for other in others[:3])
    what = f"{text(item.doc, 'kind')} {excerpt(item.name)}{place}"
    message = f"{what} is there {len(others) + 1} times: document {documents} too"
    return refused(("metadata", "name"), "duplicate-object", message, "give each its own name or namespace")


def _overlaps(item: _Object, index: _Index) -> Found:
    """A selector that matches pods of another owner: the two would fight over them for ever."""
    path: DocumentPath = ("spec", "selector")
    for pods in index.selected(item.namespace, mapping(mapping(item.doc, "spec"), "selector")):
        if pods.owner is not item:
            hint = "add a label to the selector and the template that only this one has"
            theirs = f"{pods.owner.kind} {excerpt(pods.owner.name)}"
            yield (
                item.position,
                refused(path, "selector-overlap", f"selector matches the pods of {theirs} too", hint),
            )
            message = f"the pods match the selector of {item.kind} {excerpt(item.name)} too"
            yield pods.owner.position, refused(_labels_path(pods), "selector-overlap", message, hint)


def _labels_path(pods: _Pods) -> DocumentPath:
    return (*(pod_of(pods.owner.doc) or ((), {}))[0], "metadata", "labels")


def _service(item: _Object, index: _Index) -> Found:
    spec = mapping(item.doc, "spec")
    selector = {"matchLabels": mapping(spec, "selector")}
    if not selector["matchLabels"]:
        return
    selected = index.selected(item.namespace, selector)
    if not selected:
        yield from _selects_nothing(item, index, ("spec", "selector"))
        return
    declared = _declared_ports(selected)
    for position, port in entries(spec, "ports"):
        target = port.get("targetPort")
        if isinstance(target, str) and target not in declared:
            yield item.position, _unknown_target(target, declared, ("spec", "ports", position, "targetPort"))


def _declared_ports(selected: list[_Pods]) -> list[str]:
    names = (
        name
        for pods in selected
        for kind in CONTAINER_FIELDS
        for _, container in entries(pods.spec, kind)
        for name in port_names(container)
    )
    return list(dict.fromkeys(names))


def _unknown_target(target: str, declared: list[str], path: DocumentPath) -> Fault:
    message = f"no container of the selected pods has a port called {excerpt(target)}"
    near = did_you_mean(target, declared)
    if near:
        return refused(path, "unknown-port", message, f"did you mean {excerpt(near)}?")
    listed = either([excerpt(name) for name in declared])
    return refused(path, "unknown-port", message, f"their ports are {listed}" if declared else "name their ports")


def _policy(item: _Object, index: _Index) -> Found:
    selector = mapping(mapping(item.doc, "spec"), "podSelector")
    if (selector.get("matchLabels") or selector.get("matchExpressions")) and not index.selected(
        item.namespace, selector
    ):
        yield from _selects_nothing(item, index, ("spec", "podSelector"))


def _selects_nothing(item: _Object, index: _Index, path: DocumentPath) -> Found:
    """A fault only when the set holds pods of the same server: otherwise they may be elsewhere."""
    server = mapping(mapping(item.doc, "metadata"), "labels").get(SERVER_LABEL)
    own = index.by_label.get((item.namespace, SERVER_LABEL, str(server)), [])
    if own:
        message = f"selects no pod, not even those of {own[0].owner.kind} {excerpt(own[0].owner.name)}"
        yield item.position, refused(path, "selects-nothing", message, "use labels that the pod template has")


def _governing_service(item: _Object, index: _Index) -> Found:
    name = mapping(item.doc, "spec").get("serviceName")
    known = index.services.get(item.namespace, [])
    if isinstance(name, str) and name and name not in known:
        near = did_you_mean(name, known)
        hint = f"did you mean {excerpt(near)}?" if near else "add a headless Service of this name"
        message = f"no Service of this set is called {excerpt(name)}"
        yield item.position, refused(("spec", "serviceName"), "unknown-service", message, hint)
