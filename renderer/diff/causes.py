"""Why files of a server change: fields of its spec or environment, or, by the record, mcpctl itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
    """``details`` are fields, or sentences; ``of`` is the spec or environment that has them."""

    name: CauseName
    details: tuple[str, ...]
    of: str = ""
    place: Place | None = None


class Before(NamedTuple):
    """The specs by server, and the environment, at the base; None: unknown. ``settings``: changed settings of the
    project.
    """

    specs: Mapping[str, Source] | None = None
    environment: Environment | None = None
    settings: str = ""


class Now(NamedTuple):
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
    causes = [_of_fields("spec", fields, server, new)] if fields else []
    for name in sorted(linked(new)):
        was, other = before.specs.get(name), now.specs.get(name)
        fields = changes(was.data, other.data) if was and other else ()
        if other and fields:
            cause = _of_fields("linked", fields, name, other)
            causes.append(cause._replace(details=(f"{', '.join(cause.details)} of {name} changed",)))
    return tuple(causes)


def linked(source: Source) -> set[str]:
    """The servers that its spec names under ``network.egress.servers``, whose specs decide what is opened for it."""
    node: JSON = source.data
    for step in ("spec", "network", "egress", "servers"):
        node = node.get(step) if isinstance(node, dict) else None
    return {name for name in node if isinstance(name, str)} if isinstance(node, list) else set()


def environment_cause(server: str, before: Before, now: Now, changed: Sequence[tuple[str, ...]]) -> tuple[Cause, ...]:
    """The fields of the environment that affect the ``changed`` paths of a server, or of what all share."""
    old, new = before.environment, now.environment
    if old is None or new is None:
        return ()
    source = now.specs.get(server)
    fields = changes(old.source.data, new.source.data)
    fields = tuple(field for field in fields if _has_a_part(field.path, old, new, source, changed))
    return (_of_fields("environment", fields, new.name, new.source),) if fields else ()


def selection_cause(server: str, before: Before, now: Now) -> tuple[Cause, ...]:
    """``servers`` of the environment, where it now selects the server, or no longer does."""
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
    """Other causes: a merge, edited old files, or else mcpctl and the options of the run."""
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
