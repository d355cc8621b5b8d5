"""One entry a server and a kind of cause: its files, fields and consequences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from renderer.diff.causes import Before, Cause, Now, spec_causes, tool_causes
from renderer.diff.consequences import Consequence, Pair, consequences, is_context
from renderer.diff.fields import ABSENT, Change, changes
from renderer.diff.objects import Object, objects_in
from renderer.diff.trees import Tree

Texts = Mapping[str, str | None]


class Field(NamedTuple):
    """One changed field of one object; of an object that came or went its path is empty."""

    object: str
    kind: str
    change: Change


class Entry(NamedTuple):
    """What happens to one server (empty: to what all share) for one kind of cause. ``tree``: environment or target.

    ``leg`` tool is what happens without any change of a spec or an environment.
    """

    tree: str
    server: str
    leg: Literal["spec", "tool"]
    state: Literal["new", "removed", "renamed", "changed"]
    causes: tuple[Cause, ...]
    files: tuple[str, ...]
    fields: tuple[Field, ...]
    consequences: tuple[Consequence, ...]
    renamed_from: str = ""


class Sides(NamedTuple):
    """One tree: as it was, as it is rendered, and between them what the old specs render to now (by server).

    A server that is not in ``between`` has the same spec as before, or that is not known. ``depth`` is how many
    folders stand before that of a server.
    """

    name: str
    tree: Tree
    rendered: Mapping[str, str]
    between: Mapping[str, Mapping[str, str]]
    before: Before
    now: Now
    depth: int = 0


def entries(sides: Sides) -> list[Entry]:
    """All of a tree, in the order of the servers' names."""
    rendered, old = _by_server(sides.rendered, sides.depth), _by_server(sides.tree.texts, sides.depth)
    missing = _by_server(dict.fromkeys(sides.tree.missing), sides.depth)
    found: list[Entry] = []
    for server in sorted({*old, *missing, *(name for name, mid in sides.between.items() if mid)}):
        now: Texts = rendered.get(server, {})
        unchanged = {path: text for path, text in now.items() if path not in missing.get(server, {})}
        found += _of_server(server, {**unchanged, **old.get(server, {})}, now, sides)
    return _renamed(found, old, rendered)


def server_of(path: str, depth: int) -> str:
    """Whose file that is: each server has a folder of its name."""
    steps = path.split("/")
    return steps[depth] if len(steps) > depth + 1 else ""


def _by_server(files: Texts, depth: int) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for path, text in files.items():
        found.setdefault(server_of(path, depth), {})[path] = text
    return found


def _of_server(server: str, before: Texts, now: Texts, sides: Sides) -> Iterator[Entry]:
    if server and not (before and now):
        yield _entry(sides.name, server, "spec", before, now, ())
        return
    between: Texts | None = sides.between.get(server)
    if between is not None:
        first = _entry(sides.name, server, "tool", before, between, ())
        if first.files:
            yield first._replace(causes=tool_causes(server, first.files, sides.before, sides.now.origin, sides.tree))
        second = _entry(sides.name, server, "spec", between, now, ())
        if second.files:
            yield second._replace(causes=spec_causes(server, sides.before, sides.now, sides.tree))
        return
    entry = _entry(sides.name, server, "spec", before, now, ())
    if not entry.files:
        return
    causes = spec_causes(server, sides.before, sides.now, sides.tree)
    more = tool_causes(server, entry.files, sides.before, sides.now.origin, sides.tree)
    yield entry._replace(leg="spec" if causes else "tool", causes=(*causes, *more))


def _entry(
    tree: str, server: str, leg: Literal["spec", "tool"], before: Texts, now: Texts, causes: tuple[Cause, ...]
) -> Entry:
    files = sorted(p for p in {*before, *now} if p not in before or p not in now or _differ(before[p], now[p]))
    pairs = list(_pairs(files, before, now))
    same = {path: text for path, text in now.items() if path not in set(files) and text and is_context(text)}
    beside = [one for path, text in same.items() for one in objects_in(path, text)] if files else []
    state: Literal["new", "removed", "changed"] = "new" if not before else "changed" if now else "removed"
    fields = tuple(field for pair in pairs for field in _fields(pair))
    led = consequences(pairs, beside) if files else ()
    return Entry(tree, server, leg, state if server else "changed", causes, tuple(files), fields, led)


def _differ(old: str | None, new: str | None) -> bool:
    return old is None or new is None or old != new


def _pairs(files: Sequence[str], before: Texts, now: Texts) -> Iterator[Pair]:
    old, new = (
        {one.identity: one for path in files if path in texts for one in objects_in(path, texts[path])}
        for texts in (before, now)
    )
    for identity in sorted({*old, *new}):
        was, one = old.get(identity), new.get(identity)
        yield Pair(was, one, _changes(was, one))


def _changes(old: Object | None, new: Object | None) -> tuple[Change, ...]:
    if old and new:
        return changes(old.data, new.data) or ()
    return (Change((), old.data if old else ABSENT, new.data if new else ABSENT),)


def _fields(pair: Pair) -> Iterator[Field]:
    for change in pair.changes:
        if pair.old and pair.new:
            yield Field(pair.object.label, pair.object.kind, change)
        else:  # a whole object is not shown, only that it came or went
            there = Change((), ABSENT if pair.new else True, True if pair.new else ABSENT)
            yield Field(pair.object.label, pair.object.kind, there)


def _renamed(found: list[Entry], old: Mapping[str, Texts], new: Mapping[str, Texts]) -> list[Entry]:
    """A server that went and one that came with the same files but for the name are one."""
    gone = {entry.server: entry for entry in found if entry.state == "removed"}
    came = [entry.server for entry in found if entry.state == "new"] if gone else []
    left = {_likeness(name, old[name]): name for name in sorted(gone, reverse=True)}
    pairs = {name: left.pop(_likeness(name, new[name])) for name in came if _likeness(name, new[name]) in left}
    renamed = []
    for entry in found:
        if entry.state == "new" and entry.server in pairs:
            before = gone[pairs[entry.server]]
            led = tuple(
                dict.fromkeys([*before.consequences, Consequence("replacement", "every object gets a new name")])
            )
            files = (*before.files, *entry.files)
            entry = entry._replace(state="renamed", renamed_from=before.server, files=files, consequences=led)
        if not (entry.state == "removed" and entry.server in pairs.values()):
            renamed.append(entry)
    return renamed


def _likeness(name: str, files: Texts) -> str:
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{nameless(path, name)}\0{nameless(files[path] or '', name)}\0".encode())
    return total.hexdigest()


def nameless(text: str, name: str) -> str:
    """The text without the server's name, where that stands alone."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "<server>", text) if name in text else text
