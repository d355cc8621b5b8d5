"""What the server answers with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tests.cluster.kinds import Json, Kind


@dataclass(frozen=True)
class Answer:
    """A body that is known, or comes in pieces."""

    status: int
    body: bytes | Iterator[bytes]
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def of_json(data: Json, status: int = 200, media_type: str = "application/json") -> Answer:
    return Answer(status, json.dumps(data).encode(), media_type)


def plain(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), "text/plain")


class Refused(Exception):
    """A Status of failure."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details or {},
            "code": code,
        }


def not_found(kind: Kind, name: str) -> Refused:
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return Refused(404, "NotFound", f'{kind.resource} "{name}" not found', details)


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
