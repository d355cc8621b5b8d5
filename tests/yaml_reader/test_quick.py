"""What is read quickly is what the precise reader reads, and whatever may be doubted is left to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer import yaml_reader
from renderer.yaml_reader import OUTPUT_LIMITS, SPEC_LIMITS, Limits, read
from renderer.yaml_reader.quick import quick
from tests.yaml_reader.test_plain import AGREED, DOUBTS

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("MCPCTL_TEST_SHARED", ROOT.parent / "shared"))
MODES = ((False, OUTPUT_LIMITS), (True, SPEC_LIMITS))

#: Where a scalar may stand.
POSITIONS = """
{}
a: {}
a:  {} # comment
a: {{b: {}}}
a: {{b: {}, c: 1}}
{{"a":{}}}
{{"a": {}}}
{{a: [{}]}}
{{{}: 1}}
{{{}}}
{{{}, b}}
{{a :{}}}
[a, {}]
[a,{}]
- {}
-  {}
- - {}
- a: {}
{}: 1
{}:
? {}
? a
a {}: 1
a: b {}
a: {} b
a: "b {} c"
a: 'b, {}'
a: b, {}
a: !t {}
a: &t {}
--- {}
# a: {}
a: 1 # {}
""".strip().split("\n")
FAULTY = (
    "", "\n", "# only", "a", "[]", "{}", "a: 1\na: 2", "{a: 1, a: 2}", "a: 1\n---\nb: 1", "%YAML 1.2\n---\na: 1",
    "*a", "a: *b", "a: &x 1", "a: !!str 1", "<<: {a: 1}", "a: {<<: {b: 1}}", "? [a]\n: 1", "{[a]: 1}",
    "? {a: 1}\n: 2", ": 1", "{: 1}", "{? a}", '"a":1', '{"a":1, b: [}', 'a: "\\x00"', 'a: "\\u0085"', 'a: "\\0"',
    'a: "\\ud83d"', '["\\ud83d\\ude00"]', 'a: "\\q"', "a: 1\n\tb: 2", "\ufeffa: 1", "a: b: c", "a:\n- 1\n-2",
    "[" * 65 + "]" * 65, "{a: " * 65 + "}" * 65, "- " * 70 + "a", "a: |\n  no\n  1e3\n", "a: >\n  no\n",
    "\n".join(" " * i + "a:" for i in range(70)), "{1: a}", "{true: a}", "{null: a}", "{~}", "a\n...",
    "a: 1\n...\n# b", "a: 1\n...\nb: 1", "# no\n\n  # y\na: 1", "a: b\n  no", "a:\n  no", "a: 2001-12-14\n  10:00",
    "a: 2001-12-14\t10:00", "a: [1,\nno\n]", "'a':1e3", "{'a':1e3}", "a: '\n\n  b'", "a: 1\r\nb: no\r\n", "a:\xa01e3",
    "a: # b |\n  c", "a: # b: |\n  c: d\n", "a: ~ # b:\n  c: d", "a: >\n  # b\n", "a: |+\n  b\n\n", "a: |\n  b",
    "a: |\n\n  b\n", "a: |\n# b\n", "a: |\n    b\n  \n    # c\n",
    "a: |\n    \n  b\n", "a: |\n  b\n    \nc: d\n", "a: |\n  b\n ",
    "a: null |\n  b", "-  a: b\n  c: d", "- {a: b}\n  c: d", "a: b\n  c: d", "a:\n  b: c\n d: e", "- a\n  b: c",
    "a: 1\n- b", "- a: |\n  b\n",
    "a: é", "a: \U0001f600", "- [a, b]: c", "a: ::1", "{a: ::1}", '{a: "::1"}', '{"a"::1}',
)  # fmt: skip

#: Of which nothing has to be read as a whole.
JOINED = (
    "a: b", "a:\n- b\n- c\nd: e", "a:\n  - b: c\n    d:\n    - e\n  - f\ng:", "- a:\n  - b\n- c:\n- d",
    "a: |\n  b\n\n   c\n\nd: e",
    "a:\n  - |-\n    b\n    # c\n  # d\n  - e: |\n      f\n    g: h\n", "a: [b, {c: d}]\ne: {}\n",
    "a:\n  # b\n\nc: ''",
    '"a b": "c"', "- 'b: c'", "  a: b\n  c: d",
)  # fmt: skip


def precise(text: str, strict: bool, limits: Limits) -> tuple[list[Any], list[Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_reader, "read_quickly", lambda *_, **__: None)
        documents, findings = read(text, strict=strict, limits=limits, marks=False)
        return [(typed(d.data), d.line) for d in documents], findings


def typed(value: Any) -> Any:
    """As == compares, but telling 1 from 1.0 and from true, -0.0 from 0.0, and one order of keys from another."""
    if isinstance(value, dict):
        return [(key, typed(inner)) for key, inner in value.items()]
    return [typed(inner) for inner in value] if isinstance(value, list) else (type(value), repr(value))


def agrees(text: str) -> list[bool]:
    """Whether it was read quickly, in each mode."""
    read = []
    for strict, limits in MODES:
        if found := quick(text, strict=strict, limits=limits):
            documents, findings = precise(text, strict, limits)
            assert (documents, findings) == ([(typed(found[0]), found[1])], [])
        read.append(found is not None)
    return read


@pytest.mark.parametrize("position", POSITIONS)
def test_every_scalar_in_every_position(position: str) -> None:
    for text in (*AGREED, *DOUBTS, "~", "<<", "=", "@a", "%a", "!a", "&a", "*a", "?", ":", "-", "|", ">", "'a", '"a"'):
        agrees(position.format(text))


@pytest.mark.parametrize("text", FAULTY)
def test_texts_that_are_faulty_or_odd(text: str) -> None:
    agrees(text)


@pytest.mark.parametrize("text", DOUBTS)
def test_a_doubtful_scalar_is_never_read_quickly(text: str) -> None:
    for position in ("a: {}", "- {}", "{{a: {}}}", "[b, {}]", "a:\n  {}", "{}: a", '{{"a":{}}}'):
        assert quick(position.format(text), strict=True, limits=SPEC_LIMITS) is None


@given(st.text(st.sampled_from("ab1 :-[]{},#'\"\n&*!?~yno.e0x_\\tu|>%@\t\xa0é"), max_size=40))
def test_any_text(text: str) -> None:
    agrees(text)


_SCALAR = st.one_of(st.sampled_from([*AGREED, *DOUBTS]), st.text(st.sampled_from("ab1.: e-_/x+0#"), max_size=8))


@given(st.lists(st.tuples(st.sampled_from([*POSITIONS, "  a: {}", "  - {}", "    {}"]), _SCALAR), max_size=6))
def test_any_lines(lines: list[tuple[str, str]]) -> None:
    agrees("\n".join(position.format(text) for position, text in lines))


#: What lines may be, one below the other: keys, items, texts below, and what only looks like one of these.
_LINES = (
    "a:", "b: c", "c:", "- a", "- b:", "- c: d", "-  a: b", "- - a", "-", "a:b", "b : c", "a: b: c", "- [a]: b",
    "d: 1.5", "a: |", "b: |-", "- |", "- |-", "- c: |", "- |+", "a: >", "b: |2", "a: b |", "a: null |", "- # |",
    "- a: # |",
    "a: '|'", "# c", "", "  ", "b ", "a: # c", "b: ~ # :", "a: []", "- {a: b}", "- [a, {b: c}]", "c: {b: [c]}",
    "{a: b}: c", "b: ''",
    "a: ':'", "text", "text: more # c", "'a': b", '"b": |', "---", "...", "? a", "longer: longest", "longer:",
    "long: http://a.b:1/",
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(_LINES)), max_size=8), st.sampled_from(["", "\n", "\n\n"]))
def test_any_lines_in_any_column(lines: list[tuple[int, str]], end: str) -> None:
    agrees("\n".join(" " * column + line for column, line in lines) + end)


@pytest.mark.parametrize("text", JOINED)
def test_lines_are_put_together(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renderer.yaml_reader.quick._read_whole", lambda *_: None)
    assert agrees(text) == [True, True]


def test_a_value_within_a_line_is_another_each_time() -> None:
    first, second = (quick("a: [b, {c: d}]\n", strict=False, limits=OUTPUT_LIMITS) for _ in range(2))
    assert first
    assert second
    assert first == second
    first[0]["a"][1]["c"] = "e"
    assert second[0] == {"a": ["b", {"c": "d"}]}


def files() -> Iterator[Path]:
    for folder in ("docs", "tests/negative", "tests/golden", "output/kubernetes", "output/compose", "schemas"):
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in (".yaml", ".yml", ".json"))
    corpus = [
        path for folder in ("corpus", "cases", "seeds") for path in (SHARED / folder).rglob("*") if path.is_file()
    ]
    yield from sorted(path for path in corpus if path.stat().st_size < 500_000)


def test_files() -> None:
    """Those of the repository, and real ones where test data lies beside it; each document by itself too."""
    read, rendered = 0, 0
    for path in files():
        texts = path.read_text(errors="replace").split("\n---\n")
        for text in dict.fromkeys(["\n---\n".join(texts), *texts]):
            agreed = agrees(text)
            read += agreed[0]
            rendered += agreed[0] and "output" in path.parts
    assert read > 300, "the quick way is hardly ever taken"
    assert rendered > 150, "of what was rendered, most is read quickly"


@pytest.mark.parametrize("text", ["a: " + "[" * 65 + "]" * 65, '{"a":' * 65, "a: " + "[" * 100])
def test_deep_brackets_are_not_read_quickly(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renderer.yaml_reader.quick.ryaml.loads", lambda text: pytest.fail("it takes seconds"))
    assert quick(text, strict=False, limits=OUTPUT_LIMITS) is None
