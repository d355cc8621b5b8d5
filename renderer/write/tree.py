"""Makes trees what was rendered. What could go wrong with any of them is asked before the first file is changed."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from renderer.errors import OutputTreeFault, Place, Problem
from renderer.kinds import KINDS
from renderer.parallel import Watched
from renderer.write.comparison import NOT_OURS, REASONS, Difference, Merged, as_recorded, no_merge, state_of
from renderer.write.disk import UNFINISHED, Folder, nearest, temporary, tree_faults
from renderer.write.records import (
    OLD_RECORD,
    RECORD,
    Records,
    names_of,
    parsed_records,
    record_path,
    record_text,
    unit_of,
)

_DATA = "|".join(name for name, kind in KINDS.items() if kind.holds_data)
_HOLDS_DATA = re.compile(rf"^(kind: ({_DATA})|  volumeClaimTemplates:)$".encode(), re.M)


#: The Namespace of a tree is rendered only where it is ours, which earlier versions took for granted.
NAMESPACE_FILE = "namespace.yaml"
KEEP_NAMESPACE = "say that the namespace is ours (--create-namespace, in an environment namespace.create: true)"


def holds_data(manifest: bytes) -> bool:
    """Whether it is that of a volume, a namespace or another object whose end takes data with it."""
    return bool(_HOLDS_DATA.search(manifest))


class Allowed(NamedTuple):
    """What the user has said may happen to the tree. ``prune``: servers that are not in the input go."""

    force: bool = False
    prune: bool = False
    prune_data: bool = False
    allow_empty: bool = False


class Wanted(NamedTuple):
    """What a tree is to be: path below ``folder`` to text; with ``is_left_over`` it is to be removed.

    Files that the servers among ``files`` do not render any more are removed; other servers only with ``prune``.
    """

    folder: Path
    files: Mapping[str, str]
    depth: int = 0
    allowed: Allowed = Allowed()
    merged: Merged = no_merge
    is_left_over: bool = False


class Written(NamedTuple):
    """What a run did to the tree; paths relative to it, sorted. ``others``: servers that were left alone."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    others: tuple[str, ...] = ()


_NOTHING = "nothing was written: "


def write(trees: Sequence[Wanted], watched: Watched = iter) -> list[Written]:
    """Makes each tree what is wanted: all new files of all trees are written before the first is put in place.

    Raises OutputTreeFault, with one Problem a file, where that would destroy what is not ours (``force`` overwrites
    edited and foreign files, but never follows a link), or where the disk does not take it; without ``prune_data``,
    where files of volumes or namespaces would go; without ``allow_empty``, where no server is left. Then nothing has
    been changed, or the message says what. ``watched`` passes on the folders that are written.
    """
    plans: list[_Plan] = []
    faults: list[OutputTreeFault] = []
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o022))  # the modes of what is made do not depend on the user's
        above: dict[Path, Folder] = {}
        for wanted in trees:
            parent = wanted.folder.parent
            try:
                with tree_faults(wanted.folder, "nothing was written"):
                    if parent not in above:
                        above[parent] = stack.enter_context(nearest(parent))
                        stack.callback(above[parent].remove_made)
                    plans.append(_Plan(wanted, above[parent], stack))
            except OutputTreeFault as fault:
                faults.append(fault)
        if faults:
            raise all_of(faults)
        for plan in plans:
            with tree_faults(plan.wanted.folder, "nothing was written"):
                plan.stage(watched)
        done: list[Written] = []
        for plan in plans:
            names = [str(tree.folder) for tree, now in zip(trees, done, strict=False) if now.written or now.removed]
            before = f"; written: {', '.join(names)}" if names else ""
            folder = plan.wanted.folder
            with tree_faults(folder, f"{folder} is incomplete, and the next run completes it{before}"):
                done.append(plan.put_in_place())
        return done


def all_of(faults: Sequence[OutputTreeFault]) -> OutputTreeFault:
    """Those of several trees as one, each of its sentences once."""
    sentences = [sentence for fault in faults for sentence in fault.message.removeprefix(_NOTHING).split("; ")]
    nothing = _NOTHING if any(fault.message.startswith(_NOTHING) for fault in faults) else ""
    problems = [problem for fault in faults for problem in fault.problems]
    return OutputTreeFault(nothing + "; ".join(dict.fromkeys(sentences)), problems)


class _Plan:
    """What is to be done to one tree, which is locked until ``stack`` is left. It is asked first what forbids that."""

    def __init__(self, wanted: Wanted, above: Folder, stack: ExitStack) -> None:
        self.wanted = wanted
        self._above = above
        self._name = os.fspath(wanted.folder.relative_to(above.path))
        self._staged: list[str] = []
        self._tree = above.below(self._name, make=True)
        stack.callback(self._close)
        self._tree.lock()
        self._look()

    def _look(self) -> None:
        _, files, depth, allowed, merged, is_left_over = self.wanted
        state = self._state = state_of(self._tree, files, depth, whole=allowed.prune, merged=merged)
        records, differences = state.records, state.differences
        self._changed = {d.path: files[d.path] for d in differences if d.path in files}
        stale = [d.path for d in differences if d.path not in files]
        stale = [path for path in stale if path.rpartition("/")[2] not in (RECORD, OLD_RECORD)]
        # On a disk that does not tell large from small letters, an old name may be that of a rendered file.
        rendered = {_folded(path): path for path in files} if stale else {}
        self._removed = [path for path in stale if not self._tree.same(path, rendered.get(_folded(path), ""))]
        forbidden = [(outcome, problems) for outcome, problems in self._forbidden(differences) if problems]
        if forbidden:
            outcomes = "; ".join(outcome for outcome, _ in forbidden)
            raise OutputTreeFault(f"{_NOTHING}{outcomes}", [p for _, problems in forbidden for p in problems])
        names, texts = {*names_of(state.texts)}, {**state.texts}
        if records.old and not allowed.prune:
            # Of servers that are left alone, whose files only the record of an earlier version names.
            units: dict[str, dict[str, tuple[str, ...]]] = {}
            for path, digests in records.digests.items():
                units.setdefault(unit_of(path, depth), {})[path] = digests
            others = [unit for unit in units if unit not in texts and unit.rpartition("/")[2] not in names]
            texts |= {unit: record_text(unit, units[unit]) for unit in others}
        touched = {unit_of(path, depth) for path in (*self._changed, *self._removed)} | {*records.journals}
        #: The records that are written, by unit, or removed (None). That of the tree last: it says that all is there.
        self._coming: dict[str, str | None] = {
            unit: text for unit, text in texts.items() if unit in touched or records.texts.get(unit) != text.encode()
        }
        for unit in sorted({*records.texts, *records.journals} - {*texts}):
            if allowed.prune or unit.rpartition("/")[2] in names:
                self._coming[unit] = None
        if self._coming or records.old or is_left_over:
            self._coming.pop("", None)
            self._coming[""] = None if is_left_over else texts[""]

    def _forbidden(self, differences: Sequence[Difference]) -> Iterator[tuple[str, list[Problem]]]:
        """What forbids the run, kind by kind."""
        folder, files, _, allowed = self.wanted[:4]

        def problem(path: str, rule: str, message: str, hint: str) -> Problem:
            return Problem(Place(os.fspath(folder / path)), "", f"tree/{rule}", message, hint)

        first: dict[str, str] = {}
        twins = [(path, twin) for path in sorted(files) if (twin := first.setdefault(_folded(path), path)) != path]
        message = "where file names are case-insensitive, this is the same file as '{}'"
        hint = "rename what it is rendered from"
        problems = [problem(path, "same-name", message.format(twin), hint) for path, twin in twins]
        yield "two files would have one name", problems
        others = self._state.others
        if allowed.prune and others and not allowed.allow_empty and not any(self._state.texts):
            # A wrong folder, far more often than the end of all servers.
            message = f"the specs name no server, and the tree has files of {len(others)}"
            hint = "check the path of the specs; to remove all servers, add --allow-empty"
            yield "the tree would be empty", [problem("", "would-empty", message, hint)]
        not_ours = [d for d in differences if d.why in NOT_OURS]
        if not_ours and not allowed.force:
            hint = "move the change into the spec (spec.patches), or overwrite it with --force"
            problems = [problem(d.path, d.why, REASONS[d.why], hint) for d in not_ours]
            yield "the tree has files that mcpctl must not change", problems
        data = [p for p in self._removed if not allowed.prune_data and holds_data(self._tree.read(p) or b"")]
        message = "no spec renders it now, and its object would be deleted with all data"
        hint = "add --prune-data to allow that, or render all specs of the tree"
        keep = f"{KEEP_NAMESPACE} to keep it; --prune-data removes the file"
        kept = {p for p in data if files and p.rpartition("/")[2] == NAMESPACE_FILE}
        problems = [problem(path, "data-loss", message, keep if path in kept else hint) for path in data]
        yield "files of data would leave the output tree", problems
        paths = [f"{path}/" for path in (*files, *self._removed)] if self._tree.obstacles else []
        message = "it is where a file of mcpctl or its folder belongs"
        hint = "move it away: it is not overwritten, not even with --force"
        obstacles = sorted(self._tree.obstacles.difference(d.path for d in not_ours if not allowed.force))
        obstacles = [o for o in obstacles if any(path.startswith(f"{o}/") for path in paths)]
        yield "there are obstacles", [problem(path, "obstacle", message, hint) for path in obstacles]

    def stage(self, watched: Watched) -> None:
        """Writes the new files beside those that they replace, after what a killed run left is brought to its end."""
        if self._state.unfinished:
            _complete(self._tree, self._state.records, self.wanted.depth)
            self._look()
        # The journal of the tree when all is there: with it, the next run completes what a killed one began.
        texts = {record_path(unit): text or record_text(unit, {}) for unit, text in self._coming.items()}
        last = {path: texts.pop(path) for path in [RECORD] if path in texts}
        self._staged = [*last, *texts, *self._changed]
        self._tree.write(dict(sorted({**texts, **self._changed}.items())), watched)
        self._tree.write(last)

    def put_in_place(self) -> Written:
        """From here on, what a killed run leaves is completed by the next."""
        _, files, _, allowed, _, is_left_over = self.wanted
        self._staged = []
        if self._coming:
            old = [OLD_RECORD] if self._state.records.old else []
            _put_in_place(self._tree, self._changed, [*self._removed, *old], self._coming)
        if is_left_over:
            self._above.remove_empty(self._name)
        others = () if allowed.prune else self._state.others
        changed, removed = sorted(self._changed), sorted(self._removed)
        return Written(tuple(changed), tuple(removed), len(files) - len(changed), others)

    def _close(self) -> None:
        """What was staged and not put in place is taken away."""
        for path in self._staged:
            with suppress(OSError):
                self._tree.remove(temporary(path))
        if self._staged:
            self._tree.remove_made()
        self._tree.close()


def _folded(path: str) -> str:
    """What is equal for names that are one on some disk: macOS and Windows fold letters, macOS composes them."""
    return path if path.isascii() and path.islower() else unicodedata.normalize("NFC", path).casefold()


def _put_in_place(
    tree: Folder, changed: Iterable[str], removed: Iterable[str], coming: Mapping[str, str | None]
) -> None:
    tree.put_in_place(changed)
    for path in removed:
        tree.remove(path)
    tree.sync_names([*changed, *removed])
    _put_records(tree, {unit: text for unit, text in coming.items() if unit})
    if "" in coming:
        for folder in {path.rpartition("/")[0] for path in removed}:
            tree.remove_empty(folder)
        tree.sync_names(map(record_path, coming))
        _put_records(tree, {"": coming[""]})
    tree.sync_names([RECORD])


def _put_records(tree: Folder, coming: Mapping[str, str | None]) -> None:
    tree.put_in_place(record_path(unit) for unit, text in coming.items() if text is not None)
    for unit in (unit for unit, text in coming.items() if text is None):
        tree.remove(record_path(unit))
        tree.remove(temporary(record_path(unit)))
        tree.remove_empty(unit)


def _complete(tree: Folder, records: Records, depth: int) -> None:
    """Ends what a killed run began: the files of each server become all new, or stay all old.

    A server that somebody has changed since is left as it is, with its journal.
    """
    coming: dict[str, str | None] = {}
    changed: list[str] = []
    removed: list[str] = []
    undone, left = [], set()
    for unit, journal in sorted(records.journals.items(), reverse=True):
        before = parsed_records({record_path(unit): records.texts.get(unit, b"")})
        now = {path: tree.read(path) for path in {**before, **journal}}
        there = {path: content for path, content in now.items() if content is not None}
        new = [path for path, digests in journal.items() if not as_recorded(now[path], digests)]
        ours = all(as_recorded(content, records.digests[path]) for path, content in there.items())
        if "" in records.journals and ours and all(as_recorded(tree.read(temporary(p)), journal[p]) for p in new):
            changed += new
            removed += before.keys() - journal.keys()
            coming[unit] = record_text(unit, journal) if journal or not unit else None
        elif all(as_recorded(content, before.get(path, ())) for path, content in there.items()):
            undone.append(record_path(unit))
        else:
            left.add(unit)
    waiting = {temporary(path) for path in (*changed, *map(record_path, records.journals))}
    for path in [path for path in tree.walk() if path.endswith(UNFINISHED)]:
        if path not in waiting and unit_of(path, depth) not in left:
            tree.remove(path)
    for path in undone:
        tree.remove(temporary(path))
        tree.remove_empty(path.rpartition("/")[0])
    _put_in_place(tree, changed, removed, coming)
