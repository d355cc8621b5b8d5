"""Access to manifests, rendered or foreign: identity, labels, pods, containers, values at a path.

Values of a wrong type read as empty; the schema check reports them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from renderer.kinds import POD_TEMPLATES

if TYPE_CHECKING:
    from renderer.errors import DocumentPath

Json = Mapping[str, Any]

_NOTHING: Json = {}

#: API groups of Kubernetes itself.
_OWN_GROUPS = ("", "apps", "batch", "autoscaling", "policy")
_OWN_DOMAIN = ".k8s.io"

CONTAINER_FIELDS = ("containers", "initContainers", "ephemeralContainers")

#: Kind, namespace ('' for the whole cluster) and name.
Identity = tuple[str, str, str]


def as_mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings in a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def at(data: Any, *path: str) -> Any:
    """The value at the path, or None."""
    for step in path:
        data = as_mapping(data).get(step)
    return data


def identity(data: Json) -> Identity:
    """Unique in a cluster. KeyError if kind or name is missing."""
    meta = data["metadata"]
    return data["kind"], meta.get("namespace", ""), meta["name"]


def labels_of(data: Json) -> Mapping[str, str]:
    return as_mapping(at(data, "metadata", "labels"))


def annotations_of(data: Json) -> Mapping[str, str]:
    return as_mapping(at(data, "metadata", "annotations"))


def pod_template(kind: str, data: Any) -> dict[str, Any]:
    """Metadata and spec of the pods; empty if the kind has none."""
    return as_mapping(at(data, *POD_TEMPLATES[kind])) if kind in POD_TEMPLATES else {}


def pod_spec(kind: str, data: Any) -> dict[str, Any]:
    """The spec of the pods; empty if the kind has none."""
    return as_mapping(at(pod_template(kind, data), "spec"))


def containers(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """All containers of a pod by name."""
    return {
        str(container.get("name")): container for name in CONTAINER_FIELDS for container in mappings(spec.get(name))
    }


def mapping(parent: Json, key: str) -> Json:
    """The mapping under the key, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, dict) else _NOTHING


def text(parent: Json, key: str) -> str:
    """The text under the key, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def entries(parent: Json, key: str) -> Iterator[tuple[int, Json]]:
    """Index and value of each mapping in the list under the key."""
    value = parent.get(key)
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def texts(parent: Json, key: str) -> list[str]:
    """The texts in the list under the key."""
    value = parent.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def labels(value: Json) -> dict[str, str]:
    """The entries whose values are text."""
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)}


def kind_of(doc: Json) -> str:
    """The kind of a built-in object; empty for custom resources, whose kinds may share a name."""
    kind = doc.get("kind")
    return kind if isinstance(kind, str) and _is_own(text(doc, "apiVersion")) else ""


@lru_cache(maxsize=256)
def _is_own(api_version: str) -> bool:
    group = api_version.rpartition("/")[0]
    return group in _OWN_GROUPS or group.endswith(_OWN_DOMAIN)


def pod_of(doc: Json) -> tuple[DocumentPath, Json] | None:
    """The pod or pod template with its path; None if the object has none."""
    path = POD_TEMPLATES.get(text(doc, "kind"))
    if path is None or not kind_of(doc):
        return None
    pod = doc
    for step in path:
        pod = mapping(pod, str(step))
    return path, pod
