"""The examples: each is a real server and holds, and everything.yaml leaves no field of the schema out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from renderer import assets
from renderer.errors import Severity
from renderer.load import load
from renderer.model import JSON, Server
from renderer.pipeline import read
from tests.fields import COMPOSE_ALONE

ROOT = Path(__file__).parent.parent
#: Examples heed the rule that other tests switch off.
pytestmark = pytest.mark.levels
FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.yaml"))
EVERYTHING = "everything.yaml"
REAL = [name for name in EXAMPLES if name != EVERYTHING]
SCHEMA = assets.schema("mcpserver")
FIRST_LINE = "# yaml-language-server: $schema=../../schemas/mcpserver.schema.json"


def servers(*names: str) -> tuple[Server, ...]:
    """With those that somebody else runs."""
    specs = read([str(FOLDER / name) for name in names])
    return (*specs.servers, *specs.remotes)


# ---------------------------------------------------------------------------------------------
# What the schema declares, and what a document uses of it, as paths: spec.env.*.secret, spec.args[].
# A form of a choice (oneOf) counts as a path of its own: "spec.env.* as a string".


def declared(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every property that the schema knows, and every form of each choice."""
    schema = target(schema)
    for name, inner in schema.get("properties", {}).items():
        yield below(path, name)
        yield from declared(inner, below(path, name))
    for step, inner in members(schema):
        yield from declared(inner, path + step)
    for form, branch in forms(schema):
        yield f"{path} as {form}"
        yield from declared(branch, path)


def used(schema: Mapping[str, Any], value: JSON, path: str = "") -> Iterator[str]:
    """The same paths, of what stands in a valid document."""
    schema = target(schema)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name in [n for n in value if n in known]:
            yield below(path, name)
            yield from used(known[name], value[name], below(path, name))
    for step, inner in members(schema):
        for member in inside(value, step, set(schema.get("properties", ()))):
            yield from used(inner, member, path + step)
    for form, branch in forms(schema):
        if holds(branch, value):
            yield f"{path} as {form}"
            yield from used(branch, value, path)


def target(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without its reference; what stands beside the reference only describes."""
    while "$ref" in schema:
        schema = {k: v for k, v in schema.items() if k != "$ref"} | SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def members(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(schema.get("additionalProperties"), dict):
        yield ".*", schema["additionalProperties"]
    if "items" in schema:
        yield "[]", schema["items"]


def inside(value: JSON, step: str, known: set[str]) -> list[JSON]:
    if isinstance(value, dict) and step == ".*":
        return [member for name, member in value.items() if name not in known]
    return value if isinstance(value, list) and step == "[]" else []


def forms(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    every = schema.get("allOf", ())
    choices = [schema, *every, *(item["then"] for item in every if "then" in item)]
    for branch in [branch for choice in choices for branch in choice.get("oneOf", ())]:
        yield branch["title"], branch


def holds(branch: Mapping[str, Any], value: JSON) -> bool:
    return jsonschema_rs.Draft202012Validator({**branch, "$defs": SCHEMA["$defs"]}).is_valid(value)


@pytest.mark.slow
def test_everything_uses_every_field_and_form_of_the_schema() -> None:
    sources, problems = load([str(FOLDER / EVERYTHING)], stdin=None)
    assert problems == []
    seen = {path for data in (*(source.data for source in sources), COMPOSE_ALONE) for path in used(SCHEMA, data)}
    missing = [path for path in dict.fromkeys(declared(SCHEMA)) if path not in seen]
    assert missing == [], f"add these to docs/examples/{EVERYTHING}"


def test_the_guard_sees_fields_choices_and_members() -> None:
    paths = set(declared(SCHEMA))
    for path in (
        "apiVersion",
        "metadata.name",
        "spec as image",
        "spec as package",
        "spec as remote",
        "spec.env.* as a string",
        "spec.env.*.secret",
        "spec.storage[].accessModes",
        "spec.network.egress.cidrs[].except",
        "spec.network.egress.cidrs[] as a CIDR block such as 10.0.0.0/8",
        "spec.patches[].merge",
    ):
        assert path in paths
    document: JSON = {"metadata": {"name": "x"}, "spec": {"image": "a:1", "env": {"A": "1"}}}
    assert set(used(SCHEMA, document)) == {
        "metadata",
        "metadata.name",
        "spec",
        "spec as image",
        "spec.image",
        "spec.env",
        "spec.env.* as a string",
    }


# ---------------------------------------------------------------------------------------------
# All examples.


@pytest.mark.parametrize("name", EXAMPLES)
def test_holds(name: str) -> None:
    specs = read([str(FOLDER / name)])
    told = [p for p in specs.problems if p.severity is not Severity.ACCEPTED]
    assert told == [], "an example has neither errors nor warnings of its own"
    assert specs.servers or specs.remotes


@pytest.mark.parametrize("name", EXAMPLES)
def test_begins_with_its_schema_and_what_it_shows(name: str) -> None:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == FIRST_LINE
    assert lines[1].startswith("# "), "the second line says what the example shows"


@pytest.mark.parametrize("name", REAL)
def test_a_real_server_is_called_like_its_file_and_described(name: str) -> None:
    (server,) = servers(name)
    assert f"{server.name}.yaml" == name
    assert server.description


def test_hold_together() -> None:
    told = [p for p in read([str(FOLDER)]).problems if p.severity is not Severity.ACCEPTED]
    assert told == [], "names are unique, and so are those of the objects"


def test_published_ports_are_distinct() -> None:
    """One compose project holds them all."""
    published: dict[int, str] = {}
    for server in servers(*EXAMPLES):
        if server.listens and server.network.publish:
            other = published.setdefault(server.network.publish.port, server.name)
            assert other == server.name


def test_real_servers_are_of_every_kind() -> None:
    """The list of the issue: what a reader should find an example of."""
    real = servers(*REAL)
    assert len(real) >= 10
    assert {s.transport.type for s in real} == {"stdio", "streamable-http"}, "sse is deprecated"
    assert {s.transport.bridge for s in real} == {"mcp-proxy", "mcp-proxy-npm", "agentgateway", "none"}
    assert {s.package.registry for s in real if s.package} == {"npm", "pypi"}
    assert {s.workload for s in real} >= {"Deployment", "StatefulSet"}
    egresses = [s.network.egress for s in real if s.network.egress]
    assert any(e.forbidden for e in egresses)
    assert any(e.hosts for e in egresses)
    assert any(e.cidrs for e in egresses)
    assert any(e.services for e in egresses)
    for part in ("storage", "files", "env_from"):
        assert any(getattr(s, part) for s in real), part


def test_no_example_holds_a_secret() -> None:
    """A variable that sounds like a secret is a reference."""
    words = ("TOKEN", "PASSWORD", "SECRET", "API_KEY", "CONNECTION_STRING")
    for server in servers(*EXAMPLES):
        for name, value in server.env.items():
            assert not (isinstance(value, str) and any(word in name for word in words)), (server.name, name)


@pytest.mark.parametrize("name", REAL)
def test_images_have_a_tag(name: str) -> None:
    (server,) = servers(name)
    if server.image:
        tag = server.image.rpartition("/")[2].partition(":")[2]
        assert tag not in ("", "latest"), server.image
