"""The comment: whatever it is made of, it has its bounds, its fences hold, and the summary is whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from renderer.diff import Diff, Entry
from renderer.diff.causes import Cause
from renderer.diff.consequences import CONSEQUENCES, Consequence
from renderer.diff.entries import Field
from renderer.diff.fields import Change
from renderer.diff.markdown import LIMIT, as_markdown, code, fenced
from tests.cli.test_diff import without_code

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
    entries = [huge(f"{i}{'n' * 5000}", leg) for i in range(60) for leg in ("spec", "tool")]
    out = as_markdown(Diff("b" * 9000, tuple(entries), ("n" * 9000,)))
    assert len(out.encode()) <= LIMIT
    for words in CONSEQUENCES.values():
        assert out.count(f"**{words}**: 60 servers") == 2
    assert "are left out here" in out
