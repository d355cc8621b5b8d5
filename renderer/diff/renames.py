"""Which server that came is one that went: by the likeness of their files, wherever the name stands in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Texts = Mapping[str, str | None]
#: Of the lines of the shorter one, the share that the other must have but for the name: a proxy may come or go whole.
_LIKE = 0.7
#: What a server is: images, and the items of these lists. Most other lines are the same in any two servers, or may
#: change in the commit that renames one: what that leads to is listed with the rename.
_IMAGE = "image:"
_PROGRAM = ("args:", "command:", "entrypoint:")
_VERSION = re.compile(r"""(?:(?:@sha256)?(?:@|==|:)[\w.+-]+)+(?=["']?$)""")
#: Beyond these it is no rename of servers, but another fleet.
_MOST_PAIRS = 10_000


class _Lines(NamedTuple):
    """The lines of a server's files: as they stand, and what each is without its name.

    ``telling`` are those that say what the server is, and what they say without the version, and without the name.
    """

    literal: Counter[str]
    nameless: dict[str, str]
    telling: dict[str, tuple[str, str]]


def renames(gone: Mapping[str, Texts], came: Mapping[str, Texts]) -> dict[str, str]:
    """New name to old name, the most alike first; each server is one other at most."""
    if len(gone) * len(came) > _MOST_PAIRS:
        return {}
    old_lines, new_lines = ({name: _lines(texts[name], name) for name in texts} for texts in (gone, came))
    pairs = [(_likeness(old_lines[old], new_lines[new]), new, old) for old in gone for new in came]
    names: dict[str, str] = {}
    for likeness, new, old in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if likeness and new not in names and old not in names.values():
            names[new] = old
    return names


def _lines(files: Texts, name: str) -> _Lines:
    literal, telling = Counter[str](), dict[str, tuple[str, str]]()
    for path, text in files.items():
        listed = False
        for line in map(str.strip, (text or "").splitlines()):
            key = f"{nameless(path, name)}\0{line}"
            literal[key] += 1
            if (listed and line.startswith("- ")) or line.startswith(_IMAGE):
                says = _VERSION.sub("", line)
                telling[nameless(key, name)] = (says, nameless(says, name))
            listed = line in _PROGRAM or (listed and line.startswith("- "))
    return _Lines(literal, {line: nameless(line, name) for line in literal}, telling)


def _likeness(old: _Lines, new: _Lines) -> float:
    """The share of lines that are equal, as they stand or without the servers' names; 0 for another server."""
    literal = old.literal & new.literal
    rest = [Counter[str](), Counter[str]()]
    for lines, left in zip((old, new), rest, strict=True):
        for line, number in (lines.literal - literal).items():
            left[lines.nameless[line]] += number
    both = rest[0] & rest[1]
    # More or fewer containers and arguments, or another version, are an edit; others instead are another server.
    gone, came = (
        [says for line, says in lines.telling.items() if line in left - both]
        for lines, left in zip((old, new), rest, strict=True)
    )
    if _others(gone, came) and _others(came, gone):
        return 0.0
    same, sizes = (literal + both).total(), (old.literal.total(), new.literal.total())
    return 2 * same / sum(sizes) if same and same >= _LIKE * min(sizes) else 0.0


def _others(lines: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]) -> bool:
    """Whether one of the lines says what none of the others says, with or without the name."""
    return any(
        all(ours != theirs for other in others for ours, theirs in zip(says, other, strict=True)) for says in lines
    )


def nameless(text: str, name: str) -> str:
    """The text without the server's name, where that stands alone."""
    return re.sub(_alone(name), "<server>", text) if name in text else text


def renamed_text(text: str | None, old: str, new: str, now: str | None) -> str | None:
    """The old text under the new name, but for lines that still stand there, maybe of another version: of an image."""
    if text is None:
        return None
    kept = {_VERSION.sub("", line) for line in (now or "").splitlines()}
    lines = text.splitlines(keepends=True)
    return "".join(
        line if _VERSION.sub("", line.rstrip("\r\n")) in kept else re.sub(_alone(old), lambda _: new, line)
        for line in lines
    )


def _alone(name: str) -> str:
    return rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"
