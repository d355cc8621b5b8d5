"""Faults of literals: text that a spec or a rendered document puts into an environment, a command or a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderer.errors import DocumentPath, Fault, dotted
from renderer.model import Secrets, Source
from renderer.policy.secrets import REFERENCES, Suspect, in_data

_REPLACE = "and replace it where it is valid"


def with_secrets(source: Source) -> Source:
    """The Source with what looks like a secret in it: that takes long, and is asked for several times."""
    return source._replace(secrets=Secrets(source.data, secrets_of(source)))


def secrets_of(source: Source) -> tuple[Fault, ...]:
    """Every string of a document that looks like a secret; those that have the form of a token have no digest."""
    if source.secrets and source.secrets.data is source.data:
        return source.secrets.faults
    return tuple(map(_fault, _firsts(source.data, ())))


def literal_faults(data: Any, path: DocumentPath = ()) -> Iterator[Fault]:
    """Of every string that looks like a secret and may be none: of one text the first of each kind."""
    yield from (_fault(literal) for literal in _firsts(data, path) if not literal.finding.known)


def token_faults(data: Any, path: DocumentPath = ()) -> Iterator[Fault]:
    """Of every string with the form of a token: nothing lowers or accepts it."""
    for literal in _firsts(data, path):
        if literal.finding.known:
            yield _fault(literal)


def _firsts(data: Any, path: DocumentPath) -> Iterator[Suspect]:
    first = {
        (literal.path, literal.line and literal.finding.kind): literal
        for literal in reversed(list(in_data(data, path)))
    }
    yield from reversed(first.values())


def _fault(literal: Suspect) -> Fault:
    kind, certain, known = literal.finding
    where = f" in line {literal.line}" + " of the content" * (literal.path[-1:] == ("content",)) if literal.line else ""
    rule = "policy/secret-literal"
    message = f"looks like a secret{where} ({kind}); everybody who may read the spec may use it"
    hint = f"put it into a Secret, refer to it by {{secret: NAME, key: KEY}}, {_REPLACE}"
    if literal.path[-1:] and literal.path[-1] in REFERENCES and not literal.line:
        message = f"looks like a secret ({kind}), where a name belongs; everybody who may read the spec may use it"
        hint = f"write the name here, put the secret into a Secret, {_REPLACE}"
    elif not certain:
        rule, message = "policy/high-entropy", f"may be a secret{where}: nothing but its disorder says so ({kind})"
        hint = "if it is one, refer to a Secret; if not, accept this with the reason"
    if not known and (literal.common or not certain):
        hint += f' (accept: rule: {rule}, path: {dotted(literal.path)}, digest: "{literal.digest}", reason: …)'
    elif not known:
        hint += "; what is no secret is accepted with its path and digest"
    return Fault(literal.path, rule, message, hint, digest="" if known else literal.digest)
