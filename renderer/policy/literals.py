"""Faults of literals: text that a spec or a rendered document puts into an environment, a command or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from renderer.errors import DocumentPath, Fault
from renderer.policy.secrets import Finding, in_text, in_value, in_words
from renderer.policy.variables import variable_faults


def env_faults(texts: Mapping[str, str], path: DocumentPath, names: Iterable[str]) -> Iterator[Fault]:
    """Of an environment: ``texts`` are its literals, ``names`` all there are."""
    for name in names:
        yield from variable_faults(name, (*path, name))
    for name, value in texts.items():
        yield from value_faults(name, value, (*path, name))


def value_faults(name: str, value: str, path: DocumentPath) -> Iterator[Fault]:
    """Of one value under its name."""
    if found := in_value(name, value):
        yield _fault(found, path, "")


def word_faults(words: Sequence[str], path: DocumentPath) -> Iterator[Fault]:
    """Of a command or its arguments."""
    for i, found in in_words(tuple(words)):
        yield _fault(found, (*path, i), "")


def file_faults(text: str, path: DocumentPath) -> Iterator[Fault]:
    """Of the content of a file: the first of each kind."""
    told: set[str] = set()
    for number, found in in_text(text):
        if found.kind not in told:
            told.add(found.kind)
            yield _fault(found, path, f" in line {number} of the content")


def _fault(found: Finding, path: DocumentPath, where: str) -> Fault:
    if found.certain:
        message = f"looks like a secret{where} ({found.kind}); everybody who may read the spec may use it"
        hint = "put it into a Secret, refer to it by {secret: NAME, key: KEY}, and replace it where it is valid"
        return Fault(path, "policy/secret-literal", message, hint)
    message = f"may be a secret{where}: nothing but its disorder says so ({found.kind})"
    return Fault(
        path, "policy/high-entropy", message, "if it is one, refer to a Secret; if not, accept this with the reason"
    )
