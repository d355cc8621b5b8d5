"""Services and jobs of a compose file, with fields in short or long form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from renderer.errors import DocumentPath
from renderer.manifest import Json, mapping

#: Sections whose entries run containers.
_SECTIONS = ("services", "jobs")


@dataclass(frozen=True, slots=True)
class Workload:
    """``section``: ``services`` or ``jobs``."""

    section: str
    name: str
    body: Json

    def at(self, *steps: str | int) -> DocumentPath:
        """A path in this workload."""
        return (self.section, self.name, *steps)

    def items(self, field: str) -> Iterator[tuple[DocumentPath, Any]]:
        """Path and value of each entry of a list field."""
        value = self.body.get(field)
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield self.at(field, index), item

    def named(self, field: str) -> Iterator[tuple[DocumentPath, str]]:
        """Path and name of each entry of a list of names or mapping by name."""
        value = self.body.get(field)
        pairs = enumerate(value) if isinstance(value, list) else ()
        for step, name in ((name, name) for name in value) if isinstance(value, dict) else pairs:
            if isinstance(name, str):
                yield self.at(field, step), name

    def replicas(self) -> int:
        for count in (mapping(self.body, "deploy").get("replicas"), self.body.get("scale")):
            if isinstance(count, int) and is_small(count):
                return count
        return 1


def workloads(doc: Mapping[str, Any]) -> list[Workload]:
    return [
        Workload(section, name, body)
        for section in _SECTIONS
        for name, body in mapping(doc, section).items()
        if isinstance(body, dict)
    ]


def is_small(value: object) -> bool:
    """Whether it is an integer that is cheap to print: Python refuses 5,000 digits."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18


def source_of(grant: object) -> str:
    """The name in an entry of ``configs`` or ``secrets``, in either form."""
    name = grant.get("source") if isinstance(grant, dict) else grant
    return name if isinstance(name, str) else ""
