"""The configuration of Renovate, docs/renovate.json, finds what specs name, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from renderer.environment import images_in
from renderer.images import split
from renderer.load import load

DOCS = Path(__file__).parent.parent / "docs"
CONFIG: dict[str, Any] = json.loads((DOCS / "renovate.json").read_text(encoding="utf-8"))
DIGEST = "sha256:" + "ab" * 32
COMMIT = "12" * 20

#: Datasource, depName, currentValue, currentDigest.
Found = tuple[str, str, str, str]


def found(text: str) -> set[Found]:
    """What Renovate finds: its named groups are those of JavaScript."""
    result = set()
    for manager in CONFIG["customManagers"]:
        for expression in manager["matchStrings"]:
            for match in re.finditer(expression.replace("(?<", "(?P<"), text):
                groups = {"currentValue": "", "currentDigest": "", **match.groupdict()}
                names = ("depName", "currentValue", "currentDigest")
                result.add((manager["datasourceTemplate"], *(groups[name] or "" for name in names)))
    return result


def test_all_expressions_are_those_of_re2() -> None:
    """Which has neither looks ahead or behind nor references to groups."""
    expressions = [each for manager in CONFIG["customManagers"] for each in manager["matchStrings"]]
    assert len(expressions) == 6
    assert [each for each in expressions if re.search(r"\(\?[=!]|\(\?<[=!]|\\[1-9]", each)] == []


def named(path: Path) -> set[Found]:
    """What the specs of a file name."""
    sources, problems = load([str(path)], stdin=None)
    assert problems == []
    result: set[Found] = set()
    for source in sources:
        for _, image in images_in(source.data):
            name, version = split(image)
            tag, _, digest = version.removeprefix(":").partition("@")
            result.add(("docker", name, tag, digest))
        spec: Any = source.data["spec"]
        package = spec.get("package", {})
        if package.get("registry") in ("npm", "pypi") and not package.get("git"):
            result.add((package["registry"], package["name"].partition("[")[0], package["version"], ""))
        if package.get("registry") == "mcpb":
            steps = package["url"].split("/")
            result.add(("github-release-attachments", "/".join(steps[3:5]), steps[7], package["sha256"]))
    return result


#: Images that a server itself starts, in the text of a file: they are found too.
IN_TEXTS: dict[str, set[Found]] = {"panda": {("docker", "ghcr.io/ethpandaops/mcp-sandbox", "v0.1.0", "")}}
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_the_examples(path: Path) -> None:
    assert found(path.read_text(encoding="utf-8")) == named(path) | IN_TEXTS.get(path.stem, set())


def test_the_examples_have_one_of_each() -> None:
    assert {each[0] for path in EXAMPLES for each in named(path)} == {
        *("docker", "npm", "pypi", "github-release-attachments"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"  image: a.example.com:5000/b/c:v1@{DIGEST}\n", ("docker", "a.example.com:5000/b/c", "v1", DIGEST)),
        (f"  image: 'redis@{DIGEST}' # c\n", ("docker", "redis", "", DIGEST)),
        ("  - {image: redis:7}\n", ("docker", "redis", "7", "")),
        ('  baseImage: "a.example.com/node:22"\n', ("docker", "a.example.com/node", "22", "")),
        (
            f"  package: {{registry: oci, name: ghcr.io/a/b, version: v1@{DIGEST}}}\n",
            ("docker", "ghcr.io/a/b", "v1", DIGEST),
        ),
        (f"  package: {{registry: oci, name: ghcr.io/a/b, version: {DIGEST}}}\n", None),
        (
            "  package:\n    registry: npm # from us\n    # the name\n    name: '@a/b'\n    version: \"1.2.3\"\n",
            ("npm", "@a/b", "1.2.3", ""),
        ),
        ("  package: {registry: pypi, name: 'a[cli]', version: 2026.1.2}\n", ("pypi", "a", "2026.1.2", "")),
        (f"  package: {{registry: pypi, name: a, version: {COMMIT}, git: https://x.example.com/a}}\n", None),
        ("  # the image: of nothing\n", None),
        ("  images:\n    pins:\n      docker.io/envoyproxy/envoy: v1.40.0\n", None),
    ],
)
def test_each_notation(text: str, expected: Found | None) -> None:
    assert found(f"spec:\n{text}") == ({expected} if expected else set())


def test_only_files_of_specs_and_environments_are_looked_at() -> None:
    patterns = {each for manager in CONFIG["customManagers"] for each in manager["managerFilePatterns"]}
    for pattern in patterns:
        assert re.search(pattern.strip("/").removesuffix("/"), "team/specs/a/b.yaml")
        assert not re.search(pattern.strip("/"), "deploy/production/kubernetes/web/deployment.yaml")
