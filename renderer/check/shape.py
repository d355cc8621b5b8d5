"""Reading parsed documents that may have any shape: what is not as expected reads as empty.

Wrong types are the business of the schema check; the other checks go on with what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from renderer.kinds import POD_TEMPLATES

if TYPE_CHECKING:
    from renderer.errors import DocumentPath

Json = Mapping[str, Any]

_NOTHING: Json = {}

#: How the API groups that Kubernetes itself serves end; the core group has no name.
_OWN_GROUPS = ("", "apps", "batch", "autoscaling", "policy")
_OWN_DOMAIN = ".k8s.io"

#: The fields of a pod's ``spec`` that hold containers.
CONTAINER_FIELDS = ("containers", "initContainers", "ephemeralContainers")


def mapping(parent: Json, key: str) -> Json:
    """The mapping under a key, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, dict) else _NOTHING


def text(parent: Json, key: str) -> str:
    """The text under a key, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def entries(parent: Json, key: str) -> Iterator[tuple[int, Json]]:
    """The mappings in the list under a key, each with its position."""
    value = parent.get(key)
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def texts(parent: Json, key: str) -> list[str]:
    """The texts in the list under a key."""
    value = parent.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def labels(value: Json) -> dict[str, str]:
    """The entries of a mapping that are text: labels, annotations, data."""
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)}


def kind_of(doc: Json) -> str:
    """The kind of a built-in object; empty for a custom resource, whose kind may only have the same name."""
    group = text(doc, "apiVersion").rpartition("/")[0]
    return text(doc, "kind") if group in _OWN_GROUPS or group.endswith(_OWN_DOMAIN) else ""


def pod_of(doc: Json) -> tuple[DocumentPath, Json] | None:
    """The pod or the pod template of an object, with its path in the object; None when it has none."""
    path = POD_TEMPLATES.get(kind_of(doc))
    if path is None:
        return None
    pod = doc
    for step in path:
        pod = mapping(pod, str(step))
    return path, pod
