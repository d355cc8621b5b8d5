"""Changes of one server by kind of cause: files, fields and consequences; and groups of equal ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from renderer.diff.causes import Before, Cause, Now, environment_cause, selection_cause, spec_causes, tool_causes
from renderer.diff.consequences import (
    CONSEQUENCES,
    Consequence,
    Name,
    Pair,
    comment_rules,
    consequences,
    delivery_rules,
    is_context,
    sandbox_rules,
)
from renderer.diff.objects import ABSENT, Change, Object, changes, objects_in
from renderer.diff.renames import left_behind, nameless, renamed_text, renames, with_new_names
from renderer.write import is_file, same_but_for_head, source_in

if TYPE_CHECKING:
    from renderer.diff.graphs import GraphChange
    from renderer.diff.trees import Tree

Texts = Mapping[str, str | None]
Text = TypeVar("Text", str, None, str | None)
What = Literal["tree", "environment", "specs", "environments"]
Leg = Literal["spec", "tool"]
#: Files that are no manifests: what they say of the cluster, the objects say too.
_KUSTOMIZATION = "kustomization.yaml"
_BESIDE = (".md", "prerequisites.json", ".example", _KUSTOMIZATION)
_FOR_PEOPLE = (".md", ".json", ".example")
_DELIVERY = "delivery/"


class Field(NamedTuple):
    """One changed field of one object; the path is empty for a new or removed object."""

    object: str
    kind: str
    change: Change


class Entry(NamedTuple):
    """What happens to one server (empty: to what all share) for one kind of cause. ``tree``: environment or target.

    ``leg`` tool: without any change of a spec or an environment. ``others`` are those ``files`` that are no manifests.
    """

    tree: str
    server: str
    leg: Leg
    state: Literal["new", "removed", "renamed", "changed"]
    causes: tuple[Cause, ...]
    files: tuple[str, ...]
    fields: tuple[Field, ...]
    consequences: tuple[Consequence, ...]
    renamed_from: str = ""
    others: tuple[str, ...] = ()


class Move(NamedTuple):
    """Another place of a tree, or of the specs or environments named in the heads of its files; or a renamed
    environment.

    ``files`` is the number of files concerned.
    """

    kind: What
    old: str
    new: str
    files: int


class Sides(NamedTuple):
    """One tree: as it was, as it is rendered, and between them what the old specs render to now (by server).

    A server that is not in ``between`` has the same spec as before, or an unknown one. ``depth`` is the number of
    folders above that of a server.
    """

    name: str
    tree: Tree
    rendered: Mapping[str, str]
    between: Mapping[str, Mapping[str, str]]
    before: Before
    now: Now
    depth: int = 0


def entries(sides: Sides) -> list[Entry]:
    unlike = {*sides.tree.texts, *sides.tree.missing}
    changed = {path: text for path, text in sides.rendered.items() if path in unlike}
    # Where the lists of all servers' files are new or removed, the delivery changed, and no server.
    shared = _KUSTOMIZATION if _switch([*unlike], sides.tree.texts, changed) else None
    rendered, old = (_by_server(files, sides.depth, shared) for files in (sides.rendered, sides.tree.texts))
    missing = _by_server(dict.fromkeys(sides.tree.missing), sides.depth, shared)
    if sides.between:
        between = {path: text for texts in sides.between.values() for path, text in texts.items()}
        empty: dict[str, dict[str, str]] = {server: {} for server in sides.between}
        sides = sides._replace(between={**empty, **_by_server(between, sides.depth, shared)})
    names = sorted({*old, *missing, *(name for name, texts in sides.between.items() if texts)})
    removed = {name: old[name] for name in names if name and name in old and not rendered.get(name)}
    new = {name for name, texts in rendered.items() if texts.keys() == missing.get(name, {}).keys()}
    added = {name: rendered[name] for name in names if name and name not in old and name in new}
    renamed = renames(removed, added)
    listed: list[Entry] = []
    for server in (name for name in names if name not in renamed.values()):
        now: Texts = rendered.get(server, {})
        if server in renamed:
            listed.append(_renamed(renamed[server], server, removed[renamed[server]], now, sides))
            continue
        unchanged = {path: text for path, text in now.items() if path not in missing.get(server, {})}
        listed += _of_server(server, {**unchanged, **old.get(server, {})}, now, sides)
    return listed


def moves(sides: Iterable[Sides]) -> list[Move]:
    """Where specs and environments moved, and how many files differ only in that."""
    counts = Counter[tuple[What, str, str]]()
    for side in sides:
        for path, text in side.tree.texts.items():
            now = side.rendered.get(path)
            if text and now and same_but_for_head(text, now):
                moved: What = "specs" if server_of(path, side.depth) else "environments"
                counts[(moved, *_folders(source_in(text), source_in(now)))] += 1
    return [Move(*names, files) for names, files in sorted(counts.items())]


def _folders(old: str, new: str) -> tuple[str, str]:
    """Two paths up to where they differ: a file, or a folder that moved as a whole."""
    before, now = ((source.split("/") if is_file(source) else [source]) for source in (old, new))
    while before and now and before[-1] == now[-1]:
        del before[-1], now[-1]
    return "/".join(before) or ".", "/".join(now) or "."


def server_of(path: str, depth: int) -> str:
    """By its folder; '' for what all share."""
    steps = path.split("/")
    return steps[depth] if len(steps) > depth + 1 else ""


def _by_server(files: Mapping[str, Text], depth: int, shared: str | None) -> dict[str, dict[str, Text]]:
    """Files named ``shared`` are among what all share."""
    servers: dict[str, dict[str, Text]] = {}
    for path, text in files.items():
        server = "" if path.rpartition("/")[2] == shared else server_of(path, depth)
        servers.setdefault(server, {})[path] = text
    return servers


def _of_server(server: str, before: Texts, now: Texts, sides: Sides) -> Iterator[Entry]:
    if server and not (before and now):
        causes = selection_cause(server, sides.before, sides.now)
        yield _entry(server, "spec", before, now, sides)._replace(causes=causes)
        return
    between: Texts | None = sides.between.get(server)
    if between is not None:
        tool = _entry(server, "tool", before, between, sides)
        if tool.files:
            yield tool._replace(causes=tool_causes(tool.files, sides.tree, sides.before.settings))
        spec = _entry(server, "spec", between, now, sides)
        if spec.files:
            yield spec._replace(causes=_causes(spec, sides))
        return
    entry = _entry(server, "spec", before, now, sides)
    if not entry.files:
        return
    causes = _causes(entry, sides)
    more = tool_causes(entry.files, sides.tree, sides.before.settings)
    if causes:
        more = tuple(cause for cause in more if cause.name not in ("tool", "options"))
    yield entry._replace(leg="spec" if causes else "tool", causes=(*causes, *more))


def _causes(entry: Entry, sides: Sides) -> tuple[Cause, ...]:
    causes = spec_causes(entry.server, sides.before, sides.now)
    changed = [field.change.path for field in entry.fields]
    return (*causes, *environment_cause(entry.server, sides.before, sides.now, changed))


def _entry(server: str, leg: Leg, before: Texts, now: Texts, sides: Sides) -> Entry:
    # A binary file may differ. Where only the place of the spec differs, `moves` says so once for all files.
    files = sorted(
        path
        for path in {*before, *now}
        if (old := before.get(path)) is None
        or (old != (new := now.get(path)) and (new is None or not same_but_for_head(old, new)))
    )
    others = tuple(path for path in files if path.endswith(_BESIDE) and "files" not in path.split("/")[:-1])
    delivery = [path for path in files if path.startswith(_DELIVERY) and path not in others]
    manifests = [path for path in files if path not in others and path not in delivery]
    pairs = list(pairs_of(manifests, before, now))
    state: Literal["new", "removed", "changed"] = "new" if not before else "changed" if now else "removed"
    pairs, renamed = with_new_names(pairs) if server and state == "changed" else (pairs, [])
    effects = list(_effects(pairs, server, files, now, sides, new=bool(server) and state == "new")) if pairs else []
    commented = [path for path in manifests if path in now and (path in before or state == "new")]
    effects += [consequence for path in commented for consequence in comment_rules(before.get(path), now[path])]
    effects += renamed
    effects += sandbox_rules(before, now)
    switch = _switch([*delivery, *others], before, now) if delivery or not server else None
    if switch:
        effects, others = [*effects, switch], (*others, *delivery)
    else:
        delivered = list(pairs_of(delivery, before, now))
        effects += [consequence for pair in delivered for consequence in delivery_rules(pair)]
        pairs += delivered
    if server and state != "changed":
        effects = [
            Consequence((state == "new" and "addition") or "removal"),
            *(consequence for consequence in effects if consequence.name not in _WHOLE),
        ]
    if not effects and files:
        effects = [Consequence("cosmetic" if all(path.endswith(_FOR_PEOPLE) for path in others) else "files")]
    ordered = sorted(set(effects), key=lambda consequence: (_ORDER[consequence.name], consequence.detail))
    grave = [consequence for consequence in ordered if consequence.name not in ("cosmetic", "files")]
    fields = tuple(field for pair in pairs for field in _fields(pair))
    return Entry(
        sides.name,
        server,
        leg,
        state if server else "changed",
        (),
        tuple(files),
        fields,
        tuple(grave or ordered),
        others=others,
    )


_ORDER = {name: i for i, name in enumerate(CONSEQUENCES)}
#: Not listed for a whole server that is new or removed.
_WHOLE = ("addition", "removal", "cosmetic")


def _effects(
    pairs: Sequence[Pair], server: str, files: Sequence[str], now: Texts, sides: Sides, *, new: bool
) -> Iterator[Consequence]:
    same = {path: text for path, text in now.items() if path not in set(files) and text and is_context(text)}
    same_objects = [item for path, text in same.items() for item in objects_in(path, text)]

    def others() -> list[Object]:
        texts = sides.rendered.items()
        theirs = [(path, text) for path, text in texts if server_of(path, sides.depth) != server and is_context(text)]
        return [item for path, text in theirs for item in objects_in(path, text)]

    yield from consequences(pairs, same_objects, others, new=new)


def pairs_of(files: Sequence[str], before: Texts, now: Texts) -> Iterator[Pair]:
    """Each object of the files at both sides, with what changed."""
    old, new = (
        {item.identity: item for path in files if path in texts for item in objects_in(path, texts[path])}
        for texts in (before, now)
    )
    for identity in sorted({*old, *new}):
        was, item = old.get(identity), new.get(identity)
        whole = Change((), was.data if was else ABSENT, item.data if item else ABSENT)
        yield Pair(was, item, changes(was.data, item.data) if was and item else (whole,))


def _fields(pair: Pair) -> Iterator[Field]:
    for change in pair.changes:
        if pair.old and pair.new:
            yield Field(pair.object.label, pair.object.kind, change)
        else:  # of a whole object only that it is new or removed
            there = Change((), ABSENT if pair.new else True, True if pair.new else ABSENT)
            yield Field(pair.object.label, pair.object.kind, there)


def _switch(files: Sequence[str], before: Texts, now: Texts) -> Consequence | None:
    """Another delivery, by the files that only it has."""
    old, new = ({_deliverer(path, texts[path]) for path in files if path in texts} - {""} for texts in (before, now))
    if old == new or old & new:
        return None
    return Consequence("delivery", f"by {_listed(old)} before, by {_listed(new)} now")


def _deliverer(path: str, text: str | None) -> str:
    if path.startswith(_DELIVERY):
        return "Argo CD" if "argoproj.io/" in (text or "") else "Flux" if "fluxcd.io/" in (text or "") else ""
    return "kustomize" if path.endswith(_KUSTOMIZATION) else ""


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names)) or "nobody"


def _renamed(old: str, new: str, before: Texts, now: Texts, sides: Sides) -> Entry:
    removed = _entry(old, "spec", before, {}, sides)
    as_new: dict[str, str | None] = {}
    for path, text in before.items():
        steps = path.split("/")
        steps[sides.depth] = new
        new_path = "/".join(steps)
        as_new[new_path] = renamed_text(text, old, new, now.get(new_path))
    entry = _entry(new, "spec", as_new, now, sides)
    losses = [loss.detail for loss in removed.consequences if loss.name == "data-loss"]
    lost = [left_behind(detail.removesuffix(" is removed").removesuffix(" is no longer used")) for detail in losses]
    effects = [also for also in entry.consequences if also.name not in ("cosmetic", "files", "restart", "update")]
    named = Consequence("replacement", "every object gets a new name")
    for name in ("removal", "addition"):
        whole = [also for also in effects if also.name == name]
        if whole:
            effects = [also for also in effects if also not in whole]
            effects.append(whole[0]._replace(detail=", ".join(part.detail for part in whole)))
    files = (*removed.files, *sorted(now))
    ordered = sorted(dict.fromkeys([*lost, named, *effects]), key=lambda consequence: _ORDER[consequence.name])
    return entry._replace(state="renamed", renamed_from=old, files=files, consequences=tuple(ordered))


# ---------------------------------------------------------------------------------------------
# Equal changes of several servers or environments are one group.


class Row(NamedTuple):
    """A field that differs between environments; values by environment, without secrets."""

    server: str
    path: str
    values: Mapping[str, str]


class Diff(NamedTuple):
    """``against`` names the old side."""

    against: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    rows: tuple[Row, ...] | None = None
    moves: tuple[Move, ...] = ()
    graphs: tuple[GraphChange, ...] = ()

    def counts(self) -> dict[str, int]:
        files = {(entry.tree, path) for entry in self.entries for path in entry.files}
        of_trees = max((move.files for move in self.moves if move.kind == "tree"), default=0)
        moved = of_trees or sum(move.files for move in self.moves)
        servers = {entry.server for entry in self.entries if entry.server}
        fields = sum(len(entry.fields) for entry in self.entries)
        return {"servers": len(servers), "files": len(files) + moved, "fields": fields}

    def servers_with(self, leg: Leg, name: Name) -> list[str]:
        """Contains '' for what all share."""
        alike = [entry for entry in self.entries if entry.leg == leg]
        return sorted({entry.server for entry in alike if name in {each.name for each in entry.consequences}})


class Group(NamedTuple):
    """Differing only in the names of servers and trees."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        return self.entries[0]

    @property
    def places(self) -> dict[str, tuple[str, ...]]:
        """Each server with its trees."""
        trees: dict[str, tuple[str, ...]] = {}
        for entry in self.entries:
            trees[entry.server] = (*trees.get(entry.server, ()), entry.tree)
        return trees


def grouped(entries: Iterable[Entry]) -> list[Group]:
    """Changes of specs first, then by consequence, then by name."""
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        # The name of the environment does not count: each may change in the same way.
        causes = [(cause.name, cause.details, cause.of if cause.name == "spec" else "") for cause in entry.causes]
        fields = [(field.object, field.change.path, field.change.old, field.change.new) for field in entry.fields]
        files = [path.rpartition("/")[2] for path in entry.files]
        whole = repr([entry.leg, entry.state, entry.renamed_from, causes, files, fields, entry.consequences])
        groups.setdefault((nameless(whole, entry.server) if entry.server else whole), []).append(entry)

    def rank(group: Group) -> tuple[bool, list[int], str, str]:
        first = group.first
        order = [_ORDER[consequence.name] for consequence in first.consequences]
        return first.leg == "tool", order, first.server, first.tree

    return sorted((Group(tuple(group)) for group in groups.values()), key=rank)
