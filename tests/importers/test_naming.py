"""Names made of names: valid, stable, told apart in any order."""

from __future__ import annotations

import re
from itertools import permutations

import pytest

from renderer.importers.naming import LONGEST, distinct_names, name_of

VALID = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
NAMES = {
    "io.github.owner/thing": "io-github-owner-thing",
    "io.github.Owner/My_Thing": "io-github-owner-my-thing",
    "time": "time",
    "Zeit für alle": "zeit-fur-alle",
    "../../etc/passwd": "etc-passwd",
    "-a-": "a",
    "a\x00b\nc": "a-b-c",
}


@pytest.mark.parametrize(("original", "name"), NAMES.items())
def test_a_name_is_made_of_its_original(original: str, name: str) -> None:
    assert name_of(original) == name


@pytest.mark.parametrize("original", ["", "…", "x" * 200, "io.github.owner/" + "y" * 184, "日本", "é" * 100, "\ud800"])
def test_any_original_has_a_valid_name(original: str) -> None:
    assert VALID.fullmatch(name_of(original))
    assert len(name_of(original)) <= LONGEST


def test_long_names_differ_where_their_originals_do() -> None:
    assert name_of("x" * 199 + "a") != name_of("x" * 199 + "b")


def test_those_that_collide_are_told_apart_in_any_order() -> None:
    definitions = [("Time", "a"), ("time", "b"), ("t.ime", "c"), ("other", "d"), ("o_ther", "e"), ("o_ther", "f")]
    expected = dict(zip(definitions, distinct_names(definitions), strict=True))
    assert len(set(expected.values())) == len(definitions)
    assert expected["time", "b"] == "time", "it is the name itself"
    assert expected["t.ime", "c"] == "t-ime"
    assert all(VALID.fullmatch(name) and len(name) <= LONGEST for name in expected.values())
    for order in list(permutations(definitions))[::37]:
        assert dict(zip(order, distinct_names(order), strict=True)) == expected
