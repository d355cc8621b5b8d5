"""Rules between the objects of a run: identities, selectors, ports, Services."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.check.api_rules.containers import port_names
from renderer.check.api_rules.grammars import refused
from renderer.check.api_rules.metadata import SELECTING
from renderer.check.api_rules.references import (
    REFERRING,
    Index,
    Object,
    Placed,
    read,
    selects_nothing,
    selects_others,
    unknown_names,
)
from renderer.errors import DocumentPath, Fault
from renderer.manifest import CONTAINER_FIELDS, Identity, Json, entries, mapping, text
from renderer.wording import did_you_mean, either, excerpt


def set_faults(docs: Sequence[Json], outside: Sequence[frozenset[Identity] | None] = ()) -> list[tuple[int, Fault]]:
    """Each with the index of its document.

    ``outside``: for each document the objects that it may refer to although they are not rendered.
    """
    index = read(docs)
    faults = list(_duplicates(index.objects))
    for item in index.objects:
        known = outside[item.position] if outside else None
        if item.kind in SELECTING:
            faults += _overlaps(item, index)
        if item.kind == "Service":
            faults += _service(item, index)
        elif item.kind == "NetworkPolicy":
            faults += _policy(item, index)
        elif item.kind == "StatefulSet" and (known is not None or not outside):  # else it may be one that runs already
            faults += _governing_service(item, index, known or frozenset())
        elif (refer := REFERRING.get(text(item.doc, "kind"))) is not None:
            faults += refer(item, index)
        if known is not None:
            faults += unknown_names(item, index, known)
    return sorted(faults, key=lambda pair: pair[0])


def _duplicates(objects: list[Object]) -> Placed:
    """The later object would overwrite the earlier."""
    seen: dict[tuple[str, str, str, str], list[Object]] = {}
    for item in objects:
        group = text(item.doc, "apiVersion").rpartition("/")[0]
        seen.setdefault((group, text(item.doc, "kind"), item.namespace, item.name), []).append(item)
    for same in seen.values():
        if len(same) > 1 and same[0].name:
            for item in same:
                others = [other for other in same if other is not item]
                place = f" in namespace {excerpt(item.namespace)}" if item.namespace else ""
                documents = " and ".join(str(other.position + 1) for other in others[:3])
                subject = f"{text(item.doc, 'kind')} {excerpt(item.name)}{place}"
                message = f"{subject} is there {len(others) + 1} times: document {documents} too"
                hint = "give each its own name or namespace"
                yield item.position, refused(("metadata", "name"), "duplicate-object", message, hint)


def _overlaps(item: Object, index: Index) -> Placed:
    """Two owners that select the same pods would fight over them."""
    path: DocumentPath = ("spec", "selector")
    for pods in index.selected(item.namespace, mapping(mapping(item.doc, "spec"), "selector")):
        if pods.owner is not item:
            hint = "add a label to the selector and the template that only this one has"
            theirs = f"{pods.owner.kind} {excerpt(pods.owner.name)}"
            message = f"selector matches the pods of {theirs} too"
            yield item.position, refused(path, "selector-overlap", message, hint)
            message = f"the pods match the selector of {item.kind} {excerpt(item.name)} too"
            where = (*(pods.owner.pod or ((), {}))[0], "metadata", "labels")
            yield pods.owner.position, refused(where, "selector-overlap", message, hint)


def _service(item: Object, index: Index) -> Placed:
    spec = mapping(item.doc, "spec")
    selector = {"matchLabels": mapping(spec, "selector")}
    selected = index.selected(item.namespace, selector) if selector["matchLabels"] else []
    if not selected:
        yield from selects_nothing(item, index, ("spec", "selector"))
        return
    yield from selects_others(item, selected)
    names = (
        name
        for pods in selected
        for kind in CONTAINER_FIELDS
        for _, container in entries(pods.spec, kind)
        for name in port_names(container)
    )
    declared = list(dict.fromkeys(names))
    for position, port in entries(spec, "ports"):
        target = port.get("targetPort")
        if isinstance(target, str) and target not in declared:
            message = f"no container of the selected pods has a port called {excerpt(target)}"
            hint = f"their ports are {either(list(map(excerpt, declared)))}" if declared else "name their ports"
            hint = f"did you mean {excerpt(near)}?" if (near := did_you_mean(target, declared)) else hint
            yield item.position, refused(("spec", "ports", position, "targetPort"), "unknown-port", message, hint)


def _policy(item: Object, index: Index) -> Placed:
    selector = mapping(mapping(item.doc, "spec"), "podSelector")
    selects = selector.get("matchLabels") or selector.get("matchExpressions")
    if selects and not index.selected(item.namespace, selector):
        yield from selects_nothing(item, index, ("spec", "podSelector"))


def _governing_service(item: Object, index: Index, outside: frozenset[Identity]) -> Placed:
    name = mapping(item.doc, "spec").get("serviceName")
    known = index.services.get(item.namespace, [])
    if isinstance(name, str) and name and name not in known and ("Service", item.namespace, name) not in outside:
        near = did_you_mean(name, known)
        hint = f"did you mean {excerpt(near)}?" if near else "add a headless Service of this name"
        message = f"no Service of this set is called {excerpt(name)}"
        yield item.position, refused(("spec", "serviceName"), "unknown-service", message, hint)
