"""Which new server is a removed one under another name, by the similarity of their files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.diff.consequences.table import Consequence, Pair
from renderer.diff.objects import COMPOSE, Object, changes
from renderer.kinds import WORKLOADS
from renderer.labels import REMADE_VOLUMES
from renderer.manifest import at, mappings

Texts = Mapping[str, str | None]
#: The share of the shorter one's lines, without names, that the other must have: a whole proxy may be new or removed.
_LIKE = 0.7
#: What identifies a server: images, and the items of these lists. Most other lines are equal in any two servers, or may
#: change in the commit that renames one.
_IMAGE = "image:"
_PROGRAM = ("args:", "command:", "entrypoint:")
_VERSION = re.compile(r"""(?:(?:@sha256)?(?:@|==|:)[\w.+-]+)+(?=["']?$)""")
#: More is another fleet and no rename.
_MOST_PAIRS = 10_000


class _Lines(NamedTuple):
    """The lines of a server's files: literal, and each without the server's name.

    ``telling`` are those that identify the server: without the version, and without version and name.
    """

    literal: Counter[str]
    nameless: dict[str, str]
    telling: dict[str, tuple[str, str]]


def renames(removed: Mapping[str, Texts], added: Mapping[str, Texts]) -> dict[str, str]:
    """New name to old name, the most similar first; each server once."""
    if len(removed) * len(added) > _MOST_PAIRS:
        return {}
    old_lines, new_lines = ({name: _lines(texts[name], name) for name in texts} for texts in (removed, added))
    pairs = [(_likeness(old_lines[old], new_lines[new]), new, old) for old in removed for new in added]
    names: dict[str, str] = {}
    for likeness, new, old in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if likeness and new not in names and old not in names.values():
            names[new] = old
    return names


def _lines(files: Texts, name: str) -> _Lines:
    literal, telling = Counter[str](), dict[str, tuple[str, str]]()
    for path, text in files.items():
        listed = False
        for line in map(str.strip, (text or "").splitlines()):
            key = f"{nameless(path, name)}\0{line}"
            literal[key] += 1
            if (listed and line.startswith("- ")) or line.startswith(_IMAGE):
                says = _VERSION.sub("", line)
                telling[nameless(key, name)] = (says, nameless(says, name))
            listed = line in _PROGRAM or (listed and line.startswith("- "))
    return _Lines(literal, {line: nameless(line, name) for line in literal}, telling)


def _likeness(old: _Lines, new: _Lines) -> float:
    """The share of lines that are equal, with or without the servers' names; 0 for another server."""
    literal = old.literal & new.literal
    rest = [Counter[str](), Counter[str]()]
    for lines, left in zip((old, new), rest, strict=True):
        for line, number in (lines.literal - literal).items():
            left[lines.nameless[line]] += number
    both = rest[0] & rest[1]
    # More or fewer containers and arguments, or another version, are an edit; different ones are another server.
    removed, added = (
        [says for line, says in lines.telling.items() if line in left - both]
        for lines, left in zip((old, new), rest, strict=True)
    )
    if _others(removed, added) and _others(added, removed):
        return 0.0
    same, sizes = (literal + both).total(), (old.literal.total(), new.literal.total())
    return 2 * same / sum(sizes) if same and same >= _LIKE * min(sizes) else 0.0


def _others(lines: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]) -> bool:
    """Whether one of the lines equals none of the others, with or without the name."""
    return any(
        all(ours != theirs for other in others for ours, theirs in zip(says, other, strict=True)) for says in lines
    )


def nameless(text: str, name: str) -> str:
    """Without the server's name, where that is a whole word."""
    return re.sub(_alone(name), "<server>", text) if name in text else text


def renamed_text(text: str | None, old: str, new: str, now: str | None) -> str | None:
    """The old text under the new name, except lines that are still there (of an image: in any version)."""
    if text is None:
        return None
    kept = {_VERSION.sub("", line) for line in (now or "").splitlines()}
    lines = text.splitlines(keepends=True)
    return "".join(
        line if _VERSION.sub("", line.rstrip("\r\n")) in kept else re.sub(_alone(old), lambda _: new, line)
        for line in lines
    )


def _alone(name: str) -> str:
    return rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"


# ---------------------------------------------------------------------------------------------
# A server whose objects all have another name or namespace: they are compared with what they were before it.

#: Values below these keys are never the server's own name, even where they are equal to it.
_NOT_NAMES = frozenset({
    "affinity", "annotations", "args", "binaryData", "className", "command", "data", "dataFrom", "dnsConfig",
    "entrypoint", "env", "environment", "envFrom", "externalName", "host", "hostAliases", "hostnames", "hosts", "image",
    "ingressClassName", "matchName", "matchPattern", "nodeName", "nodeSelector", "parentRefs", "priorityClassName",
    "remoteRef", "resourceNames", "runtimeClassName", "schedulerName", "storageClassName", "stringData", "tolerations",
    "volumeName",
})  # fmt: skip
_NOT_LEAVES = tuple((name,) for name in (*_NOT_NAMES, "cidr", "path", "url", "value"))
#: By a part of a key: the kinds of the objects that it names.
_OF_KINDS = {
    "secret": ("Secret", "ExternalSecret", "SealedSecret", "Certificate", "secret"),
    "configmap": ("ConfigMap",),
    "persistentvolumeclaim": ("PersistentVolumeClaim",),
    "serviceaccount": ("ServiceAccount",),
    "roleref": ("Role", "ClusterRole"),
}
_Names = Mapping[tuple[str, str], str]


def with_new_names(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Consequence]]:
    """Pairs removed objects with new ones, where the workload has another name or namespace; and what that causes."""
    removed, added = [p.old for p in pairs if p.old and not p.new], [p.new for p in pairs if p.new and not p.old]
    workloads = (
        [e for e in side if e.kind in WORKLOADS or (e.group, e.kind) == (COMPOSE, "service")]
        for side in (removed, added)
    )
    old, new = (min(side, key=lambda each: len(each.name), default=None) for side in workloads)
    if not old or not new or old.kind != new.kind:
        return list(pairs), []
    identities = {each.identity: each for each in added}
    matched: dict[tuple[str, str, str, str], Object] = {}
    for each in removed:
        namespace = new.namespace if each.namespace == old.namespace else each.namespace
        name = _renamed(each.name, old, new)
        if (each.group, each.kind, namespace, name) in identities:
            matched[each.group, each.kind, namespace, name] = each
    if new.identity not in matched:
        return list(pairs), []
    names = {(each.kind, each.name): identity[3] for identity, each in matched.items()}
    kept = [pair for pair in pairs if pair.object.identity not in matched and pair.old not in matched.values()]
    sides = [(pair.old, pair.new) for pair in kept if pair.old and pair.new]
    kept = [pair for pair in kept if not (pair.old and pair.new)]
    for each, now in [*sides, *((each, identities[identity]) for identity, each in matched.items())]:
        data = _with_names(each.data, now.data, (old, new), names, ())
        if changed := changes(data, now.data):
            kept.append(Pair(now._replace(data=data), now, changed))
    return sorted(kept, key=lambda pair: pair.object.identity), list(_meaning(old, new, matched.values()))


def _renamed(name: str, old: Object, new: Object) -> str:
    """The new name of an object named after the server; cluster objects have the namespace in front."""
    namespace, colon, rest = name.rpartition(":")
    if colon and namespace == old.namespace:
        return f"{new.namespace}:{_renamed(rest, old, new)}"
    is_ours = name == old.name or name.startswith((f"{old.name}-", f"{old.name}."))
    return new.name + name[len(old.name) :] if is_ours else name


def _with_names(value: Any, now: Any, sides: tuple[Object, Object], names: _Names, path: tuple[str, ...]) -> Any:
    """The old value with the new names, where only these differ."""
    if isinstance(value, dict) and isinstance(now, dict):
        keys = {key: key if key in now else _renamed(str(key), *sides) for key in value}
        return {
            new if new in now else key: _with_names(value[key], now.get(new), sides, names, (*path, str(key)))
            for key, new in keys.items()
        }
    if isinstance(value, list) and isinstance(now, list) and len(value) == len(now):
        return [_with_names(item, other, sides, names, path) for item, other in zip(value, now, strict=True)]
    if not isinstance(value, str) or value == now or _NOT_NAMES.intersection(path[:-1]) or path[-1:] in _NOT_LEAVES:
        return value
    kinds = [kinds for word, kinds in _OF_KINDS.items() if any(word in step.lower() for step in path)]
    if kinds and all((kind, value) not in names for kind in kinds[0]):
        return value
    old, new = sides
    text = new.namespace if value == old.namespace else _renamed(value, old, new)
    if "groups" in path:  # expressions of alerts name the server in the middle
        text = re.sub(_alone(old.name), lambda _: new.name, value)
        text = re.sub(_alone(old.namespace), lambda _: new.namespace, text)
    return now if now == text else value


def _meaning(old: Object, new: Object, objects: Iterable[Object]) -> Iterator[Consequence]:
    words = [f"is {new.label} now"] if old.name != new.name else []
    if old.namespace != new.namespace and old.group != COMPOSE:
        words.append(f"moves from namespace {old.namespace} to {new.namespace}, and its Secrets are not moved")
    all_objects = "all objects are replaced, and clients need the new name"
    yield Consequence("replacement", f"{old.label} {' and '.join(words)}: {all_objects}")
    for each in objects:
        claims = mappings(at(each.data, "spec", "volumeClaimTemplates"))
        of_compose = each.group == COMPOSE and each.kind == "volume" and not each.name.endswith(REMADE_VOLUMES)
        labels = [f"claim {at(claim, 'metadata', 'name')} of {each.label}" for claim in claims]
        for label in [*labels, *([each.label] if of_compose or each.kind == "PersistentVolumeClaim" else ())]:
            yield left_behind(label)


def left_behind(label: str) -> Consequence:
    """A volume with a new name is another one, and empty."""
    return Consequence("data-loss", f"{label} is left behind with its data; the new name starts with an empty volume")
