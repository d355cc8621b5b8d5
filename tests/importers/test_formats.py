"""JSON as editors take it, read as YAML: places stay, and texts are those of JSON."""

from __future__ import annotations

import json

import pytest

from renderer.importers.formats import as_yaml
from renderer.yaml_reader import read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ('// head\n{"a": 1} // end', {"a": 1}),
        ('{"a": "//no/*comment*/", /* one\n two */ "b": [1, 2, ], }', {"a": "//no/*comment*/", "b": [1, 2]}),
        ('{"a": "x\\"//", "b": 1, // c\n}', {"a": 'x"//', "b": 1}),
        ('\ufeff{"a": "\\ud83d\\ude00", "b": "\\\\ud83d"}', {"a": "\U0001f600", "b": "\\ud83d"}),
        ('{\t"a":\t"\\/"}', {"a": "/"}),
    ],
)
def test_comments_and_last_commas_are_spaces(text: str, expected: object) -> None:
    plain = as_yaml(text.encode())
    (document,), findings = read(plain, strict=False)
    assert (document.data, findings) == (expected, [])
    assert [len(line) for line in plain.splitlines()] == [
        len(line) for line in text.encode().splitlines()
    ] or "ud83d" in text


@pytest.mark.parametrize(
    "text", ["{url: http://x, }", "a: 1 // 2", "[" * 100_000, '{"a": /* ', '{"a": "', "", "{a, /**/}"]
)
def test_anything_else_is_left_as_it_is(text: str) -> None:
    assert as_yaml(text.encode()) == text.encode()


def test_what_python_writes_is_read_alike() -> None:
    data = {"a": "é\U0001f600\u2028\x7f", "b": [None, True, 1.5, "\\u0041"]}
    (document,), _ = read(as_yaml(json.dumps(data).encode()), strict=False)
    assert document.data == data
