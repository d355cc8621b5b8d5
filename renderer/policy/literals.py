"""Faults of literals: text that a spec or a rendered document puts into an environment, a command or a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderer.errors import DocumentPath, Fault, dotted
from renderer.policy.secrets import REFERENCES, Found, in_data

_REPLACE = "and replace it where it is valid"


def literal_faults(data: Any, path: DocumentPath = ()) -> Iterator[Fault]:
    """Of every string that looks like a secret and may be none: of one text the first of each kind."""
    yield from (_fault(found) for found in _firsts(data, path) if not found.finding.known)


def token_faults(data: Any, path: DocumentPath = ()) -> Iterator[Fault]:
    """Of every string with the form of a token: nothing lowers or accepts it."""
    for found in _firsts(data, path):
        if found.finding.known:
            yield _fault(found)


def _firsts(data: Any, path: DocumentPath) -> Iterator[Found]:
    first = {(found.path, found.line and found.finding.kind): found for found in reversed(list(in_data(data, path)))}
    yield from reversed(first.values())


def _fault(found: Found) -> Fault:
    kind, certain, known = found.finding
    where = f" in line {found.line}" + " of the content" * (found.path[-1:] == ("content",)) if found.line else ""
    rule = "policy/secret-literal"
    message = f"looks like a secret{where} ({kind}); everybody who may read the spec may use it"
    hint = f"put it into a Secret, refer to it by {{secret: NAME, key: KEY}}, {_REPLACE}"
    if found.path[-1:] and found.path[-1] in REFERENCES and not found.line:
        message = f"looks like a secret ({kind}), where a name belongs; everybody who may read the spec may use it"
        hint = f"write the name here, put the secret into a Secret, {_REPLACE}"
    elif not certain:
        rule, message = "policy/high-entropy", f"may be a secret{where}: nothing but its disorder says so ({kind})"
        hint = "if it is one, refer to a Secret; if not, accept this with the reason"
    if not known and (found.common or not certain):
        hint += f' (accept: rule: {rule}, path: {dotted(found.path)}, digest: "{found.digest}", reason: …)'
    elif not known:
        hint += "; what is no secret is accepted with its path and digest"
    return Fault(found.path, rule, message, hint, digest="" if known else found.digest)
