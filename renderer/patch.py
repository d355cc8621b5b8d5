"""Patches of specs: merge patches, and JSON Patches (RFC 6902) turned into merge patches."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.errors import DocumentPath, Fault
from renderer.manifest import as_mapping
from renderer.merge_patch import difference, holds_null, merge_text, read_mapping
from renderer.model import JSON, Patch, Rendered, Server
from renderer.wording import did_you_mean

#: Maximum of characters and values after a JSON Patch; clusters store up to 1.5 MiB.
LARGEST = 1 << 20


def patch_documents(documents: Sequence[Rendered], server: Server, target: str) -> tuple[list[Rendered], list[Fault]]:
    """A patch that matches no document is a Fault."""
    patched, faults = list(documents), []
    # As rendered, in case an earlier patch changes a name.
    identities = [document.identity for document in documents]
    names: dict[str, list[str]] = {}
    for kind, name, *_ in identities:
        names.setdefault(kind, []).append(name)
    for patch in (patch for patch in server.patches if patch.target == target):
        matches = [
            i for i, (kind, name, *_) in enumerate(identities) if patch.kind == kind and patch.name in (None, name)
        ]
        if not matches:
            faults.append(no_match(patch, names))
        for i in matches:
            patched[i], unfit = apply(patched[i], patch, server)
            faults += unfit
    return patched, faults


def no_match(patch: Patch, names_by_kind: Mapping[str, Sequence[str]]) -> Fault:
    """``names_by_kind``: the objects that could be patched."""
    wrong_kind = patch.kind not in names_by_kind
    known = sorted(names_by_kind if wrong_kind else names_by_kind[patch.kind])
    near = did_you_mean(patch.kind if wrong_kind else patch.name or "", known)
    hint = f"did you mean '{near}'? " if near else ""
    what = f"no {patch.kind} is rendered" if wrong_kind else f"no {patch.kind} is called '{patch.name}'"
    return Fault(
        ("spec", "patches", patch.position, "kind" if wrong_kind else "name"),
        "spec/patch-without-match",
        f"{what} for this server, so the patch changes nothing",
        f"{hint}there is: {', '.join(known)}",
    )


def apply(document: Rendered, patch: Patch, server: Server, below: DocumentPath = ()) -> tuple[Rendered, list[Fault]]:
    """The document patched at ``below``, with the places that it was changed from.

    A JSON Patch that does not apply is a Fault and changes nothing. Documents that are no mapping are left to the
    checks.
    """
    before: Any = read_mapping(document.text)
    if before is None:
        return document, []
    merge: dict[str, JSON] = dict(patch.merge)
    faults: list[Fault] = []
    paths = [(path, ("merge", *path)) for path in _leaves(patch.merge)]
    if patch.json:
        inside = before.data
        for step in below:
            inside = as_mapping(as_mapping(inside).get(str(step)))
        merge, faults = as_merge(inside, patch)
        paths = [(path, ("json", i)) for i, operation in enumerate(patch.json) for path in touched(operation)]
    if not merge:
        return document, faults
    for step in reversed(below):
        merge = {str(step): merge}
    text = merge_text(document.text, merge, f"spec.patches[{patch.position}] of server {server.name}")
    origin = ("spec", "patches", patch.position)
    changes = [((*below, *path), server.source.place((*origin, *place), at_key=True)) for path, place in paths]
    return document._replace(text=text, changes=(*document.changes, *changes)), faults


def _leaves(merge: Mapping[str, JSON]) -> Iterator[DocumentPath]:
    """Paths of the values that a merge patch sets or removes."""
    for key, value in merge.items():
        if isinstance(value, dict) and value:
            yield from ((key, *path) for path in _leaves(value))
        else:
            yield (key,)


# ---------------------------------------------------------------------------------------------
# JSON Patches: applied to data by the library, then turned into a merge patch.


def as_merge(before: dict[str, JSON], patch: Patch) -> tuple[dict[str, JSON], list[Fault]]:
    """The merge patch with the effect of the operations, or the Fault of the first that does not apply."""
    import jsonpatch  # 2 ms, and few specs have one
    import jsonpointer

    after: Any = copy.deepcopy(before)
    for i, operation in enumerate(patch.json):
        where: DocumentPath = ("spec", "patches", patch.position, "json", i)
        try:
            after = jsonpatch.JsonPatch([dict(operation)]).apply(after, in_place=True)
        except jsonpatch.JsonPatchTestFailed:
            message = f"{operation['path']} is not the value that the test operation expects"
            hint = "nothing is rendered while the test fails"
            return {}, [Fault((*where, "value"), "spec/patch-test", message, hint)]
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
            places = " or ".join(str(operation[name]) for name in ("from", "path") if name in operation)
            message = f"cannot {operation['op']}: the rendered object has no place {places}"
            hint = "name each step, keys and positions in lists (from 0); render without the patch to see them"
            return {}, [Fault((*where, "path"), "spec/patch-path", message, hint)]
        if operation["op"] in ("add", "replace") and holds_null([operation["value"]]):
            message = "the patch would write a null, which no rendered object has"
            return {}, [Fault((*where, "value"), "spec/patch-null", message, "leave the field out, or remove it")]
        # Checked after each operation, which at most doubles the size.
        if _size(after) > LARGEST:
            message = f"the patched object has more than {LARGEST >> 20} MiB, which no cluster stores"
            return {}, [Fault(where, "spec/patch-size", message, "copy less of it")]
    return difference(before, after), []


def _size(value: JSON) -> int:
    if isinstance(value, dict):
        return sum(len(key) + _size(inner) for key, inner in value.items()) + 1
    if isinstance(value, list):
        return sum(map(_size, value)) + 1
    return len(value) if isinstance(value, str) else 1


def touched(operation: Mapping[str, JSON]) -> list[DocumentPath]:
    """The paths that an operation changes; '-' after the last item counts as the list."""
    from jsonpointer import JsonPointer  # as above

    pointers = {"test": (), "move": (operation.get("from"), operation["path"])}.get(
        str(operation["op"]), (operation["path"],)
    )
    return [
        tuple(int(part) if part.isdigit() else part for part in JsonPointer(str(pointer)).parts if part != "-")
        for pointer in pointers
    ]
