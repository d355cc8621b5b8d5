from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from renderer import assets
from renderer.check import kubernetes_schema
from renderer.check.kubernetes_schema import definition
from renderer.errors import dotted
from renderer.schemas import Schema, with_definitions
from renderer.wording import EXCERPT_LENGTH, did_you_mean, excerpt
from renderer.yaml_reader import read

ROOT = Path(__file__).parent.parent
_SECRET_REF = {
    "title": "a mapping with 'secret' and 'key'",
    "type": "object",
    "required": ["secret", "key"],
    "properties": {"secret": {"type": "string"}, "key": {"type": "string"}},
    "additionalProperties": False,
}
_SPEC = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"$ref": "#/$defs/name"},
        "transport": {
            "oneOf": [
                {
                    "type": "object",
                    "required": ["type"],
                    "additionalProperties": False,
                    "properties": {"type": {"const": "stdio"}, "bridge": {"enum": ["mcp-proxy", "none"]}},
                },
                {
                    "type": "object",
                    "required": ["type"],
                    "additionalProperties": False,
                    "properties": {"type": {"const": "sse"}, "port": {"type": "integer", "maximum": 65535}},
                },
            ]
        },
        "env": {
            "additionalProperties": {"oneOf": [{"title": "a string", "type": "string", "x-secret": True}, _SECRET_REF]},
            "propertyNames": {"pattern": "^[A-Z_]+$", "x-expected": "upper case letters and '_'"},
        },
        "token": {"type": "string", "x-secret": True, "enum": ["a", "b"]},
        "vault": {"x-secret": True, "properties": {"pin": {"type": "string"}}},
        "delay": {
            "type": "integer",
            "minimum": 1,
            "exclusiveMaximum": 60,
            "x-unit": "seconds",
        },
        "args": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
        "labels": {"type": "object", "minProperties": 1, "maxProperties": 1},
        "text": {"type": "string", "minLength": 1, "maxLength": 3},
        "code": {"type": "string", "minLength": 2},
        "flag": {"type": "boolean"},
        "either": {"type": ["string", "object"]},
        "any": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/name"}]},
        "never": False,
        "id": {"pattern": "^[0-9]+$"},
        "parts": {"prefixItems": [{"type": "string"}], "items": False},
    },
    "$defs": {
        "name": {
            "title": "a name",
            "type": "string",
            "pattern": "^[a-z]+$",
            "x-expected": "lower case letters",
        }
    },
}

# what is given beside {"name": "x"}, path, rule, message, hint
_FIELDS = "there is: transport, env, token, vault, delay, args, labels, text, code, flag, either, any, never, id, parts"
_CASES = [
    ({"trasport": 1}, "trasport", "unknown-field", "unknown field; did you mean 'transport'?", ""),
    ({"TEXT": 1}, "TEXT", "unknown-field", "unknown field; did you mean 'text'?", ""),
    ({"qqqq": 1}, "qqqq", "unknown-field", "unknown field", _FIELDS),
    ({"name": "X1"}, "name", "pattern", "expected lower case letters, got string 'X1'", ""),
    ({"id": "x"}, "id", "pattern", "expected a string that matches ^[0-9]+$, got string 'x'", ""),
    ({"name": 8080}, "name", "type", "expected a string, got integer 8080", 'write "8080" in quotes'),
    ({"name": True}, "name", "type", "expected a string, got true", 'write "true" in quotes'),
    ({"name": 1.5}, "name", "type", "expected a string, got number 1.5", 'write "1.5" in quotes'),
    ({"delay": "10"}, "delay", "type", "expected a whole number of seconds, got string '10'", "write 10"),
    ({"flag": "true"}, "flag", "type", "expected true or false, got string 'true'",
     "write true"),
    ({"args": "a"}, "args", "type", "expected a list, got string 'a'",
     "write a list, each item on its own line after '- '"),
    ({"either": 1}, "either", "type", "expected a string or a mapping, got integer 1", 'write "1" in quotes'),
    ({"name": None}, "name", "null", "expected a string, got null",
     "add a value or remove the field"),
    ({"delay": 0}, "delay", "minimum", "must be at least 1 second, got integer 0", ""),
    ({"delay": 60}, "delay", "exclusive-maximum", "must be less than 60 seconds, got integer 60", ""),
    ({"text": ""}, "text", "min-length", "must not be empty", ""),
    ({"text": "abcd"}, "text", "max-length", "must have at most 3 characters, has 4", ""),
    ({"code": "a"}, "code", "min-length", "must have at least 2 characters, has 1", ""),
    ({"labels": {}}, "labels", "min-properties", "must not be empty", ""),
    ({"labels": {"a": 1, "b": 2}}, "labels", "max-properties", "must have at most 1 field, has 2", ""),
    ({"args": ["a", "b", "c"]}, "args", "max-items", "must have at most 2 items, has 3", ""),
    ({"args": ["a", "a"]}, "args[1]", "unique-items", "repeats item 1 of the list", "remove one of them"),
    ({"never": 1}, "never", "unknown-field", "is not allowed here", ""),
    ({"parts": ["a", 1]}, "parts[1]", "unknown-field", "is not allowed here", ""),
    ({"env": {"a": "x"}}, "env.a", "field-name",
     "bad field name: expected upper case letters and '_', got string 'a'", ""),
    # choices
    ({"transport": {"type": "stdio", "bridge": "mcp-prxy"}}, "transport.bridge", "enum",
     "expected 'mcp-proxy' or 'none', got string 'mcp-prxy'; did you mean 'mcp-proxy'?", ""),
    ({"transport": {"type": "sse", "port": "x"}}, "transport.port", "type",
     "expected an integer, got string 'x'", ""),
    ({"transport": {"type": "sse", "bridge": "none"}}, "transport.bridge", "unknown-field",
     "unknown field", ""),
    ({"transport": "stdio"}, "transport", "type", "expected a mapping with 'type', got string 'stdio'", ""),
    ({"env": {"A": {"secret": "s", "kye": "k"}}}, "env.A.kye", "unknown-field",
     "unknown field; did you mean 'key'?", ""),
    ({"env": {"A": 12345}}, "env.A", "type",
     "expected a string, or a mapping with 'secret' and 'key', got integer", "write it in quotes"),
    ({"env": {"A": None}}, "env.A", "null",
     "expected a string, or a mapping with 'secret' and 'key', got null",
     "add a value or remove the field"),
    ({"any": []}, "any", "type", "expected an integer, or a name, got a list", ""),
    ({"any": "A"}, "any", "pattern", "expected lower case letters, got string 'A'", ""),
    # secrets
    ({"token": "hunter2"}, "token", "enum", "expected 'a' or 'b', got string", ""),
    ({"token": 4711}, "token", "type", "expected a string, got integer", "write it in quotes"),
    ({"token": True}, "token", "type", "expected a string, got true or false", "write it in quotes"),
    ({"vault": {"pin": 4711}}, "vault.pin", "type", "expected a string, got integer", "write it in quotes"),
]  # fmt: skip

# schema, instance, path, rule, message
_WHOLE = [
    ({"required": ["a", "b"]}, {"a": 1}, "", "missing-field", "missing field 'b'"),
    ({"dependentRequired": {"a": ["b"], "c": ["b"]}}, {"a": 1, "c": 1}, "", "missing-field",
     "missing field 'b', which 'a' and 'c' require"),
    ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, "", "missing-field",
     "missing field 'b'"),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, "", "missing-field", "missing field 'b'"),
    ({"not": {"required": ["a", "b"]}}, {"a": 1, "b": 1}, "", "not", "'a' and 'b' cannot be combined"),
    ({"not": {"required": ["a"]}}, {"a": 1}, "", "not", "field 'a' is not allowed here"),
    ({"not": {"const": 1}}, 1, "", "not", "this value is not allowed here"),
    ({"not": {"const": 1}, "x-expected": "another number"}, 1, "", "not", "expected another number"),
    ({"const": "v1"}, "v2", "", "const", "expected 'v1', got string 'v2'"),
    ({"enum": list(range(20))}, 99, "", "enum",
     "expected 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 or 8 other values, got integer 99"),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, "", "missing-field",
     "missing one of the fields 'a' or 'b'"),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]}, {"a": 1, "b": 1}, "",
     "one-of",
     "'a' and 'b' cannot be combined; keep one of them"),
    ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "", "one-of",
     "matches more than one of the allowed forms; keep one of them"),
    ({"oneOf": [{"minimum": 1}, {"minimum": 2}], "x-expected": "1 alone"}, 3, "", "one-of",
     "expected 1 alone"),
    ({"allOf": [{"properties": {"alpha": {}}}], "unevaluatedProperties": False}, {"alhpa": 1}, "alhpa",
     "unknown-field", "unknown field; did you mean 'alpha'?"),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"additionalProperties": False, "properties": {"alpha": {}}}}},
     {"alhpa": 1}, "alhpa", "unknown-field", "unknown field; did you mean 'alpha'?"),
    ({"anyOf": [{"enum": ["x", "y"]}, {"type": "null"}]}, "z", "", "enum",
     "expected 'x' or 'y', got string 'z'"),
    ({"oneOf": [{"type": "object", "required": ["a"]},
             {"properties": {"b": {"required": ["c"]}}}]}, {"b": {}},
     "b", "missing-field", "missing field 'c'"),
    ({"enum": ["a", None]}, 1, "", "enum", "expected 'a', got integer 1"),
    ({"enum": ["a"]}, None, "", "enum", "expected 'a', got null"),
    ({"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "integer"}]}, [], "", "type",
     "expected 'a' or 'b', or an integer, got a list"),
    ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "z", "", "type",
     "expected an integer, or true or false, got string 'z'"),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}}, {"a": 1}, "",
     "missing-field", "missing field 'b', which 'a' requires"),
    ({"contentEncoding": "base64", "$schema": "http://json-schema.org/draft-07/schema#"}, "!", "",
     "content-encoding", "expected what the schema asks for by 'contentEncoding'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> Any:
    return Schema(_SPEC)


@pytest.mark.parametrize(("given", "path", "rule", "message", "hint"), _CASES)
def test_words(schema: Schema, given: Any, path: Any, rule: Any, message: Any, hint: Any) -> None:
    faults = schema.faults({"name": "x", **given}, "schema")
    texts = [(dotted(f.path), f.rule, f.message, f.hint) for f in faults]
    assert (path, f"schema/{rule}", message, hint) in texts
    assert "hunter2" not in str(faults)
    assert "4711" not in str(faults)


@pytest.mark.parametrize(("document", "instance", "path", "rule", "message"), _WHOLE)
def test_words_about_the_whole(document: Any, instance: Any, path: Any, rule: Any, message: Any) -> None:
    texts = [(dotted(f.path), f.rule, f.message) for f in Schema(document).faults(instance, "schema")]
    assert texts == [(path, f"schema/{rule}", message)]


@pytest.mark.parametrize("given", [case[0] for case in _CASES])
def test_verdicts_are_those_of_the_reference_evaluator(schema: Schema, given: Any) -> None:
    instance = {"name": "x", **given}
    assert schema.is_valid(instance) is jsonschema.Draft202012Validator(_SPEC).is_valid(instance) is False


def test_a_valid_instance_has_no_faults(schema: Schema) -> None:
    instance = {
        "name": "x",
        "transport": {"type": "stdio"},
        "env": {"A": "x", "B": {"secret": "s", "key": "k"}},
    }
    assert schema.is_valid(instance)
    assert schema.faults(instance, "schema") == []


def test_every_unknown_field_is_a_fault_of_its_own_at_its_key(schema: Schema) -> None:
    faults = schema.faults({"name": "x", "zz": 1, "yy": 2}, "schema")
    assert [(f.path, f.at_key) for f in faults] == [(("yy",), True), (("zz",), True)]


def test_faults_are_sorted_with_numbers_as_numbers(schema: Schema) -> None:
    faults = schema.faults({"args": [*map(str, range(10)), 10, 2]}, "schema")
    assert [f.path for f in faults] == [(), ("args",), ("args", 10), ("args", 11)]


def test_values_are_hidden_on_request() -> None:
    faults = Schema(_SPEC, show_values=False).faults({"name": "Hunter2", "delay": "4711", "text": "4711"}, "schema")
    assert len(faults) == 3
    assert "Hunter2" not in str(faults)
    assert "4711" not in str(faults)


def test_references_into_other_documents_are_followed() -> None:
    other = {
        "$defs": {
            "p": {
                "properties": {"alpha": {"type": "string", "x-secret": True}},
                "additionalProperties": False,
            }
        }
    }
    schema = Schema({"$ref": "urn:mcpctl:other#/$defs/p"}, resources={"urn:mcpctl:other": other})
    faults = schema.faults({"alpha": 4711, "alhpa": 1}, "schema")
    assert [f.message for f in faults] == ["unknown field; did you mean 'alpha'?", "expected a string, got integer"]


def test_names_and_values_are_cut_and_escaped() -> None:
    assert excerpt("a\x1b[31m\n\u2028") == r"'a\x1b[31m\n\u2028'"
    assert excerpt("\x00" * 10**6) == "'" + "\\x00" * 9 + "\\x0…'"
    assert len(excerpt("x" * 100)) == EXCERPT_LENGTH + 2
    assert excerpt(10**5000) == "of very many digits"
    message = Schema({"additionalProperties": False, "properties": {"a\nb": {}}}).faults({"a\nc": 1}, "s")[0].message
    assert message == r"unknown field; did you mean 'a\nb'?"


@pytest.mark.parametrize(
    ("word", "candidates", "expected"),
    [
        ("trasport", ["transport", "port"], "transport"),
        ("RESTARTPOLICY", ["restartPolicy"], "restartPolicy"),
        ("x", ["transport"], None),
        ("a", [], None),
        ("http", ["stdio", "streamable-http", "sse"], "streamable-http"),
        ("mcp", ["mcp-proxy", "mcp-server"], None),
        ("port", ["port", 1, None], None),
    ],
)
def test_did_you_mean(word: Any, candidates: Any, expected: Any) -> None:
    assert did_you_mean(word, candidates) == expected


@pytest.mark.parametrize("path", sorted(ROOT.joinpath("docs/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_part_for_one_document_says_the_same_as_the_whole_schema(path: Path) -> None:
    for document in documents(path):
        part = Schema(assets.schema("mcpserver"))
        assert part.is_valid(document) is whole().is_valid(document) is True
        assert part.is_valid({}) is whole().is_valid({}) is False
        unnamed = {**document, "metadata": {}}
        part = Schema(assets.schema("mcpserver"))
        assert part.faults(unnamed, "x") == Schema(assets.schema("mcpserver")).faults(unnamed, "x") != []


@cache
def whole() -> Any:
    """The library's own judgement of all of the schema."""
    return jsonschema_rs.validator_for(assets.schema("mcpserver"), validate_formats=False)


@pytest.mark.slow
def test_the_part_for_a_changed_document_has_the_same_verdict() -> None:
    """What is needed of the schema follows from the names of the fields: so each place once, in a small document.

    Of what may be wrong at a place each is tried at every third.
    """
    seen: set[object] = set()
    image = {"image": "registry.example.com/mcp/demo:1.0"}
    for document in documents(ROOT / "docs/examples/everything.yaml"):
        alone = [{**document, "spec": {**image, name: value}} for name, value in document["spec"].items()]
        changed = (changed for small in alone if whole().is_valid(small) for changed in changes(small, seen))
        for each in islice(changed, 0, None, 3):
            part = Schema(assets.schema("mcpserver"))
            assert part.is_valid(each) is whole().is_valid(each), each
    assert len(seen) > 300


def test_the_part_for_a_rendered_object_has_the_same_verdict() -> None:
    """Of a schema with lists of mappings, whose definitions lie elsewhere."""
    seen: set[object] = set()
    paths = ROOT.joinpath("tests/__snapshots__/test_golden").glob("*[[]deployment].yaml")
    for path in sorted(paths, key=lambda path: path.stat().st_size)[-5:]:
        for document in documents(path):
            for changed in changes(document, seen):
                part = kubernetes_schema._schema_of.__wrapped__("1.34", "apps/v1", "Deployment")
                assert part is not None
                assert part.is_valid(changed) is pod_schema().is_valid(changed), changed
    assert len(seen) > 100


@cache
def pod_schema() -> Any:
    name = "io.k8s.api.apps.v1.Deployment"

    def schema(name: str) -> Any:
        inner = definition("1.34", name)
        return inner and inner.schema

    return jsonschema_rs.validator_for(with_definitions({"$ref": f"#/$defs/{name}"}, schema), validate_formats=False)


def documents(path: Path) -> Iterator[dict[str, Any]]:
    for document in read(path.read_bytes(), strict=False, marks=False)[0]:
        assert isinstance(document.data, dict)
        yield document.data


def changes(value: Any, seen: set[object], place: tuple[object, ...] = ()) -> Iterator[Any]:
    """The value with something wrong at each place that was not there before: of another type, unknown, or missing."""
    if place not in seen:
        seen.add(place)
        yield {"unknown": 1} if isinstance(value, str) else "no"
        if isinstance(value, dict):
            yield {**value, "unknown": 1}
    for key, inner in value.items() if isinstance(value, dict) else ():
        if len(place) < 3 and (*place, key) not in seen:  # deeper, fields are missing in the examples already
            yield {name: other for name, other in value.items() if name != key}
        yield from ({**value, key: changed} for changed in changes(inner, seen, (*place, key)))
    for number, item in enumerate(value) if isinstance(value, list) else ():
        yield from ([*value[:number], changed, *value[number + 1 :]] for changed in changes(item, seen, (*place, 0)))


def test_of_definitions_only_those_are_compiled_that_are_needed() -> None:
    definitions = {"a": {"$ref": "#/$defs/b"}, "b": {"items": [{"$ref": "#/$defs/a"}]}, "c": {}}
    made = with_definitions({"properties": {"x": {"$ref": "#/$defs/a"}}}, definitions.get)
    assert made["$defs"] == {"a": definitions["a"], "b": definitions["b"]}
    assert with_definitions({"const": 1}, definitions.get) == {"const": 1, "$defs": {}}
