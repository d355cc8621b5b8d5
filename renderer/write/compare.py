"""How a tree differs from what is rendered, and why: what is there, against the record and both origins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from renderer.errors import excerpt
from renderer.model import JSON
from renderer.write.disk import LINK, content_of, digest, told
from renderer.write.origin import UNKNOWN, Origin
from renderer.write.record import Record, read_record
from renderer.write.refuse import refuse_links

Why = Literal["missing", "outdated", "edited", "foreign", "stale"]

REASONS: Mapping[Why, str] = {
    "missing": "it is rendered, but not in the tree",
    "outdated": "it is as mcpctl wrote it, and is rendered otherwise now",
    "edited": "somebody changed it by hand since mcpctl wrote it",
    "foreign": "mcpctl did not write it, and it stands where a rendered file belongs",
    "stale": "nothing renders it any more",
}

CauseName = Literal["spec", "environment", "options", "templates", "tool", "removed", "unfinished", "unknown"]

#: What can have changed since a file was written; several may hold. A spec and the options are told in detail.
CAUSES: Mapping[CauseName, str] = {
    "spec": "the spec of {} changed",
    "environment": "the environment changed",
    "options": "the options changed: {}",
    "templates": "a template, or a default of the schema, changed",
    "tool": "mcpctl was {}, and is {}",
    "removed": "somebody removed it since mcpctl wrote it",
    "unfinished": "an earlier run was stopped before it came to this file",
    "unknown": "the record does not say what it was made from",
}
_SAME = "all that the record knows of is the same, so mcpctl itself changed without a new version, or its record did"


class Cause(NamedTuple):
    """One thing that changed since the file was written."""

    name: CauseName
    words: str


class Difference(NamedTuple):
    """One file of the tree that is not as rendered; ``path`` is relative to the tree, ``server`` empty if shared."""

    path: str
    why: Why
    causes: tuple[Cause, ...] = ()
    server: str = ""


def explained(difference: Difference) -> str:
    """The state of the file and its causes in one sentence."""
    return "; ".join([REASONS[difference.why], *(cause.words for cause in difference.causes)])


def compare(
    folder: Path, files: Mapping[str, str], origin: Origin = UNKNOWN, part: Collection[str] | None = None
) -> list[Difference]:
    """How the tree at ``folder`` differs from ``files`` (path to text), sorted by path.

    What is in the files decides, and the record only explains it: nobody can hide a difference there. With
    ``part`` only files of those servers are looked at, and of those that are gone. Raises OutputTreeFault
    where the tree cannot be read, or contains links.
    """
    with told(folder, "the output tree could not be read", ""):
        record = read_record(folder)
        return differences(folder, files, record, origin, part)


def judged(record: Record, origin: Origin, part: Collection[str] | None) -> list[str]:
    """The recorded files that a run looks at: all, or those of its part, of nobody, and of servers that are gone."""
    if part is None:
        return list(record.digests)
    return [path for path in record.digests if not (server := origin.server(path)) or server in part]


def differences(
    folder: Path, files: Mapping[str, str], record: Record, origin: Origin, part: Collection[str] | None
) -> list[Difference]:
    """As ``compare``, with the record of the tree."""
    stale = [path for path in judged(record, origin, part) if path not in files]
    # Folders first: what stands behind a link is not looked at. One look at each folder, not one for each file.
    refuse_links(folder, {path.rpartition("/")[0] for path in (*files, *stale)})
    unlike: dict[str, bytes | None] = {}
    for path, text in files.items():
        content = content_of(f"{folder}/{path}")
        if content is None or content != text.encode():
            unlike[path] = content
    there = {path: content for path in stale if (content := content_of(f"{folder}/{path}")) is not None}
    refuse_links(folder, [path for path, content in {**unlike, **there}.items() if content == LINK])
    found = [_difference(path, _why(path, content, record), record, origin) for path, content in unlike.items()]
    for path, content in there.items():
        why: Why = "stale" if digest(content) in record.digests[path] else "edited"
        found.append(_difference(path, why, record, origin))
    return sorted(found)


def _why(path: str, content: bytes | None, record: Record) -> Why:
    if content is None:
        return "missing"
    recorded = record.digests.get(path)
    if not recorded:
        return "foreign"
    return "outdated" if digest(content) in recorded else "edited"


def _difference(path: str, why: Why, record: Record, origin: Origin) -> Difference:
    server = origin.server(path) or record.origin._replace(prefix=origin.prefix).server(path)
    if origin is UNKNOWN or why == "foreign" or not record.digests:
        return Difference(path, why, (), server)
    causes = list(_causes(path, server, record, origin))
    if why == "missing" and path in record.digests and path not in record.pending:
        causes.insert(0, Cause("removed", CAUSES["removed"]))
    if not causes and why == "outdated":
        causes = [Cause("unknown", _SAME)]
    return Difference(path, why, tuple(causes), server)


def _causes(path: str, server: str, record: Record, origin: Origin) -> Iterator[Cause]:
    if path in record.pending:
        yield Cause("unfinished", CAUSES["unfinished"])
    before = record.origin
    if not before.tool:
        yield Cause("unknown", CAUSES["unknown"])
        return
    if words := _specs_changed(server, before.specs, origin.specs):
        yield Cause("spec", words)
    if before.environment != origin.environment:
        yield Cause("environment", CAUSES["environment"])
    if changed := list(_options_changed(before.options, origin.options)):
        yield Cause("options", CAUSES["options"].format(", ".join(changed)))
    if before.templates != origin.templates:
        yield Cause("templates", CAUSES["templates"])
    if before.tool != origin.tool:
        yield Cause("tool", CAUSES["tool"].format(excerpt(before.tool), origin.tool))


def _specs_changed(server: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What happened to the server's spec; of a file that all share, which servers came and went."""
    if not server:
        came, went = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
        words = [_listed("specs are new", came)] if came else []
        words += [_listed("specs are gone", went)] if went else []
        return ", and ".join(words)
    if before.get(server) == now.get(server):
        return ""
    if server not in before:
        return f"the spec of {server} is new"
    return CAUSES["spec"].format(server) if server in now else f"the spec of {excerpt(server)} is gone"


def _listed(words: str, names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{words}: {', '.join(map(excerpt, names[:most]))}{more}"


def _options_changed(before: Mapping[str, JSON], now: Mapping[str, JSON]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old != new:
            plain = all(isinstance(value, str | int) for value in (old, new))
            detail = f" was {excerpt(str(old))}, is {excerpt(str(new))}" if plain else ""
            yield f"{excerpt(name).replace('_', '-')}{detail}"
