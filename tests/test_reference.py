"""The Markdown reference: what it says of each kind of field, and that docs/spec.md is its newest state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from renderer import assets
from renderer.cli.editor import schema_text
from renderer.cli.schema import schema as command
from renderer.reference import markdown

DOCS = Path(__file__).parent.parent / "docs"

SCHEMA: dict[str, Any] = {
    "title": "Thing",
    "description": "A thing called thing-<name>.",
    "$defs": {
        "name": {"type": "string", "minLength": 1, "maxLength": 8, "x-expected": "a short name"},
        "alias": {"$ref": "#/$defs/name"},
        "names": {
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/name"},
            "additionalProperties": {"type": "integer"},
        },
    },
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"$ref": "#/$defs/name", "description": "Its name.", "examples": ["x", "y"]},
        "alias": {"$ref": "#/$defs/alias", "description": "Its other name."},
        "kind": {"description": "Its kind.", "const": "Thing"},
        "color": {"description": "Its colour.", "enum": ["red", "blue"], "default": "red"},
        "wait": {"description": "How long.", "type": "integer", "minimum": 5, "x-unit": "seconds"},
        "code": {"description": "A code.", "type": "string", "pattern": "^[a-z]$"},
        "on": {"description": "Whether on.", "type": "boolean", "default": True},
        "words": {
            "description": "Words.",
            "type": "array",
            "maxItems": 1,
            "uniqueItems": True,
            "default": ["a"],
            "items": {"type": "string"},
        },
        "counts": {
            "$ref": "#/$defs/names",
            "description": "Numbers by name.",
            "propertyNames": {"not": {"const": "x", "x-expected": "any name but x"}},
        },
        "files": {
            "description": "By path.",
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "oneOf": [
                    {
                        "title": "a mapping with 'text'",
                        "required": ["text"],
                        "properties": {
                            "text": {"description": "Text.", "type": "string", "default": ""},
                            "mode": {"description": "Mode.", "type": "string"},
                            "key": {"description": "Key here.", "type": "string"},
                        },
                    },
                    {
                        "title": "a mapping with 'from'",
                        "properties": {
                            "from": {"description": "From.", "type": "string"},
                            "mode": {"description": "Mode.", "type": "string"},
                            "key": {"description": "Key there.", "type": "string"},
                        },
                    },
                ],
            },
        },
        "place": {
            "description": "Where.",
            "oneOf": [
                {"title": "text", "type": "string"},
                {
                    "title": "a mapping with 'at'",
                    "type": "object",
                    "properties": {"at": {"description": "At.", "type": "string"}},
                },
            ],
        },
    },
    "allOf": [
        {
            "if": {"properties": {"color": {"const": "red"}}, "required": ["color"]},
            "then": {"properties": {"code": {"x-expected": "one letter"}}},
            "else": {"properties": {"code": {"default": "z"}}},
        }
    ],
}


def section(heading: str) -> list[str]:
    """The lines below one heading of the reference of SCHEMA."""
    lines = markdown(SCHEMA).splitlines()
    start = lines.index(f"### {heading}") + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("### ")), len(lines))
    return [line for line in lines[start:end] if line]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        (
            "`name`",
            ["Its name.", "- type: a short name", "- bounds: 1 to 8 characters", "- required", "- example: `x`"],
        ),
        ("`alias`", ["Its other name.", "- type: a short name", "- bounds: 1 to 8 characters"]),
        ("`kind`", ["Its kind.", "- type: always `Thing`"]),
        ("`color`", ["Its colour.", "- type: one of `red`, `blue`", "- default: `red`"]),
        ("`wait`", ["How long.", "- type: integer", "- bounds: at least 5 seconds"]),
        (
            "`code`",
            [
                "A code.",
                "- type: string",
                "- pattern: `^[a-z]$`",
                "- with color `red`: one letter",
                "- with another color: default `z`",
            ],
        ),
        ("`on`", ["Whether on.", "- type: true or false", "- default: `true`"]),
        (
            "`words`",
            [
                "Words.",
                "- type: a list; each item: string",
                "- bounds: at most 1 item",
                "- bounds: no item twice",
                '- default: `["a"]`',
            ],
        ),
        (
            "`counts`",
            [
                "Numbers by name.",
                "- type: a mapping; each value: integer",
                "- names: a short name",
                "- names: any name but x",
            ],
        ),
        ("`files`", ["By path.", "- type: a mapping; each value: a mapping with 'text', or a mapping with 'from'"]),
        ("`files.<path>.text`", ["Text.", "- type: string", "- required", '- default: `""`']),
        ("`files.<path>.mode`", ["Mode.", "- type: string"]),
        ("`files.<path>.key` in a mapping with 'text'", ["Key here.", "- type: string"]),
        ("`files.<path>.key` in a mapping with 'from'", ["Key there.", "- type: string"]),
        ("`place`", ["Where.", "- type: text, or a mapping with 'at'"]),
        ("`place.at`", ["At.", "- type: string"]),
    ],
)
def test_section(heading: str, expected: list[str]) -> None:
    assert section(heading) == expected


def test_title_and_overview() -> None:
    lines = markdown(SCHEMA).splitlines()
    assert lines[0] == "# Thing"
    assert "A thing called thing-\\<name>." in lines
    for row in (
        "| `name` | string | *required* |",
        "| `color` | `red` `blue` | `red` |",
        "| `place` | string or mapping |  |",
    ):
        assert row in lines


def test_every_field_of_the_spec_has_a_section() -> None:
    """The guard that nothing of a schema is overlooked: as many sections as the table has rows, or more."""
    lines = markdown(assets.schema("mcpserver")).splitlines()
    rows = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert {line.split("`")[1] for line in lines if line.startswith("### `")} == rows
    assert {"metadata.name", "spec.env.<name>.secret", "spec.network.egress.cidrs[].except"} <= rows


@pytest.mark.parametrize(("name", "file"), [("mcpserver", "spec.md"), ("environment", "environment-spec.md")])
def test_the_committed_reference_is_not_stale(name: str, file: str) -> None:
    fresh = markdown(assets.schema(name)).encode()
    stale = f"stale; refresh it with: mcpctl schema {name} --format markdown > docs/{file}"
    assert (DOCS / file).read_bytes() == fresh, stale


def test_command_prints_the_reference() -> None:
    result = CliRunner().invoke(command, ["--format", "markdown"], standalone_mode=False)
    assert result.stdout == markdown(assets.schema("mcpserver"))


def test_command_prints_the_schema_itself() -> None:
    assert CliRunner().invoke(command, [], standalone_mode=False).stdout == schema_text("mcpserver")


def test_command_lists_names() -> None:
    assert "mcpserver\n" in CliRunner().invoke(command, ["--list"], standalone_mode=False).stdout


def test_the_schemas_of_others_have_no_reference_here() -> None:
    result = CliRunner().invoke(command, ["output/compose", "--format", "markdown"])
    assert result.exit_code == 2
    assert "--format markdown is for the schemas of specs" in result.output
