"""The sentences, as words of which some are quoted: text and Markdown quote in their own ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from renderer.diff import masks
from renderer.diff.causes import Cause
from renderer.diff.consequences import CONSEQUENCES, Name
from renderer.diff.entries import Entry, Field
from renderer.diff.fields import ABSENT
from renderer.diff.fold import Diff, Group, counts, names_in, told_servers

#: Puts a text that somebody else wrote into a sentence.
Quote = Callable[[str], str]
#: Most names in one list.
MOST = 5


def headline(group: Group, quote: Quote) -> str:
    """``spec.image of github changed: 2 fields in 2 files; restarts pods``."""
    first = group.first
    amount = f"{_count(len(first.fields), 'field')} in {_count(len(first.files), 'file')}"
    if first.state in ("new", "removed", "renamed"):
        amount = _count(len(first.files), "file")
    amount += " of each" if len(group.entries) > 1 else ""
    return f"{_subject(group, quote)}: {amount}; {_led(first)}"


def _led(entry: Entry) -> str:
    return "; ".join(CONSEQUENCES[name].words for name in names_in(entry.consequences))


def _subject(group: Group, quote: Quote) -> str:
    first, who = group.first, _who(group, quote)
    if first.state == "renamed":
        return f"{who} was {quote(first.renamed_from)}"
    if first.state in ("new", "removed"):
        return f"{who} {'is' if len(group.places) == 1 else 'are'} {first.state}"
    if not first.causes:
        return f"{who} changes"
    return " and ".join(_cause(cause, group, who, quote) for cause in first.causes) + _where(group, who)


def _cause(cause: Cause, group: Group, who: str, quote: Quote) -> str:
    if cause.name == "spec" and cause.of:
        return f"{listed(cause.what, quote) if cause.what else 'the spec'} of {who} changed"
    if cause.name == "environment":
        what = f"{listed(cause.what, quote)} of" if cause.what else "the"
        return f"{what} environment {quote(cause.of or group.first.tree)} changed"
    return "; ".join(cause.what)


def _where(group: Group, who: str) -> str:
    """For whom, where the cause does not say it."""
    told = any(cause.name == "spec" and cause.of for cause in group.first.causes)
    return "" if told else f", for {who}"


def _who(group: Group, quote: Quote) -> str:
    places = group.places
    if len(places) > 1:
        return f"{len(places)} servers"
    name, trees = places[0]
    found = quote(name) if name else "what all servers share"
    return f"{found} ({', '.join(map(quote, trees[:MOST]))})" if trees != ("",) else found


def listed(names: Sequence[str], quote: Quote, most: int = MOST) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(quote(name) for name in names[:most]) + more


def same_in(group: Group, quote: Quote, most: int = 20) -> str:
    """The servers of a group of several."""
    names = [name or "(shared)" for name in group.names]
    return f"the same in {_count(len(names), 'server')}: {listed(names, quote, most)}"


def details(entry: Entry) -> list[str]:
    """``image: mcp-github/mcp-server: a → b``, for what needs more words than its name."""
    return [f"{CONSEQUENCES[one.name].words}: {masks.words(one.detail)}" for one in entry.consequences if one.detail]


def changed(field: Field) -> list[str]:
    """One field, as lines that begin with what happens: ``-`` and ``+`` are values, others explain."""
    change = field.change
    if not change.path and (change.old is ABSENT or change.new is ABSENT):
        return [f"{'+' if change.old is ABSENT else '-'} {field.object}"]
    where = f"@ {field.object}: {change.where}" if change.path else f"@ {field.object}"
    several = masks.lines(field.kind, change.path, change.old, change.new)
    if several is not None:
        return [where, *several]
    if change.path[-1:] == ("[order]",):
        return [f"{where.removesuffix('[order]')}: other order"]
    old, new = (masks.shown(field.kind, change.path, value) for value in (change.old, change.new))
    lines = [f"- {old}"] if change.old is not ABSENT else []
    return [where, *lines, *([f"+ {new}"] if change.new is not ABSENT else [])]


def summary(diff: Diff, quote: Quote) -> Iterator[str]:
    """What changes in all, and to how many servers what happens; first by specs, then by the tool alone."""
    total = counts(diff)
    if not diff.entries:
        yield f"nothing changes against {quote(diff.against)}"
        return
    amounts = ", ".join(_count(total[noun], noun.removesuffix("s")) for noun in ("servers", "files", "fields"))
    yield f"{amounts} differ from {quote(diff.against)}"


def tallies(diff: Diff, leg: str) -> list[tuple[Name, list[str]]]:
    """Each consequence with the servers that it happens to."""
    found = [(name, told_servers(diff, leg, name)) for name in CONSEQUENCES]
    return [(name, servers) for name, servers in found if servers]


def tool_words(diff: Diff) -> list[str]:
    """What changed beside specs, each once."""
    causes = [cause for entry in diff.entries if entry.leg == "tool" for cause in entry.causes]
    return list(dict.fromkeys(word for cause in causes if cause.name != "edited" for word in cause.what))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
