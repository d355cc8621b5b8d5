"""JSON Patches: single operations, what does not fit, and that the data is RFC 6902's."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import errors_in
from renderer.merge_patch import merged
from renderer.model import JSON, Patch
from renderer.patch import as_merge, touched
from tests.oracles import yaml_read
from tests.specs import rendered, spec, texts

BEFORE: dict[str, Any] = {"a": {"b": [1, 2], "c": "x"}, "d": True}


def patch(*operations: dict[str, JSON]) -> Patch:
    return Patch(2, "kubernetes", "Deployment", None, {}, operations)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/a/b/-", "value": 3}, {"a": {"b": [1, 2, 3], "c": "x"}, "d": True}),
        ({"op": "add", "path": "/a/b/0", "value": 3}, {"a": {"b": [3, 1, 2], "c": "x"}, "d": True}),
        ({"op": "remove", "path": "/a/c"}, {"a": {"b": [1, 2]}, "d": True}),
        ({"op": "replace", "path": "/d", "value": 1}, {"a": {"b": [1, 2], "c": "x"}, "d": 1}),
        ({"op": "replace", "path": "/a", "value": {}}, {"a": {}, "d": True}),
        ({"op": "move", "from": "/a/c", "path": "/e"}, {"a": {"b": [1, 2]}, "d": True, "e": "x"}),
        ({"op": "copy", "from": "/d", "path": "/a/e~1f"}, {"a": {"b": [1, 2], "c": "x", "e/f": True}, "d": True}),
        ({"op": "test", "path": "/a/b/0", "value": 1}, BEFORE),
    ],
    ids=str,
)
def test_operations(operation: dict[str, JSON], expected: dict[str, JSON]) -> None:
    merge, faults = as_merge(BEFORE, patch(operation))
    assert faults == []
    assert repr(merged(BEFORE, merge)) == repr(expected)


def test_operations_follow_one_another() -> None:
    merge, faults = as_merge(
        BEFORE, patch({"op": "add", "path": "/n", "value": {}}, {"op": "add", "path": "/n/m", "value": 1})
    )
    assert (merge, faults) == ({"n": {"m": 1}}, [])


@pytest.mark.parametrize(
    ("operation", "rule", "field"),
    [
        ({"op": "remove", "path": "/nothing"}, "spec/patch-path", "path"),
        ({"op": "replace", "path": "/a/b/9", "value": 1}, "spec/patch-path", "path"),
        ({"op": "add", "path": "/no/where", "value": 1}, "spec/patch-path", "path"),
        ({"op": "add", "path": "/d/x", "value": 1}, "spec/patch-path", "path"),
        ({"op": "add", "path": "/a/b/x", "value": 1}, "spec/patch-path", "path"),
        ({"op": "move", "from": "/nothing", "path": "/e"}, "spec/patch-path", "path"),
        ({"op": "test", "path": "/d", "value": False}, "spec/patch-test", "value"),
        ({"op": "add", "path": "/e", "value": {"f": None}}, "spec/patch-null", "value"),
        ({"op": "add", "path": "/e", "value": None}, "spec/patch-null", "value"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_a_fault_at_its_operation(operation: dict[str, JSON], rule: str, field: str) -> None:
    merge, (fault,) = as_merge(BEFORE, patch({"op": "test", "path": "/d", "value": True}, operation))
    assert merge == {}
    assert (fault.rule, fault.path) == (rule, ("spec", "patches", 2, "json", 1, field))


def test_what_grows_without_end_is_refused_before_memory_is_short() -> None:
    """Each copy holds all before it: 40 of them would need a terabyte."""
    copies: list[dict[str, JSON]] = [{"op": "copy", "from": "/a", "path": f"/a/{i}"} for i in range(40)]
    merge, (fault,) = as_merge({"a": {"b": "text"}}, patch(*copies))
    assert (merge, fault.rule) == ({}, "spec/patch-size")
    assert fault.path[:4] == ("spec", "patches", 2, "json")


def test_what_an_operation_touches() -> None:
    assert touched({"op": "add", "path": "/a/0/b~1c/-", "value": 1}) == [("a", 0, "b/c")]
    assert touched({"op": "move", "from": "/a", "path": "/b"}) == [("a",), ("b",)]
    assert touched({"op": "test", "path": "/a", "value": 1}) == []


def test_both_targets() -> None:
    item: JSON = {"op": "replace", "path": "/spec/template/spec/containers/0/args/0", "value": "--b"}
    text = texts("kubernetes", spec(args=["--a"], patches=[{"kind": "Deployment", "json": [item]}]))
    deployment = text["demo/deployment.yaml"]
    assert yaml_read(deployment)["spec"]["template"]["spec"]["containers"][0]["args"] == ["--b"]
    assert "# changed by spec.patches[0] of server demo" in deployment
    assert "# The addresses of all Services" in deployment
    more: JSON = {"target": "compose", "kind": "service", "json": [{"op": "add", "path": "/command/-", "value": "--b"}]}
    (compose,) = texts("compose", spec(args=["--a"], health={"enabled": False}, patches=[more])).values()
    assert yaml_read(compose)["services"]["mcp-demo"]["command"] == ["--a", "--b"]


def test_a_path_that_is_not_there_is_told_at_the_patch() -> None:
    output = rendered("kubernetes", spec(patches=[{"kind": "Service", "json": [{"op": "remove", "path": "/x/y"}]}]))
    (problem,) = errors_in(output.problems)
    assert (problem.rule, problem.path) == ("spec/patch-path", "spec.patches[0].json[0].path")
    assert problem.place.line == 2


def test_a_patch_below_restricted_is_told_at_its_operation() -> None:
    item: JSON = {"op": "add", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": True}
    output = rendered("kubernetes", spec(patches=[{"kind": "Deployment", "json": [item]}]))
    problems = errors_in(output.problems)
    assert problems
    assert {problem.place.file for problem in problems} == {"<stdin>"}
