"""Defaults come from the schema alone: each that stands there is filled in, and what is given stays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any

import jsonschema_rs
import pytest

from renderer import assets
from renderer.explain import leaves, schema_nodes
from renderer.model import JSON
from renderer.quantity import amount
from renderer.resolve import with_defaults
from renderer.resolve.defaults import compile_defaults
from tests.fields import SCHEMA, documents
from tests.specs import IMAGE, NPM, OCI, PYPI, spec

VALID = jsonschema_rs.Draft202012Validator(SCHEMA)


def further(size: str) -> JSON:
    return {"name": "a", "image": IMAGE, "size": size, "mounts": [{"source": "/tmp"}]}


#: What the examples leave to a default in no document.
SMALL: list[dict[str, JSON]] = [
    spec(package=NPM),
    spec(package=PYPI),
    spec(package=OCI),
    spec(package={"registry": "mcpb", "url": "https://example.com/a.mcpb", "sha256": "0" * 64}),
    spec(remote={"url": "https://mcp.example.com/mcp"}),
    spec(image=IMAGE),
    spec(image=IMAGE, transport={"type": "sse"}),
    spec(image=IMAGE, transport={"path": "/sse"}),
    spec(package=PYPI, transport={"path": "/sse"}),
    spec(health={"grpc": {}, "liveness": {"grpc": {}}}),
    *(spec(size=size) for size in ("small", "medium", "large")),
    *(spec(package=NPM, size=size) for size in ("medium", "large")),
    spec(storage=[{"name": "data", "size": "1Gi", "mountPath": "/data"}]),
    spec(files={"/a": {"content": ""}, "/b": {"secret": "s", "key": "k"}, "/c": {"configMap": "m", "key": "k"}}),
    spec(env={"A": {"secret": "s", "key": "k"}, "B": {"configMap": "m", "key": "k"}}),
    spec(envFrom=[{"secret": "s"}, {"configMap": "m"}]),
    spec(network={"egress": {"cidrs": [{"cidr": "10.0.0.0/8"}], "services": [{"name": "x"}]}}),
    spec(network={"egress": {}, "ingress": {}}),
    spec(security={"writablePaths": [{"path": "/cache"}]}),
    spec(patches=[{"kind": "Deployment", "merge": {"a": 1}}]),
    spec(patches=[{"kind": "Deployment", "json": [{"op": "remove", "path": "/a"}]}]),
    spec(gpu={}, rollout={}, shutdown={}),
    spec(scheduling={"tolerations": [{"key": "a"}], "topologySpread": [{"topologyKey": "zone"}]}),
    *(spec(sidecars=[further(size)], initContainers=[further(size)]) for size in ("medium", "large")),
    spec(sidecars=[{"name": "a", "image": IMAGE, "env": {"A": {"secret": "s", "key": "k"}}}]),
    spec(sidecars=[{"name": "a", "image": IMAGE, "env": {"A": {"configMap": "s", "key": "k"}}}]),
    spec(initContainers=[{"name": "a", "image": IMAGE, "env": {"A": {"secret": "s", "key": "k"}}}]),
    spec(initContainers=[{"name": "a", "image": IMAGE, "env": {"A": {"configMap": "s", "key": "k"}}}]),
    spec(autoscaling={"min": 1, "max": 2}),
    spec(autoscaling={"min": 1, "max": 2, "scaleUp": {}, "scaleDown": {}}),
    spec(expose={"host": "mcp.example.com"}),
    spec(monitoring={"port": 9090}),
    spec(monitoring={"port": 9090, "alerts": {"down": {}, "sessions": {}, "latency": {}, "errors": {}}}),
    spec(sandbox={"runtimeClass": {}}),
    spec(serviceAccount={"namespaces": [{"name": "a", "clusterRoles": ["view"]}]}),
    spec(
        serviceAccount={
            "namespaces": [{"name": "a", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}]
        }
    ),
    spec(externalSecrets=[{"name": "s", "store": {"name": "v"}, "keys": [{"key": "k", "remoteKey": "r"}]}]),
    spec(compose={"build": {"context": "."}}),
]
ALL = [*documents(), *SMALL]


def defaults(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, JSON]]:
    """Every ``default`` of the schema, conditional ones included, as field and value."""
    if "$ref" in schema:
        yield from defaults(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    for name, inner in schema.get("properties", {}).items():
        field = f"{path}.{name}" if path else name
        if "default" in inner:
            yield field, inner["default"]
        elif "$ref" in inner and "default" in (target := SCHEMA["$defs"][inner["$ref"].rpartition("/")[2]]):
            yield field, target["default"]
        yield from defaults(inner, field)
    for inner, field in _inside(schema, path):
        yield from defaults(inner, field)


def _inside(schema: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Members, and what speaks about the same place: branches and conditions."""
    members = {"items": "[]", "additionalProperties": ".*"}
    yield from ((schema[word], path + step) for word, step in members.items() if isinstance(schema.get(word), dict))
    yield from ((branch, path) for word in ("allOf", "oneOf") for branch in schema.get(word, ()))
    yield from ((schema[word], path) for word in ("then", "else") if word in schema)


def filled(before: JSON, after: JSON, path: str = "") -> Iterator[tuple[str, JSON]]:
    """What stands in ``after`` only: each value that was filled in, with its field under any name of a member."""
    if isinstance(after, dict):
        given = before if isinstance(before, dict) else {}
        for name, value in after.items():
            for field in (f"{path}.{name}".removeprefix("."), f"{path}.*"):
                if name not in given:
                    yield field, value
                yield from filled(given.get(name), value, field)
    elif isinstance(after, list):
        olds = before if isinstance(before, list) else [None] * len(after)
        for old, new in zip(olds, after, strict=True):
            yield from filled(old, new, f"{path}[]")


def covers(value: JSON, default: JSON) -> bool:
    """Whether a filled-in value is the default; a mapping may have been filled further."""
    if isinstance(default, dict) and isinstance(value, dict):
        return all(name in value and covers(value[name], inner) for name, inner in default.items())
    return value == default


DECLARED = list(dict.fromkeys((field, json.dumps(value)) for field, value in defaults(SCHEMA)))


def test_the_guard_sees_conditional_defaults() -> None:
    assert len(DECLARED) > 50
    assert {value for field, value in DECLARED if field == "spec.transport.bridge"} == {
        '"mcp-proxy-npm"',
        '"mcp-proxy"',
        '"agentgateway"',
        '"none"',
    }
    assert {value for field, value in DECLARED if field == "spec.transport.path"} == {'"/mcp"', '"/sse"'}
    assert len([value for field, value in DECLARED if field == "spec.resources.limits.memory"]) == 3


def test_every_default_of_the_schema_is_filled_in() -> None:
    seen: dict[str, list[JSON]] = {}
    for document in ALL:
        for field, value in filled(document, with_defaults(document)):
            seen.setdefault(field, []).append(value)
    missing = [
        (field, default)
        for field, default in DECLARED
        if not any(covers(value, json.loads(default)) for value in seen.get(field, ()))
    ]
    assert missing == []


@pytest.mark.parametrize("document", ALL, ids=lambda d: d["metadata"]["name"])
def test_the_result_is_valid_keeps_what_is_given_and_changes_nothing_twice(document: dict[str, JSON]) -> None:
    before = json.dumps(document)
    result = with_defaults(document)
    assert json.dumps(document) == before, "the data of the Source is shared"
    assert list(VALID.iter_errors(result)) == []
    assert keeps(result, document)
    assert with_defaults(result) == result


def keeps(result: JSON, given: JSON) -> bool:
    if isinstance(given, dict):
        return isinstance(result, dict) and all(keeps(result.get(name), value) for name, value in given.items())
    if isinstance(given, list):
        return isinstance(result, list) and all(map(keeps, result, given)) and len(result) == len(given)
    return result == given


@pytest.mark.parametrize(
    ("fields", "bridge", "path"),
    [
        ({"package": NPM}, "mcp-proxy-npm", "/mcp"),
        ({"package": PYPI}, "mcp-proxy", "/mcp"),
        ({"package": OCI}, "agentgateway", "/mcp"),
        ({"image": IMAGE}, "agentgateway", "/mcp"),
        ({"image": IMAGE, "transport": {}}, "agentgateway", "/mcp"),
        ({"image": IMAGE, "transport": {"type": "stdio"}}, "agentgateway", "/mcp"),
        ({"image": IMAGE, "transport": {"type": "sse"}}, "none", "/sse"),
        ({"image": IMAGE, "transport": {"type": "streamable-http"}}, "none", "/mcp"),
        ({"package": NPM, "transport": {"type": "streamable-http"}}, "none", "/mcp"),
        ({"package": PYPI, "transport": {"bridge": "supergateway"}}, "supergateway", "/mcp"),
        ({"package": PYPI, "transport": {"path": "/x"}}, "mcp-proxy", "/x"),
        ({"image": IMAGE, "transport": {"type": "sse", "path": "/mcp"}}, "none", "/mcp"),
    ],
    ids=str,
)
def test_bridge_and_path_follow_package_and_type(fields: dict[str, JSON], bridge: str, path: str) -> None:
    result: Any = with_defaults(spec(**fields))
    assert (result["spec"]["transport"]["bridge"], result["spec"]["transport"]["path"]) == (bridge, path)


#: From seeds/000: requests 128Mi/100m, limits 512Mi/500m for the small size.
SIZES = {
    "small": ("100m", "128Mi", "500m", "512Mi"),
    "medium": ("500m", "512Mi", "1", "2Gi"),
    "large": ("1", "2Gi", "2", "8Gi"),
}


@pytest.mark.parametrize("size", [None, *SCHEMA["$defs"]["spec"]["properties"]["size"]["enum"]])
def test_resources_follow_size(size: str | None) -> None:
    fields: dict[str, JSON] = {"size": size} if size else {}
    assert amounts(spec(**fields)) == SIZES[size or "small"]


def test_single_resources_win_over_size() -> None:
    document = spec(size="medium", resources={"limits": {"memory": "3Gi"}})
    assert amounts(document) == ("500m", "512Mi", "1", "3Gi")


def amounts(document: JSON) -> tuple[str, str, str, str]:
    result: Any = with_defaults(document)
    requests, limits = (result["spec"]["resources"][part] for part in ("requests", "limits"))
    return requests["cpu"], requests["memory"], limits["cpu"], limits["memory"]


def test_defaults_are_not_shared_between_results() -> None:
    first: Any = with_defaults(spec())
    first["spec"]["security"]["writablePaths"].append("/more")
    first["metadata"]["labels"]["more"] = "yes"
    second: Any = with_defaults(spec())
    assert second["spec"]["security"]["writablePaths"] == ["/tmp"]
    assert second["metadata"]["labels"] == {}


@pytest.mark.parametrize(
    ("schema", "data", "expected"),
    [
        ({"properties": {"a": {"default": 1}}}, {}, {"a": 1}),
        ({"properties": {"a": {"default": 1}}}, {"a": 2}, {"a": 2}),
        ({"properties": {"a": {"default": False}}}, {}, {"a": False}),
        ({"properties": {"a": {"default": 1}}}, "text", "text"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"default": 1}}}, {}, {"a": 1}),
        ({"properties": {"a": {"default": 2, "$ref": "#/$defs/x"}}, "$defs": {"x": {"default": 1}}}, {}, {"a": 2}),
        ({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {}, {}),
        ({"properties": {"a": {"default": {}, "properties": {"b": {"default": 1}}}}}, {}, {"a": {"b": 1}}),
        ({"items": {"properties": {"b": {"default": 1}}}}, [{}, {"b": 2}, 3], [{"b": 1}, {"b": 2}, 3]),
        (
            {"properties": {"k": {}}, "additionalProperties": {"properties": {"b": {"default": 1}}}},
            {"k": {}, "x": {}},
            {"k": {}, "x": {"b": 1}},
        ),
        (
            {"oneOf": [{"required": ["a"], "properties": {"b": {"default": 1}}}, {"required": ["c"]}]},
            {"a": 0},
            {"a": 0, "b": 1},
        ),
        (
            {"oneOf": [{"required": ["a"], "properties": {"b": {"default": 1}}}, {"required": ["c"]}]},
            {"c": 0},
            {"c": 0},
        ),
        (
            {"if": {"required": ["a"]}, "then": {"properties": {"b": {"default": 1}}}, "else": {}},
            {"a": 0},
            {"a": 0, "b": 1},
        ),
        ({"if": {"required": ["a"]}, "else": {"properties": {"b": {"default": 1}}}}, {}, {"b": 1}),
        ({"properties": {"a": {"x-text": True}}}, {"a": 2}, {"a": "2"}),
        ({"properties": {"a": {"x-text": True}}}, {"a": 2.50}, {"a": "2.5"}),
        ({"properties": {"a": {"x-text": True}}}, {"a": 1e18}, {"a": "1000000000000000000"}),
        ({"properties": {"a": {"x-text": True}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"x-text": True}}}, "text", "text"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"x-text": True}}}, {"a": 2}, {"a": "2"}),
    ],
    ids=str,
)
def test_keywords(schema: dict[str, Any], data: JSON, expected: JSON) -> None:
    assert compile_defaults(schema)(data) == expected


def test_a_number_is_the_quantity_in_quotes() -> None:
    examples: Any = documents()
    document = next(each for each in examples if each["metadata"]["name"] == "everything")
    fields = [path for path in leaves(document, ()) if any("x-text" in node for node in schema_nodes(path))]
    quantities = [path for path in fields if reduce(getitem, path, document) is not None]
    assert len(quantities) >= 20
    numbers, texts = deepcopy(document), deepcopy(document)
    for *parents, last in quantities:
        number = amount(reduce(getitem, parents, document)[last]) / 10**9
        reduce(getitem, parents, numbers)[last] = number
        reduce(getitem, parents, texts)[last] = f"{number:.15g}"
    assert VALID.is_valid(numbers)
    assert with_defaults(numbers) == with_defaults(texts)


def test_the_schema_is_not_changed_by_filling() -> None:
    before = assets.read_schema("mcpserver")
    for document in ALL:
        with_defaults(document)
    assert json.loads(before) == assets.schema("mcpserver")


def test_a_default_that_is_filled_further_is_made_for_each_document_anew() -> None:
    inner = {
        "default": {},
        "properties": {"a": {"default": [1]}, "b": {"default": {}, "properties": {"c": {"default": 2}}}},
    }
    fill = compile_defaults({"properties": {"x": inner}})
    first: Any = fill({})
    first["x"]["a"].append(3)
    first["x"]["b"]["c"] = 4
    assert fill({}) == {"x": {"a": [1], "b": {"c": 2}}}


@pytest.mark.parametrize(
    ("condition", "data", "holds"),
    [
        ({"properties": {"a": {"const": 1}}}, {"z": 0}, True),
        ({"properties": {"a": {"const": 1}}, "required": ["a"]}, {"z": 0}, False),
        ({"required": ["a"]}, {"a": 2, "z": 0}, True),
        ({"properties": {"a": {"const": 1}}}, {"a": 2}, False),
        ({"minProperties": 2, "properties": {"a": {}}}, {"a": 2, "z": 0}, True),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 2, "z": 0}, False),
        ({"properties": {"a": {}}}, "text", True),
    ],
)
def test_conditions_see_all_that_they_ask_for(condition: JSON, data: JSON, holds: bool) -> None:
    branches = ({"properties": {"then": {"default": True}}}, {"properties": {"else": {"default": True}}})
    filled = compile_defaults({"if": condition, "then": branches[0], "else": branches[1]})(data)
    assert filled == ({**data, "then" if holds else "else": True} if isinstance(data, dict) else data)
