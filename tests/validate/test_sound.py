"""A spec with faults is checked further, and whatever depends on a faulty field is left unsaid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from itertools import zip_longest
from operator import getitem
from typing import Any

import pytest

from renderer.errors import DocumentPath
from renderer.load import load
from renderer.model import JSON, Source
from renderer.pipeline import inputs_of, plain
from tests.fields import EXAMPLES, VALID
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


JUNK: list[Any] = [None, [], 5, "~ x", {"zz": 1}]


@contextmanager
def replaced(data: Any, places: Iterable[DocumentPath], junk: Any) -> Iterator[None]:
    """No place may lie in another."""
    before: list[tuple[Any, str | int, Any]] = []
    for path in places:
        parent: Any = reduce(getitem, path[:-1], data)
        before.append((parent, path[-1], parent[path[-1]]))
        parent[path[-1]] = junk
    yield
    for parent, step, value in before:
        parent[step] = value


def places_at_once(data: JSON, junk: Any) -> Iterator[tuple[DocumentPath, ...]]:
    """Places where the junk breaks the schema: each field alone with one kind of junk, and with every kind in company.

    Every field alone with every kind would be 4,570 runs. The company is one field of each section (``spec.env``):
    what a rule says of fields of its own section is seen there.
    """
    kind = JUNK.index(junk)
    sections: dict[DocumentPath, list[DocumentPath]] = {}
    for number, path in enumerate(fields(data)):
        with replaced(data, [path], junk):
            if VALID.is_valid(data):
                continue
        if len(path) == 1 or number % len(JUNK) == kind:
            yield (path,)
        if len(path) > 1:
            sections.setdefault(path[:2], []).append(path)
    for row in zip_longest(*sections.values()):
        yield tuple(path for path in row if path)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_no_finding_comes_of_a_faulty_value(junk: Any) -> None:
    """The examples have no faults between fields: what is found beside the schema's would come of the junk."""
    sources, _ = load([str(EXAMPLES / "everything.yaml")], stdin=None)
    before = set(rules(plain(inputs_of(sources)).problems))
    faulty = 0
    for source in sources:
        for places in places_at_once(source.data, junk):
            with replaced(source.data, places, junk):
                after = rules(plain(inputs_of([source])).problems)
            faulty += any(rule.startswith("schema/") for rule in after)
            assert {rule for rule in after if not rule.startswith("schema/")} <= before, places
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
