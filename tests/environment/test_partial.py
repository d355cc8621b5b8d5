"""Of an environment that the schema refuses, nothing is told that its faulty values decide."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renderer.environment import make_environments
from renderer.errors import DocumentPath
from renderer.load import load
from renderer.model import Source

ROOT = Path(__file__).parents[2]
SOURCES, _ = load([str(ROOT / "docs/environments")], stdin=None)
#: No field takes either.
JUNK = ([1.5], {"no such field": 1.5})


def paths(value: Any, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    """Of all values below."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from paths(inner, (*path, step))


def with_junk(source: Source, path: DocumentPath, junk: object) -> Source:
    data: Any = copy.deepcopy(source.data)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = junk
    return source._replace(data=data)


@pytest.mark.parametrize("junk", JUNK, ids=["a list", "a mapping"])
def test_junk_is_found_by_the_schema_alone(junk: object) -> None:
    count = 0
    for source in SOURCES:
        known = {problem.rule for problem in make_environments([source])[1]}
        # What a merge takes is for the schema of specs.
        merged = [("spec", "defaults"), ("spec", "patches")]
        for path in paths(source.data):
            if len(path) < 2 or path[:2] in merged:
                continue
            environments, problems = make_environments([with_junk(source, path, junk)])
            if environments:
                continue  # a mapping of texts of the user's own
            count += 1
            rules = {problem.rule for problem in problems} - known
            assert rules
            assert {rule for rule in rules if not rule.startswith("schema/")} == set(), path
    assert count > 30
