"""Every field of the schema, where the examples use it, and a valid document in which only it differs.

The guards of the later stages are built on this: a field whose change changes nothing was dropped.
A field is named by its path in the schema: ``spec.env.*.secret``, ``spec.storage[].size``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Container, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from renderer import assets
from renderer.errors import DocumentPath
from renderer.load import load
from renderer.model import JSON, Server, Source
from renderer.pipeline import Output, Specs, inputs_of, plain, read, render
from renderer.registry import target
from renderer.resolve import link
from tests.specs import OPTIONS

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
#: Where a changed document stands: the files that it names are beside the examples.
IN_EXAMPLES = f"{EXAMPLES}/spec.yaml"
SCHEMA = assets.schema("mcpserver")
#: Say what the document is, not what is rendered.
NOT_RENDERED = {
    "$schema": "tells editors where the schema is",
    "apiVersion": "has one value",
    "kind": "has one value",
}
#: Nothing is deployed for a remote server.
OF_REMOTE_SERVERS = "nothing is rendered of a remote server: clients, lists and the graph have it"
#: Mappings that the schema leaves open.
FREE = {"spec.patches[].merge", "spec.patches[].json[].value"}
#: Fields that change only together with neighbours, which another value needs (or, None, excludes).
NEIGHBOURS: dict[str, dict[str, dict[str, JSON]]] = {
    "spec.expose.type": {
        "HTTPRoute": {"gateway": {"name": "public"}, "className": None, "tls": None},
        "Ingress": {"gateway": None},
    },
    "spec.expose.stripPrefix": {"False": {"path": "/"}},
}
VALID = jsonschema_rs.Draft202012Validator(SCHEMA)

#: What Kubernetes refuses, so that docs/examples, which render for both targets, cannot have it.
COMPOSE_ALONE: dict[str, JSON] = {
    "apiVersion": "mcpctl.io/v1alpha1",
    "kind": "McpServer",
    "metadata": {"name": "compose-alone"},
    "spec": {
        "image": "registry.example.com/mcp/demo:1.0",
        "transport": {"type": "streamable-http"},
        "storage": [{"name": "notes", "hostPath": "./notes", "mountPath": "/notes", "readOnly": True}],
    },
}

Change = tuple[str, DocumentPath, dict[str, Any]]


@cache
def documents() -> tuple[dict[str, JSON], ...]:
    """All documents of ``docs/examples``, and the fields that they cannot have; short ones first, which cost least."""
    sources, problems = load([str(EXAMPLES)], stdin=None)
    assert problems == []
    return (*sorted((source.data for source in sources), key=lambda data: len(repr(data))), COMPOSE_ALONE)


@cache
def examples() -> Specs:
    """What ``docs/examples`` has, read once."""
    return read([str(EXAMPLES)])


@cache
def rendered_documents(name: str) -> Output:
    """What a target makes of all documents, which stand beside the files that they name."""
    sources = [Source(IN_EXAMPLES, 1, 1, document) for document in documents()]
    output = render(plain(inputs_of(sources)), target(name), OPTIONS)
    assert output.documents, [str(problem) for problem in output.problems]
    return output


@cache
def declared() -> tuple[str, ...]:
    """Every field of the schema that holds a value itself, not only further fields."""
    paths = dict.fromkeys(_declared(SCHEMA, ""))
    parents = {path[: step.start()] for path in paths for step in re.finditer(r"[.\[]", path)}
    return tuple(path for path in paths if path not in parents)


def remote_fields() -> dict[str, str]:
    """Those of remote servers, with the reason why they reach no output."""
    return {field: OF_REMOTE_SERVERS for field in declared() if field.startswith("spec.remote.")}


def linked(server: Server) -> Server:
    """With the ways to other servers of the examples that it names."""
    return link((server, *_remotes()), complete=False)[0][0]


@cache
def _remotes() -> tuple[Server, ...]:
    return plain(inputs_of([Source(IN_EXAMPLES, 1, 1, document) for document in documents()])).remotes


def _declared(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for branch in _branches(schema):
        for name, inner in branch.get("properties", {}).items():
            yield _below(path, name)
            yield from _declared(inner, _below(path, name))
        for step, inner in _members(branch):
            yield path + step
            yield from _declared(inner, path + step)


class AllBut:
    """Fields without a few."""

    def __init__(self, excluded: Container[str]) -> None:
        self._excluded = excluded

    def __contains__(self, field: object) -> bool:
        return field not in self._excluded


def documents_of_fields() -> Iterator[tuple[dict[str, JSON], str]]:
    """Each document, without its patches, and then with them for the fields of patches alone: to patch takes long."""
    for document in documents():
        spec: Any = document["spec"]
        yield {**document, "spec": {name: value for name, value in spec.items() if name != "patches"}}, ""
        if "patches" in spec:
            yield document, "spec.patches"


def changes(document: dict[str, JSON], known: Container[str] = (), below: str = "") -> Iterator[Change]:
    """Field, place and the changed document, for each change of one field (``below`` another) that the schema allows.

    Left out is what is ``known``, and what becomes so in the meantime.
    """
    for field, place, changed in _changes(document, known, below):
        if VALID.is_valid(changed):
            yield field, place, changed


def _changes(document: dict[str, JSON], known: Container[str], below: str) -> Iterator[Change]:
    for field, place, schema in _used(SCHEMA, document, "", ()):
        for value in _others(schema, _at(document, place)):
            if field in known or not field.startswith(below):
                break
            changed = with_value(document, place, value)
            for name, neighbour in NEIGHBOURS.get(field, {}).get(str(value), {}).items():
                changed = _with_neighbour(changed, (*place[:-1], name), neighbour)
            if changed != document:
                yield field, place, changed
    for field, place in members_used(document):
        if field not in known and field.startswith(below):
            yield field, place, _without(document, place)


def _used(
    schema: Mapping[str, Any], value: JSON, path: str, place: DocumentPath
) -> Iterator[tuple[str, DocumentPath, Mapping[str, Any]]]:
    if not isinstance(value, dict | list) or path in FREE:
        yield path, place, schema
        return
    for branch in _branches(schema):
        for step, key, inner in _steps(branch, value):
            field = path + step if step in ("[]", ".*") else _below(path, step)
            yield from _used(inner, value[key], field, (*place, key))  # type: ignore[index]


def _steps(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, str | int, Mapping[str, Any]]]:
    known = schema.get("properties", {})
    if isinstance(value, dict):
        yield from ((name, name, known[name]) for name in value if name in known)
    for step, inner in _members(schema):
        fits = isinstance(value, dict if step == ".*" else list)
        keys = [key for key in value if key not in known] if step == ".*" and fits else range(len(value))
        yield from ((step, key, inner) for key in keys if fits)


def members_used(document: dict[str, JSON]) -> Iterator[tuple[str, DocumentPath]]:
    """Members of lists and mappings, and fields: what can be left out."""
    seen: dict[DocumentPath, str] = {}
    for field, place, _ in _used(SCHEMA, document, "", ()):
        steps = _split(field)
        for n in range(1, len(place) + 1):
            seen.setdefault(place[:n], "".join(steps[:n]).removeprefix("."))
    yield from ((field, place) for place, field in seen.items())


def _split(field: str) -> list[str]:
    return re.findall(r"\.[^.\[]+|\[\]", f".{field}")


def _branches(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema and its forms, without references; conditions only narrow what these declare."""
    while "$ref" in schema:
        inner = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = {**inner, **{key: value for key, value in schema.items() if key != "$ref"}}
    forms = [branch for part in (schema, *schema.get("allOf", ())) for branch in part.get("oneOf", ())]
    return [schema, *(found for form in forms for found in _branches(form))]


def _members(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(schema.get("additionalProperties"), dict):
        yield ".*", schema["additionalProperties"]
    if isinstance(schema.get("items"), dict):
        yield "[]", schema["items"]


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _others(schema: Mapping[str, Any], value: JSON) -> Iterator[JSON]:
    """Other values of the same type, the likeliest to be valid first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield from (value + 1, value / 2)
    elif isinstance(value, dict):
        yield {**value, "changed": 1}
    elif isinstance(value, str):
        yield from (other for branch in _branches(schema) for other in branch.get("enum", ()) if other != value)
        yield from (other for other in schema.get("examples", ()) if other != value and isinstance(other, str))
        yield from (f"{value}x", f"{value}1", f"x{value}", re.sub("[0-9](?=[^0-9]*$)", _next_digit, value))
        yield from (re.sub("[0-9]", _next_digit, value, count=1), f"{value[:-1]}9")


def _next_digit(found: re.Match[str]) -> str:
    return str((int(found[0]) + 1) % 8)


def _at(document: Any, place: DocumentPath) -> Any:
    for step in place:
        document = document[step]
    return document


def with_value(document: Any, place: DocumentPath, value: JSON) -> Any:
    """A copy, which shares what does not change."""
    if not place:
        return value
    changed = copy.copy(document)
    changed[place[0]] = with_value(document[place[0]] if place[1:] else None, place[1:], value)
    return changed


def _with_neighbour(document: dict[str, JSON], place: DocumentPath, value: JSON) -> Any:
    if value is not None:
        return with_value(document, place, value)
    return _without(document, place) if place[-1] in _at(document, place[:-1]) else document


def _without(document: Any, place: DocumentPath) -> Any:
    """A copy, which shares what does not change."""
    parent = copy.copy(_at(document, place[:-1]))
    del parent[place[-1]]
    return with_value(document, place[:-1], parent)
