"""Merge patches of text: comments and order stay, each change is announced, and the data is RFC 7396's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from renderer.merge_patch import merge_text, merged
from renderer.model import JSON, Patch, Rendered
from renderer.patch import patch_documents
from renderer.yaml_reader import read
from renderer.yaml_writer import block
from tests.rfc7396 import EXAMPLES
from tests.specs import server

TEXT = """\
# the object
apiVersion: v1
kind: Thing
metadata:
  name: demo
  labels:
    team: a
spec:
  # how many
  replicas: 1

  # why these
  words:
    - one # first
    - two
  script: |
    run
    # not a comment
  flow: {a: 1, b: 2}
  none: {}
  template:
    # deep
    deep:
      w: 1
      x: 2
# the end
"""
ORIGIN = "the test"


def patched(patch: Mapping[str, JSON], text: str = TEXT) -> str:
    return merge_text(text, patch, ORIGIN)


def data_of(text: str) -> Any:
    (document,), faults = read(text, strict=False)
    assert faults == []
    assert yaml.load(text, Loader=yaml.CSafeLoader) == document.data
    return document.data


def difference(patch: Mapping[str, JSON]) -> list[str]:
    """Lines that went and came, in order, as '-…' and '+…'."""
    import difflib

    lines = difflib.ndiff(TEXT.splitlines(), patched(patch).splitlines())
    return [line[0] + line[2:] for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"spec": {"replicas": 2}}, ["-  replicas: 1", "+  # changed by the test", "+  replicas: 2"]),
        ({"spec": {"replicas": None}}, ["-  replicas: 1", "+  # replicas is removed by the test"]),
        ({"spec": {"more": "x"}}, ["+  # added by the test", "+  more: x"]),
        ({"more": {"a": 1}}, ["+# added by the test", "+more:", "+  a: 1"]),
        (
            {"metadata": {"labels": {"team": "b", "b": "c"}}},
            ["-    team: a", "+    # changed by the test", "+    team: b", "+    # added by the test", "+    b: c"],
        ),
        (
            {"spec": {"words": ["three"]}},
            ["-    - one # first", "-    - two", "+    - three", "+  # changed by the test"],
        ),
        ({"spec": {"words": ["one", "two", "three"]}}, ["+    # added by the test", "+    - three"]),
        ({"spec": {"words": ["one", "two"]}}, []),
        ({"spec": {"words": []}}, None),
        ({"spec": {"script": "y\n# z\n"}}, None),
        ({"spec": {"flow": {"a": None, "c": 3}}}, None),
        ({"spec": {"none": {"a": 1}}}, None),
        ({"spec": {"absent": None}}, []),
        ({"spec": {}}, []),
        ({"spec": {"absent": {"a": None}}}, ["+  # added by the test", "+  absent: {}"]),
    ],
    ids=str,
)
def test_only_what_is_patched_changes_and_is_announced(patch: dict[str, JSON], expected: list[str] | None) -> None:
    assert data_of(patched(patch)) == merged(data_of(TEXT), patch)
    found = difference(patch)
    if expected is None:
        assert any("changed by the test" in line for line in found)
    else:
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"template": {"deep": {"z": 3}}}},
        {"spec": {"template": {"deep": {"z": 3}, "more": 1}}},
        {"spec": {"template": {"deep": {"z": 3}, "more": 1}, "last": 2}, "end": 3},
        {"end": 3, "spec": {"last": 2, "template": {"more": 1, "deep": {"z": 3}}}},
        {"spec": {"template": {"deep": {"x": 9, "z": 3}}}},
        {"spec": {"template": {"deep": {"w": None, "x": None}}}},
        {"spec": {"template": {"deep": {"w": None, "x": None, "z": 1}}}},
        {"spec": {"template": {"deep": None}}},
        {"spec": {"template": None, "more": 1}},
        {"spec": {"script": None}},
        {"spec": {"script": {"a": 1}}},
        {"spec": "text"},
        {"spec": None},
        {"metadata": {"labels": {"team": None}}, "spec": {"replicas": 3}},
        {"metadata": {"labels": {"other": "x"}}, "kind": "Other"},
        {"spec": {"template": {"new": 1}}, "kind": None},
        {"apiVersion": None, "kind": None, "metadata": None, "spec": None},
        {"spec": {"template": {"deep": {"x": {"a": {"b": 1}}}}}},
        {"spec": {"flow": None, "none": None, "words": {"a": 1}}},
    ],
    ids=str,
)
def test_the_data_is_that_of_rfc_7396(patch: dict[str, JSON]) -> None:
    assert data_of(patched(patch)) == reference(data_of(TEXT), patch)


def test_comments_and_order_stay() -> None:
    found = patched({"spec": {"replicas": 2, "template": {"deep": {"z": 1}}}})
    for line in ("# the object", "  # how many", "  # why these", "    # deep", "# the end", "    - one # first"):
        assert f"{line}\n" in found
    assert list(data_of(found)["spec"]) == list(data_of(TEXT)["spec"])
    assert found.endswith("# the end\n")


LIST = """\
items:
  # about the first
  - name: a
    # why
    words: [x]
    deep:
      depth: 1
  # about the second
  - name: b
  - {name: c}
# the end
"""


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (
            [{"name": "a", "words": ["x"], "deep": {"depth": 2}}, {"name": "b"}, {"name": "c"}],
            LIST.replace("      depth: 1\n", "      # changed by the test\n      depth: 2\n"),
        ),
        (
            [
                {"name": "a", "words": ["x"], "deep": {"depth": 1}},
                {"name": "b", "more": 1},
                {"name": "c"},
                {"name": "d"},
            ],
            LIST.replace("  - name: b\n", "  - name: b\n    # added by the test\n    more: 1\n").replace(
                "# the end", "  # added by the test\n  - name: d\n# the end"
            ),
        ),
        (
            [{"name": "a", "deep": {"depth": 1}}, {"name": "b"}, {"name": "c"}],
            LIST.replace("    # why\n    words: [x]\n", "    # why\n    # words is removed by the test\n"),
        ),
    ],
)
def test_single_items_of_a_list_change(items: JSON, expected: str) -> None:
    assert patched({"items": items}, LIST) == expected


@pytest.mark.parametrize(
    "items",
    [
        [{"name": "z", "words": ["x"], "deep": {"depth": 1}}, {"name": "b"}, {"name": "c"}],
        [{"name": "new"}, {"name": "a", "words": ["x"], "deep": {"depth": 1}}, {"name": "b"}, {"name": "c"}],
        [{"name": "a", "words": ["x"], "deep": {"depth": 1}}, {"name": "b"}, {"name": "c", "in": "braces"}],
        [{"name": "a", "words": None, "deep": {"depth": 1}}, {"name": "b"}, {"name": "c"}],
        [{"name": "a"}],
    ],
    ids=str,
)
def test_a_list_is_written_anew_where_its_items_are_others(items: JSON) -> None:
    found = patched({"items": items}, LIST)
    assert data_of(found) == {"items": items}
    assert found.startswith("# changed by the test\nitems:\n")
    assert "about the first" not in found


def test_a_text_that_ends_like_a_comment_keeps_its_end() -> None:
    text = "data:\n  script: |\n    run\n    # not a comment\n"
    assert patched({"data": {"more": "x"}}, text) == f"{text}  # added by the test\n  more: x\n"
    assert patched({"data": {"script": "x"}}, text) == "data:\n  # changed by the test\n  script: x\n"


def test_an_empty_result_is_an_empty_mapping() -> None:
    assert data_of(patched({"data": {"a": None}}, "data:\n  a: 1\n")) == {"data": {}}
    assert data_of(patched({"data": None}, "data:\n  a: 1\n")) == {}


@pytest.mark.parametrize(
    ("data", "patch", "expected"),
    EXAMPLES,
    ids=str,
)
def test_merged(data: JSON, patch: JSON, expected: JSON) -> None:
    assert merged(data, patch) == expected
    assert reference(data, patch) == expected


def reference(target: Any, patch: Any) -> Any:
    """The pseudo code of RFC 7396, written without looking at renderer.patch."""
    if type(patch) is not dict:
        return patch
    if type(target) is not dict:
        target = {}
    names = [name for name in target if name not in patch] + [name for name in patch if patch[name] is not None]
    return {name: reference(target.get(name), patch[name]) if name in patch else target[name] for name in names}


KEYS = st.sampled_from(["a", "b", "c", "d", "NO", "#", "a b", "1"])
LEAVES = st.one_of(
    st.sampled_from(["x", "", "NO", "# c", "a\n# b\n", "a\n  b", "\n", "a: b", "1e3", "$x", " a\nb\n"]),
    st.integers(-3, 3),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
)


def values(*, nulls: bool) -> st.SearchStrategy[Any]:
    leaves = LEAVES | st.none() if nulls else LEAVES
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
    )


OBJECTS = st.dictionaries(KEYS, values(nulls=False), min_size=1, max_size=4)


@given(OBJECTS, st.dictionaries(KEYS, values(nulls=True), max_size=4))
def test_any_patch_of_any_text_gives_what_rfc_7396_says(data: dict[str, Any], patch: dict[str, Any]) -> None:
    found = merge_text(f"{block(data, 0)}\n", patch, ORIGIN)
    assert data_of(found) == reference(data, patch)
    assert merged(data, patch) == reference(data, patch)


@given(OBJECTS, st.dictionaries(KEYS, values(nulls=True), max_size=3), st.dictionaries(KEYS, values(nulls=True)))
def test_patches_follow_one_another(data: dict[str, Any], one: dict[str, Any], two: dict[str, Any]) -> None:
    text = merge_text(f"{block(data, 0)}\n", one, ORIGIN)
    assert data_of(merge_text(text, two, ORIGIN)) == reference(reference(data, one), two)


ITEMS = st.lists(st.tuples(OBJECTS, st.dictionaries(KEYS, values(nulls=False), max_size=3)), min_size=1, max_size=4)


@given(ITEMS, st.lists(OBJECTS, max_size=2))
def test_comments_between_items_stay_while_their_first_keys_do(pairs: list[tuple[Any, Any]], more: list[Any]) -> None:
    about = [f"  # about item {i}" for i in range(len(pairs))]
    text = "\n".join(["l:", *(f"{about[i]}\n{block([before], 2)}" for i, (before, _) in enumerate(pairs)), "end: 1\n"])
    after = [{**before, **{key: now[key] for key in now if key != next(iter(before))}} for before, now in pairs]
    found = merge_text(text, {"l": [*after, *more]}, ORIGIN)
    assert data_of(found) == {"l": [*after, *more], "end": 1}
    assert [line for line in found.split("\n") if line in about] == about


# ---------------------------------------------------------------------------------------------
# Which document is meant.


def _document(kind: str, name: str) -> Rendered:
    text = f"kind: {kind}\nmetadata:\n  name: {name}\n"
    return Rendered(f"{name}.yaml", text, "t.j2", {}, "server demo", (kind, name))


DOCUMENTS = [_document("Service", "mcp-demo"), _document("Deployment", "mcp-demo"), _document("Service", "other")]


def applied(*patches: JSON) -> tuple[list[Any], list[Any]]:
    documents, faults = patch_documents(DOCUMENTS, server(patches=list(patches)), "kubernetes")
    return [data_of(document.text) for document in documents], faults


def test_a_patch_meets_all_of_its_kind_unless_it_names_one() -> None:
    found, faults = applied({"kind": "Service", "merge": {"a": 1}})
    assert [object_.get("a") for object_ in found] == [1, None, 1]
    found, faults = applied({"kind": "Service", "name": "other", "merge": {"a": 1}})
    assert [object_.get("a") for object_ in found] == [None, None, 1]
    assert faults == []


def test_patches_apply_in_their_order() -> None:
    found, _ = applied({"kind": "Deployment", "merge": {"a": 1, "b": 1}}, {"kind": "Deployment", "merge": {"a": 2}})
    assert (found[1]["a"], found[1]["b"]) == (2, 1)


def test_a_patch_of_another_target_is_not_ours() -> None:
    found, faults = applied({"target": "compose", "kind": "service", "merge": {"a": 1}})
    assert found == [data_of(document.text) for document in DOCUMENTS]
    assert faults == []


def test_the_first_patch_may_take_away_what_the_second_would_look_for() -> None:
    found, faults = applied(
        {"kind": "Deployment", "merge": {"metadata": None, "kind": None}},
        {"kind": "Deployment", "name": "mcp-demo", "merge": {"a": 1}},
    )
    assert found[1] == {"a": 1}
    assert faults == []


def test_the_change_says_where_it_comes_from() -> None:
    documents, _ = patch_documents(DOCUMENTS, server(patches=[{"kind": "Deployment", "merge": {"a": 1}}]), "kubernetes")
    assert "# added by spec.patches[0] of server demo\na: 1\n" in documents[1].text


@pytest.mark.parametrize(
    ("patch", "path", "message", "hint"),
    [
        (
            {"kind": "Deploymnt", "merge": {"a": 1}},
            ("spec", "patches", 0, "kind"),
            "no Deploymnt is rendered",
            "did you mean 'Deployment'? there is: Deployment, Service",
        ),
        (
            {"kind": "ClusterRole", "merge": {"a": 1}},
            ("spec", "patches", 0, "kind"),
            "no ClusterRole is rendered",
            "there is: Deployment, Service",
        ),
        (
            {"kind": "Service", "name": "othr", "merge": {"a": 1}},
            ("spec", "patches", 0, "name"),
            "no Service is called 'othr'",
            "did you mean 'other'? there is: mcp-demo, other",
        ),
    ],
    ids=str,
)
def test_a_patch_without_match_is_a_fault(patch: JSON, path: tuple[str, ...], message: str, hint: str) -> None:
    _, (fault,) = applied(patch)
    assert (fault.path, fault.rule) == (path, "spec/patch-without-match")
    assert fault.message.startswith(message)
    assert fault.hint == hint


def test_the_place_of_a_patch_counts_all_patches() -> None:
    _, (fault,) = applied({"target": "compose", "kind": "x", "merge": {"a": 1}}, {"kind": "Xx", "merge": {"a": 1}})
    assert fault.path == ("spec", "patches", 1, "kind")


def test_a_patch_is_frozen_in_the_model() -> None:
    (patch,) = server(patches=[{"kind": "Service", "merge": {"a": 1}}]).patches
    assert patch == Patch(0, "kubernetes", "Service", None, {"a": 1})
