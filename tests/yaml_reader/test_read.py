"""Documents, positions and faults of single texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import renderer.yaml_reader.events as events
from renderer.yaml_reader import Limits, position, read

SPEC = """\
# a comment
---
apiVersion: mcpctl.io/v1alpha1
metadata: {name: github, labels: {team: platform}}
spec:
  args: [stdio, "--port"]
  env:
    TOKEN:
      secret: github
  text: |
    one
    two
  storage:
    - name: data
      size: 1Gi
    - name: more
  empty:
"""


def one(text: bytes | str, strict: bool = True) -> Any:
    documents, findings = read(text, strict=strict)
    assert findings == []
    assert len(documents) == 1
    return documents[0].data


def told(text: bytes | str, strict: bool = True) -> list[tuple[int, int, str]]:
    return [(line, column, fault.rule) for line, column, fault in read(text, strict=strict)[1]]


def test_a_spec_is_read_as_pyyaml_reads_it() -> None:
    assert one(SPEC) == yaml.safe_load(SPEC)


@pytest.mark.parametrize(
    ("path", "at_key", "place"),
    [
        ((), False, (3, 1)),
        (("apiVersion",), True, (3, 1)),
        (("apiVersion",), False, (3, 13)),
        (("metadata", "labels", "team"), True, (4, 35)),
        (("metadata", "labels", "team"), False, (4, 41)),
        (("spec", "args", 1), False, (6, 17)),
        (("spec", "args", 1), True, (6, 17)),
        (("spec", "args", 2), False, (6, 3)),
        (("spec", "args", -1), False, (6, 3)),
        (("spec", "env", "TOKEN", "secret"), False, (9, 15)),
        (("spec", "env", "TOKEN", "key"), False, (8, 5)),
        (("spec", "text"), False, (10, 9)),
        (("spec", "storage", 1, "name"), False, (16, 13)),
        (("spec", "storage", 1, "size"), False, (16, 7)),
        (("spec", "storage", 1), False, (16, 7)),
        (("spec", "storage", "name"), False, (13, 3)),
        (("spec", "empty"), True, (17, 3)),
        (("spec", "image", "tag"), True, (5, 1)),
        (("nothing",), False, (3, 1)),
    ],
)
def test_positions(path: tuple[str | int, ...], at_key: bool, place: tuple[int, int]) -> None:
    document = read(SPEC, strict=True)[0][0]
    assert position(document.marks, path, at_key) == place
    assert document.line == 2


def test_marks_are_kept_only_when_asked_for() -> None:
    document = read(SPEC, strict=False, marks=False)[0][0]
    assert document.marks is None
    assert position(document.marks, ("spec",)) == (0, 0)
    assert document.data == yaml.safe_load(SPEC)


def test_faults_bring_the_marks_with_them() -> None:
    documents, findings = read("a: 1\na: 2\n", strict=False, marks=False)
    assert findings[0][2].message == "the key 'a' is on line 1 and again on line 2"
    assert documents[0].marks is not None


def test_all_faults_are_told_at_once_in_the_order_of_the_text() -> None:
    text = 'b: [1, 0777, 1e3]\na: &x NO\nc:\n  d: !!str x\n  d: 2\n  1: x\n  y: "\\x01"\n'
    assert told(text) == [
        (1, 8, "yaml/ambiguous"), (1, 14, "yaml/ambiguous"), (2, 4, "yaml/anchor"), (2, 4, "yaml/ambiguous"),
        (4, 6, "yaml/tag"), (5, 3, "yaml/duplicate-key"), (6, 3, "yaml/key"), (7, 3, "yaml/ambiguous"),
        (7, 6, "yaml/character"),
    ]  # fmt: skip
    assert [f[2].path for f in read(text, strict=True)[1]][:2] == [("b", 1), ("b", 2)]


def test_documents_with_faults_are_still_read() -> None:
    documents, _ = read("a: NO\nb: 1\nb: {c: 2}\n---\nd: 1\n---\n- [\n", strict=True)
    assert [d.data for d in documents] == [{"a": "NO", "b": 1}, {"d": 1}]
    assert [d.line for d in documents] == [1, 4]


def test_paths_of_faults_lead_through_lists() -> None:
    findings = read("- a\n- {x: no, z: [[1, off]]}\n", strict=True)[1]
    assert [f[2].path for f in findings] == [(1, "x"), (1, "z", 0, 1)]


def test_without_strict_the_core_schema_is_read() -> None:
    text = "a: ~\nb: True\nc: FALSE\nd: Null\n"
    assert one(text, strict=False) == {"a": None, "b": True, "c": False, "d": None}
    assert len(told(text)) == 4
    assert told("a: yes", strict=False) == [(1, 4, "yaml/ambiguous")]


@pytest.mark.parametrize(
    "text",
    ["\ufeffa: x\n", b"\xef\xbb\xbfa: x\n", "a: x", "a: x\r\n", "--- {a: x}", "# c\na: x", "a: x\n...\n",
     "{a: x}",
     '"a": "\\x78"', "? a\n: x", '{"a":"x"}', "\n\n a:  x # c\n"],
)  # fmt: skip
def test_forms_of_one_document(text: str | bytes) -> None:
    assert one(text) == {"a": "x"}


def test_crlf_and_lf_are_the_same_data_at_the_same_places() -> None:
    crlf = SPEC.replace("\n", "\r\n")
    assert one(crlf) == one(SPEC)
    assert read(crlf, strict=True)[0][0].marks == read(SPEC, strict=True)[0][0].marks


@pytest.mark.parametrize("text", ["", "\n", " ", "# only\n# comments", "\ufeff", "\ufeff# c\n", "\r\n"])
def test_nothing_is_no_document(text: str) -> None:
    assert read(text, strict=True) == ([], [])


@pytest.mark.parametrize(("text", "data"), [("---\n", [None]), ("---\n# c\n---\na: 1\n...\n", [None, {"a": 1}])])
def test_documents_of_comments_are_null(text: str, data: list[Any]) -> None:
    assert [d.data for d in read(text, strict=True)[0]] == data


CONTENT = {
    "a": ["x/y", "\U0001f600 \\ud83d \u2028", {"b\t": -1.5, "\U0001f600": None}],
    "c": True,
    "": '\r\n"',
}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("escaped", [True, False])
def test_json_of_real_tools(indent: Any, escaped: bool) -> None:
    text = json.dumps(CONTENT, indent=indent, ensure_ascii=escaped).replace("/", "\\/").replace("\u2028", "\\u2028")
    assert one(text) == CONTENT
    assert one("\ufeff" + text.replace("\n", "\r\n")) == CONTENT


def test_columns_of_json_are_those_of_the_file() -> None:
    text = '{"\\ud83d\\ude00": "\\ud83d\\ude00\\ud83d\\ude01", "b": "é",\n "c": ["\\\\ud83d\\ude00", 2], "d": 3}'
    text = text.replace("\\\\ud83d\\ude00", "\\ud83d\\ude00")
    marks = read(text, strict=True)[0][0].marks
    lines = text.split("\n")
    assert position(marks, ("\U0001f600",)) == (1, lines[0].index(': "') + 3)
    assert position(marks, ("b",), at_key=True) == (1, lines[0].index('"b"') + 1)
    assert position(marks, ("c", 1)) == (2, lines[1].index("2]") + 1)
    assert position(marks, ("d",)) == (2, lines[1].index("3}") + 1)
    faulty = text.replace("3}", "1e3}")
    assert told(faulty) == [(2, lines[1].index("3}") + 1, "yaml/ambiguous")]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"a": 1e3, "b": 01}', [(1, 7, "yaml/ambiguous"), (1, 17, "yaml/ambiguous")]),
        ('{"a": 1, "a": 2}', [(1, 10, "yaml/duplicate-key")]),
        ('{"a": "\\ud83d"}', [(1, 10, "yaml/syntax")]),
        ('{"a": "\\u0000"}', [(1, 7, "yaml/character")]),
        ("{'a': '\\ud83d\\ude00'}", []),
        ('["' + "\\ud83d\\ude00" * 10_001 + '"]', [(1, 5, "yaml/syntax")]),
    ],
)
def test_faults_of_json(text: str, places: list[tuple[int, int, str]]) -> None:
    assert told(text) == places


def test_a_backslash_before_a_backslash_is_no_escape() -> None:
    assert one('{"a": "\\\\ud83d\\\\ude00 \\ud83d\\ude00"}') == {"a": "\\ud83d\\ude00 \U0001f600"}


LIMITS = Limits(max_bytes=200, max_depth=3, max_nodes=8, max_total=12, max_documents=3, max_faults=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" * 201, "the file has 201 bytes, more than the 200 that are read"),
        ("[[[[1]]]]", "nested deeper than 3 levels"),
        ("[1,2,3,4,5,6,7,8,9]", "more than 8 keys and values in one document"),
        ("---\n[1,2,3,4]\n---\n[1,2,3,4]\n---\n[1,2,3]\n", "more than 12 keys and values in one file"),
        ("--- 1\n--- 2\n--- 3\n--- 4\n", "more than 3 documents in one file"),
        ("[no, no, no]", "only the first 2 faults are listed"),
    ],
)
def test_limits(text: str, message: str) -> None:
    findings = read(text, strict=True, limits=LIMITS)[1]
    assert message in [f[2].message for f in findings]


def test_what_just_fits_is_read() -> None:
    assert read("[[[1]], 2]", strict=True, limits=LIMITS)[1] == []
    assert read("--- 1\n--- 2\n--- 3\n", strict=True, limits=LIMITS)[1] == []


SAMPLES = [
    SPEC,
    "a: NO\na: 1\n1: 2\n",
    "%YAML 1.2\n--- a",
    "a: [1",
    "\t",
    "a: *x",
    "<<: {}",
    "? [a]\n: b",
    "[" * 200,
]


@pytest.mark.parametrize("text", SAMPLES)
def test_the_parser_in_python_reads_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = read(text, strict=True)
    monkeypatch.setattr(events, "_new_parser", yaml.SafeLoader)
    slow = read(text, strict=True)
    assert [(each.data, each.marks, each.line) for each in slow[0]] == [
        (each.data, each.marks, each.line) for each in fast[0]
    ]
    # The two word syntax errors differently, and may see them a column apart.
    assert [f[2].rule for f in slow[1]] == [f[2].rule for f in fast[1]]


signs = st.sampled_from("ab1 :-?,[]{}#&*!|>'\"%@`\n\t\\<=~.éx\r\x00\x01\x85\u2028\ufeff\ud800")


@given(text=st.text(signs, max_size=60) | st.text(max_size=60), strict=st.booleans())
def test_no_text_raises(text: str, strict: bool) -> None:
    _, findings = read(text, strict=strict)
    assert all(line >= 1 and column >= 1 for line, column, _ in findings)


@given(data=st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    read(data, strict=True)


@given(text=st.text(st.sampled_from("ab :-[]{},#'\"\n"), max_size=40))
def test_what_passes_is_what_pyyaml_reads(text: str) -> None:
    documents, findings = read(text, strict=True)
    if not findings:
        assert [d.data for d in documents] == list(yaml.load_all(text, Loader=yaml.CSafeLoader))
