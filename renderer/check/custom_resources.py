"""The schemas of custom resources: our own files in ``schemas/output``, found by what they say of themselves.

``<kind in lower case>.schema.json`` names its apiVersion and kind under ``x-kubernetes-group-version-kind``,
as the schemas of Kubernetes do. A new resource needs its file and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from renderer import assets
from renderer.schemas import Schema

GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
_FOLDER = "output/"


def api_version(entry: Mapping[str, str]) -> str:
    """``group/version`` of one entry of the annotation; the core group has no name."""
    return "/".join(filter(None, (entry["group"], entry["version"])))


@lru_cache(maxsize=256)
def custom_schema(api: str, kind: str) -> Schema | None:
    """The compiled schema of a custom resource, or None where there is no file for it."""
    if api not in api_versions(kind):
        return None
    # The values of a rendered object may come from anywhere: none is told.
    return Schema(_document(kind), show_values=False)


@lru_cache(maxsize=256)
def api_versions(kind: str) -> tuple[str, ...]:
    """The apiVersions under which a kind has a schema here."""
    entries = _document(kind).get(GROUP_VERSION_KIND, ())
    return tuple(api_version(entry) for entry in entries if entry["kind"] == kind)


def _document(kind: str) -> Mapping[str, Any]:
    # Only names from the folder's own list: a kind can never lead to another file.
    name = f"{_FOLDER}{kind.lower()}"
    return assets.schema(name) if name in _names() else {}


@cache
def _names() -> frozenset[str]:
    return frozenset(name for name in assets.names("schemas") if name.startswith(_FOLDER))
