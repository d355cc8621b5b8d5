"""All checks of rendered Kubernetes documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

from renderer.check import located, parsed
from renderer.check.api_rules import object_faults, set_faults
from renderer.check.api_rules.references import OURS
from renderer.check.kubernetes_schema import UNKNOWN_KIND, schema_faults
from renderer.check.pod_security import Level, violations
from renderer.errors import Fault, Problem
from renderer.kinds import KINDS, POD_TEMPLATES
from renderer.manifest import Json, as_mapping, at, mapping, pod_of
from renderer.model import Rendered
from renderer.wording import excerpt

#: From a document, its data and its Problems to those to report.
Judge = Callable[[Rendered, Any, list[Problem]], list[Problem]]


def check_documents(
    documents: Sequence[Rendered],
    version: str,
    judge: Judge = lambda _document, _data, problems: problems,
    level: Level = "restricted",
) -> list[Problem]:
    """All faults of each document and between documents; ``judge`` gets those of each document.

    ``level``: the Pod Security level that the API server enforces.
    """
    problems: list[Problem] = []
    readable: list[tuple[Rendered, Any]] = []
    major, _, minor = version.partition(".")
    for document in documents:
        data, unreadable = parsed(document)
        problems += unreadable
        if not unreadable:
            moved = _identity_faults(document, data)
            readable.append((document, _restored(document, data) if moved else data))
            faults = [*schema_faults(data, version), *object_faults(data)]
            path, pod = pod_of(data) or ((), None)
            in_pod = [] if pod is None else violations(pod, level, (int(major), int(minor)))
            faults += [fault._replace(path=(*path, *fault.path)) for fault in in_pod]
            # For a changed identity report nothing else but an unknown kind.
            faults = [*moved, *(fault for fault in faults if fault.rule == UNKNOWN_KIND)] if moved else faults
            problems += judge(document, data, located(document, faults))
    between = set_faults([data for _, data in readable], [document.outside for document, _ in readable])
    for i, fault in between:
        problems += located(readable[i][0], [fault])
    return problems


#: The path of a mapping, required values, and forbidden keys.
_Meant: TypeAlias = tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]


def _identity(document: Rendered) -> list[_Meant]:
    """What the rendered object must and must not have to stay itself.

    Empty for a tree that was read.
    """
    if len(document.identity) != 3:
        return []
    kind, name, namespace = document.identity
    about, nowhere = ({"name": name, "namespace": namespace}, ()) if namespace else ({"name": name}, ("namespace",))
    every = mapping(document.context, "labels")
    labels = {key: every[key] for key in OURS if key in every}
    # These decide when the object is deleted. Deliveries set them themselves.
    lasting = () if document.template.startswith("delivery/") else ("finalizers", "ownerReferences")
    meant: list[_Meant] = [
        ((), _type(kind), ()),
        (("metadata",), about, (*nowhere, "generateName", *lasting)),
        (("metadata", "labels"), labels, ()),
    ]
    if pods := POD_TEMPLATES.get(kind):
        meant += [((*pods, "metadata"), {}, lasting), ((*pods, "metadata", "labels"), labels, ())]
    return meant


@cache
def _type(kind: str) -> dict[str, str]:
    return {"kind": kind, "apiVersion": KINDS[kind].api_version} if kind in KINDS else {"kind": kind}


def _identity_faults(document: Rendered, data: Json) -> list[Fault]:
    """Changes by patches or users' templates that make it another object or another server's."""
    faults = []
    for path, values, absent in _identity(document):
        holder = as_mapping(at(data, *path))
        if values.items() <= holder.items() and holder.keys().isdisjoint(absent):
            continue
        # A user's template may omit our labels; later commands then ignore the object.
        may_lack = path[-1:] == ("labels",) and not document.changes
        for key, value in (values | dict.fromkeys(absent)).items():
            if (present := holder.get(key)) != value and not (present is None and may_lack):
                change = f"must stay {excerpt(value)}" if value else "must not be set"
                lasting = key in ("finalizers", "ownerReferences")
                why = "it decides when the object is deleted" if lasting else "it identifies the object and its server"
                message = f"{change}: {why}"
                hint = "patches and templates change what is in an object; names and namespace are fields of the spec"
                faults.append(Fault((*path, key), "output/identity", message, hint))
    return faults


def _restored(document: Rendered, data: Json) -> Json:
    """The data with the original identity, so that references to it still resolve."""
    restored = dict(data)
    for path, values, absent in _identity(document):
        inner = restored
        for step in path:
            inner[step] = dict(mapping(inner, step))
            inner = inner[step]
        inner.update(values | dict.fromkeys(absent))
    return restored
