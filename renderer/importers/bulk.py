"""Specs of many definitions in a folder: what is new, unchanged, updated, edited by a person."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from renderer.errors import UsageMistake
from renderer.importers.draft import Draft
from renderer.importers.naming import apart
from renderer.importers.text import is_imported, is_unedited, text_of
from renderer.importers.variables import settings_of
from renderer.model import JSON


class State(StrEnum):
    """What became of the file of a spec."""

    NEW = "new"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    EDITED = "edited"
    FOREIGN = "foreign"


class Written(NamedTuple):
    """A Draft, the file of its spec and what became of that."""

    draft: Draft
    path: Path
    state: State


def named(drafts: Sequence[Draft]) -> list[Draft]:
    """The Drafts in the order of their names, which differ."""
    names = apart([(draft.original, f"{draft.format} {draft.place.file} {draft.place.line}") for draft in drafts])
    return sorted(map(_renamed, drafts, names), key=lambda draft: draft.name)


def _renamed(draft: Draft, name: str) -> Draft:
    """With that name, also where Secrets and ConfigMaps are called after it."""
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

    metadata = draft.document["metadata"]
    assert isinstance(metadata, dict)
    document = {**draft.document, "metadata": {**metadata, "name": name}, "spec": walk(draft.document["spec"])}
    return draft._replace(name=name, document=document)


def store(drafts: Sequence[Draft], folder: Path, force: bool) -> list[Written]:
    """Writes each spec to ``NAME.yaml``. A file that a person edited stays, unless ``force`` says otherwise."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_store(draft, folder / f"{draft.name}.yaml", force) for draft in drafts]
    except OSError as error:
        raise UsageMistake(f"{error.filename or folder}: cannot be written: {error.strerror}") from None


def _store(draft: Draft, path: Path, force: bool) -> Written:
    text = text_of(draft)
    try:
        before = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except FileNotFoundError:
        before = None
    if before == text:
        return Written(draft, path, State.UNCHANGED)
    if before is not None and not is_unedited(before) and not force:
        return Written(draft, path, State.EDITED if is_imported(before) else State.FOREIGN)
    # Renamed into place: a reader sees the old file or the new one.
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(text.encode())
    os.replace(beside, path)
    return Written(draft, path, State.NEW if before is None else State.UPDATED)
