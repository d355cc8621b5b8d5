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
    """Servers by name, glob and labels, all of which must match; None matches all."""

    path: DocumentPath
    name: str | None
    glob: str | None
    labels: Mapping[str, str] | None


class Merge(NamedTuple):
    """A merge patch of specs, and its path in the environment's document."""

    path: DocumentPath
    data: Mapping[str, JSON]
    select: Selector | None = None


class Environment(NamedTuple):
    """With all defaults. ``source`` is its document."""

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
        return (self.defaults, *self.patches) if self.defaults else self.patches

    def policy_named(self, problem: Problem) -> Problem:
        """A finding of a rule that the environment or its project sets names that place."""
        if problem.rule in self.project_rules and WITH not in problem.message:
            file = self.project_rules[problem.rule]
            return problem._replace(message=f"{problem.message}{WITH} {self.name}, for which {file} sets the rule)")
        spec = self.source.data.get("spec")
        policies = spec.get("policies") if isinstance(spec, dict) else None
        # With or without the prefix 'policy/'.
        written = policies if isinstance(policies, dict) else ()
        names = [name for name in written if problem.rule == f"policy/{name.removeprefix('policy/')}"]
        if not names or WITH in problem.message:
            return problem
        name = names[0]
        place = self.source.place(("spec", "policies", name), at_key=True)
        words = f"{problem.message}{WITH} {self.name}, which sets the rule at {place})"
        return problem._replace(message=words, related=(*problem.related, place))

    def sets(self, *path: str) -> bool:
        """Whether the document itself sets ``path``, not a default."""
        return self.source.sets(*path)


#: Where a value of a spec comes from.
Origin: TypeAlias = Literal["spec", "environment default", "environment patch", "environment image"]


class Layer(NamedTuple):
    """A server's document after one step: as written, then after each change of the environment."""

    origin: Origin
    data: dict[str, JSON]
    marks: Marks | None
    #: In the environment; None for the spec itself.
    place: Place | None = None
