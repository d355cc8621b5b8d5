"""The schema of the spec as a document: every field explains itself and is bounded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from renderer import assets
from renderer.schemas import with_definitions

SCHEMAS = Path(__file__).parent.parent / "schemas"
#: Of everything that people write.
KINDS = ("mcpserver", "environment")
#: Words that bound a value, by its type.
BOUNDS = {
    "string": {"maxLength", "pattern", "enum", "const"},
    "integer": {"maximum", "enum", "const"},
    "number": {"maximum"},
    "array": {"maxItems"},
    "object": {"additionalProperties", "oneOf", "minProperties"},
    "boolean": set(),
}
#: What a patch writes may be anything; the size of a spec bounds it.
ANYTHING = {"mcpserver.spec.patches[].json[].value"}


def resolved(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The schema with what its reference says; what stands beside the reference wins."""
    result = dict(schema)
    while "$ref" in result:
        name = result.pop("$ref").removeprefix("#/$defs/")
        result = {**assets.schema(kind)["$defs"][name], **result}
    return result


def fields(schema: Mapping[str, Any], kind: str, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property with its path; conditions only add to properties that are declared elsewhere."""
    schema = resolved(schema, kind)
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", resolved(inner, kind)
        yield from fields(inner, kind, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from fields(schema[word], kind, f"{path}[]")
    for branch in schema.get("oneOf", ()):
        yield from fields(branch, kind, path)


#: By the name of the schema and the path.
FIELDS = {f"{kind}{path}": field for kind in KINDS for path, field in fields(assets.schema(kind), kind)}


@pytest.mark.parametrize(("kind", "fewest"), [("mcpserver", 90), ("environment", 40)])
def test_it_is_a_sound_schema_of_its_draft(kind: str, fewest: int) -> None:
    schema = assets.schema(kind)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert sum(path.startswith(f"{kind}.") for path in FIELDS) > fewest


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping whose keys stand there once; a reader of JSON silently takes the last."""
    assert [key for key, count in Counter(key for key, _ in pairs).items() if count > 1] == []
    return dict(pairs)


@pytest.mark.parametrize("path", sorted(SCHEMAS.rglob("*.json")), ids=lambda path: path.name)
def test_no_key_stands_twice_in_a_schema(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_are_described_bounded_and_shown_by_valid_examples(kind: str) -> None:
    """All in one test: each takes less than a row of pytest."""
    for path in sorted(FIELDS):
        if path.startswith(f"{kind}."):
            is_described(path)


def is_described(path: str) -> None:
    field = FIELDS[path]
    assert len(field["description"]) > 10
    kind = field.get("type") or ("string" if "enum" in field or "const" in field else "object")
    kind = kind[0] if isinstance(kind, list) else kind  # or null
    assert path in ANYTHING or not BOUNDS[kind] or BOUNDS[kind] & set(field), f"{path} has no bound"
    if kind == "object" and "properties" in field:
        assert field.get("additionalProperties") is False
    definitions = assets.schema(path.partition(".")[0])["$defs"]
    validator = jsonschema_rs.Draft202012Validator(with_definitions(field, definitions.get))
    assert field["examples"]
    for value in [*field["examples"], *([field["default"]] if "default" in field else [])]:
        assert validator.is_valid(value), f"{path}: {value}"
