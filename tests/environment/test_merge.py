"""Merging with places: the data is RFC 7396's, and every value stands in the file that it came from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.environment.merge import filled, idle_nulls, merged, placed, stamped
from renderer.merge_patch import merged as plain_merged
from renderer.model import JSON, Marks, nearest
from renderer.yaml_reader import read
from tests.rfc7396 import EXAMPLES


def marks_of(value: JSON, file: str = "") -> Marks:
    inner: Any = None
    if isinstance(value, dict):
        inner = {key: marks_of(one, file) for key, one in value.items()}
    elif isinstance(value, list):
        inner = [marks_of(one, file) for one in value]
    return Marks(1, 1, 1, 1, inner, file)


@pytest.mark.parametrize(("data", "patch", "expected"), EXAMPLES)
def test_rfc_7396(data: JSON, patch: JSON, expected: JSON) -> None:
    assert merged(data, marks_of(data), patch, marks_of(patch, "env"))[0] == expected


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
_MAPPINGS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3)


@given(_MAPPINGS, _MAPPINGS)
@pytest.mark.slow
def test_the_data_is_what_the_plain_merge_makes(data: dict[str, JSON], patch: dict[str, JSON]) -> None:
    before = repr(data)
    found, _ = merged(data, marks_of(data), patch, marks_of(patch, "env"))
    assert found == plain_merged(data, patch)
    assert repr(data) == before, "a document is shared by environments and never changed"


def document(text: str, file: str = "") -> tuple[JSON, Marks]:
    (found,), faults = read(text, strict=True)
    assert not faults
    assert found.marks
    return found.data, stamped(found.marks, file) if file else found.marks


def test_places() -> None:
    data, marks = document("a: 1\nb: {c: 2, d: 3}\n")
    patch, over = document("b:\n  c: 5\n  d: null\ne: [7]\n", "env")
    result, found = merged(data, marks, patch, over)
    assert result == {"a": 1, "b": {"c": 5}, "e": [7]}
    where = {path: nearest(found, path)[0] for path in [("a",), ("b",), ("b", "c"), ("b", "d"), ("e", 0)]}
    assert {path: (mark.file, mark.line) for path, mark in where.items()} == {
        ("a",): ("", 1),
        ("b",): ("", 2),
        ("b", "c"): ("env", 2),
        ("b", "d"): ("env", 3),  # what was removed stands where the null does
        ("e", 0): ("env", 4),
    }


def test_defaults_hold_where_nothing_is_said() -> None:
    data, marks = document("a: 1\nb: {c: 2}\nl: [1]\n")
    defaults, over = document("a: 9\nb: {c: 9, d: 4}\nl: [9]\nm: null\nz: {w: null, x: 1}\n", "env")
    result, found = filled(data, marks, defaults, over)
    assert result == {"a": 1, "b": {"c": 2, "d": 4}, "l": [1], "z": {"x": 1}}
    assert [nearest(found, path)[0].file for path in [("a",), ("b", "d"), ("l",), ("z",)]] == ["", "env", "", "env"]


def test_placed_reaches_into_lists() -> None:
    data, marks = document("s: [{i: a}, {i: b}]\n")
    result, found = placed(data, marks, ("s", 1, "i"), "x", Marks(7, 1, 7, 2, None, "env"))
    assert result == {"s": [{"i": "a"}, {"i": "x"}]}
    assert [nearest(found, ("s", i, "i"))[0].file for i in (0, 1)] == ["", "env"]
    assert data == {"s": [{"i": "a"}, {"i": "b"}]}


def test_idle_nulls() -> None:
    patch: JSON = {"a": None, "b": {"c": None, "d": 1}, "e": {}}
    assert list(idle_nulls({}, patch)) == [("a",), ("b", "c")]
    assert list(idle_nulls({"a": 1}, patch)) == [("b", "c")]
    assert list(idle_nulls({"b": {"c": 0}}, patch)) == [("a",)]
