"""``spec.patches`` of compose files: the parts of a project by kind and key."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from renderer.errors import Fault, Problem
from renderer.model import JSON, Patch, Rendered
from renderer.patch import merge_text
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
    text, problems = document.text, []
    for part in parts:
        for patch in part.server.patches:
            if patch.target != "compose":
                continue
            keys = _matches(patch, part)
            if keys:
                merge: dict[str, JSON] = {SECTIONS[patch.kind]: {key: dict(patch.merge) for key in keys}}
                text = merge_text(text, merge, f"spec.patches[{patch.position}] of server {part.server.name}")
            else:
                problems.append(part.server.problem(_no_match(patch, part)))
    return document._replace(text=text), problems


def _matches(patch: Patch, part: Part) -> tuple[str, ...]:
    """The keys that are meant: without a name the server's own service, or all of another kind."""
    keys = part.keys.get(SECTIONS.get(patch.kind, ""), ())
    if patch.name is None:
        return keys[:1] if patch.kind == "service" else keys
    return (patch.name,) if patch.name in keys else ()


def _no_match(patch: Patch, part: Part) -> Fault:
    there = {kind: part.keys[section] for kind, section in SECTIONS.items() if part.keys[section]}
    wrong_kind = patch.kind not in there
    known, word = (tuple(there), patch.kind) if wrong_kind else (there[patch.kind], patch.name or "")
    close = difflib.get_close_matches(word, known, 1, 0.6)
    hint = f"did you mean '{close[0]}'? " if close else ""
    what = f"no {patch.kind} is rendered" if wrong_kind else f"no {patch.kind} is called '{patch.name}'"
    return Fault(
        ("spec", "patches", patch.position, "kind" if wrong_kind else "name"),
        "spec/patch-without-match",
        f"{what} for this server, so the patch changes nothing",
        f"{hint}there is: {', '.join(known)}",
    )
