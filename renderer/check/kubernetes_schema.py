"""The strict Kubernetes schemas, and our own of custom resources.

Those of all versions lie pooled in ``schemas/kubernetes.jsonl``, which tests/check/pool.py makes from
kubernetes-validate: a line is a definition, and only those that the wanted kinds need are ever decoded. The schema of a
custom resource is a file in ``schemas/output``, found by its name (``<kind in lower case>.schema.json``) and by its
``x-kubernetes-group-version-kind``.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from renderer import assets
from renderer.assets import kubernetes_versions
from renderer.errors import Fault, UsageMistake
from renderer.namedtuples import NamedTuple
from renderer.schemas import Schema
from renderer.wording import did_you_mean, either, excerpt

#: The rule of what no version serves.
UNKNOWN_KIND = "kubernetes/unknown-kind"
_REFERENCE = "#/$defs/"
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
    # The values of a rendered object may come from anywhere: none is printed.
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


class Definition(NamedTuple):
    """One definition of some versions: what serves it (nothing, of a part of others), and its schema."""

    api_versions: tuple[str, ...]
    schema: dict[str, Any]


@cache
def _pool() -> bytes:
    """All lines, sorted, so that those of one name are neighbours: dividing them would take a third of their checks."""
    return assets.read(assets.KUBERNETES_POOL)


def _lines(start: bytes) -> Iterator[bytes]:
    """Those that begin so."""
    pool = _pool()

    def next_line(place: int) -> bytes:
        begin = pool.find(b"\n", place) + 1
        return pool[begin : begin + len(start)]

    last = pool.rfind(b"\n", 0, -1)
    begin = pool.find(b"\n", bisect_left(range(last), start, key=next_line)) + 1
    while pool.startswith(start, begin):
        end = pool.find(b"\n", begin)
        yield pool[begin:end]
        begin = end + 1


@cache
def definition(version: str, name: str) -> Definition | None:
    """The definition of that name in a version, without descriptions and without ``null``."""
    for line in _lines(f'{{"name":{json.dumps(name)},'.encode()):
        entry = json.loads(line)
        if _minor(entry["since"]) <= _minor(version) <= _minor(entry["until"]):
            return Definition(tuple(entry["apiVersions"]), entry["schema"])
    return None


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


@cache
def _names_of_kinds() -> Mapping[str, Sequence[str]]:
    """What kind a definition would be, by the end of its name, to the definitions of all versions."""
    names: dict[str, list[str]] = {}
    for name in dict.fromkeys(line.split(b'"', 4)[3].decode() for line in _pool().split(b"\n")[1:-1]):
        names.setdefault(name.rpartition(".")[2], []).append(name)
    return names


def _named(kind: str, version: str) -> list[tuple[str, str]]:
    """Every definition of a kind that something serves, as ``(apiVersion, name)``."""
    definitions = [(name, definition(version, name)) for name in _names_of_kinds().get(kind, ())]
    return [(api, name) for name, entry in definitions if entry for api in entry.api_versions]


@lru_cache(maxsize=256)
def _schema_of(version: str, api: str, kind: str) -> Schema | None:
    """The schema of a kind, with what it refers to."""
    # Most definitions are named after what serves them: looking through all names takes 5 ms.
    group, _, api_version = api.rpartition("/")
    usual = f"io.k8s.api.{(group or 'core').partition('.')[0]}.{api_version}.{kind}"
    entry = definition(version, usual)
    is_usual = entry is not None and api in entry.api_versions
    names = [usual] if is_usual else [name for served, name in _named(kind, version) if served == api]
    if not names:
        return custom_schema(api, kind)

    def schema(name: str) -> dict[str, Any] | None:
        inner = definition(version, name)
        return inner and inner.schema

    return Schema({"$ref": f"{_REFERENCE}{names[0]}"}, definitions=schema, show_values=False)


def schema_faults(doc: Mapping[str, Any], version: str) -> list[Fault]:
    """All that is wrong with one rendered object by the strict schemas of a version such as ``"1.34"``.

    Rules are ``kubernetes/unknown-kind``, ``kubernetes/unknown-field``, ``kubernetes/null`` and so on. No
    message contains a value. Raises UsageMistake when the version is not bundled.
    """
    if version not in kubernetes_versions():
        known = ", ".join(kubernetes_versions())
        raise UsageMistake(f"Kubernetes {excerpt(version)} is not known; choose one of {known}")
    api, kind = doc.get("apiVersion"), doc.get("kind")
    if not isinstance(api, str) or not isinstance(kind, str):
        names = [name for name in ("apiVersion", "kind") if not isinstance(doc.get(name), str)]
        return [Fault((name,), UNKNOWN_KIND, f"{name} must be given, as text") for name in names]
    schema = _schema_of(version, api, kind)
    if schema:
        return schema.faults(doc, "kubernetes")
    message = f"Kubernetes {version} has no kind {excerpt(kind)} in apiVersion {excerpt(api)}"
    return [Fault(("kind",), UNKNOWN_KIND, message, _kind_hint(api, kind, version))]


@lru_cache(maxsize=256)
def _kind_hint(api: str, kind: str, version: str) -> str:
    """Where the kind does exist: under another apiVersion, in other versions, under a similar name."""
    here = [*(served for served, _ in _named(kind, version)), *api_versions(kind)]
    if here:
        return f"write apiVersion: {either(sorted(here))}"
    elsewhere = [v for v in kubernetes_versions() if any(served == api for served, _ in _named(kind, v))]
    if elsewhere:
        return f"it exists in Kubernetes {elsewhere[0]} to {elsewhere[-1]}"
    kinds = (k for k in sorted(_names_of_kinds()) if any(served == api for served, _ in _named(k, version)))
    near = did_you_mean(kind, kinds)
    return f"did you mean {excerpt(near)}?" if near else "a custom resource has no schema here"
