"""``spec.patches`` of compose files: the parts of a project by kind and key."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.errors import Problem
from renderer.model import Patch, Rendered
from renderer.patch import apply, no_match
from renderer.targets.compose.view import Part

#: Kind in a patch to section of the file.
SECTIONS = {
    "service": "services",
    "network": "networks",
    "volume": "volumes",
    "config": "configs",
    "secret": "secrets",
}


def patched(document: Rendered, parts: Sequence[Part]) -> tuple[Rendered, list[Problem]]:
    """The compose file after the patches of its servers; a patch without match is a Problem."""
    problems = []
    for part in parts:
        for patch in part.server.patches:
            if patch.target != "compose":
                continue
            keys = _matches(patch, part)
            for key in keys:
                document, unfit = apply(document, patch, part.server, (SECTIONS[patch.kind], key))
                problems += [part.server.problem(fault) for fault in unfit]
            if not keys:
                there = {kind: part.keys[section] for kind, section in SECTIONS.items() if part.keys[section]}
                problems.append(part.server.problem(no_match(patch, there)))
    return document, problems


def _matches(patch: Patch, part: Part) -> tuple[str, ...]:
    """The keys that are meant: without a name the server's own service, or all of another kind."""
    keys = part.keys.get(SECTIONS.get(patch.kind, ""), ())
    if patch.name is None:
        return keys[:1] if patch.kind == "service" else keys
    return (patch.name,) if patch.name in keys else ()
