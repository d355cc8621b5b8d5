"""The frozen values of environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from renderer.environment.delivery import Delivery
from renderer.errors import DocumentPath
from renderer.images import Images
from renderer.model import JSON, Marks, Options, Server, Source
from renderer.policy import Levels


class Selector(NamedTuple):
    """Servers by name, glob and labels; what is None does not matter, the rest must hold together."""

    path: DocumentPath
    name: str | None
    glob: str | None
    labels: Mapping[str, str] | None


class Merge(NamedTuple):
    """A merge patch of a server's spec, and where it stands in the environment's document."""

    path: DocumentPath
    data: Mapping[str, JSON]
    select: Selector | None = None


class Environment(NamedTuple):
    """One environment with every default filled in. ``source`` is its document."""

    source: Source
    name: str
    target: str
    options: Options
    levels: Levels
    include: tuple[Selector, ...] | None
    exclude: tuple[Selector, ...]
    defaults: Merge | None
    patches: tuple[Merge, ...]
    images: Images
    delivery: Delivery | None = None

    @property
    def merges(self) -> tuple[Merge, ...]:
        """What changes specs, in order."""
        return (self.defaults, *self.patches) if self.defaults else self.patches

    def given(self, *path: str) -> bool:
        """Whether the document itself says something at ``path`` (and not a default)."""
        return self.source.given(*path)


#: Where a value of a spec comes from.
Origin: TypeAlias = Literal["spec", "environment default", "environment patch", "environment image"]


class Layer(NamedTuple):
    """A server's document as it is after one step: as written, then after each change of the environment."""

    origin: Origin
    data: dict[str, JSON]
    marks: Marks | None


class Resolved(NamedTuple):
    """One server as an environment has it: the document that was merged, and the Server when it holds."""

    source: Source
    server: Server | None
