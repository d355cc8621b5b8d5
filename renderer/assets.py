"""The files that travel with the program: ``templates/`` and ``schemas/``.

In a checkout they lie next to the package, in a wheel inside it. Names are paths below one of the two
folders, with ``/``; nothing outside of them can be named.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from renderer.later import pattern
from renderer.target_names import TARGETS

#: The schemas of all Kubernetes versions; its first line says which.
KUBERNETES_POOL = "schemas/kubernetes.jsonl"

KINDS = ("schemas", "templates")

_SCHEMA_ENDING = ".schema.json"
#: Only in a wheel does the package hold this file. ``renderer/schemas`` itself exists in both.
_MARKER = f"schemas/mcpserver{_SCHEMA_ENDING}"
#: What editors, Python and desktops leave in folders: no templates.
_BY_PRODUCT = pattern(r"(?:^|/)(?:\.|__)|(?:\.pyc?|~)\Z")
#: The values of a field that names a target. The files have them too, for editors that read them from the web.
_TARGETS = '"x-values": "targets", "enum": '


@cache
def folder() -> str:
    """The folder that holds ``templates/`` and ``schemas/``."""
    package = os.path.dirname(os.path.realpath(__file__))
    return package if os.path.isfile(os.path.join(package, _MARKER)) else os.path.dirname(package)


def read(name: str) -> bytes:
    """The content of ``templates/…`` or ``schemas/…``.

    Raises FileNotFoundError when there is no such file, or when the name could lead out of the two folders.
    """
    kind, *steps = name.split("/")
    # No dot, backslash or colon at the start of a step: neither '..' nor a drive nor a hidden file.
    plain = all(step and step[0] != "." and not any(character in step for character in "\\:\0") for step in steps)
    if kind not in KINDS or not steps or not plain:
        raise FileNotFoundError(f"not the name of a built-in file: {name[:80]!a}")
    with open(os.path.join(folder(), name), "rb") as file:
        return file.read()


def names(kind: str) -> list[str]:
    """The names of all files of a kind, sorted: templates as their path, schemas without the ending.

    ``["mcpserver", "output/compose"]`` are what ``schema`` and ``read_schema`` take.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    root = os.path.join(folder(), kind)
    paths = (os.path.join(place, file) for place, _, files in os.walk(root) for file in files)
    files = sorted(os.path.relpath(path, root).replace(os.sep, "/") for path in paths)
    if kind == "schemas":
        return [name.removesuffix(_SCHEMA_ENDING) for name in files if name.endswith(_SCHEMA_ENDING)]
    return [name for name in files if not _BY_PRODUCT.search(name)]


def read_schema(name: str) -> str:
    """The text of a schema by its name in ``names("schemas")``, with the targets that there are; errors as ``read``."""
    text = read(f"schemas/{name}{_SCHEMA_ENDING}").decode()
    before, *others = text.split(_TARGETS)
    return before + "".join(_TARGETS + json.dumps(sorted(TARGETS)) + other.partition("]")[2] for other in others)


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema of that name, parsed once. Shared: do not change it."""
    document: dict[str, Any] = json.loads(read_schema(name))
    return document


@cache
def kubernetes_versions() -> tuple[str, ...]:
    """Each Kubernetes version with schemas (``"1.25"``), oldest first."""
    with open(os.path.join(folder(), KUBERNETES_POOL), "rb") as pool:
        return tuple(json.loads(pool.readline())["versions"])
