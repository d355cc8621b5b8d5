"""Rendered documents parsed back, and faults in them told by template and line."""

from __future__ import annotations

from typing import Any

from renderer.errors import Fault, Place, Problem, dotted
from renderer.model import Rendered, position
from renderer.render import line_in_template, render
from renderer.yaml_reader import OUTPUT_LIMITS, read


def parsed(document: Rendered) -> tuple[Any, list[Problem]]:
    """The document's data, read as kubectl and docker compose would; None beside Problems."""
    documents, faults = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    if faults:
        return None, [_problem(document, fault, line) for line, _, fault in faults]
    if len(documents) != 1:
        fault = Fault((), "output/documents", f"one template made {len(documents)} documents")
        return None, [_problem(document, fault, 1)]
    return documents[0].data, []


def located(document: Rendered, fault: Fault) -> Problem:
    """The Problem for a fault at a path of the document; finds the line by reading it once more.

    Where a patch of the spec changed that path, the place is the patch.
    """
    for path, place in document.changes:
        # Within what was changed, or about something that holds it.
        if fault.path[: len(path)] == path or (fault.path and path[: len(fault.path)] == fault.path):
            return _told(document, fault, place, 0)
    # A patch moves lines: those of the template are found in what the template made.
    text = render(document.template, document.context) if document.changes else document.text
    documents, _ = read(text, strict=False, limits=OUTPUT_LIMITS)
    line, _ = position(documents[0].marks, fault.path, fault.at_key)
    return _problem(document, fault, line)


def _problem(document: Rendered, fault: Fault, line: int) -> Problem:
    template = Place(f"templates/{document.template}")
    place = line_in_template(document.template, document.context, line) if line else template
    return _told(document, fault, place, line)


def _told(document: Rendered, fault: Fault, place: Place, line: int) -> Problem:
    message = f"{fault.message} ({document.subject}, {Place(document.path, line)})"
    return Problem(place, dotted(fault.path), fault.rule, message, fault.hint, fault.severity)
