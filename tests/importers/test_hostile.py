"""Definitions of somebody who means harm: refused with a reason, or plain data; never a traceback."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.importers.bulk import distinctly_named
from renderer.importers.draft import Choices, Draft, Outcome
from renderer.importers.formats import batches, load_foreign, recognise
from renderer.importers.spec_file import text_of
from renderer.importers.validation import adjusted
from renderer.model import JSON
from tests.importers.readings import source_of

SERVER_JSON: dict[str, Any] = {
    "name": "io.github.acme/notes",
    "description": "Notes",
    "version": "1",
    "packages": [
        {
            "registryType": "oci",
            "identifier": "ghcr.io/acme/notes:1",
            "transport": {"type": "streamable-http", "url": "http://localhost:3000/mcp"},
            "packageArguments": [{"type": "positional", "value": "serve"}],
            "environmentVariables": [{"name": "A", "default": "1"}],
        }
    ],
}
DOCKER: dict[str, Any] = {
    "name": "notes",
    "type": "server",
    "image": "acme/notes:1",
    "about": {"title": "Notes"},
    "config": {"env": [{"name": "A", "value": "{{notes.a}}"}], "parameters": {"properties": {"a": {"default": "1"}}}},
    "run": {"command": ["serve"], "volumes": ["data:/data"], "allowHosts": ["example.com:443"], "user": "1000"},
}
TOOLHIVE: dict[str, Any] = {
    "servers": {
        "notes": {
            "image": "acme/notes:1",
            "transport": "streamable-http",
            "target_port": 3000,
            "args": ["serve"],
            "env_vars": [{"name": "A", "default": "1"}],
            "permissions": {"network": {"outbound": {"allow_host": ["example.com"], "allow_port": [443]}}},
        }
    }
}


def drafts_of(data: dict[str, Any]) -> list[Draft]:
    by_format, problems = recognise([source_of(data)])
    assert len(by_format) + len(problems) == 1
    drafts = [draft for form, batch in batches(by_format) for draft in form.read(batch, Choices(offline=True))]
    return [adjusted(draft) for draft in distinctly_named(drafts)]


def paths_of(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every value of a document, the mappings and lists too."""
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return (
        [path, *(each for step, child in children for each in paths_of(child, (*path, step)))]
        if path
        else [each for step, child in children for each in paths_of(child, (step,))]
    )


def replaced(data: Any, path: tuple[Any, ...], value: JSON) -> Any:
    copy = json.loads(json.dumps(data))
    node = copy
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return copy


PLACES = [
    (name, data, path)
    for name, data in {"server.json": SERVER_JSON, "docker": DOCKER, "toolhive": TOOLHIVE}.items()
    for path in paths_of(data)
]
JUNK: list[JSON] = [
    None,
    True,
    7,
    -1,
    "",
    [],
    {},
    [[[]]],
    {"a": {"b": 1}},
    ["x", 7, {}],
    "a\nkind: ClusterRoleBinding",
    "x\n---\nkind: Secret",
    "{{notes.nowhere}}",
    "../../etc/passwd",
    "$(HOME)",
    "\x7f\u2028",
    "x" * 5000,
]


@pytest.mark.parametrize(
    ("name", "data", "path"), PLACES, ids=[f"{name}-{'.'.join(map(str, path))}" for name, _, path in PLACES]
)
def test_junk_in_any_field_is_refused_or_plain_data(name: str, data: dict[str, Any], path: tuple[Any, ...]) -> None:
    for junk in JUNK:
        by_format, _ = recognise([source_of(replaced(data, path, junk))])
        for form, batch in batches(by_format):
            for draft in form.read(batch, Choices(offline=True)):
                text = text_of(draft)
                assert text.count("\nkind:") == 1
                assert "\n---" not in text


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_any_text_is_refused_or_stays_what_it_is(text: str) -> None:
    data = replaced(SERVER_JSON, ("packages", 0, "packageArguments", 0, "value"), text)
    (draft,) = drafts_of(replaced(data, ("packages", 0, "environmentVariables", 0, "default"), text))
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    if not draft.problems:
        assert spec["args"] == [text.replace("$(", "$$(")]


REFUSED = {
    "a variable that is no name": ("packages", 0, "environmentVariables", 0, "name", "A\nB"),
    "a variable of the loader": ("packages", 0, "environmentVariables", 0, "name", "LD_PRELOAD"),
    "an image with a command": ("packages", 0, "identifier", "x:1 --privileged"),
    "an image that climbs": ("packages", 0, "identifier", "../../x:1"),
    "a transport of another kind": ("packages", 0, "transport", "type", "carrier-pigeon"),
    "a path out of the server": ("packages", 0, "transport", "url", "http://localhost:3000/a b\n"),
    "a port that is none": ("packages", 0, "transport", "url", "http://localhost:99999/mcp"),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_what_would_harm_is_refused_or_left_out(change: tuple[Any, ...]) -> None:
    (draft,) = drafts_of(replaced(SERVER_JSON, change[:-1], change[-1]))
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert draft.problems or "path" not in spec["transport"] or spec["transport"].get("path") == "/mcp"  # type: ignore[operator,union-attr]
    assert all(problem.place.line for problem in draft.problems)


TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


def test_words_for_people_with_a_token_are_left_out_and_the_server_is_imported() -> None:
    data = replaced(replaced(SERVER_JSON, ("description",), f"use {TOKEN}"), ("title",), TOKEN)
    (draft,) = drafts_of(data)
    assert draft.problems == ()
    lost = {entry.source: entry.message for entry in draft.entries if entry.outcome is Outcome.LOST}
    assert lost.keys() >= {("description",), ("title",)}
    assert lost["description",].startswith("left out: looks like a secret (GitHub Token)")
    assert TOKEN not in text_of(draft)


def test_a_list_of_definitions_is_told_apart_from_a_spec() -> None:
    sources, problems = load_foreign(["-"], BytesIO(b'[{"name": "a"}]'))
    assert sources == []
    assert [problem.hint for problem in problems] == ["write each definition into a document or a file of its own"]


LEAKS: dict[str, tuple[dict[str, Any], tuple[Any, ...], str]] = {
    "a default": (SERVER_JSON, ("packages", 0, "environmentVariables", 0, "default"), TOKEN),
    "an argument": (SERVER_JSON, ("packages", 0, "packageArguments", 0, "value"), f"--token={TOKEN}"),
    "a description": (SERVER_JSON, ("description",), f"use {TOKEN}"),
    "an address": (SERVER_JSON, ("packages", 0, "transport", "url"), f"http://localhost:3000/mcp?key={TOKEN}"),
    "a name": (SERVER_JSON, ("packages", 0, "environmentVariables", 0, "name"), TOKEN + "-"),
    "a value of docker": (DOCKER, ("config", "env", 0, "value"), TOKEN),
    "a parameter": (DOCKER, ("config", "parameters", "properties", "a", "default"), TOKEN),
    "a command": (DOCKER, ("run", "command", 0), f"--api-key={TOKEN}"),
    "a volume": (DOCKER, ("run", "volumes", 0), f"/home/{TOKEN}:/data"),
    "a variable of toolhive": (TOOLHIVE, ("servers", "notes", "env_vars", 0, "default"), TOKEN),
    "an argument of toolhive": (TOOLHIVE, ("servers", "notes", "args", 0), TOKEN),
    "a host": (TOOLHIVE, ("servers", "notes", "permissions", "network", "outbound", "allow_host", 0), f"{TOKEN} x"),
}


@pytest.mark.parametrize(("data", "path", "text"), LEAKS.values(), ids=LEAKS)
def test_a_token_is_in_no_spec_and_no_message(data: dict[str, Any], path: tuple[Any, ...], text: str) -> None:
    (draft,) = drafts_of(replaced(data, path, text))
    messages = [*(entry.message for entry in draft.entries), *(p.message + p.hint for p in draft.problems)]
    assert TOKEN not in "".join(messages)
    if not draft.problems:
        assert TOKEN not in text_of(draft)
