"""Importing many definitions into a folder of specs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from renderer.errors import UsageMistake
from renderer.importers.draft import VERSION, Draft
from renderer.importers.naming import distinct_names
from renderer.importers.spec_file import is_imported, is_unedited, text_of
from renderer.importers.variables import settings_of
from renderer.load import NOT_SPECS, SUFFIXES
from renderer.manifest import as_mapping, at
from renderer.model import JSON

#: The head of an imported spec is within these lines.
_HEAD_LINES = 5


class State(StrEnum):
    NEW = "new"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    EDITED = "edited"
    FOREIGN = "foreign"


class Written(NamedTuple):
    draft: Draft
    path: Path
    state: State


def definitions_in(folder: str) -> list[str]:
    """Files with the suffix of a spec below a folder, sorted; hidden ones are passed over."""
    paths = []
    for path in Path(folder).rglob("*"):
        visible = not any(part.startswith(".") for part in path.relative_to(folder).parts)
        if visible and path.suffix.lower() in SUFFIXES and path.name not in NOT_SPECS and path.is_file():
            paths.append(os.path.join(folder, path.relative_to(folder)))
    return sorted(paths)


def distinctly_named(drafts: Sequence[Draft], folder: str = "") -> list[Draft]:
    """The Drafts with distinct names, sorted by them.

    A clash is resolved by paths relative to ``folder``, so names do not depend on where the folder is.
    """
    counts: Counter[str] = Counter()
    definitions = []
    for draft in sorted(drafts, key=lambda draft: draft.place):
        file = os.path.relpath(draft.place.file, folder) if folder else draft.place.file
        version = at(draft.document, "metadata", "annotations", VERSION) or ""
        identity = f"{draft.format} {file} {version}"
        counts[f"{draft.original} {identity}"] += 1
        number = counts[f"{draft.original} {identity}"]
        definitions.append((draft, (draft.original, identity if number == 1 else f"{identity} {number}")))
    names = distinct_names([definition for _, definition in definitions])
    renamed = [_renamed(draft, name) for (draft, _), name in zip(definitions, names, strict=True)]
    return sorted(renamed, key=lambda draft: draft.name)


def _renamed(draft: Draft, name: str) -> Draft:
    """Renames the server, and the Secrets and ConfigMaps named after it."""
    if name == draft.name:
        return draft
    renamed = {"secret": (draft.name, name), "configMap": (settings_of(draft.name), settings_of(name))}

    def walk(value: JSON) -> JSON:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: renamed[key][1] if key in renamed and item == renamed[key][0] else walk(item)
            for key, item in value.items()
        }

    metadata = {**as_mapping(draft.document["metadata"]), "name": name}
    document = {**draft.document, "metadata": metadata, "spec": walk(draft.document["spec"])}
    called = re.compile(rf"\b(Secret|ConfigMap) {re.escape(draft.name)}(-settings)?(?![-\w])")
    comments = {path: called.sub(rf"\1 {name}\2", text) for path, text in draft.comments.items()}
    entries = (each._replace(message=called.sub(rf"\1 {name}\2", each.message)) for each in draft.entries)
    return draft._replace(name=name, document=document, comments=comments, entries=tuple(entries))


def store(drafts: Sequence[Draft], folder: Path, force: bool, schema: str = "") -> list[Written]:
    """Writes ``NAME.yaml`` for each Draft. Files edited by hand are kept unless ``force``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_store(text_of(draft, schema), draft, folder / f"{draft.name}.yaml", force) for draft in drafts]
    except OSError as error:
        raise UsageMistake(f"{error.filename or folder}: cannot be written: {error.strerror}") from None


def no_longer_defined(drafts: Sequence[Draft], folder: Path) -> list[Path]:
    """Imported specs in the folder whose definition is not among the Drafts."""
    known = {f"{draft.name}.yaml" for draft in drafts}
    paths = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        with path.open(encoding="utf-8", errors="replace") as file:
            head = "".join(file.readline() for _ in range(_HEAD_LINES))
        if path.name not in known and is_imported(head):
            paths.append(path)
    return paths


def _store(text: str, draft: Draft, path: Path, force: bool) -> Written:
    try:
        before = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except FileNotFoundError:
        before = None
    if before == text:
        return Written(draft, path, State.UNCHANGED)
    if before is not None and not is_unedited(before) and not force:
        return Written(draft, path, State.EDITED if is_imported(before) else State.FOREIGN)
    # Atomic: readers see the old file or the new one.
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(text.encode())
    os.replace(temporary, path)
    return Written(draft, path, State.NEW if before is None else State.UPDATED)
