"""What happens to many servers alike is told once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from renderer.diff.consequences import CONSEQUENCES, Consequence, Name
from renderer.diff.entries import Entry, nameless

_ORDER = {name: i for i, name in enumerate(CONSEQUENCES)}


class Row(NamedTuple):
    """One field that is not the same in every environment; values by environment, already fit to be shown."""

    server: str
    path: str
    values: Mapping[str, str]


class Diff(NamedTuple):
    """All that is told. ``against`` says what the old side is."""

    against: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    rows: tuple[Row, ...] | None = None


class Group(NamedTuple):
    """Entries that are the same but for the names of servers and trees; the first one is shown."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        """That one stands for all."""
        return self.entries[0]

    @property
    def names(self) -> list[str]:
        """Servers with the trees that they are in, where there are several."""
        return [name for name, _ in self.places]

    @property
    def places(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each server with its trees."""
        trees: dict[str, list[str]] = {}
        for entry in self.entries:
            trees.setdefault(entry.server, []).append(entry.tree)
        return [(name, tuple(found)) for name, found in trees.items()]


def folded(entries: Iterable[Entry]) -> list[Group]:
    """The groups: changes of specs first, then by what they lead to, then by name."""
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_likeness(entry), []).append(entry)
    found = [Group(tuple(group)) for group in groups.values()]
    return sorted(found, key=_rank)


def _rank(group: Group) -> tuple[bool, list[int], str, str]:
    first = group.first
    return (first.leg == "tool", [_ORDER[one.name] for one in first.consequences], first.server, first.tree)


def _likeness(entry: Entry) -> object:
    causes = [(cause.name, cause.what, cause.of) for cause in entry.causes]
    fields = [(field.object, field.change.path, field.change.old, field.change.new) for field in entry.fields]
    files = [path.partition("/")[2] if path.count("/") > 1 else path for path in entry.files]
    whole = repr([entry.leg, entry.state, entry.renamed_from, causes, files, fields, entry.consequences])
    return nameless(whole, entry.server) if entry.server else whole


def names_in(consequences: Sequence[Consequence]) -> list[Name]:
    """The kinds of consequences, each once."""
    return list(dict.fromkeys(one.name for one in consequences))


def counts(diff: Diff) -> dict[str, int]:
    """Servers, files and fields that change; of consequences how many servers have each."""
    servers = {entry.server for entry in diff.entries if entry.server}
    trees = {(entry.tree, path) for entry in diff.entries for path in entry.files}
    return {"servers": len(servers), "files": len(trees), "fields": sum(len(entry.fields) for entry in diff.entries)}


def told_servers(diff: Diff, leg: str, name: Name) -> list[str]:
    """The servers to which that happens."""
    found = {e.server for e in diff.entries if e.leg == leg and any(one.name == name for one in e.consequences)}
    return sorted(found)
