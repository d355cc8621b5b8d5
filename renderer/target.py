"""The contract of a target, which renders Servers and names what it cannot express."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from renderer.errors import Problem, Severity
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model import Options, Rendered, Server
    from renderer.render import Quoting  # Jinja takes 25 ms, which commands of the runtime need not pay


class Ignored(NamedTuple):
    """A warning only if ignoring the field is harmless."""

    reason: str
    severity: Severity = Severity.WARNING


class Target(Protocol):
    """An output format, implemented in ``targets/``."""

    @property
    def name(self) -> str:
        """Also the name of its folder in a tree."""
        ...

    @property
    def quoting(self) -> Quoting:
        """How templates write values in its format."""
        ...

    @property
    def ignored(self) -> Mapping[str, Ignored]:
        """Dotted paths of fields (``spec.network.publish``) that it does not render.

        A test ensures that every field is rendered or listed here.
        """
        ...

    def groups(self, servers: Sequence[Server], *, one_stream: bool) -> list[tuple[Server, ...]]:
        """The servers that share documents: each alone, or all of a stream in one file."""
        ...

    def conflicts(self, servers: Sequence[Server], options: Options) -> list[Problem]:
        """Conflicts between servers of a run, whether or not they share documents."""
        ...

    def shared(self, options: Options) -> list[Rendered]:
        """What all servers of a run need; rendered first."""
        ...

    def build(self, group: Sequence[Server], options: Options) -> tuple[list[Rendered], list[Problem]]:
        """The documents of a group in order of application, and what cannot be expressed."""
        ...

    def tree_files(
        self, servers: Sequence[Server], documents: Sequence[Rendered], options: Options, names: Sequence[str]
    ) -> list[Rendered]:
        """Files for trees only, which are not applied.

        ``names``: all servers of the tree in order; ``servers`` may be some of them.
        """
        ...

    def from_tree(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """Among the files of a tree, the documents in order of application, and files applied with them."""
        ...

    def enforces_pod_security(self, options: Options) -> bool:
        """Whether the rendered objects make the cluster enforce the Pod Security level that is checked."""
        ...

    def check(self, documents: Sequence[Rendered], options: Options) -> list[Problem]:
        """Faults in the parsed documents of a run, each alone and together."""
        ...
