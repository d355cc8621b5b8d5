"""The documents of one set, read once, so that what refers to something finds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from renderer.check.api_rules.forms import refused
from renderer.check.api_rules.metadata import label_pairs, matches
from renderer.check.shape import Json, kind_of, labels, mapping, pod_of, text
from renderer.errors import DocumentPath, Fault
from renderer.wording import excerpt

#: Names the server that an object belongs to: what selects no pod of its own server is a mistake.
SERVER_LABEL = "mcpctl.io/server"

Found = Iterator[tuple[int, Fault]]


class Object(NamedTuple):
    """One document: its position in the set and what others refer to it by."""

    position: int
    kind: str
    namespace: str
    name: str
    doc: Json


class Pods(NamedTuple):
    """A pod, or what makes pods: the labels that selectors see."""

    owner: Object
    labels: Mapping[str, str]
    spec: Json


@dataclass(frozen=True, slots=True)
class Index:
    """The set, read once. Pods are found by one label of the selector, so that big sets stay linear."""

    objects: list[Object]
    pods: list[Pods] = field(default_factory=list)
    by_label: dict[tuple[str, str, str], list[Pods]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)
    named: dict[tuple[str, str, str], Object] = field(default_factory=dict)

    def selected(self, namespace: str, selector: Json) -> list[Pods]:
        """The pods of a namespace that a selector (``matchLabels``, …) matches."""
        groups = [self.by_label.get((namespace, k, v), []) for k, v in label_pairs(selector).items()]
        candidates = min(groups, key=len) if groups else self.pods
        return [p for p in candidates if p.owner.namespace == namespace and matches(selector, p.labels)]


def read(docs: Sequence[Json]) -> Index:
    """What the documents are, and how they are found."""
    index = Index([_object(position, doc) for position, doc in enumerate(docs)])
    for item in index.objects:
        index.named.setdefault((item.kind, item.namespace, item.name), item)
        if item.kind == "Service":
            index.services.setdefault(item.namespace, []).append(item.name)
        if (found := pod_of(item.doc)) is not None:
            given = labels(mapping(mapping(found[1], "metadata"), "labels"))
            pods = Pods(item, given, mapping(found[1], "spec"))
            index.pods.append(pods)
            for key, value in given.items():
                index.by_label.setdefault((item.namespace, key, value), []).append(pods)
    return index


def _object(position: int, doc: Json) -> Object:
    about = mapping(doc, "metadata")
    return Object(position, kind_of(doc), text(about, "namespace"), text(about, "name"), doc)


def selects_nothing(item: Object, index: Index, path: DocumentPath) -> Found:
    """A fault only when the set holds pods of the same server: otherwise they may be elsewhere."""
    server = mapping(mapping(item.doc, "metadata"), "labels").get(SERVER_LABEL)
    own = index.by_label.get((item.namespace, SERVER_LABEL, str(server)), [])
    if own:
        message = f"selects no pod, not even those of {own[0].owner.kind} {excerpt(own[0].owner.name)}"
        yield item.position, refused(path, "selects-nothing", message, "use labels that the pod template has")
