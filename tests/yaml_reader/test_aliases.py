"""Anchors, aliases and merge keys, where they are allowed: written out, within the limits."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.model import position
from renderer.yaml_reader import Limits, read

ALLOWED = Limits(aliases=True)
_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: &x 1\nb: *x\n", {"a": 1, "b": 1}),
        ("a: &x {b: [1, 2]}\nc: *x\n", {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}),
        ("a: &x {b: &y [1]}\nc: *y\nd: *x\n", {"a": {"b": [1]}, "c": [1], "d": {"b": [1]}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        ("a: &x {b: 1}\ne: &y {b: 2, c: 2}\nd: {<<: [*x, *y]}\n",
         {"a": {"b": 1}, "e": {"b": 2, "c": 2}, "d": {"b": 1, "c": 2}}),
        ("a: &x {b: 1}\nm: &y {<<: *x, c: 2}\nd: {<<: *y}\n",
         {"a": {"b": 1}, "m": {"c": 2, "b": 1}, "d": {"c": 2, "b": 1}}),
        ('a: "<<"\n', {"a": "<<"}),
    ],
)  # fmt: skip
def test_they_are_written_out(text: str, data: Any) -> None:
    documents, findings = read(text, strict=False, limits=ALLOWED)
    assert findings == []
    assert documents[0].data == data


def test_what_they_stand_for_keeps_the_place_where_it_was_written() -> None:
    (document,), _ = read("a: &x {b: 1}\nd:\n  <<: *x\n", strict=False, limits=ALLOWED)
    assert position(document.marks, ("d", "b"))[0] == 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [(_BOMB, "yaml/alias"), ("a: &x [*x]\n", "yaml/alias"), ("a: *unknown\n", "yaml/alias"),
     ("a: &x 1\n---\nb: *x\n", "yaml/alias")],
)  # fmt: skip
def test_what_explodes_or_leads_nowhere_is_refused(text: str, rule: str) -> None:
    _, findings = read(text, strict=False, limits=ALLOWED)
    assert [fault.rule for _, _, fault in findings][:1] == [rule]


def test_they_are_refused_where_nobody_allows_them() -> None:
    _, findings = read("a: &x 1\nb: *x\n", strict=False)
    assert {fault.rule for _, _, fault in findings} == {"yaml/anchor", "yaml/alias"}
