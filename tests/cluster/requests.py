"""Requests and answers: which object and which verb is meant, and how a refusal is worded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import yaml

from tests.cluster.kinds import Json, Kind, Kinds
from tests.oracles import yaml_read

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Answer:
    """A body that is known, or comes in pieces."""

    status: int
    body: bytes | Iterator[bytes]
    media_type: str = "application/json"


def of_json(data: Json, status: int = 200) -> Answer:
    return Answer(status, json.dumps(data).encode())


class Refused(Exception):
    """A Status of failure."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
        self.answer = of_json({**status, "message": message, "reason": reason, "details": details}, code)


def not_found(kind: Kind, name: str) -> Refused:
    return Refused(
        404, "NotFound", f'{kind.resource} "{name}" not found', name=name, group=kind.group, kind=kind.plural
    )


def no_such_path() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource")


@dataclass(frozen=True)
class Request:
    """One request as it came: tests look at these."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def data(self) -> Any:
        """The body: JSON, or YAML as an apply may send it."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            pass
        try:
            return yaml_read(self.body)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise Refused(400, "BadRequest", f"the body cannot be read: {error}") from error


class Target(NamedTuple):
    """What a path names; ``name`` is '' for all of a kind."""

    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As RBAC names it: ``pods/log``."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def target(kinds: Kinds, path: str) -> Target | None:
    """None for a path that is no resource's."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        parts.insert(1, "")
    if parts[0] not in ("api", "apis") or len(parts) < 4:
        return None
    _, group, version, *rest = parts
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        _, namespace, *rest = rest
    kind = kinds.find(group, version, rest[0])
    return Target(kind, namespace, *rest[1:]) if kind and len(rest) < 4 else None


def verb(request: Request, named: bool) -> str:
    """As RBAC names it, but ``apply`` for the patch that is one."""
    if request.method == "GET":
        return "watch" if request.query.get("watch") in ("true", "1") else "get" if named else "list"
    if request.method == "PATCH":
        return "apply" if request.media_type == APPLY else "patch"
    return {"POST": "create", "DELETE": "delete" if named else "deletecollection"}.get(request.method, "update")
