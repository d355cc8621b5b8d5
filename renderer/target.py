"""What a target is: it turns Servers into rendered documents and says what it cannot express."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from renderer.errors import Problem, Severity
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model import Options, Rendered, Server
    from renderer.render import Quoting  # Jinja takes 25 ms, which commands of the runtime need not pay


class Ignored(NamedTuple):
    """Why a target cannot express a field. A warning only where its nature makes that harmless."""

    reason: str
    severity: Severity = Severity.WARNING


class Target(Protocol):
    """One output format. Implementations live in ``targets/``, one line each in the registry."""

    @property
    def name(self) -> str:
        """As on the command line, and as the folder's name in the output tree."""
        ...

    @property
    def quoting(self) -> Quoting:
        """How its format takes values: what renders a template of it writes every value so."""
        ...

    @property
    def ignored(self) -> Mapping[str, Ignored]:
        """Dotted path of a field (``spec.network.publish``) to the reason why it is not rendered.

        A test holds this complete: every field reaches the output or stands here.
        """
        ...

    def groups(self, servers: Sequence[Server], *, one_stream: bool) -> list[tuple[Server, ...]]:
        """Which servers share documents: each alone, or all in one file of a stream."""
        ...

    def conflicts(self, servers: Sequence[Server], options: Options) -> list[Problem]:
        """What two servers of a run cannot both have, whether or not they share documents."""
        ...

    def shared(self, options: Options) -> list[Rendered]:
        """What all servers of a run need together; comes first."""
        ...

    def build(self, group: Sequence[Server], options: Options) -> tuple[list[Rendered], list[Problem]]:
        """The documents of one group in order of application, and what cannot be expressed."""
        ...

    def beside(
        self, servers: Sequence[Server], documents: Sequence[Rendered], options: Options, names: Sequence[str]
    ) -> list[Rendered]:
        """Files that only a tree has, made when all documents are: nothing parses or applies them.

        ``names`` are those of all servers of the tree in order; ``servers`` may be a part of them.
        """
        ...

    def from_tree(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """Of the files of a tree the documents, in order of application, and what is applied beside them."""
        ...

    def enforces_pod_security(self, options: Options) -> bool:
        """Whether what it renders has the cluster itself refuse pods below the level that they are checked for."""
        ...

    def check(self, documents: Sequence[Rendered], options: Options) -> list[Problem]:
        """The faults of all documents of a run, parsed back: of each alone and between them."""
        ...
