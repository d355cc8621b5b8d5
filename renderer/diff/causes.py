"""Why a server is rendered otherwise: fields of its spec or of the environment, or the tool, by the record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from renderer.diff.objects import Change, changes
from renderer.diff.trees import Tree
from renderer.environment import Environment, layers
from renderer.errors import DocumentPath, Place, excerpt
from renderer.model import JSON, Source
from renderer.write import Origin, digest_of_spec

CauseName = Literal["spec", "environment", "options", "templates", "tool", "edited", "outdated", "unknown"]


class Cause(NamedTuple):
    """One thing that changed. ``what`` are fields, or words; ``of`` the spec or environment whose fields they are."""

    name: CauseName
    what: tuple[str, ...]
    of: str = ""
    place: Place | None = None


class Before(NamedTuple):
    """What the specs were at the base: by server, and the environment. None: that is not known."""

    specs: Mapping[str, Source] | None = None
    environment: Environment | None = None


class Now(NamedTuple):
    """What they are."""

    specs: Mapping[str, Source]
    origin: Origin
    environment: Environment | None = None


def spec_causes(server: str, before: Before, now: Now, tree: Tree) -> tuple[Cause, ...]:
    """What changed in the spec; by the record's hashes where the old one is not known."""
    if before.specs is None:
        return tuple(_by_hashes(server, now.origin, tree.origin))
    old, new = before.specs.get(server), now.specs.get(server)
    if old is not None and new is not None and (fields := changes(old.data, new.data)):
        return (_of_fields("spec", fields, server, new),)
    return ()


def environment_cause(server: str, before: Before, now: Now, changed: Sequence[tuple[str, ...]]) -> tuple[Cause, ...]:
    """The fields of the environment that have a part in what changed (paths in objects) of a server, or of all."""
    old, new = before.environment, now.environment
    if old is None or new is None:
        return ()
    source = now.specs.get(server)
    fields = changes(old.source.data, new.source.data)
    fields = tuple(field for field in fields if _has_a_part(field.path[1:], old, new, source, changed))
    return (_of_fields("environment", fields, new.name, new.source),) if fields else ()


def _has_a_part(
    path: tuple[str, ...],
    old: Environment,
    new: Environment,
    source: Source | None,
    changed: Sequence[tuple[str, ...]],
) -> bool:
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
    place = source.place(_path(fields[0].path, source.data), at_key=True)
    return Cause(name, tuple(dict.fromkeys(field.where for field in fields)), of, place)


def _path(steps: Sequence[str], data: JSON) -> DocumentPath:
    """The path as the document has it: items of lists by position. As far as it leads."""
    path: list[str | int] = []
    for step in steps:
        if isinstance(data, list):
            found = [i for i, item in enumerate(data) if isinstance(item, dict) and _named(item, step)]
            if not found:
                break
            path.append(found[0])
            data = data[found[0]]
        else:
            path.append(step)
            data = data.get(step) if isinstance(data, dict) else None
    return tuple(path)


def _named(item: Mapping[str, JSON], step: str) -> bool:
    return any(f"[{value}]" == step for value in item.values() if isinstance(value, str | int))


def _by_hashes(server: str, now: Origin, before: Origin) -> Iterator[Cause]:
    if not before.tool:
        yield Cause("unknown", ("the record does not say what the old files were made from",))
        return
    if server and before.specs.get(server) != now.specs.get(server):
        yield Cause("spec", (), server)
    elif not server and before.specs.keys() != now.specs.keys():
        yield Cause("spec", ("servers came or went",))
    if before.environment != now.environment:
        yield Cause("environment", ())


def tool_causes(server: str, files: Sequence[str], before: Before, now: Origin, tree: Tree) -> tuple[Cause, ...]:
    """What else changed: what the record says of it, and what somebody did to the old files by hand."""
    old = tree.origin
    found = []
    if old.tool and old.tool != now.tool:
        found.append(Cause("tool", (f"mcpctl was {excerpt(old.tool)}, is {now.tool}",)))
    elif old.tool and old.templates != now.templates:
        found.append(Cause("templates", ("a template, or a default of the schema, changed",)))
    if old.tool and old.options != now.options and not now.environment:
        names = sorted(key for key in {*old.options, *now.options} if old.options.get(key) != now.options.get(key))
        found.append(Cause("options", tuple(f"--{excerpt(name).replace('_', '-')}" for name in names)))
    if edited := sum(_is_edited(path, tree) for path in files):
        found.append(Cause("edited", (f"somebody edited {edited} of the old files by hand",)))
    if not found and before.specs and server in before.specs and _is_outdated(before.specs[server].data, server, old):
        found.append(Cause("outdated", ("the old tree was not what its specs rendered to",)))
    return tuple(found)


def _is_outdated(spec: JSON, server: str, old: Origin) -> bool:
    """Whether the tree was not rendered from the spec that lay beside it."""
    return server in old.specs and old.specs[server] != digest_of_spec(spec)


def _is_edited(path: str, tree: Tree) -> bool:
    text, recorded = tree.texts.get(path), tree.digests.get(path)
    return text is not None and bool(recorded) and hashlib.sha256(text.encode()).hexdigest() != recorded
