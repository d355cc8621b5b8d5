"""Which object and which verb a request means."""

from __future__ import annotations

from typing import NamedTuple

from tests.cluster.answers import Request
from tests.cluster.kinds import Kind, Kinds
from tests.cluster.patches import APPLY


class Target(NamedTuple):
    """What a path names; ``name`` is '' for all of a kind."""

    kind: Kind
    namespace: str
    name: str
    subresource: str

    @property
    def resource(self) -> str:
        """As RBAC names it: ``pods/log``."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def target(kinds: Kinds, path: str) -> Target | None:
    """None for a path that is no resource's."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, rest = "", parts[1:]
    elif parts[0] == "apis" and len(parts) > 1:
        group, rest = parts[1], parts[2:]
    else:
        return None
    if len(rest) < 2:
        return None
    version, namespace, rest = rest[0], "", rest[1:]
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.find(group, version, rest[0])
    if kind is None or len(rest) > 3:
        return None
    return Target(kind, namespace, *[*rest[1:], "", ""][:2])


def verb(request: Request, found: Target) -> str:
    """As RBAC names it, but ``apply`` for the patch that is one."""
    if request.method == "GET":
        if request.query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if found.name else "list"
    if request.method == "DELETE":
        return "delete" if found.name else "deletecollection"
    if request.method == "PATCH":
        return "apply" if request.media_type == APPLY else "patch"
    return {"POST": "create", "PUT": "update"}[request.method]
