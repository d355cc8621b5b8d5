"""Values without secrets."""

from __future__ import annotations

import json
from difflib import unified_diff
from typing import Any

from renderer.diff.objects import ABSENT
from renderer.policy.secrets import MASK, hidden

OF_SECRET = "(hidden: data of a Secret)"  # noqa: S105 - its placeholder
#: Characters of a value, and lines of a text.
LONGEST = 200
#: Characters before the first difference of two long values.
_CONTEXT = 60
MOST_LINES = 40
_BEYOND = 100_000


def one_line(kind: str, path: tuple[str, ...], value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    return _cut(_whole(kind, path, value), 0)


def one_line_each(kind: str, path: tuple[str, ...], old: Any, new: Any) -> tuple[str | None, str | None]:
    """Two values, cut so that the first difference is visible; None for what does not exist."""
    texts = ["" if value is ABSENT else _whole(kind, path, value) for value in (old, new)]
    start = 0
    if ABSENT not in (old, new) and max(map(len, texts)) > LONGEST:
        pairs = enumerate(zip(*texts, strict=False))
        start = max(0, next((i for i, (a, b) in pairs if a != b), min(map(len, texts))) - _CONTEXT)
    excerpts = [None if value is ABSENT else _cut(text, start) for value, text in zip((old, new), texts, strict=True)]
    return excerpts[0], excerpts[1]


def _cut(text: str, start: int) -> str:
    text = f"…{text[start:]}" if start else text
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _whole(kind: str, path: tuple[str, ...], value: Any) -> str:
    if _of_secret(kind, path):
        return OF_SECRET
    masked = _masked(kind, path, value)
    return masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)


def lines(kind: str, path: tuple[str, ...], old: Any, new: Any) -> list[str] | None:
    """Two texts as a diff of their lines, two lists of strings as one of their items; else None."""
    if _is_words(old) and _is_words(new) and not _of_secret(kind, path):
        # Hidden as a whole: what a word is may depend on the one before it.
        old, new = (_masked(kind, path, value) for value in (old, new))
        if not any("\n" in word for word in (*old, *new)):
            return _unified(old, new)
        old, new = ("\n".join(value) for value in (old, new))
    texts = [value if value is not ABSENT else "" for value in (old, new)]
    several = all(isinstance(text, str) for text in texts) and any("\n" in text for text in texts)
    if not several or _of_secret(kind, path):
        return None
    if any(len(text) > _BEYOND for text in texts):
        return ["(too long to be compared by lines)"]
    return _unified(*(hidden(text, (*path, "content"), below=True).splitlines() for text in texts))


def _unified(before: list[str], now: list[str]) -> list[str]:
    lines = unified_diff(before, now, lineterm="", n=1)
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = [f"… {len(changed) - MOST_LINES} more lines"] if len(changed) > MOST_LINES else []
    # Lines that differ only in what is hidden still say that something is different.
    return [line[:LONGEST] for line in changed[:MOST_LINES]] + more or [MASK]


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _of_secret(kind: str, path: tuple[str, ...]) -> bool:
    return kind.partition(" ")[0] == "Secret" and (not path or path[0] in ("data", "stringData"))


def _masked(kind: str, path: tuple[str, ...], value: Any) -> Any:
    return hidden(value, path, below=kind == "file")
