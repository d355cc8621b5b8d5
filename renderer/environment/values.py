"""The frozen values of environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from renderer.model import JSON, WITH, Marks, Options, Source
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.environment.delivery import Delivery
    from renderer.errors import DocumentPath, Place, Problem
    from renderer.images import Images
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
    #: Rules of policy that a project sets for it, and the project's file.
    project_rules: Mapping[str, str] = {}

    @property
    def merges(self) -> tuple[Merge, ...]:
        """What changes specs, in order."""
        return (self.defaults, *self.patches) if self.defaults else self.patches

    def policy_named(self, problem: Problem) -> Problem:
        """A finding of a policy rule that the environment or its project sets says so, with the place."""
        if problem.rule in self.project_rules and WITH not in problem.message:
            file = self.project_rules[problem.rule]
            return problem._replace(message=f"{problem.message}{WITH} {self.name}, for which {file} sets the rule)")
        spec = self.source.data.get("spec")
        policies = spec.get("policies") if isinstance(spec, dict) else None
        # As they are written: with or without the prefix of their rules.
        written = policies if isinstance(policies, dict) else ()
        names = [name for name in written if problem.rule == f"policy/{name.removeprefix('policy/')}"]
        if not names or WITH in problem.message:
            return problem
        name = names[0]
        place = self.source.place(("spec", "policies", name), at_key=True)
        words = f"{problem.message}{WITH} {self.name}, which sets the rule at {place})"
        return problem._replace(message=words, related=(*problem.related, place))

    def sets(self, *path: str) -> bool:
        """Whether the document itself sets ``path`` (and not a default)."""
        return self.source.sets(*path)


#: Where a value of a spec comes from.
Origin: TypeAlias = Literal["spec", "environment default", "environment patch", "environment image"]


class Layer(NamedTuple):
    """A server's document as it is after one step: as written, then after each change of the environment."""

    origin: Origin
    data: dict[str, JSON]
    marks: Marks | None
    #: Where the environment says so; None for what the spec says.
    place: Place | None = None
