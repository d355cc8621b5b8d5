"""A Diff as a comment of a pull request: bounded, with the summary always whole.

Text of others stands in code only, where a code host renders no mention, number of an issue or HTML. No fence ends
before its content does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from renderer.diff.consequences import CONSEQUENCES
from renderer.diff.entries import Diff, Group, Leg, grouped
from renderer.diff.text import changed, details, headline, listed, moves, remotes, same_in, summary, tallies, tool_words
from renderer.errors import excerpt
from renderer.graph.mermaid import changed as changed_edges

#: Bytes, of which there are at least as many as characters: a comment may have 65,536 of those.
LIMIT = 60_000
_OF_ONE = 6_000
_OF_MATRIX = 12_000
_OF_GRAPHS = 20_000
#: Of one picture.
_MOST_EDGES = 60
_LONGEST = 300
#: Characters of a server's name in the summary: an old tree may hold any name.
_NAME = 64
_RUN = re.compile("`+")


def as_markdown(diff: Diff, limit: int = LIMIT) -> str:
    """At most ``limit`` bytes beyond the summary."""
    parts = [*_head(diff)]
    room = limit - 400 - _size("".join(parts))
    if diff.rows is not None:
        parts.append(_matrix(diff, min(room, _OF_MATRIX)))
        room -= _size(parts[-1])
    for text in _graphs(diff):
        if _size(text) <= min(room, _OF_GRAPHS):
            parts.append(text)
            room -= _size(text)
    groups = grouped(diff.entries)
    left = list(_sections(groups, room, parts))
    if left:
        servers = len({entry.server for group in left for entry in group.entries})
        amount = f"{len(left)} more {'change' if len(left) == 1 else 'changes'}, of {servers} servers"
        parts.append(f"\n{amount}, are left out here: `mcpctl diff` has them all.\n")
    return "".join(parts)


def _sections(groups: Sequence[Group], room: int, parts: list[str]) -> Iterator[Group]:
    """Appends what fits; returns the rest."""
    has_tool_heading = False
    for group in groups:
        heading = ""
        if group.first.leg == "tool" and not has_tool_heading:
            heading, has_tool_heading = "\n### Without any change of a spec\n", True
        for text in (heading + _section(group), f"{heading}\n{_headline(group)}\n"):
            if _size(text) <= room:
                parts.append(text)
                room -= _size(text)
                break
        else:
            yield group


def _head(diff: Diff) -> Iterator[str]:
    yield f"## mcpctl diff\n\n{summary(diff, code)}\n"
    yield from (f"\n**{sentence}**\n" for sentence in moves(diff, code))
    legs: tuple[tuple[Leg, str], ...] = (
        ("spec", "By changes of specs and environments"),
        ("tool", "Without any change of a spec"),
    )
    for leg, title in legs:
        tallied = tallies(diff, leg)
        if tallied:
            why = f" ({listed(tool_words(diff), code)})" if leg == "tool" and tool_words(diff) else ""
            yield f"\n**{title}**{why}\n\n"
        for name, servers in tallied:
            mark = "⚠️ " if CONSEQUENCES[name].grave else ""
            named = [excerpt(server, _NAME) for server in servers if server]
            count = f"{len(named)} {'server' if len(named) == 1 else 'servers'} ({listed(named, code, 10)})"
            shared = ["what all servers share"] if len(named) < len(servers) else []
            who = " and ".join([*([count] if named else []), *shared])
            yield f"- {mark}**{CONSEQUENCES[name].words}**: {who}\n"
    yield from (f"\n- {code(sentence)}\n" for sentence in remotes(diff, str))
    yield from (f"\n> {excerpt(note, _LONGEST)}\n" for note in diff.notes)


def _section(group: Group) -> str:
    first = group.first
    lines = [line for field in first.fields for line in changed(field)]
    text = f"\n{_headline(group)}\n"
    if len(group.places) > 1:
        text += f"- {same_in(group, code)}\n"
    for detail in details(first)[:10]:
        name, _, rest = detail.partition(": ")
        text += f"- {name}: {code(rest)}\n"
    text += f"- and {len(details(first)) - 10} more\n" if len(details(first)) > 10 else ""
    if not lines:
        return text
    block = fenced(_cut(lines, _OF_ONE))
    return f"{text}\n<details><summary>fields</summary>\n\n{block}\n</details>\n"


def _graphs(diff: Diff) -> Iterator[str]:
    """The changed edges as a picture; the same one of several environments once."""
    where: dict[str, list[str]] = {}
    for change in diff.graphs:
        if change.added or change.removed:
            edges = len(change.added) + len(change.removed)
            drawn = f"```mermaid\n{changed_edges(change.graph, change.added, change.removed)}```\n"
            words = f"{edges} edges change, which are too many to draw: see `mcpctl graph`.\n"
            where.setdefault(drawn if edges <= _MOST_EDGES else words, []).append(change.name)
    for text, names in where.items():
        title = f" ({listed(names, code)})" if any(names) else ""
        yield f"\n### Who reaches what{title}\n\n{text}"


def _headline(group: Group) -> str:
    places = [cause.place for cause in group.first.causes if cause.place]
    where = f" ({code(str(places[0]))})" if places and len(group.entries) == 1 else ""
    return f"**{headline(group, code)}**{where}"


def _cut(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        line = excerpt(line, _LONGEST)
        room -= _size(line) + 1
        if room < 0:
            return [*kept, f"… {len(lines) - len(kept)} more lines"]
        kept.append(line)
    return kept


def code(text: str) -> str:
    """As code on one line, whatever it contains."""
    plain = excerpt(text, _LONGEST) or " "
    runs = {len(run) for run in _RUN.findall(plain)}
    ticks = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    space = " " if "`" in (plain[0], plain[-1]) else ""
    return f"{ticks}{space}{plain}{space}{ticks}"


def fenced(lines: Sequence[str]) -> str:
    """In a fence that is longer than every run of backticks in the lines."""
    longest = max((len(run) for line in lines for run in _RUN.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}diff", *lines, fence]) + "\n"


def _matrix(diff: Diff, room: int) -> str:
    if not diff.rows:
        return "\nNo field differs between the environments.\n"
    text = "\n<details><summary>fields that differ between environments</summary>\n\n"
    text += f"| server | field | {' | '.join(map(_cell, diff.environments))} |\n"
    text += f"|---|---|{'---|' * len(diff.environments)}\n"
    room -= _size(text) + 100
    for i, row in enumerate(diff.rows):
        cells = [_cell(row.values[name]) if row.values.get(name) else "" for name in diff.environments]
        line = f"| {_cell(row.server) if row.server else ''} | {_cell(row.path)} | {' | '.join(cells)} |\n"
        room -= _size(line)
        if room < 0:
            text += f"\n{len(diff.rows) - i} more rows are left out.\n"
            break
        text += line
    return f"{text}\n</details>\n"


def _cell(text: str) -> str:
    """In a table even code ends at a bar."""
    return code(text).replace("|", "\\|")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))
