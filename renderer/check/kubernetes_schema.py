"""The strict Kubernetes schemas that kubernetes-validate bundles, and our own of custom resources.

Only the files of that package are used. Its own code costs 70 ms to import and 6 ms a document, stops at
the first fault and quotes values. Of one version's 1.8 MB only the definitions that the wanted kinds
need are ever decoded. The schema of a custom resource is a file in ``schemas/output``, found by its name
(``<kind in lower case>.schema.json``) and by its ``x-kubernetes-group-version-kind``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from renderer import assets
from renderer.assets import kubernetes_folders
from renderer.errors import Fault, UsageMistake
from renderer.schemas import Schema
from renderer.wording import did_you_mean, either, excerpt

#: The rule of what no version serves.
UNKNOWN_KIND = "kubernetes/unknown-kind"
# All names begin alike, which lets the search skip through the text.
_DEFINITION = re.compile(r'"(io\.k8s\.[\w.-]+)": \{')
_REFERENCE = "#/$defs/"
GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
_FOLDER = "output/"
_decode = json.JSONDecoder().raw_decode


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


class _Definitions(NamedTuple):
    """The text of one version's definitions and where in it each one begins."""

    text: str
    offsets: Mapping[str, int]

    def raw(self, name: str) -> dict[str, Any]:
        """One definition, decoded, as it is in the file."""
        value: dict[str, Any] = _decode(self.text, self.offsets[name])[0]
        return value

    def named(self, kind: str) -> Iterator[tuple[str, str]]:
        """Every definition of a kind, as ``(apiVersion, name)``, by what it says of itself."""
        for name in self.offsets:
            if name.endswith(f".{kind}"):
                for entry in self.raw(name).get(GROUP_VERSION_KIND, ()):
                    if entry["kind"] == kind:
                        yield api_version(entry), name


@cache
def _definitions(version: str) -> _Definitions:
    if version not in kubernetes_folders():  # before any path is built
        known = ", ".join(kubernetes_folders())
        raise UsageMistake(f"Kubernetes {excerpt(version)} is not known; choose one of {known}")
    text = (kubernetes_folders()[version] / "_definitions.json").read_bytes().decode()
    return _Definitions(text, {m[1]: m.end() - 1 for m in _DEFINITION.finditer(text)})


def _lean(node: Any, references: list[str]) -> Any:
    """A subschema without descriptions and without ``null``; what it refers to is added to ``references``.

    The strict schemas allow null nearly everywhere, but a null in a rendered object is a value that
    somebody forgot: an API server would drop the field or fill in a default. Where the schema leaves the
    content free (the default values of a custom resource's schema), null stays a value.
    """
    if isinstance(node, list):
        return [_lean(item, references) for item in node]
    if not isinstance(node, dict):
        return node
    lean: dict[str, Any] = {}
    for keyword, value in node.items():
        if keyword == "properties":
            lean[keyword] = {name: _lean(schema, references) for name, schema in value.items()}
        elif keyword == "$ref":
            references.append(value.removeprefix(_REFERENCE))
            lean[keyword] = value
        elif keyword == "type" and isinstance(value, list):
            lean[keyword] = [name for name in value if name != "null"]
        elif keyword not in ("description", "format") and not keyword.startswith("x-"):
            lean[keyword] = _lean(value, references)
    return lean


@cache
def _definition(version: str, name: str) -> tuple[Any, tuple[str, ...]]:
    references: list[str] = []
    return _lean(_definitions(version).raw(name), references), tuple(references)


@cache
def _schema(version: str, name: str) -> Schema:
    """The compiled schema of one definition with all that it refers to, and nothing else."""
    needed: dict[str, Any] = {}
    todo = [name]
    while todo:
        if (current := todo.pop()) not in needed:
            needed[current], references = _definition(version, current)
            todo += references
    return Schema({"$ref": f"{_REFERENCE}{name}", "$defs": needed}, show_values=False)


@lru_cache(maxsize=256)
def _schema_of(version: str, api: str, kind: str) -> Schema | None:
    for found, name in _definitions(version).named(kind):
        if found == api:
            return _schema(version, name)
    return custom_schema(api, kind)


def schema_faults(doc: Mapping[str, Any], version: str) -> list[Fault]:
    """All that is wrong with one rendered object by the strict schemas of a version such as ``"1.34"``.

    Rules are ``kubernetes/unknown-kind``, ``kubernetes/unknown-field``, ``kubernetes/null`` and so on. No
    message contains a value. Raises UsageMistake when the version is not bundled.
    """
    api, kind = doc.get("apiVersion"), doc.get("kind")
    if not isinstance(api, str) or not isinstance(kind, str):
        _definitions(version)
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
    here = [*(found for found, _ in _definitions(version).named(kind)), *api_versions(kind)]
    if here:
        return f"write apiVersion: {either(sorted(here))}"
    elsewhere = [v for v in kubernetes_folders() if any(a == api for a, _ in _definitions(v).named(kind))]
    if elsewhere:
        return f"it exists in Kubernetes {elsewhere[0]} to {elsewhere[-1]}"
    kinds = sorted({name.rsplit(".", 1)[1] for name in _definitions(version).offsets})
    named = _definitions(version).named
    near = did_you_mean(kind, (k for k in kinds if any(found == api for found, _ in named(k))))
    return f"did you mean {excerpt(near)}?" if near else "a custom resource has no schema here"
