"""Why a server is rendered otherwise: fields of its spec or of the environment, or the tool, by the record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from renderer import locks
from renderer.diff.objects import ABSENT, Change, changes
from renderer.environment import Environment, layers, members
from renderer.errors import Place
from renderer.model import JSON, Source

if TYPE_CHECKING:
    from renderer.diff.trees import Tree

_LOCK = ("spec", "package", "lock")
CauseName = Literal["spec", "linked", "environment", "options", "tool", "edited", "conflict", "unknown"]


class Cause(NamedTuple):
    """One thing that changed. ``details`` are fields, or words; ``of`` is the spec or environment that has them."""

    name: CauseName
    details: tuple[str, ...]
    of: str = ""
    place: Place | None = None


class Before(NamedTuple):
    """What the specs were at the base: by server, and the environment. None: that is not known.

    ``settings`` says what changed of those of the project.
    """

    specs: Mapping[str, Source] | None = None
    environment: Environment | None = None
    settings: str = ""


class Now(NamedTuple):
    """What they are."""

    specs: Mapping[str, Source]
    environment: Environment | None = None


def spec_causes(server: str, before: Before, now: Now) -> tuple[Cause, ...]:
    if before.specs is None:
        words = "changed since the tree was rendered (a spec, an option or mcpctl: --base REV says which)"
        return (Cause("unknown", (words,)),)
    old, new = before.specs.get(server), now.specs.get(server)
    if old is None or new is None:
        return ()
    fields = changes(old.data, new.data)
    if locks.content(old) != locks.content(new) and not any(field.path == _LOCK for field in fields):
        fields = (*fields, Change(_LOCK, ABSENT, ABSENT))  # the same file, with another content
    own = (_of_fields("spec", fields, server, new),) if fields else ()
    return (*own, *_linked_causes(new, before, now))


def linked(source: Source) -> set[str]:
    """The other servers that its spec names, and whose specs decide what is opened for it."""
    node: JSON = source.data
    for step in ("spec", "network", "egress", "servers"):
        node = node.get(step) if isinstance(node, dict) else None
    return {name for name in node if isinstance(name, str)} if isinstance(node, list) else set()


def _linked_causes(source: Source, before: Before, now: Now) -> Iterator[Cause]:
    for name in sorted(linked(source)):
        old, new = (before.specs or {}).get(name), now.specs.get(name)
        fields = changes(old.data, new.data) if old and new else ()
        if new and fields:
            cause = _of_fields("linked", fields, name, new)
            yield cause._replace(details=(f"{', '.join(cause.details)} of {name} changed",))


def environment_cause(server: str, before: Before, now: Now, changed: Sequence[tuple[str, ...]]) -> tuple[Cause, ...]:
    """The fields of the environment that have a part in what changed (paths in objects) of a server, or of all."""
    old, new = before.environment, now.environment
    if old is None or new is None:
        return ()
    source = now.specs.get(server)
    fields = changes(old.source.data, new.source.data)
    fields = tuple(field for field in fields if _has_a_part(field.path, old, new, source, changed))
    return (_of_fields("environment", fields, new.name, new.source),) if fields else ()


def selection_cause(server: str, before: Before, now: Now) -> tuple[Cause, ...]:
    """The environment's choice of servers, where another one takes the server in or leaves it out."""
    old, new = before.environment, now.environment
    source = now.specs.get(server) or (before.specs or {}).get(server)
    if old is None or new is None or source is None or bool(members(old, [source])) == bool(members(new, [source])):
        return ()
    fields = changes(old.source.data, new.source.data)
    chosen = tuple(field for field in fields if field.path[:2] == ("spec", "servers"))
    return (_of_fields("environment", chosen, new.name, new.source),) if chosen else ()


def _has_a_part(
    path: tuple[str, ...],
    old: Environment,
    new: Environment,
    source: Source | None,
    changed: Sequence[tuple[str, ...]],
) -> bool:
    if path[:1] == ("metadata",):
        return source is None  # a server's files do not name the environment
    path = path[1:]
    section = path[0] if path else ""
    if section in ("policies", "servers"):
        return False  # neither reaches what is rendered of a server that stays
    if section == "delivery":
        return source is None or any("argocd.argoproj.io" in step for steps in changed for step in steps)
    if section == "namespace" and len(path) > 1 and path[1] != "name":
        return source is None
    if section not in ("defaults", "patches", "images"):
        return True
    if source is None:
        return False
    mixed = new._replace(**{section: getattr(old, section)})
    own = layers(mixed, source)[-1].data != layers(new, source)[-1].data
    # Images that mcpctl adds itself are in no spec.
    return own or (section == "images" and any(steps[-1:] == ("image",) for steps in changed))


def _of_fields(name: CauseName, fields: Sequence[Change], of: str, source: Source) -> Cause:
    # The path as the document has it, as far as it leads: items of lists by position.
    data: JSON = source.data
    path: list[str | int] = []
    for step in fields[0].path:
        if isinstance(data, list):
            items = [item.values() if isinstance(item, dict) else () for item in data]
            named = [i for i, values in enumerate(items) if step in [f"[{value}]" for value in values]]
            if not named:
                break
            path.append(named[0])
            data = data[named[0]]
        else:
            path.append(step)
            data = data.get(step) if isinstance(data, dict) else None
    place = source.place(tuple(path), at_key=True)
    return Cause(name, tuple(dict.fromkeys(field.where for field in fields)), of, place)


def tool_causes(files: Sequence[str], tree: Tree, settings: str) -> tuple[Cause, ...]:
    """What else changed: a merge, or what somebody did to the old files, or else mcpctl and the options of the run."""
    if conflicts := len(tree.conflict.intersection(files)):
        words = f"{conflicts} of the old files in conflict after a merge ('mcpctl render' writes them again)"
        return (Cause("conflict", (words,)),)
    recorded = {path: (text, tree.digests.get(path)) for path in files if (text := tree.texts.get(path)) is not None}
    if edited := sum(
        hashlib.sha256(text.encode()).hexdigest() not in digests for text, digests in recorded.values() if digests
    ):
        return (Cause("edited", (f"{edited} of the old files were edited by hand",)),)
    if settings:
        return (Cause("options", (settings,)),)
    return (Cause("tool", ("the old tree is not what its specs render to with this mcpctl and these options",)),)
