"""``mcpctl schema``: the schemas as they are in the package."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from renderer import assets
from renderer.errors import Exit
from renderer.reference import fields, find
from tests.cli.commands import Mcpctl


@pytest.mark.parametrize("name", assets.names("schemas"))
def test_each_schema_is_printed_with_words_for_patterns(mcpctl: Mcpctl, name: str) -> None:
    run = mcpctl("schema", name)
    assert (run.code, run.err) == (0, "")
    patterns = 0

    def without(node: Any) -> Any:
        nonlocal patterns
        if isinstance(node, list):
            return [without(inner) for inner in node]
        if not isinstance(node, dict):
            return node
        if words := node.get("patternErrorMessage"):
            assert words == f"expected {node['x-expected']}"
            patterns += isinstance(node["pattern"], str)
        return {key: without(inner) for key, inner in node.items() if key != "patternErrorMessage"}

    assert without(json.loads(run.out)) == assets.schema(name)
    assert bool(patterns) != name.startswith("output/")
    assert jsonschema_rs.meta.is_valid(json.loads(run.out))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("spec.transport.port", "spec.transport.port"),
        ("transport.port", "spec.transport.port"),
        ("storage[0].size", "spec.storage[].size"),
        ("storage.size", "spec.storage[].size"),
        ('files["/etc/a.b"].mode', "spec.files.<path>.mode"),
        ("env.TOKEN", "spec.env"),
        ("env.TOKEN.secret", "spec.env.<name>.secret"),
        ("metadata.name", "metadata.name"),
        ("mcpserver.spec.env", "spec.env"),
        ("environment.delivery.type", "environment.spec.delivery.type in type none"),
        ("environment.spec.defaults", "environment.spec.defaults"),
        ("delivery.project", "environment.spec.delivery.project"),
        ("config.orchestrator.type", "config.orchestrator.type"),
    ],
)
def test_a_field_is_found_by_its_path(mcpctl: Mcpctl, path: str, shown: str) -> None:
    run = mcpctl("schema", path)
    assert (run.code, run.err) == (0, "")
    assert run.out.partition("\n")[0] == shown


def test_a_field_is_explained(mcpctl: Mcpctl) -> None:
    (data,) = json.loads(mcpctl("schema", "network.publish", "--format", "json").out)
    assert mcpctl("schema", "network.publish").out.partition("Fields of")[0] == (
        f"spec.network.publish\n\n  {data['description']}\n\n"
        "  type: false, or a mapping with 'address' or 'port'\n"
        "  default: {}\n\n"
        "Example:\n"
        "  publish:\n"
        "    port: 18080\n\n"
    )
    inner = mcpctl("schema", "network.publish").out.partition("Fields of spec.network.publish:\n")[2].splitlines()
    assert [line.partition(":")[0] for line in inner] == [
        '  spec.network.publish.address (string, default "127.0.0.1")',
        "  spec.network.publish.port (integer)",
    ]


def test_forms_that_differ_are_told_apart(mcpctl: Mcpctl) -> None:
    text = mcpctl("schema", "delivery.path").out
    for form in ("argocd", "flux"):
        assert f"environment.spec.delivery.path in type {form}\n" in text


@pytest.mark.parametrize("name", ["mcpserver", "environment", "config"])
@pytest.mark.slow
def test_every_field_can_be_asked_for(mcpctl: Mcpctl, name: str) -> None:
    """The guard that no path of a schema has a form that cannot be typed."""
    known = fields(assets.schema(name))
    for path in {field.path for field in known}:
        assert path in {field.path for field in find(known, path)}, path
    assert mcpctl("schema", name, "--format", "text").out.startswith("Fields:\n")


def test_a_field_as_data(mcpctl: Mcpctl) -> None:
    (data,) = json.loads(mcpctl("schema", "replicas", "--format", "json").out)
    assert (data["path"], data["default"], data["required"]) == ("spec.replicas", 1, False)
    assert "type: integer" in data["facts"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("spec.enw", "did you mean 'spec.env'?"),
        ("storage[0].siz", "did you mean 'spec.storage[].size'?"),
        ("environment.defautls", "did you mean 'environment.spec.defaults'?"),
        ("config.spec", "did you mean 'config.specs'?"),
        ("path", "of that name there is: spec.transport.path, "),
        ("qqq.zzz", "there is: spec.description, spec.image"),
        ("", "there is: spec.description"),
    ],
)
def test_a_field_that_is_not_there_suggests_one(mcpctl: Mcpctl, path: str, hint: str) -> None:
    run = mcpctl("schema", path)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert f"no field is called '{path}'; " in run.err
    assert hint in run.err


def test_the_spec_is_the_default(mcpctl: Mcpctl) -> None:
    assert mcpctl("schema") == mcpctl("schema", "mcpserver")


def test_the_list(mcpctl: Mcpctl) -> None:
    assert mcpctl("schema", "--list").out.splitlines() == assets.names("schemas")


@pytest.mark.parametrize("name", ["nope", "../pyproject.toml", "/etc/passwd", "mcpserver.schema.json"])
def test_no_other_file_is_printed(mcpctl: Mcpctl, name: str) -> None:
    run = mcpctl("schema", name)
    assert (run.code, run.out) == (Exit.USAGE, "")


def test_a_reference_for_people(mcpctl: Mcpctl) -> None:
    run = mcpctl("schema", "--format", "markdown")
    assert run.code == 0
    assert "`spec.transport.bridge`" in run.out or "bridge" in run.out
    assert mcpctl("schema", "output/compose", "--format", "markdown").code == Exit.USAGE
    assert mcpctl("schema", "spec.env", "--format", "markdown").code == Exit.USAGE
