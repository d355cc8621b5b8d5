"""Stage check: parses rendered documents, and locates faults in templates, patches and output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from renderer.errors import Fault, Place, Problem, dotted
from renderer.model import Rendered, position
from renderer.render import places_in_templates
from renderer.wording import type_word
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: Prefix of the subject of a server's documents.
_SERVER = "server "


def parsed(document: Rendered) -> tuple[Any, list[Problem]]:
    """Read as kubectl and docker compose would; None with Problems."""
    documents, faults = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    if faults:
        return None, _problems(document, [(line, fault) for line, _, fault in faults])
    if len(documents) != 1:
        fault = Fault((), "output/documents", f"one template made {len(documents)} documents")
        return None, _problems(document, [(1, fault)])
    data = documents[0].data
    if not isinstance(data, dict):
        fault = Fault((), "output/not-a-mapping", f"expected a mapping, got {type_word(data)}")
        return None, _problems(document, [(1, fault)])
    return data, []


def located(document: Rendered, faults: Sequence[Fault]) -> list[Problem]:
    """Reads the document again, for line numbers.

    Faults of patched paths are reported at the patch.
    """
    if not faults:
        return []
    if document.changes:
        problems = []
        for fault in faults:
            # The changed path contains the fault, or is below it.
            near = (
                place
                for path, place in document.changes
                if fault.path[: len(path)] == path or (fault.path and path[: len(fault.path)] == fault.path)
            )
            problems.append(_problem(document, fault, next(near, document.changes[0][1]), 0))
        return problems
    documents, _ = read(document.text, strict=False, limits=OUTPUT_LIMITS)
    lines = [position(documents[0].marks, fault.path, fault.at_key)[0] for fault in faults]
    return _problems(document, list(zip(lines, faults, strict=True)))


def _problems(document: Rendered, faults: Sequence[tuple[int, Fault]]) -> list[Problem]:
    places = places_in_templates(document.template, document.context)
    return [_problem(document, fault, places(line), line) for line, fault in faults]


def _problem(document: Rendered, fault: Fault, place: Place, line: int) -> Problem:
    message = f"{fault.message} ({document.subject}, {Place(document.path, line)})"
    in_output = bool(line) or not document.changes
    problem = Problem(place, dotted(fault.path), fault.rule, message, fault.hint, fault.severity, in_output=in_output)
    owner = document.subject.removeprefix(_SERVER) if document.subject.startswith(_SERVER) else ""
    return problem._replace(digest=fault.digest, owner=owner)
