"""server.json of specs: valid against the registry's schema, and what an import makes of it is the same again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from renderer import pipeline
from renderer.exporters.exported import Exported
from renderer.exporters.server_json import export
from renderer.importers import server_json
from renderer.importers.bulk import definitions_in
from renderer.importers.draft import Choices, Draft, Outcome
from renderer.importers.formats import load_foreign
from renderer.importers.spec_file import text_of
from renderer.importers.validation import validated
from tests.importers.readings import source_of
from tests.specs import HTTP, IMAGE, NPM, OPTIONS, PYPI, read_specs, spec

ROOT = Path(__file__).parent.parent.parent
CORPUS = Path(os.environ.get("MCPCTL_TEST_SHARED", ROOT.parent / "shared")) / "corpus"
OFFLINE = Choices(offline=True)
SECRET = {"secret": "demo", "key": "TOKEN"}


def exported(metadata: dict[str, Any] | None = None, **fields: Any) -> Exported:
    specs = read_specs(spec("demo", metadata or {}, **fields))
    (server,) = (*specs.servers, *specs.remotes)
    return export(server, OPTIONS)


def document(**fields: Any) -> Any:
    (found,) = exported(**fields).documents
    faults_of(found)
    return found


def faults_of(found: Any) -> None:
    """What the registry checks first, for where its schema is not at hand."""
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", found["name"])
    assert 1 <= len(found["description"]) <= 100
    assert found["version"] != "latest"
    for package in found.get("packages", []):
        assert package.keys() >= {"registryType", "identifier", "transport"}
        assert ("url" in package["transport"]) == (package["transport"]["type"] != "stdio")


PACKAGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an image that serves HTTP": (
        {"image": IMAGE, "transport": {**HTTP, "port": 3000}},
        {
            "registryType": "oci",
            "identifier": IMAGE,
            "transport": {"type": "streamable-http", "url": "http://localhost:3000/mcp"},
        },
    ),
    "an image with a command": (
        {"image": IMAGE, "command": ["/server", "--quiet"], "args": ["stdio"]},
        {
            "registryType": "oci",
            "identifier": IMAGE,
            "runtimeHint": "docker",
            "transport": {"type": "stdio"},
            "runtimeArguments": [{"type": "named", "name": "--entrypoint", "value": "/server"}],
            "packageArguments": [{"type": "positional", "value": "--quiet"}, {"type": "positional", "value": "stdio"}],
        },
    ),
    "npm": (
        {"package": NPM, "args": ["--mode=fast"]},
        {
            "registryType": "npm",
            "identifier": "@acme/server",
            "version": "1.2.3",
            "runtimeHint": "npx",
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "named", "name": "--mode", "value": "fast"}],
        },
    ),
    "pypi with a bound": (
        {"package": {**PYPI, "with": ["mcp<2"]}},
        {
            "registryType": "pypi",
            "identifier": "acme-server",
            "version": "1.2.3",
            "runtimeHint": "uvx",
            "transport": {"type": "stdio"},
            "runtimeArguments": [{"type": "named", "name": "--with", "value": "mcp<2"}],
        },
    ),
    "variables": (
        {
            "package": NPM,
            "args": ["--key=$(ARG_KEY)", "$$(HOME)"],
            "env": {"ARG_KEY": SECRET, "TOKEN": SECRET, "MODE": "fast", "AUTH": "Bearer $(TOKEN)"},
        },
        {
            "registryType": "npm",
            "identifier": "@acme/server",
            "version": "1.2.3",
            "runtimeHint": "npx",
            "transport": {"type": "stdio"},
            "packageArguments": [
                {
                    "type": "named",
                    "name": "--key",
                    "value": "{KEY}",
                    "variables": {"KEY": {"isRequired": True, "isSecret": True}},
                },
                {"type": "positional", "value": "$(HOME)"},
            ],
            "environmentVariables": [
                {"name": "TOKEN", "isRequired": True, "isSecret": True},
                {"name": "MODE", "default": "fast"},
                {
                    "name": "AUTH",
                    "value": "Bearer {TOKEN}",
                    "variables": {"TOKEN": {"isRequired": True, "isSecret": True}},
                },
            ],
        },
    ),
}


@pytest.mark.parametrize(("fields", "package"), PACKAGES.values(), ids=PACKAGES)
def test_what_runs_is_a_package(fields: dict[str, Any], package: dict[str, Any]) -> None:
    assert document(**fields)["packages"] == [package]


def test_a_remote_server_is_a_remote() -> None:
    remote = {
        "url": "https://{tenant}.example.com/mcp",
        "transport": "sse",
        "headers": {"Authorization": "Bearer {token}", "X-Mode": "fast", "X-Key": SECRET},
        "variables": {"tenant": "acme", "token": SECRET},
    }
    found = document(remote=remote)
    assert "packages" not in found
    secret = {"isRequired": True, "isSecret": True}
    assert found["remotes"] == [
        {
            "type": "sse",
            "url": "https://{tenant}.example.com/mcp",
            "headers": [
                {"name": "Authorization", "value": "Bearer {token}", "variables": {"token": secret}},
                {"name": "X-Mode", "value": "fast"},
                {"name": "X-Key", **secret},
            ],
            "variables": {"tenant": {"default": "acme"}},
        }
    ]


def test_what_the_registry_asks_for_is_a_decision_where_no_spec_says_it() -> None:
    entries = exported(image=IMAGE, transport=HTTP, description="x" * 200).entries
    decisions = {entry.target: entry.message for entry in entries if entry.outcome is Outcome.DECISION}
    assert "io.github.YOU/demo" in decisions["name",]
    assert "org.opencontainers.image.version" in decisions["version",]
    assert decisions["description",] == "cut to 100 characters"
    annotations = {
        "mcpctl.io/imported-name": "io.github.acme/demo",
        "org.opencontainers.image.version": "2.0.0",
        "org.opencontainers.image.title": "Demo",
        "org.opencontainers.image.url": "https://example.com",
        "org.opencontainers.image.source": "https://github.com/acme/demo",
    }
    (found,) = exported({"annotations": annotations}, image=IMAGE, transport=HTTP).documents
    assert {key: found[key] for key in ("name", "version", "title", "websiteUrl", "repository")} == {
        "name": "io.github.acme/demo",
        "version": "2.0.0",
        "title": "Demo",
        "websiteUrl": "https://example.com",
        "repository": {"url": "https://github.com/acme/demo", "source": "github"},
    }


LOST: dict[str, tuple[dict[str, Any], str]] = {
    "a repository": ({"package": {**NPM, "git": "https://github.com/a/b", "version": "0" * 40}}, "spec.package.git"),
    "files": ({"files": {"/etc/a": {"content": "x"}}}, "spec.files"),
    "a field of the pod": ({"env": {"A": {"field": "metadata.name"}}}, "spec.env.A"),
    "a claim": ({"storage": [{"name": "a", "existingClaim": "b", "mountPath": "/a"}]}, "spec.storage[0]"),
    "a program of a package": ({"package": PYPI, "command": ["other"]}, "spec.command"),
}


@pytest.mark.parametrize(("fields", "path"), LOST.values(), ids=LOST)
def test_what_no_definition_says_is_told(fields: dict[str, Any], path: str) -> None:
    own = fields if "package" in fields else {"image": IMAGE, "transport": HTTP, **fields}
    lost = [entry for entry in exported(**own).entries if entry.outcome is Outcome.LOST and not entry.harmless]
    assert path in [".".join(map(str, entry.source)).replace(".0", "[0]") for entry in lost]


def drafts_of_corpus() -> Iterator[Draft]:
    if not CORPUS.is_dir():
        reason = f"the definitions are not at {CORPUS} (MCPCTL_TEST_SHARED names another folder)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    sources, _ = load_foreign(definitions_in(str(CORPUS / "server-json")), None)
    yield from map(validated, server_json.read(sources, OFFLINE))


@pytest.mark.slow
def test_exports_are_valid_for_the_registry() -> None:
    """Every definition, and every example of ours, against the newest official schema."""
    drafts = list(drafts_of_corpus())
    newest = max((CORPUS / "server-json-schema").iterdir()) / "server.schema.json"
    validator = jsonschema.Draft7Validator(json.loads(newest.read_text()))
    texts = [text_of(draft) for draft in drafts if not draft.problems]
    examples = [path.read_text() for path in sorted((ROOT / "docs/examples").glob("*.yaml"))]
    for text in [*texts, *examples]:
        specs = pipeline.read(["-"], BytesIO(text.encode()))
        for server in (*specs.servers, *specs.remotes):
            for found in export(server, OPTIONS).documents:
                assert [error.message for error in validator.iter_errors(found)] == [], server.name
    assert len(texts) > 5


@pytest.mark.slow
def test_a_definition_that_was_imported_says_the_same_again() -> None:
    """Its spec is exported and imported once more: nothing that was mapped is lost on the way."""
    known = []
    for draft in drafts_of_corpus():
        if draft.problems:
            continue
        specs = pipeline.read(["-"], BytesIO(text_of(draft).encode()))
        (server,) = (*specs.servers, *specs.remotes)
        (found,) = export(server, OPTIONS).documents
        again = validated(server_json.read([source_of(dict(found))], OFFLINE)[0])
        assert again.problems == ()
        assert again.original == draft.original
        assert comparable(again) == comparable(draft)
        known.append(draft.name)
    assert len(known) > 5


def comparable(draft: Draft) -> Any:
    """Without a description that the registry's schema cuts."""
    spec: Any = draft.document["spec"]
    return {**spec, "description": " ".join(spec.get("description", "").split())[:99]}
