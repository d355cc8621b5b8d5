"""Validates and renders the spec of a Draft for every target, and adjusts it where that fails."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from renderer import pipeline
from renderer.errors import DocumentPath, Problem, dotted, errors_in
from renderer.importers.draft import Draft, Entry, Outcome
from renderer.importers.images import TODAY
from renderer.importers.spec_file import text_of
from renderer.importers.variables import NOT_WRITTEN
from renderer.manifest import as_mapping
from renderer.model import JSON, NAMESPACE, Options
from renderer.pins import KUBERNETES_VERSION
from renderer.registry import TARGETS, target

ALL = tuple(sorted(TARGETS))
#: Formats of running workloads; other definitions must be valid as they are.
_LIVE = ("manifests", "compose")
#: Each round may reveal faults that another one hid.
_ROUNDS = 12
#: Findings that are accepted for running workloads.
_NO_TLS = "policy/remote-http"
_ACCEPTED = (
    *("policy/image-tag", "policy/wide-rights", "policy/exposed-without-access", "policy/published-everywhere"),
    _NO_TLS,
)
_LITERAL = "policy/secret-literal"
#: Fields that only people read.
_WORDS = ("spec.description", "metadata.annotations")
#: Fields that cannot be left out.
_NEEDED = (
    *(("spec",), ("spec", "image"), ("spec", "package"), ("metadata",), ("metadata", "name")),
    *(("spec", "command"), ("spec", "args")),
)


def validated(draft: Draft, targets: Sequence[str] = ALL) -> Draft:
    """The Draft with the errors of its spec, at their places in the source."""
    if draft.problems:
        return draft
    return draft._replace(problems=tuple(_in_source(problem, draft) for problem in faults_of(draft, targets)))


def faults_of(draft: Draft, targets: Sequence[str] = ALL) -> Sequence[Problem]:
    """The errors for any of the targets, with paths in the spec."""
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
    """The problem at the source field that became the faulty one."""
    nearest: tuple[int, DocumentPath] = (-1, ())
    place = draft.place
    for entry in draft.entries:
        path = dotted(entry.target or ())
        if entry.source and path and problem.path.startswith(path) and len(path) > nearest[0]:
            nearest, place = (len(path), entry.source), entry.place
    where = dotted(nearest[1])
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return problem._replace(place=place, path=where, message=message, related=())


def adjusted(draft: Draft) -> Draft:
    """The Draft without what cannot be valid, validated.

    Running workloads lose invalid fields, each reported. Other definitions lose secrets in descriptions only; plain
    HTTP is accepted for private networks.
    """
    if draft.format in _LIVE:
        for _ in range(_ROUNDS):
            before = draft
            for problem in [] if draft.problems else faults_of(draft):
                draft = _settle(draft, problem)
            if draft is before:
                break
        return validated(draft)
    result = validated(draft)
    if draft.problems or {_LITERAL, _NO_TLS}.isdisjoint(problem.rule for problem in result.problems):
        return result
    for problem in faults_of(draft):
        is_of_words = problem.rule == _LITERAL and problem.path.startswith(_WORDS)
        if is_of_words or (problem.rule == _NO_TLS and _is_private(draft.document)):
            draft = _settle(draft, problem)
    return validated(draft)


def _is_private(document: JSON) -> bool:
    """Whether the remote server's host is on a private network."""
    remote = as_mapping(as_mapping(as_mapping(document).get("spec")).get("remote"))
    host = urlsplit(str(remote.get("url", ""))).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host.endswith((".local", ".lan", ".internal", ".home.arpa"))


def _settle(draft: Draft, problem: Problem) -> Draft:
    path = _path(draft.document, problem.path)
    spec: Any = draft.document["spec"]
    if problem.rule in (_LITERAL, "policy/high-entropy") and path[:2] == ("spec", "env") and len(path) == 3:
        key = str(path[2])
        spec["env"][key] = {"secret": draft.name, "key": key}
        return _reported(draft, path, Outcome.DECISION, NOT_WRITTEN.format(key, draft.name))
    if (
        problem.rule.startswith("policy/secret")
        and path[:2] in (("spec", "args"), ("spec", "command"))
        and len(path) == 3
    ):
        return _without_secret_word(draft, path)
    if problem.rule in _ACCEPTED:
        accepted = {"rule": problem.rule, "path": problem.path, "reason": TODAY}
        if accepted in spec.get("accept", []):
            return draft
        spec.setdefault("accept", []).append(accepted)
        return _reported(draft, path, Outcome.DECISION, f"{problem.message}: accepted, as {TODAY}")
    target = _droppable(draft, path)
    if not target or not _drop(draft.document, target):
        return draft
    text = f"left out: {problem.message}"
    return _reported(draft, target, Outcome.LOST, text)


def _without_secret_word(draft: Draft, path: DocumentPath) -> Draft:
    """Replaces the secret in an argument with a variable."""
    spec: Any = draft.document["spec"]
    field, number = str(path[1]), int(path[2])
    line = spec[field]
    option, equals, _ = str(line[number]).partition("=")
    is_option = bool(equals) and option.startswith("-")
    named = option if is_option else line[number - 1] if number and str(line[number - 1]).startswith("-") else ""
    variable = re.sub(r"[^A-Z0-9]+", "_", named.upper()).strip("_") or f"{field.upper()}_{number}"
    variable = f"ARG_{variable}" if variable in spec.get("env", {}) or variable[0].isdigit() else variable
    line[number] = f"{option}=$({variable})" if is_option else f"$({variable})"
    spec.setdefault("env", {})[variable] = {"secret": draft.name, "key": variable}
    return _reported(draft, path, Outcome.DECISION, NOT_WRITTEN.format(variable, draft.name))


def _droppable(draft: Draft, path: DocumentPath) -> DocumentPath:
    """The list item or field to leave out; () if the server depends on it."""
    if path[:2] in (("spec", "accept"), ("spec", "adopt")) and len(path) > 2:
        return path[:3]
    for length in range(len(path), 1, -1):
        cut = path[:length]
        if cut in _NEEDED:
            return ()
        if any(entry.target == cut for entry in draft.entries):
            return cut
    return () if path[:2] in _NEEDED or len(path) < 2 else path[:2]


def _reported(draft: Draft, target: DocumentPath, outcome: Outcome, message: str) -> Draft:
    """Changes the report on the field, or adds one."""
    reports = [e for e in draft.entries if e.target and e.source and e.target[: len(target)] == target]
    changed = {id(entry): entry._replace(outcome=outcome, message=message) for entry in reports}
    entries = tuple(changed.get(id(entry), entry) for entry in draft.entries)
    if not reports:
        entries += (Entry(draft.place, (), outcome, target, message),)
    comments = {path: text for path, text in draft.comments.items() if path[: len(target)] != target}
    return draft._replace(entries=entries, comments=comments)


def _path(document: JSON, text: str) -> DocumentPath:
    """The longest path in the document that the dotted text begins with."""
    best: DocumentPath = ()
    for path in _paths(document, ()):
        written = dotted(path)
        if len(path) > len(best) and (text == written or text.startswith((f"{written}.", f"{written}["))):
            best = path
    return best


def _paths(node: JSON, path: DocumentPath) -> Iterator[DocumentPath]:
    if path:
        yield path
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _paths(child, (*path, key))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _paths(child, (*path, number))


def _drop(document: Any, path: DocumentPath) -> bool:
    """Deletes the field and parents that become empty."""
    parents = []
    for step in path[:-1]:
        parents.append((document, step))
        document = document[step]
    if isinstance(document, dict) and path[-1] not in document:
        return False
    del document[path[-1]]
    for parent, step in reversed(parents):
        if parent[step] in ({}, []) and step not in ("spec", "egress", "metadata"):
            del parent[step]
    return True
