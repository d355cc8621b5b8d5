"""Changes in the text of a spec: the line that says it changes, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import DocumentPath
from renderer.pinning.edits import CannotEdit, edited

PINNED = "a/b:1@sha256:0"

ROWS: dict[str, tuple[str, DocumentPath, Any, str]] = {
    "plain": ("image: a/b:1 # keep\n", ("image",), PINNED, f"image: {PINNED} # keep\n"),
    "double quotes": ('image: "a/b:1"\n', ("image",), PINNED, f'image: "{PINNED}"\n'),
    "single quotes": ("image: 'a/b:1'\n", ("image",), PINNED, f"image: '{PINNED}'\n"),
    "braces": ("x: {image: a/b:1, b: 2} # c\n", ("x", "image"), PINNED, f"x: {{image: {PINNED}, b: 2}} # c\n"),
    "list": ("x:\n  - image: a/b:1\n  - image: c\n", ("x", 1, "image"), "d", "x:\n  - image: a/b:1\n  - image: d\n"),
    "next line": ("image:\n  a/b:1\n", ("image",), PINNED, f"image:\n  {PINNED}\n"),
    "version": ("v: 1.2.3\n", ("v",), "1.10.0", "v: 1.10.0\n"),
    "a version that reads as a number": ('v: "1.2"\n', ("v",), "1.3", 'v: "1.3"\n'),
    "umlauts before": ("x: {d: 'ä€😀', image: a/b:1}\n", ("x", "image"), "c", "x: {d: 'ä€😀', image: c}\n"),
    "windows": ("a: 1\r\nimage: a/b:1\r\n", ("image",), "c", "a: 1\r\nimage: c\r\n"),
    "added to a block": (
        "x:\n  a: 1 # one\n\n# next\nz: 2\n",
        ("x", "b"),
        "c",
        "x:\n  a: 1 # one\n  b: c\n\n# next\nz: 2\n",
    ),
    "added behind a text": (
        "x:\n  a: |\n    t\n    u\nz: 2\n",
        ("x", "b"),
        "c",
        "x:\n  b: c\n  a: |\n    t\n    u\nz: 2\n",
    ),
    "added to braces": ("x: {a: 1, b: [c, d]} # e\n", ("x", "l"), "f/g", "x: {a: 1, b: [c, d], l: f/g} # e\n"),
    "added to empty braces": ("x: {}\n", ("x", "a", "b"), "c", "x: {a: {b: c}}\n"),
    "added with what is above": ("x:\n  a: 1\n", ("x", "p", "q.r/s"), "t", "x:\n  a: 1\n  p:\n    q.r/s: t\n"),
    "removed from a block": ("x:\n  a: 1\n  w: [b,\n    c]\n  d: 2\n", ("x", "w"), None, "x:\n  a: 1\n  d: 2\n"),
    "removed from braces": ('x: {a: 1, w: ["b,c", d], e: 2}\n', ("x", "w"), None, "x: {a: 1, e: 2}\n"),
    "removed at the end": ("x: {a: 1, w: [b]} # c\n", ("x", "w"), None, "x: {a: 1} # c\n"),
}


@pytest.mark.parametrize(("text", "path", "value", "expected"), ROWS.values(), ids=ROWS)
def test_what_changes(text: str, path: DocumentPath, value: Any, expected: str) -> None:
    assert edited(text, 1, path, value) == expected


def test_the_document_that_is_meant() -> None:
    assert edited("a: b\n---\na: b\n", 2, ("a",), "c") == "a: b\n---\na: c\n"


@pytest.mark.parametrize(
    "text", ["x: >-\n  a\n  b\n", 'x: "a\\x20b"\n', "x: a\ny: 1\n"], ids=["folded", "escaped", "faulty"]
)
def test_what_no_change_of_a_line_can_follow(text: str) -> None:
    with pytest.raises(CannotEdit):
        edited(text, 1, ("x",), "c")
