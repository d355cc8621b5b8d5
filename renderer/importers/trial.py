"""Whether the spec of a Draft holds: it is validated and rendered for every target, as any other spec."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from renderer import pipeline
from renderer.errors import DocumentPath, Problem, dotted, errors_in
from renderer.importers.draft import Draft
from renderer.importers.text import text_of
from renderer.model import NAMESPACE, Options
from renderer.pins import KUBERNETES_VERSION
from renderer.registry import TARGETS, target

ALL = tuple(sorted(TARGETS))


def tried(draft: Draft, targets: Sequence[str] = ALL) -> Draft:
    """The Draft; with the errors of its spec where that does not hold for a target, at their places in the source."""
    if draft.problems:
        return draft
    return draft._replace(problems=tuple(_in_source(problem, draft) for problem in faults_of(draft, targets)))


def faults_of(draft: Draft, targets: Sequence[str] = ALL) -> Sequence[Problem]:
    """The errors of its spec for any of the targets, with the paths of the spec."""
    try:
        text = text_of(draft)
    except ValueError as error:
        return [Problem(draft.place, "", "import/text", f"a value cannot be written: {error}", "remove it")]
    specs = pipeline.read(["-"], BytesIO(text.encode("utf-8", "surrogatepass")))
    problems: Sequence[Problem] = errors_in(specs.problems)
    if not problems:
        options = Options(NAMESPACE, KUBERNETES_VERSION)
        outputs = [pipeline.render(specs, target(name), options) for name in targets]
        problems = errors_in(pipeline.problems_of(outputs))
    return problems


def _in_source(problem: Problem, draft: Draft) -> Problem:
    """The same at the field of the source that became the faulty one."""
    nearest: tuple[int, DocumentPath] = (-1, ())
    place = draft.place
    for entry in draft.entries:
        path = dotted(entry.target or ())
        if entry.source and path and problem.path.startswith(path) and len(path) > nearest[0]:
            nearest, place = (len(path), entry.source), entry.place
    where = dotted(nearest[1])
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return problem._replace(place=place, path=where, message=message, related=())
