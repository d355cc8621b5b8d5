"""The formats that can be imported: loading documents, and finding the format of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from renderer.errors import Fault, Problem, errors_in
from renderer.importers import (
    client_files,
    compose,
    docker_registry,
    manifests,
    operators,
    server_json,
    toolhive_registry,
)
from renderer.importers.draft import Choices, Draft
from renderer.load import load
from renderer.model import JSON, Source
from renderer.yaml_reader import Limits

#: A registry of thousands of servers is one file.
LIMITS = Limits(max_bytes=32_000_000, max_nodes=1_000_000, max_total=2_000_000, aliases=True)
#: Rules for specs only: other readers have other rules.
_IN_SPECS = ("yaml/ambiguous",)
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_COMMENT = rb"//[^\n]*+|/\*(?s:.*?)\*/"
_TOKENS = re.compile(rb"%s|%s|,(?=(?:\s|%s)*+[}\]])" % (_STRING, _COMMENT, _COMMENT))
#: JSON escapes a character above U+FFFF as a surrogate pair, YAML as one escape.
_SURROGATES = re.compile(rb"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


class Format(NamedTuple):
    """``together``: all documents are read at once, as several make one server."""

    name: str
    about: str
    recognises: Callable[[Mapping[str, JSON]], bool]
    read: Callable[[Sequence[Source], Choices], list[Draft]]
    together: bool = False


#: The most specific first: the first that recognises a document reads it.
FORMATS: Sequence[Format] = (
    Format("server.json", "server.json of the MCP registry", server_json.recognises, server_json.read),
    Format("toolhive-registry", "registry of ToolHive", toolhive_registry.recognises, toolhive_registry.read),
    Format("docker-registry", "server.yaml or catalog of Docker", docker_registry.recognises, docker_registry.read),
    Format("client", "mcp.json and other files of clients", client_files.recognises, client_files.read),
    Format(
        operators.NAME,
        "MCPServer of ToolHive, kmcp, mcp.x-k8s.io",
        operators.recognises,
        operators.read,
        together=True,
    ),
    Format("compose", "compose files of Docker", compose.recognises, compose.read),
    Format("manifests", "manifests of Kubernetes", manifests.recognises, manifests.read, together=True),
)


def load_foreign(paths: Sequence[str], stdin: BinaryIO | None) -> tuple[list[Source], list[Problem]]:
    """Documents of files without errors. Ambiguous scalars stay text."""
    sources, problems = load(paths, stdin=stdin, limits=LIMITS, strict=False, prepare=as_yaml)
    hint = "write each definition into a document or a file of its own"
    problems = [
        problem._replace(hint=hint) if problem.rule == "yaml/not-a-mapping" else problem
        for problem in problems
        if problem.rule not in _IN_SPECS
    ]
    faulty = {problem.place.file for problem in errors_in(problems)}
    return [source for source in sources if source.file not in faulty], problems


def as_yaml(data: bytes) -> bytes:
    """JSON with comments and trailing commas as YAML; anything else unchanged."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"[", b"/"):
        return data
    plain = _TOKENS.sub(lambda match: match[0] if match[0][:1] == b'"' else re.sub(rb"[^\r\n]", b" ", match[0]), data)
    try:
        json.loads(plain.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):  # YAML, or a mistake that the reader finds by its place
        return data
    return _SURROGATES.sub(_character, plain)


def _character(match: re.Match[bytes]) -> bytes:
    high, low = int(match[2], 16), int(match[3], 16)
    return match[1] + b"\\U%08x" % (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def recognise(sources: Sequence[Source]) -> tuple[dict[str, list[Source]], list[Problem]]:
    """The documents by format, and a Problem for each document of none."""
    by_format: dict[str, list[Source]] = {}
    problems = []
    for source in sources:
        for form in FORMATS:
            if form.recognises(source.data):
                by_format.setdefault(form.name, []).append(source)
                break
        else:
            message = "the document has no format that can be imported"
            hint = f"these can: {'; '.join(form.about for form in FORMATS)}"
            if not source.is_foreign:
                message = "the document is a spec or an environment of mcpctl already"
                hint = "use it as it is: 'mcpctl render'"
            problems.append(source.problem(Fault((), "import/unrecognised", message, hint)))
    # ConfigMaps and the like in a file with an operator's resources belong to these, unless a workload is there too.
    for file in {source.file for source in by_format.get(operators.NAME, ())}:
        objects = [source for source in by_format.get("manifests", ()) if source.file == file]
        if not any(map(operators.is_workload, objects)):
            by_format[operators.NAME] += objects
            others = [source for source in by_format.get("manifests", ()) if source.file != file]
            by_format = {**by_format, "manifests": others}
    return by_format, problems


def batches(by_format: Mapping[str, Sequence[Source]]) -> list[tuple[Format, Sequence[Source]]]:
    """What is read at once: one document, or all documents of a format."""
    groups: list[tuple[Format, Sequence[Source]]] = []
    for form in FORMATS:
        sources = by_format.get(form.name, ())
        groups += [(form, sources)] if form.together and sources else [(form, [source]) for source in sources]
    return groups
