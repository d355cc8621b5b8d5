"""A spec with faults is checked further, and whatever depends on a faulty field is left unsaid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from renderer.errors import DocumentPath
from renderer.load import load
from renderer.model import JSON, Source
from renderer.pipeline import inputs_of, plain
from tests.fields import EXAMPLES
from tests.specs import HTTP, read_specs, rules, spec

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def paths(data: JSON, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    """Every place of a document, from the outside in."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in items:
        yield (*path, step)
        yield from paths(value, (*path, step))


def fields(data: JSON) -> Iterable[DocumentPath]:
    """The first place of each field: members of one list are alike."""
    first: dict[DocumentPath, DocumentPath] = {}
    for path in paths(data):
        first.setdefault(tuple("" if isinstance(step, int) else step for step in path), path)
    return first.values()


@pytest.mark.parametrize("junk", [None, [], 5, "~ x", {"zz": 1}], ids=repr)
def test_no_finding_comes_of_a_faulty_value(junk: Any) -> None:
    """The examples have no faults between fields: what is found beside the schema's would come of the junk."""
    sources, _ = load([str(EXAMPLES / "everything.yaml")], stdin=None)
    before = set(rules(plain(inputs_of(sources)).problems))
    faulty = 0
    places = [(source, path) for source in sources for path in fields(source.data)]
    for source, path in places:
        parent: Any = source.data
        for step in path[:-1]:
            parent = parent[step]
        value, parent[path[-1]] = parent[path[-1]], junk
        after = rules(plain(inputs_of([source])).problems)
        parent[path[-1]] = value
        if any(rule.startswith("schema/") for rule in after):
            faulty += 1
            assert {rule for rule in after if not rule.startswith("schema/")} <= before, path
    assert faulty > 100


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"env": {"PORT": 8080, "T": TOKEN}}, {"schema/type", "policy/secret-literal"}),
        ({"args": [1, TOKEN]}, {"schema/type", "policy/secret-literal"}),
        ({"args": [{}, TOKEN]}, {"schema/type", "policy/secret-literal"}),
        # Places of a list without one of its items would be wrong: what has no form of its own is found later.
        ({"args": [{}, "--password=hunter2"]}, {"schema/type"}),
        ({"image": "a/b:latest", "transport": HTTP, "size": 1}, {"schema/enum", "policy/image-tag"}),
        ({"image": "a b", "env": {"T": TOKEN}}, {"schema/pattern", "policy/secret-literal"}),
        ({"autoscaling": {"min": 5, "max": 3, "x": 1}}, {"schema/unknown-field"}),
        (
            {"autoscaling": {"min": 5, "max": 3}, "transport": {**HTTP, "stateful": False}, "x": 1},
            {"schema/unknown-field", "spec/autoscaling-bounds"},
        ),
        ({"workload": "Pod", "autoscaling": None}, {"schema/null"}),
        ({"image": "a/b:latest", "transport": HTTP, "accept": {}}, {"schema/type"}),
    ],
)
def test_what_is_found_in_one_run(fields: dict[str, Any], expected: set[str]) -> None:
    specs = read_specs(spec("demo", **fields))
    assert set(rules(specs.problems)) == expected
    assert specs.servers == ()


def test_a_document_of_which_nothing_can_be_made_has_its_own_faults_and_its_tokens() -> None:
    source = Source("a.yaml", 1, 1, {"apiVersion": "mcpctl.io/v1alpha1", "kind": "McpServer", "spec": [TOKEN]})
    assert set(rules(plain(inputs_of([source])).problems)) == {
        "schema/missing-field",
        "schema/type",
        "policy/secret-literal",
    }
