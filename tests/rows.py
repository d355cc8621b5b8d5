"""Makes one test of the many rows of a function: pytest and xdist take 4 ms for each test, and most rows less."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

#: Fewer rows stay tests of their own.
FEWEST = 4
#: Fixtures of every test, on which no row depends more than another.
SHARED = {"request", "_quiet_about_silence"}


def joined(items: Iterable[pytest.Item], most: int | None) -> Iterator[pytest.Item]:
    """The tests, with one in place of the rows of a function that have no state of their own (of the first *most*)."""
    rows: defaultdict[object, list[pytest.Function]] = defaultdict(list)
    for item in items:
        rows[join_key(item)].append(item)  # type: ignore[arg-type]
    for group in rows.values():
        if len(group) < FEWEST:
            yield from group
        else:
            yield one_of(group[:most])


def join_key(item: pytest.Item) -> object:
    """The same for rows of a function of which every fixture outlives a test, and that have the same marks."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec") or hasattr(item.obj, "hypothesis"):
        return item
    indirect = any("indirect" in mark.kwargs for mark in item.iter_markers("parametrize"))
    if indirect or item.callspec.marks or "request" in inspect.signature(item.obj).parameters:
        return item
    params = item.callspec.params.keys()
    fixtures = [item._fixtureinfo.name2fixturedefs[name][-1] for name in {*item.fixturenames} - params - SHARED]
    if any(fixture.scope == "function" or not params.isdisjoint(fixture.argnames) for fixture in fixtures):
        return item
    return item.parent, item.originalname


def one_of(rows: list[pytest.Function]) -> pytest.Function:
    """A test that runs all rows, and names each that fails."""
    first = rows[0]

    @functools.wraps(first.obj)
    def test(**fixtures: Any) -> None:
        failures, skips = [], []
        for row in rows:
            try:
                row.obj(**fixtures, **row.callspec.params)
            except pytest.skip.Exception as skip:
                skips.append(f"{row.name}: {skip}")
            except (Exception, pytest.fail.Exception):
                failures.append(f"{row.name}\n{traceback.format_exc()}")
        if failures:
            pytest.fail(f"{len(failures)} of {len(rows)} rows failed:\n" + "\n".join(failures), pytrace=False)
        if skips:
            pytest.skip("\n".join(skips))

    parameters = inspect.signature(first.obj).parameters.values()
    rest = [parameter for parameter in parameters if parameter.name not in first.callspec.params]
    test.__signature__ = inspect.Signature(rest)  # type: ignore[attr-defined]
    test.pytestmark = [mark for mark in first.own_markers if mark.name != "parametrize"]  # type: ignore[attr-defined]
    test_of_all: pytest.Function = pytest.Function.from_parent(first.parent, name=first.originalname, callobj=test)
    return test_of_all
