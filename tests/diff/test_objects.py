"""Changed fields: items of lists by their names, types told apart, and nothing where nothing changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.diff.objects import ABSENT, MOST, Change, changes
from renderer.merge_patch import same

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3),
    max_leaves=12,
)

ROWS: list[tuple[Any, Any, dict[str, tuple[Any, Any]]]] = [
    ({"a": 1}, {"a": 2}, {"a": (1, 2)}),
    ({"a": 1}, {"a": True}, {"a": (1, True)}),
    ({"a": 1}, {}, {"a": (1, ABSENT)}),
    ({}, {"a.b": None}, {'["a.b"]': (ABSENT, None)}),
    (
        [{"name": "x", "v": 1}],
        [{"name": "y"}, {"name": "x", "v": 2}],
        {"[y]": (ABSENT, {"name": "y"}), "[x].v": (1, 2)},
    ),
    ([{"name": "x"}, {"name": "y"}], [{"name": "y"}, {"name": "x"}], {"[order]": (["x", "y"], ["y", "x"])}),
    ([{"name": "x"}, {"name": "x"}], [{"name": "x"}], {"[]": ({"name": "x"}, ABSENT)}),
    ([{"to": 1}, {"to": 2}], [{"to": 1}, {"to": 3}, {"to": 2}], {"[]": (ABSENT, {"to": 3})}),
    ([{"to": 1, "ports": [1]}], [{"to": 1, "ports": [2]}], {"[].ports": ([1], [2])}),
    ([{"to": 1}, {"to": 2}], [{"to": 2}, {"to": 1}], {"[order]": ([{"to": 1}, {"to": 2}], [{"to": 2}, {"to": 1}])}),
    ([{"containerPort": 1}], [{"containerPort": 1, "name": "a"}], {"[1].name": (ABSENT, "a")}),
    (["a"], ["b"], {"": (["a"], ["b"])}),
]


@pytest.mark.parametrize(("old", "new", "expected"), ROWS)
def test_changes(old: Any, new: Any, expected: dict[str, tuple[Any, Any]]) -> None:
    assert {change.where: (change.old, change.new) for change in changes(old, new)} == expected


@given(PLAIN)
@pytest.mark.slow
def test_nothing_changed(value: Any) -> None:
    assert changes(value, value) == ()


@given(PLAIN, PLAIN)
@pytest.mark.slow
def test_what_changed_back_and_forth_is_the_same(old: Any, new: Any) -> None:
    there, back = changes(old, new), changes(new, old)
    assert {(c.path, repr(c.old), repr(c.new)) for c in there} == {(c.path, repr(c.new), repr(c.old)) for c in back}
    assert bool(there) is not same(old, new)


def test_too_many_changes_are_one() -> None:
    old, new = ({str(i): value for i in range(MOST + 1)} for value in (1, 2))
    assert changes(old, new) == (Change((), old, new),)
