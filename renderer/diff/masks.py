"""Values fit to be shown: no secret, whoever put it where; nothing else is hidden."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import Any

from renderer.diff.objects import ABSENT
from renderer.policy.secrets import in_text, in_value, in_words

MASK = "(hidden: looks like a secret)"
OF_SECRET = "(hidden: data of a Secret)"  # noqa: S105 - it stands in the place of one
#: Longest value, and most lines of one text, that are shown.
LONGEST = 200
#: Of what two long values have in common, that is shown before their first difference.
_CONTEXT = 60
MOST_LINES = 40
_BEYOND = 100_000
_STEP = re.compile(r"\[(.*)\]")
#: Below these, disorder alone makes a secret; elsewhere there are digests and checksums.
_LITERALS = {"env", "environment", "args", "command", "entrypoint", "data", "binaryData", "content"}


def shown(kind: str, path: tuple[str, ...], value: Any) -> str:
    """One value on one line."""
    if value is ABSENT:
        return "nothing"
    text = _whole(kind, path, value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def shown_both(kind: str, path: tuple[str, ...], old: Any, new: Any) -> tuple[str | None, str | None]:
    """Two values, each on one line, cut so that the first difference is in it; None for what is not there."""
    texts = ["" if value is ABSENT else _whole(kind, path, value) for value in (old, new)]
    start = 0
    if ABSENT not in (old, new) and max(map(len, texts)) > LONGEST:
        pairs = enumerate(zip(*texts, strict=False))
        start = max(0, next((i for i, (a, b) in pairs if a != b), min(map(len, texts))) - _CONTEXT)
    found = [None if value is ABSENT else _cut(text, start) for value, text in zip((old, new), texts, strict=True)]
    return found[0], found[1]


def _cut(text: str, start: int) -> str:
    text = f"…{text[start:]}" if start else text
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _whole(kind: str, path: tuple[str, ...], value: Any) -> str:
    if _of_secret(kind, path):
        return OF_SECRET
    masked = _masked(value, path, _strict(kind, path))
    return masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)


def words(text: str) -> str:
    """Words of ours with a value of somebody else in them."""
    found = in_value("", text)
    return MASK if found and found.certain else text


def lines(kind: str, path: tuple[str, ...], old: Any, new: Any) -> list[str] | None:
    """Two texts of several lines as a diff of their lines, two lists of words as one of their items; else None."""
    if _is_words(old) and _is_words(new) and not _of_secret(kind, path):
        # Hidden as a whole: what a word is may depend on the one before it.
        hidden = [_masked_list(value, path, _strict(kind, path)) for value in (old, new)]
        if not any("\n" in word for word in (*old, *new)):
            return _unified(*hidden)
        old, new = ("\n".join(value) for value in hidden)
    texts = [value if value is not ABSENT else "" for value in (old, new)]
    several = all(isinstance(text, str) for text in texts) and any("\n" in text for text in texts)
    if not several or _of_secret(kind, path):
        return None
    if any(len(text) > _BEYOND for text in texts):
        return ["(too long to be compared by lines)"]
    return _unified(*(_masked_lines(text) for text in texts))


def _unified(before: list[str], now: list[str]) -> list[str]:
    found = [line for line in unified_diff(before, now, lineterm="", n=1) if not line.startswith(("---", "+++", "@@"))]
    more = [f"… {len(found) - MOST_LINES} more lines"] if len(found) > MOST_LINES else []
    # Lines that differ only in what is hidden still say that something is different.
    return [line[:LONGEST] for line in found[:MOST_LINES]] + more or [MASK]


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _of_secret(kind: str, path: tuple[str, ...]) -> bool:
    return kind.partition(" ")[0] == "Secret" and (not path or path[0] in ("data", "stringData"))


def _strict(kind: str, path: tuple[str, ...]) -> bool:
    return kind == "file" or ("valueFrom" not in path and not _LITERALS.isdisjoint(path))


def _masked(value: Any, path: tuple[str, ...], strict: bool) -> Any:
    if isinstance(value, str):
        return _masked_text(value, _name(path), strict)
    if isinstance(value, list):
        return _masked_list(value, path, strict)
    if isinstance(value, dict):
        named = value.get("name")
        return {key: _masked_entry(key, inner, path, strict, named) for key, inner in value.items()}
    return value


def _masked_entry(key: str, inner: Any, path: tuple[str, ...], strict: bool, named: Any) -> Any:
    if key == "value" and isinstance(named, str):
        return _masked(inner, (*path, f"[{named}]", key), True)
    if key in ("data", "stringData") and named is None and not path:
        return _masked(inner, (*path, key), True)
    return _masked(inner, (*path, key), strict or key in _LITERALS)


def _masked_list(value: list[Any], path: tuple[str, ...], strict: bool) -> list[Any]:
    words = tuple(item if isinstance(item, str) else "" for item in value)
    hidden = {i for i, finding in in_words(words) if strict or finding.certain}
    return [MASK if i in hidden else _masked(item, path, strict) for i, item in enumerate(value)]


def _masked_text(text: str, name: str, strict: bool) -> str:
    if "\n" in text:
        return "\n".join(_masked_lines(text[:_BEYOND]))
    found = in_value(name, text)
    return MASK if found and (found.certain or strict) else text


def _masked_lines(text: str) -> list[str]:
    every = text.splitlines()
    hidden = {number for number, _ in in_text(text)}
    private = False
    for number, line in enumerate(every, 1):
        private = private or "-----BEGIN" in line  # a key is hidden to its end
        if private:
            hidden.add(number)
        private = private and "-----END" not in line
    return [MASK if number in hidden else line for number, line in enumerate(every, 1)]


def _name(path: tuple[str, ...]) -> str:
    """The name that the value stands under: of a variable, where it is the value of one."""
    if len(path) < 2:
        return ""
    if path[-1] == "value":
        found = _STEP.fullmatch(path[-2])
        return found[1] if found else path[-2]
    # Elsewhere a telling name tells nothing: secretName, imagePullSecrets and key are about secrets, and are none.
    return path[-1].strip("[]") if path[-2] in _LITERALS else ""
