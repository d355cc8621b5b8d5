"""Problems of what an environment says, told with its own paths: a server's ``spec.replicas`` may stand in a patch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from renderer.environment.values import Environment
from renderer.errors import DocumentPath, Place, Problem, dotted
from renderer.model import Marks


def places(environment: Environment) -> dict[Place, DocumentPath]:
    """Every place of the environment's document, of keys and of values, with its path."""
    marks = environment.source.marks
    return dict(_places(marks, environment.source.file, ())) if marks else {}


def _places(marks: Marks, file: str, path: DocumentPath) -> Iterator[tuple[Place, DocumentPath]]:
    # A block mapping begins where its first key does: that key is meant, so it comes last and wins.
    yield Place(file, marks.line, marks.column), path
    yield Place(file, marks.key_line, marks.key_column), path
    inner = marks.children or {}
    for step, child in inner.items() if isinstance(inner, dict) else enumerate(inner):
        yield from _places(child, file, (*path, step))


def told(environment: Environment, problems: Iterable[Problem]) -> list[Problem]:
    """The Problems, those of the environment's values with its paths and each once, however many servers have it."""
    found = list(problems)
    if not any(problem.place.file == environment.source.file for problem in found):
        return found
    own = places(environment)
    once: dict[object, Problem] = {}
    for problem in found:
        if problem.place in own and not problem.rule.startswith("environment/"):
            problem = problem._replace(path=dotted(own[problem.place]))
            once.setdefault((problem.place, problem.path, problem.rule, problem.message), problem)
        else:
            once.setdefault(problem, problem)
    return list(once.values())
