"""What a change leads to: the names, in the order in which a reviewer wants them, and what rules are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from renderer.diff.fields import Change
from renderer.diff.objects import Object

Name = Literal[
    "data-loss",
    "replacement",
    "egress",
    "ingress",
    "exposure",
    "rbac",
    "hardening",
    "secret",
    "no-digest",
    "image",
    "restart",
    "scaling",
    "resources",
    "removal",
    "update",
    "cosmetic",
]

CONSEQUENCES: Mapping[Name, str] = {
    "data-loss": "data may be lost",
    "replacement": "must be replaced: a field that cannot change",
    "egress": "new or wider egress",
    "ingress": "wider ingress",
    "exposure": "exposed to more",
    "rbac": "wider rights",
    "hardening": "weaker hardening",
    "secret": "new secret reference",
    "no-digest": "image without a digest",
    "image": "other image",
    "restart": "restarts pods",
    "scaling": "scales otherwise",
    "resources": "other resources",
    "removal": "removes objects",
    "update": "changes objects in place",
    "cosmetic": "cosmetic only",
}
#: The ones that ask for a second look.
GRAVE: tuple[Name, ...] = get_args(Name)[:9]


class Consequence(NamedTuple):
    """One thing that a change leads to; ``detail`` says of what, in a few words, and may quote values."""

    name: Name
    detail: str = ""


class Pair(NamedTuple):
    """One object before and now; None where it is not there."""

    old: Object | None
    new: Object | None
    changes: tuple[Change, ...]

    @property
    def object(self) -> Object:
        """The new one, or else the old one."""
        found = self.new or self.old
        assert found
        return found

    @property
    def before(self) -> dict[str, Any]:
        """The old data, empty where there is none."""
        return mapping(self.old.data) if self.old else {}

    @property
    def now(self) -> dict[str, Any]:
        """The new data, empty where there is none."""
        return mapping(self.new.data) if self.new else {}


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping; old trees may hold anything."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value where it is a list."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def at(data: Any, *path: str) -> Any:
    """What stands there; None where nothing does."""
    for step in path:
        data = mapping(data).get(step)
    return data


#: Kinds to the place of their pods' template.
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


def pod_spec(kind: str, data: Any) -> dict[str, Any]:
    """The spec of the pods of an object; empty where it has none."""
    if kind == "Pod":
        return mapping(at(data, "spec"))
    return mapping(at(data, *TEMPLATES[kind], "spec")) if kind in TEMPLATES else {}


def containers(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """All containers of a pod by name."""
    names = ("initContainers", "containers", "ephemeralContainers")
    return {str(one.get("name")): one for name in names for one in mappings(spec.get(name))}
