"""Rendered documents parsed back, and faults in them told by template and line."""

from __future__ import annotations

from typing import Any

from renderer.errors import Fault, Place, Problem, dotted
from renderer.model import Rendered, position
from renderer.render import line_in_template
from renderer.yaml_reader import read


def parsed(document: Rendered) -> tuple[Any, list[Problem]]:
    """The document's data, read as kubectl and docker compose would; None beside Problems."""
    documents, faults = read(document.text, strict=False, marks=False)
    if faults:
        return None, [_problem(document, fault, line) for line, _, fault in faults]
    if len(documents) != 1:
        fault = Fault((), "output/documents", f"one template made {len(documents)} documents")
        return None, [_problem(document, fault, 1)]
    return documents[0].data, []


def located(document: Rendered, fault: Fault) -> Problem:
    """The Problem for a fault at a path of the document; finds the line by reading it once more."""
    documents, _ = read(document.text, strict=False, marks=True)
    line, _ = position(documents[0].marks, fault.path, fault.at_key)
    return _problem(document, fault, line)


def _problem(document: Rendered, fault: Fault, line: int) -> Problem:
    return Problem(
        place=line_in_template(document.template, document.context, line)
        if line
        else Place(f"templates/{document.template}"),
        path=dotted(fault.path),
        rule=fault.rule,
        message=f"{fault.message} ({document.subject}, {document.path}:{line})",
        hint=fault.hint,
        severity=fault.severity,
    )
