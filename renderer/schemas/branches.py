"""Which branch of an ``anyOf`` or ``oneOf`` somebody meant, and what its branches want."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonschema_rs import ValidationError

from renderer.schemas.sites import Atlas, Node
from renderer.schemas.wording import did_you_mean, either, every, excerpt, type_words

Branch = list[ValidationError]


def required_of(schema: object) -> list[str]:
    """The fields that a schema requires, when requiring them is all it does; otherwise none."""
    if isinstance(schema, dict) and set(schema) <= {"required", "type", "title", "description"}:
        return [str(name) for name in schema.get("required", ())]
    return []


def only_missing(context: Sequence[Branch]) -> list[str]:
    """The field that each branch lacks, when every branch lacks one field and has no other fault."""
    if not all(len(branch) == 1 and branch[0].kind.name == "required" for branch in context):
        return []
    if len({tuple(branch[0].instance_path) for branch in context}) > 1:
        return []
    names = dict.fromkeys(branch[0].kind.property for branch in context)  # type: ignore[attr-defined]
    return list(names) if len(names) == len(context) else []


def wrong_discriminator(context: Sequence[Branch]) -> tuple[ValidationError, list[Any]] | None:
    """Where one field tells the branches apart and holds the word of none: its error, and the words of all."""
    found = [[e for e in branch if e.kind.name == "const"] for branch in context]
    if not all(found) or len({tuple(errors[0].instance_path) for errors in found}) > 1:
        return None
    return found[0][0], [errors[0].kind.expected_value for errors in found]  # type: ignore[attr-defined]


def nearest_branch(context: Sequence[Branch], atlas: Atlas) -> Branch | None:
    """The errors of the branch that needs the least change; None when the type fits no branch."""
    depth = min((len(e.instance_path) for branch in context for e in branch), default=0)
    fitting = [branch for branch in context if not any(_is_of_other_type(e, depth) for e in branch)]
    return min(fitting, key=lambda branch: _cost(branch, depth, atlas), default=None)


def _is_of_other_type(error: ValidationError, depth: int) -> bool:
    return error.kind.name == "type" and len(error.instance_path) == depth


def _cost(branch: Branch, depth: int, atlas: Atlas) -> tuple[int, float, int]:
    """A wrong discriminator (``type: {const: …}``) weighs most, then the faults, then how early they come."""
    # All branches may have their faults in fields only: then the depth is that of the fields already.
    at_field = [e for e in branch if len(e.instance_path) <= depth + 1]
    discriminators = sum(e.kind.name in ("const", "enum") for e in at_field)
    deepest = max((len(e.instance_path) for e in branch), default=0)
    return discriminators, sum(_weight(e, atlas) for e in branch), -deepest


def _weight(error: ValidationError, atlas: Atlas) -> float:
    """An unknown field counts half when the branch knows one of nearly that name."""
    unexpected: list[str] = getattr(error.kind, "unexpected", [])
    if error.kind.name not in ("additionalProperties", "unevaluatedProperties"):
        return 1.0
    known = atlas.properties(atlas.site(error.evaluation_path))
    return sum(0.5 if did_you_mean(name, known) else 1.0 for name in unexpected)


def wanted(atlas: Atlas, branch: Node, base: Node) -> str:
    """A branch in words: its title, else its type and what it requires (``a mapping with 'a' and 'b'``)."""
    unfolded = [node for node, _ in atlas.unfolded(branch, base)]
    title = _first(unfolded, "title")
    if title is not None:
        return str(title)
    constants = _first(unfolded, "enum") or [n["const"] for n in unfolded if "const" in n]
    if constants:
        return either([excerpt(c) for c in constants if c is not None])
    types = _first(unfolded, "type") or []
    words = type_words([types] if isinstance(types, str) else types) if types else ""
    required = [excerpt(name) for name in _first(unfolded, "required") or ()]
    return f"{words} with {every(required)}" if required and words == "a mapping" else words


def _first(nodes: Sequence[Node], keyword: str) -> Any:
    return next((node[keyword] for node in nodes if keyword in node), None)
