"""``mcpctl schema``: the schemas as they are in the package."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from renderer import assets
from renderer.errors import Exit
from tests.cli.commands import Mcpctl


@pytest.mark.parametrize("name", assets.names("schemas"))
def test_each_schema_is_printed_as_it_is(mcpctl: Mcpctl, name: str) -> None:
    run = mcpctl("schema", name)
    assert (run.code, run.err) == (0, "")
    assert run.out == assets.read_schema(name)
    assert jsonschema_rs.meta.is_valid(json.loads(run.out))


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
