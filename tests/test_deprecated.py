"""Fields that end in a later version: told with their successor wherever somebody meets them."""

from __future__ import annotations

from typing import Any

import pytest

from renderer import assets, validate
from renderer.errors import Severity
from renderer.reference import facts, fields, find
from renderer.schemas import DEPRECATED, Schema, deprecation_words, deprecations
from tests.specs import HTTP, IMAGE, read_specs, spec

ENTRY = {"successor": "spec.new", "ends": "0.3"}
WORDS = "deprecated: it ends with mcpctl 0.3; use spec.new instead"


@pytest.mark.parametrize(
    ("field", "data", "paths"),
    [
        ("spec.old", {"spec": {"old": 1}}, [("spec", "old")]),
        ("spec.old", {"spec": {"new": 1}}, []),
        ("spec.old", {"spec": ["old"]}, []),
        ("spec.old", {}, []),
        ("spec.a[].old", {"spec": {"a": [{}, {"old": 1}, 3]}}, [("spec", "a", 1, "old")]),
        ("spec.a.<name>.old", {"spec": {"a": {"x": {"old": None}, "y": {}}}}, [("spec", "a", "x", "old")]),
        ("spec.a[].old", {"spec": {"a": {"old": 1}}}, []),
    ],
)
def test_each_place_is_a_warning(field: str, data: dict[str, Any], paths: list[tuple[Any, ...]]) -> None:
    found = deprecations({DEPRECATED: {field: ENTRY}}, data)
    assert [fault.path for fault in found] == paths
    for fault in found:
        assert (fault.rule, fault.severity, f"{fault.message}; {fault.hint}") == ("schema/deprecated", "warning", WORDS)


def test_a_spec_with_such_a_field_holds_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = Schema({**assets.schema("mcpserver"), DEPRECATED: {"spec.replicas": ENTRY}})
    monkeypatch.setattr(validate, "spec_schema", lambda: schema)
    specs = read_specs(spec(image=IMAGE, transport=HTTP, replicas=1))
    (problem,) = [problem for problem in specs.problems if problem.rule == "schema/deprecated"]
    assert (problem.path, problem.severity) == ("spec.replicas", Severity.WARNING)
    assert problem.place.line
    assert len(specs.servers) == 1


def test_the_reference_says_so_too() -> None:
    schema = {**assets.schema("mcpserver"), DEPRECATED: {"spec.replicas": ENTRY}}
    (field,) = find(fields(schema), "replicas")
    assert facts(schema, field)[-1] == WORDS


@pytest.mark.parametrize("name", ["mcpserver", "environment", "config"])
def test_the_list_of_a_schema_is_that_of_its_fields(name: str) -> None:
    """The guard: whoever ends a field lists it at the root, and writes the words for editors beside it."""
    known = fields(assets.schema(name))
    listed = assets.schema(name).get(DEPRECATED, {})
    assert {field.path for field in known if field.node.get("deprecated")} == set(listed)
    for path, entry in listed.items():
        assert find(known, entry["successor"])
        assert {field.node.get("deprecationMessage") for field in known if field.path == path} == {
            deprecation_words(entry)
        }
