"""What the patches of a server lead to: it is rendered with and without them, and compared as two trees are."""

from __future__ import annotations

from renderer.diff.consequences import Name, consequences
from renderer.diff.entries import pairs_of
from renderer.diff.objects import objects_in
from renderer.errors import errors_in
from renderer.model import Server
from renderer.pipeline import Run, placed
from renderer.registry import target

#: What says who reaches whom, and what a server uses and may do; the others are about how it runs.
_DRAWN: tuple[Name, ...] = (
    *("egress", "ingress", "exposure", "access", "rbac", "hardening", "container", "secret", "data", "dns", "labels"),
    *("source", "unenforced", "update"),
)


def effects_of_patches(run: Run) -> dict[str, tuple[str, ...]]:
    """A line for each consequence, by the name of the server; of one whose patches cannot be applied nothing."""
    patched = [s for s in placed(run.specs, run.options).servers if any(p.target == run.target for p in s.patches)]
    effects = {server.name: _lines(run, server) for server in patched}
    return {name: lines for name, lines in effects.items() if lines is not None}


def _lines(run: Run, server: Server) -> tuple[str, ...] | None:
    texts = []
    for each in (server._replace(patches=()), server):
        documents, problems = target(run.target).build([each], run.options)
        if errors_in(problems):  # 'render' prints them
            return None
        texts.append({document.path: document.text for document in documents})
    before, now = texts
    pairs = [pair for pair in pairs_of([*now], before, now) if pair.changes]
    changed = {pair.object.identity for pair in pairs}
    same = [item for path, text in now.items() for item in objects_in(path, text) if item.identity not in changed]
    effects = {
        (_DRAWN.index(each.name), each.detail) for each in consequences(pairs, same, list) if each.name in _DRAWN
    }
    return tuple(f"{_DRAWN[name]}: {detail}" for name, detail in sorted(effects))
