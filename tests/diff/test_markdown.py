"""The comment: whatever it is made of, it has its bounds, its fences hold, and the summary is whole."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from renderer.diff.causes import Cause
from renderer.diff.consequences import CONSEQUENCES, Consequence
from renderer.diff.entries import Diff, Entry, Field
from renderer.diff.markdown import LIMIT, as_markdown, code, fenced
from renderer.diff.objects import Change
from tests.cli.test_diff import without_code

DOCUMENT = Path(__file__).parents[2] / "docs" / "diff.md"
UPDATE = os.environ.get("MCPCTL_TEST_UPDATE_EXPECTED", "") not in ("", "0")

TEXT = st.text(st.sampled_from("`~|\\<>@#&[](){}*_-\n\r\x1b\u202e é\ud800ax"), max_size=40)


@given(TEXT)
def test_code_holds_anything(text: str) -> None:
    assert without_code(f"{code(text)} after").strip() == "after"


@given(st.lists(TEXT.map(lambda text: text.replace("\n", "").replace("\r", "")), max_size=5))
def test_a_fence_holds_anything(lines: list[str]) -> None:
    assert without_code(fenced([f"+ {line}" for line in lines])) == ""


def huge(name: str, leg: str) -> Entry:
    led = tuple(Consequence(kind, "d" * 1000) for kind in CONSEQUENCES)
    changes = [Change((f"f{i}",), name[:2] + "é" * 900, name) for i in range(50)]
    fields = tuple(Field(f"Deployment {name}", "Deployment", change) for change in changes)
    cause = Cause("spec", tuple("x" * 5000 + str(i) for i in range(50)), name)
    return Entry(name[:5], name, "spec" if leg == "spec" else "tool", "changed", (cause,), ("f",), fields, led)


def test_hostile_sizes() -> None:
    entries = [huge(f"{i}{'n' * 5000}", leg) for i in range(10) for leg in ("spec", "tool")]
    out = as_markdown(Diff("b" * 9000, tuple(entries), ("n" * 9000,)))
    assert len(out.encode()) <= LIMIT
    for row in CONSEQUENCES.values():
        assert out.count(f"**{row.words}**: 10 servers") == 2
    assert "are left out here" in out


def test_the_document_has_the_table_of_consequences() -> None:
    """MCPCTL_TEST_UPDATE_EXPECTED=1 writes it anew."""
    rows = [
        f"| `{name}` | {'⚠️ ' if row.grave else ''}{row.words} | {row.fires} |\n" for name, row in CONSEQUENCES.items()
    ]
    table = "".join(["| name | shown as | fires when |\n|---|---|---|\n", *rows])
    text = DOCUMENT.read_text(encoding="utf-8")
    before, heading, rest = text.partition("## Consequences\n\n")
    _, gap, after = rest.partition("\n\n")
    if UPDATE:
        DOCUMENT.write_text(f"{before}{heading}{table.rstrip()}{gap}{after}", encoding="utf-8")
    assert f"{heading}{table}\n" in DOCUMENT.read_text(encoding="utf-8")
