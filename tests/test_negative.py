"""Specs with faults, ``negative/spec/NAME.yaml``, and beside each the report that it must bring.

A new case is a new file. After a change of messages write all reports anew, and read the difference:

    MCPCTL_TEST_UPDATE_EXPECTED=1 python -m pytest tests/test_negative.py
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer import assets, validate
from renderer.model import JSON
from renderer.pipeline import read
from renderer.report import Report, as_text

FOLDER = Path(__file__).parent / "negative" / "spec"
CASES = sorted(FOLDER.glob("*.yaml"))
UPDATE = os.environ.get("MCPCTL_TEST_UPDATE_EXPECTED", "") not in ("", "0")

#: The rule that speaks for each keyword of the schema which a spec can offend.
SCHEMA_RULES = {
    "additionalProperties": "unknown-field",
    "const": "const",
    "enum": "enum",
    "exclusiveMinimum": "exclusive-minimum",
    "maxItems": "max-items",
    "maxLength": "max-length",
    "maxProperties": "max-properties",
    "maximum": "maximum",
    "minItems": "min-items",
    "minLength": "min-length",
    "minProperties": "min-properties",
    "minimum": "minimum",
    "multipleOf": "multiple-of",
    "not": "not",
    "oneOf": "one-of",
    "pattern": "pattern",
    "propertyNames": "field-name",
    "required": "missing-field",
    "type": "type",
    "uniqueItems": "unique-items",
}
#: Keywords that describe, refer or choose.
SILENT = {
    *("$defs", "$id", "$ref", "$schema", "allOf", "default", "dependentSchemas", "description", "else", "examples"),
    *("if", "items", "properties", "then", "title", "x-expected", "x-instead", "x-secret"),
    "x-text",
    "x-too-low",
    "x-unit",
    "x-values",
}


def report(case: Path) -> str:
    """The text report without its summary."""
    lines = as_text(Report("validate", read([case.name]).problems, {})).splitlines(keepends=True)
    return "".join(lines[:-1])


def expected(case: Path) -> Path:
    return case.with_name(f"{case.name}.expected")


def all_expected() -> str:
    return "".join(expected(case).read_text(encoding="utf-8") for case in CASES)


@pytest.fixture(autouse=True)
def _in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report names the files as they were given; from inside the folder that is the same everywhere."""
    monkeypatch.chdir(FOLDER)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_report(case: Path) -> None:
    text = report(case)
    if UPDATE:
        expected(case).write_text(text, encoding="utf-8")
    assert text, "this spec has no fault"
    assert text == expected(case).read_text(encoding="utf-8")


def test_every_expected_report_has_its_spec() -> None:
    assert sorted(FOLDER.glob("*.expected")) == [expected(case) for case in CASES]


def test_every_rule_between_fields_and_servers_has_fired() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in Path(validate.__file__).parent.glob("*.py"))
    rules = set(re.findall(r'"(spec/[a-z-]+)"', source))
    assert len(rules) > 20
    # A file of a megabyte does not belong into a repository: tests/test_sizes.py makes it.
    rules -= {"spec/files-size", "spec/annotations-size"}
    assert rules - set(re.findall(r"\[(spec/[a-z-]+)\]$", all_expected(), re.MULTILINE)) == set()


def test_every_keyword_of_the_schema_has_fired() -> None:
    keywords = set(subschema_keywords(assets.schema("mcpserver")))
    assert keywords - SILENT == set(SCHEMA_RULES), "a keyword is new: say which rule speaks for it, and add a case"
    fired = set(re.findall(r"\[schema/([a-z-]+)\]$", all_expected(), re.MULTILINE))
    assert set(SCHEMA_RULES.values()) - fired == set()


def test_every_expectation_of_the_schema_has_been_told() -> None:
    told = all_expected()
    forms = set(values_of("x-expected", assets.schema("mcpserver")))
    assert len(forms) > 20
    assert sorted(form for form in forms if form not in told) == []


def test_no_report_shows_a_value_of_the_environment() -> None:
    assert "hidden" not in all_expected()


def subschema_keywords(schema: JSON) -> Iterator[str]:
    """The keywords of a schema and of all schemas inside it; names of properties are none."""
    for name, value in schema.items() if isinstance(schema, dict) else ():
        yield name
        if name in ("properties", "$defs", "dependentSchemas") and isinstance(value, dict):
            for inner in value.values():
                yield from subschema_keywords(inner)
        elif name not in ("default", "examples", "const", "enum", "x-instead"):
            for inner in value if isinstance(value, list) else [value]:
                yield from subschema_keywords(inner)


def values_of(keyword: str, node: JSON) -> Iterator[str]:
    for name, value in node.items() if isinstance(node, dict) else ():
        if name == keyword:
            yield str(value)
        yield from values_of(keyword, value)
    for value in node if isinstance(node, list) else ():
        yield from values_of(keyword, value)
