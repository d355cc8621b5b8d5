"""A spec with faults is checked further, and whatever depends on a faulty field is left unsaid."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import zip_longest
from typing import Any

import pytest

from renderer.errors import DocumentPath
from renderer.load import load
from renderer.model import JSON, Source
from renderer.pipeline import inputs_of, plain
from tests.fields import EXAMPLES, VALID, members_used, with_value
from tests.specs import HTTP, read_specs, rules, spec

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"

JUNK: list[Any] = [None, [], 5, "~ x", {"zz": 1}]
#: A path, and what stands there instead.
Fault = tuple[DocumentPath, Any]


def faults_of(data: dict[str, JSON]) -> Iterator[Fault]:
    """Each field of the schema at its first path, with a kind of junk that breaks the schema there, all in turn.

    Every field with every kind would be 4,200 runs.
    """
    first: dict[str, DocumentPath] = {}
    for field, path in members_used(data):
        first.setdefault(field, path)
    kinds = deque(JUNK)
    for path in first.values():
        kinds.rotate()
        for junk in kinds:
            if not VALID.is_valid(with_value(data, path, junk)):
                yield path, junk
                break


def in_company(faults: Iterable[Fault]) -> Iterator[list[Fault]]:
    """One fault of each section (``spec.env``) at once: what a rule says of its own section is seen there."""
    sections: defaultdict[DocumentPath, list[Fault]] = defaultdict(list)
    for path, junk in faults:
        sections[path[:2]].append((path, junk))
    for row in zip_longest(*(faults for section, faults in sections.items() if len(section) > 1)):
        yield [fault for fault in row if fault]


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return load([str(EXAMPLES / "everything.yaml")], stdin=None)[0]


@pytest.mark.parametrize(
    "grouped", [lambda faults: ([fault] for fault in faults), in_company], ids=["alone", "company"]
)
def test_no_finding_comes_of_a_faulty_value(
    sources: list[Source], grouped: Callable[[Iterable[Fault]], Iterable[list[Fault]]]
) -> None:
    """The examples have no faults between fields: what is found beside the schema's would come of the junk."""
    before = set(rules(plain(inputs_of(sources)).problems))
    for source in sources:
        for faults in grouped(faults_of(source.data)):
            # A document never changes once it was checked.
            data: Any = reduce(lambda data, fault: with_value(data, *fault), faults, source.data)
            found = rules(plain(inputs_of([source._replace(data=data)])).problems)
            others = {rule for rule in found if not rule.startswith("schema/")}
            assert len(others) < len(set(found)), faults
            assert others <= before, faults


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
