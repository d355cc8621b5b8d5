"""The schema of the configuration: every field explains itself, is bounded, and shows valid examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from renderer import assets

SCHEMA = assets.schema("config")
BOUNDS = {
    "array": {"maxItems"},
    "string": {"maxLength", "enum"},
    "integer": {"maximum"},
    "object": {"additionalProperties"},
    "boolean": set(),
}


def declared(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from declared(inner, f"{path}.{name}")


DECLARED = dict(declared(SCHEMA))


def test_it_is_a_sound_schema_of_its_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert len(DECLARED) == 20


@pytest.mark.parametrize("path", DECLARED)
def test_a_field_is_described_bounded_and_shown(path: str) -> None:
    field = DECLARED[path]
    assert len(field["description"]) > 10
    bounds = BOUNDS[field.get("type", "string")]
    assert not bounds or bounds & set(field)
    validator = jsonschema_rs.Draft202012Validator(field)
    for value in [*field["examples"], *([field["default"]] if "default" in field else [])]:
        assert validator.is_valid(value), value
