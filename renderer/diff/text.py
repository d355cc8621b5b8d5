"""A Diff as text for a terminal and as JSON, and the sentences shared with Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from renderer.credentials import masked
from renderer.diff import masks
from renderer.diff.causes import Cause
from renderer.diff.consequences import CONSEQUENCES, Name
from renderer.diff.consequences.table import few
from renderer.diff.entries import Diff, Entry, Field, Group, Leg, grouped
from renderer.diff.objects import ABSENT
from renderer.errors import excerpt
from renderer.graph.text import edge_data
from renderer.model import JSON
from renderer.write import is_file

#: Quotes a text of somebody else.
Quote = Callable[[str], str]
#: Most names in one list.
MOST = 5
#: Of one group in text; JSON has all.
_MOST_LINES = 60
_LONGEST = 400


def as_text(diff: Diff) -> str:
    lines = moves(diff, str)
    groups = grouped(diff.entries)
    tool = [group for group in groups if group.first.leg == "tool"]
    for group in groups:
        if tool and group is tool[0]:
            lines += [f"without any change of a spec: {'; '.join(tool_words(diff)) or 'see below'}"]
        lines += _group(group)
    lines += remotes(diff, str)
    lines += [f"note: {note}" for note in diff.notes]
    if diff.rows is not None:
        lines += ["fields that are not the same in every environment:"]
        for row in diff.rows:
            values = ", ".join(f"{name}: {row.values.get(name) or 'not set'}" for name in diff.environments)
            lines += [f"    {row.server or '(environment)'} {row.path}: {values}"]
    lines += [summary(diff, str)]
    # GitHub Actions runs lines that begin with two colons, or '##[', as commands: no name in an old tree may be one.
    safe = (f"\\{line}" if line.lstrip().startswith(("::", "##[")) else line for line in lines)
    return "".join(f"{excerpt(line, _LONGEST)}\n" for line in safe)


def _group(group: Group) -> Iterator[str]:
    first = group.first
    place = next((f"{cause.place}: " for cause in first.causes if cause.place and len(group.entries) == 1), "")
    yield f"{place}{headline(group, str)}"
    if len(group.places) > 1:
        yield f"    {same_in(group, str)}"
    lines = [*details(first), *(line for field in first.fields for line in changed(field))]
    yield from (f"    {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"    … {len(lines) - _MOST_LINES} more lines (--format json has all)"


def as_json(diff: Diff) -> str:
    """Without the values of secrets."""
    data: dict[str, JSON] = {
        "command": "diff",
        "against": diff.against,
        "different": different(diff),
        **diff.counts(),
        "notes": list(diff.notes),
        "moves": [{"what": move.kind, "from": move.old, "to": move.new, "files": move.files} for move in diff.moves],
        "entries": [_entry(entry) for group in grouped(diff.entries) for entry in group.entries],
        "remotes": [*remotes(diff, str)],
        "edges": [
            {"tree": change.name, "state": state, **edge_data(edge)}
            for change in diff.graphs
            for state, edges in (("new", change.added), ("removed", change.removed))
            for edge in edges
        ],
    }
    if diff.rows is not None:
        data["environments"] = list(diff.environments)
        data["differences"] = [
            {"server": row.server, "path": row.path, "values": dict(row.values)} for row in diff.rows
        ]
    return json.dumps(data, indent=2) + "\n"


def _entry(entry: Entry) -> JSON:
    return {
        "tree": entry.tree,
        "server": entry.server,
        "by": entry.leg,
        "state": entry.state,
        **({"renamedFrom": entry.renamed_from} if entry.renamed_from else {}),
        "causes": [
            {
                "name": cause.name,
                "what": list(cause.details),
                "of": cause.of,
                "place": dict(cause.place._asdict()) if cause.place else None,
            }
            for cause in entry.causes
        ],
        "consequences": [
            {"name": consequence.name, "detail": masked(consequence.detail)} for consequence in entry.consequences
        ],
        "files": list(entry.files),
        "beside": list(entry.others),
        "fields": [_field(field) for field in entry.fields],
    }


def _field(field: Field) -> JSON:
    change = field.change
    data: dict[str, JSON] = {"object": field.object, "path": change.where}
    lines = None
    if change.path or field.kind == "file":
        lines = masks.lines(field.kind, change.path, change.old, change.new)
    if lines is not None:
        return {**data, "lines": list(lines)}
    values = zip(("old", "new"), masks.one_line_each(field.kind, change.path, change.old, change.new), strict=True)
    return {**data, **{name: value for name, value in values if value is not None}}


# ---------------------------------------------------------------------------------------------
# Sentences.


def headline(group: Group, quote: Quote) -> str:
    """``spec.image of github changed: 2 fields in 2 files; restarts pods``."""
    first = group.first
    manifests = len(first.files) - len(first.others)
    amount = _count(len(first.files), "file")
    if first.state == "changed" and manifests:
        amount = f"{_count(len(first.fields), 'field')} in {_count(manifests, 'file')}"
    amount += " of each" if len(group.entries) > 1 else ""
    effects = list(dict.fromkeys(CONSEQUENCES[consequence.name].words for consequence in first.consequences))
    if first.state == "new":
        effects = [words for words in effects if words != CONSEQUENCES["addition"].words]
    elif first.state == "removed":
        effects = [words for words in effects if words != CONSEQUENCES["removal"].words]
    return "; ".join([f"{_subject(group, quote)}: {amount}", *effects])


def _subject(group: Group, quote: Quote) -> str:
    first, who = group.first, f"{len(group.places)} servers"
    if len(group.places) == 1:
        ((name, trees),) = group.places.items()
        who = quote(name) if name else "what all servers share"
        who = f"{who} ({listed(trees, quote)})" if trees != ("",) else who
    if first.state == "renamed":
        return f"{who} was {quote(first.renamed_from)}"
    if first.state in ("new", "removed"):
        why = "".join(f", because {_cause(cause, group, who, quote)}" for cause in first.causes)
        return f"{who} {'is' if len(group.places) == 1 else 'are'} {first.state}{why}"
    if not first.causes:
        return f"{who} {'changes' if len(group.places) == 1 else 'change'}"
    causes = " and ".join(_cause(cause, group, who, quote) for cause in first.causes)
    # For whom, where the cause does not say it.
    return causes if any(cause.name == "spec" and cause.of for cause in first.causes) else f"{causes}, for {who}"


def _cause(cause: Cause, group: Group, who: str, quote: Quote) -> str:
    if cause.name == "spec" and cause.of:
        return f"{listed(cause.details, quote) if cause.details else 'the spec'} of {who} changed"
    if cause.name == "environment":
        every = [each.of or entry.tree for entry in group.entries for each in entry.causes if each.name == cause.name]
        names = list(dict.fromkeys(every))
        fields = f"{listed(cause.details, quote)} of" if cause.details else "the"
        return f"{fields} environment{'s' if len(names) > 1 else ''} {listed(names, quote)} changed"
    return "; ".join(cause.details)


def listed(names: Sequence[str], quote: Quote, most: int = MOST) -> str:
    """The first ones, and the number of the others."""
    return few([quote(name) for name in names], most)


def same_in(group: Group, quote: Quote) -> str:
    """The servers of a group, with the environments where these are not the same for all."""
    alike = len(set(group.places.values())) == 1
    names = [(name or "(shared)") + ("" if alike else f" ({', '.join(trees)})") for name, trees in group.places.items()]
    trees = next(iter(group.places.values()))
    where = f" ({listed(trees, quote)})" if alike and trees != ("",) else ""
    return f"the same in {_count(len(names), 'server')}{where}: {listed(names, quote, 20)}"


def details(entry: Entry) -> list[str]:
    """``other image: mcp-github/mcp-server: a → b``; and the other files."""
    lines = [
        f"{CONSEQUENCES[consequence.name].words}: {masked(consequence.detail)}"
        for consequence in entry.consequences
        if consequence.detail
    ]
    names = sorted({path.rpartition("/")[2] for path in entry.others})
    more = f", {_count(len(entry.others), 'file')}" if len(entry.others) > len(names) else ""
    return [*lines, f"other files: {listed(names, str)}{more}"] if names and entry.state == "changed" else lines


def changed(field: Field) -> list[str]:
    """One field: lines with ``-`` and ``+`` are values, others explain."""
    change = field.change
    if not change.path and (change.old is ABSENT or change.new is ABSENT):
        return [f"{'+' if change.old is ABSENT else '-'} {field.object}"]
    where = f"@ {field.object}: {change.where}" if change.path else f"@ {field.object}"
    if change.path[-1:] == ("[order]",):
        return [f"{where.removesuffix('[order]')}: other order"]
    lines = masks.lines(field.kind, change.path, change.old, change.new)
    if lines is not None:
        return [where, *lines]
    old, new = masks.one_line_each(field.kind, change.path, change.old, change.new)
    return [where, *([] if old is None else [f"- {old}"]), *([] if new is None else [f"+ {new}"])]


def moves(diff: Diff, quote: Quote) -> list[str]:
    lines = []
    for moved, old, new, files in diff.moves:
        amount = f"{_count(files, 'file')} differ{'s' if files == 1 else ''} only in the first line"
        if moved == "tree":
            lines.append(f"the tree moved from {quote(old)} to {quote(new)}, with {_count(files, 'file')}")
        elif moved == "environment":
            tree = f"so is its tree of {_count(files, 'file')}"
            lines.append(f"environment {quote(old)} is called {quote(new)} now, and {tree}")
        elif is_file(old) and is_file(new):
            lines.append(f"{moved} moved from {quote(old)} to {quote(new)}: {amount}")
        else:
            lines.append(f"{amount}, which names {quote(new)} instead of {quote(old)}")
    return lines


def remotes(diff: Diff, quote: Quote) -> list[str]:
    """Changes of remote servers, each sentence once, with the environments where these are not all the same."""
    where: dict[str, list[str]] = {}
    for change in diff.graphs:
        for sentence in change.remotes:
            where.setdefault(sentence, []).append(change.name)
    return [f"{sentence} ({listed(names, quote)})" if any(names) else sentence for sentence, names in where.items()]


def different(diff: Diff) -> bool:
    """In the trees, or of remote servers, which have no files."""
    return bool(diff.entries or diff.moves or remotes(diff, str))


def summary(diff: Diff, quote: Quote) -> str:
    if not diff.entries and not diff.moves:
        return f"{'no file' if different(diff) else 'nothing'} changes against {quote(diff.against)}"
    amounts = ", ".join(_count(number, noun.removesuffix("s")) for noun, number in diff.counts().items())
    return f"{amounts} differ from {quote(diff.against)}"


def tallies(diff: Diff, leg: Leg) -> list[tuple[Name, list[str]]]:
    tallied = [(name, diff.servers_with(leg, name)) for name in CONSEQUENCES]
    return [(name, servers) for name, servers in tallied if servers]


def tool_words(diff: Diff) -> list[str]:
    """Without those of specs, each once."""
    causes = [cause for entry in diff.entries if entry.leg == "tool" for cause in entry.causes]
    return list(dict.fromkeys(word for cause in causes if cause.name != "edited" for word in cause.details))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
