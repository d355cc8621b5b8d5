"""Label selectors: their own faults, and what they match."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.check.api_rules.forms import choice_fault, refused, wrong_key
from renderer.check.api_rules.metadata import label_faults
from renderer.check.shape import Json, entries, labels, mapping, text, texts
from renderer.errors import DocumentPath, Fault
from renderer.wording import excerpt

_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")
_LABEL_OPERATORS = (*_WITH_VALUES, *_WITHOUT_VALUES)
#: Nodes can also be compared by number.
NODE_OPERATORS = (*_LABEL_OPERATORS, "Gt", "Lt")


def selector_faults(selector: Json, path: DocumentPath) -> list[Fault]:
    """Faults of a ``matchLabels`` / ``matchExpressions`` selector."""
    faults = label_faults(mapping(selector, "matchLabels"), (*path, "matchLabels"))
    return faults + expression_faults(selector, path)


def expression_faults(selector: Json, path: DocumentPath, operators: tuple[str, ...] = _LABEL_OPERATORS) -> list[Fault]:
    """Faults of the ``matchExpressions`` under ``path``."""
    faults = []
    for index, expression in entries(selector, "matchExpressions"):
        where = (*path, "matchExpressions", index)
        operator, values = text(expression, "operator"), texts(expression, "values")
        if wrong := wrong_key(text(expression, "key")):
            faults.append(refused((*where, "key"), "label-key", f"label key: {wrong}"))
        faults += choice_fault(operator, operators, (*where, "operator"))
        if operator in _WITH_VALUES and not values:
            faults.append(refused(where, "selector-values", f"operator {operator} needs values"))
        if operator in _WITHOUT_VALUES and values:
            message = f"operator {excerpt(operator)} must have no values"
            faults.append(refused((*where, "values"), "selector-values", message))
    return faults


def matches(selector: Json, given: Mapping[str, str]) -> bool:
    """Whether a selector, not empty, matches labels."""
    wanted = mapping(selector, "matchLabels")
    if any(given.get(key) != value for key, value in wanted.items()):
        return False
    expressions = [expression for _, expression in entries(selector, "matchExpressions")]
    return bool(wanted or expressions) and all(_holds(e, given) for e in expressions)


def _holds(expression: Json, given: Mapping[str, str]) -> bool:
    value, values = given.get(text(expression, "key")), texts(expression, "values")
    match expression.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


def label_pairs(selector: Json) -> dict[str, str]:
    """The labels that a selector asks for by value."""
    return labels(mapping(selector, "matchLabels"))
