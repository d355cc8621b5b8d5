"""Makes ``schemas/kubernetes.jsonl`` from the strict schemas of kubernetes-validate: ``python -m tests.check.pool``.

What versions share stands there once, without descriptions. The first line lists the versions, each other one is a
definition: its name, the first and the last version that have it in this form, the apiVersions that serve it, and the
schema. Lines are sorted, so that one is found by bisection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any

POOL = Path(__file__).parents[2] / "schemas" / "kubernetes.jsonl"
_FOLDER = re.compile(r"v(1\.[0-9]+)\.0-local-strict")
_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"


@cache
def sources() -> dict[str, Path]:
    """Each version that kubernetes-validate has (``"1.25"``), oldest first, and the file of its definitions."""
    spec = find_spec("kubernetes_validate")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema"
    folders = {match[1]: path for path in root.iterdir() if (match := _FOLDER.fullmatch(path.name))}
    return {name: folders[name] / "_definitions.json" for name in sorted(folders, key=minor)}


def minor(version: str) -> int:
    """34 of ``"1.34"``."""
    return int(version.partition(".")[2])


def definitions(version: str) -> dict[str, Any]:
    """All definitions of a version, as they are in the file."""
    found: dict[str, Any] = json.loads(sources()[version].read_bytes())["$defs"]
    return found


def lean(node: Any) -> Any:
    """A subschema without descriptions and without ``null``.

    The strict schemas allow null nearly everywhere, but a null in a rendered object is a value that somebody forgot: an
    API server would drop the field or fill in a default. Where the schema leaves the content free (the default values
    of a custom resource's schema), null stays a value.
    """
    if isinstance(node, list):
        return [lean(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for keyword, value in node.items():
        if keyword == "properties":
            kept[keyword] = {name: lean(schema) for name, schema in value.items()}
        elif keyword == "type" and isinstance(value, list):
            kept[keyword] = [name for name in value if name != "null"]
        elif keyword not in ("description", "format") and not keyword.startswith("x-"):
            kept[keyword] = lean(value)
    return kept


def api_versions(name: str, definition: Any) -> list[str]:
    """Under which a kind is served; empty for what is a part of others."""
    entries = definition.get(_GROUP_VERSION_KIND, ())
    kind = name.rpartition(".")[2]
    return ["/".join(filter(None, (e["group"], e["version"]))) for e in entries if e["kind"] == kind]


def lines() -> Iterator[str]:
    """The text of the pool."""
    versions = list(sources())
    package = f"kubernetes-validate {version_of('kubernetes-validate')}"
    yield json.dumps({"versions": versions, "source": package, "licence": "Apache-2.0"}, separators=(",", ":"))
    forms: dict[str, list[tuple[list[str], str]]] = {}
    for version in versions:
        for name, definition in definitions(version).items():
            served = {"apiVersions": api_versions(name, definition)}
            form = json.dumps({**served, "schema": lean(definition)}, separators=(",", ":"))
            known = forms.setdefault(name, [])
            if known and known[-1][1] == form and minor(known[-1][0][-1]) + 1 == minor(version):
                known[-1][0].append(version)
            else:
                known.append(([version], form))
    rows = (
        f'{{"name":"{n}","since":"{v[0]}","until":"{v[-1]}",{f[1:]}' for n, known in forms.items() for v, f in known
    )
    yield from sorted(rows)


if __name__ == "__main__":
    POOL.write_text("\n".join(lines()) + "\n")
