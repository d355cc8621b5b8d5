"""All checks of rendered Kubernetes documents: every fault of every document, not the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from renderer.check.api_rules import object_faults, set_faults
from renderer.check.documents import located, parsed
from renderer.check.kubernetes_schema import schema_faults
from renderer.check.pod_security import Level, violations
from renderer.errors import Fault, Problem
from renderer.manifest import pod_of
from renderer.model import Rendered

#: Takes a document, its data and what was found in it, and says what there is to tell.
Judge = Callable[[Rendered, Any, list[Problem]], list[Problem]]


def _as_found(document: Rendered, data: Any, found: list[Problem]) -> list[Problem]:
    del document, data
    return found


def check_documents(
    documents: Sequence[Rendered], version: str, judge: Judge = _as_found, level: Level = "restricted"
) -> list[Problem]:
    """The faults of all documents of a run, each alone and between them; ``judge`` sees each as it is read.

    Pods must hold ``level``, below which the API server refuses them.
    """
    problems: list[Problem] = []
    readable: list[tuple[Rendered, Any]] = []
    for document in documents:
        data, unreadable = parsed(document)
        problems += unreadable
        if not unreadable:
            readable.append((document, data))
            problems += judge(document, data, located(document, _faults(data, version, level)))
    between = set_faults([data for _, data in readable])
    for i, fault in between:
        problems += located(readable[i][0], [fault])
    return problems


def _faults(data: Any, version: str, level: Level) -> list[Fault]:
    return [*schema_faults(data, version), *object_faults(data), *_pod_faults(data, version, level)]


def _pod_faults(data: Any, version: str, level: Level) -> list[Fault]:
    found = pod_of(data)
    if found is None:
        return []
    path, pod = found
    major, minor = (int(part) for part in version.split("."))
    return [
        Fault((*path, *fault.path), fault.rule, fault.message, fault.hint, fault.severity, fault.at_key)
        for fault in violations(pod, level, (major, minor))
    ]
