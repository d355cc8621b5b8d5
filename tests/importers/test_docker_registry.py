"""Docker's registry: server.yaml and catalogs, templates, volumes, remote servers."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import dotted
from renderer.importers import docker_registry
from renderer.importers.draft import Choices, Draft
from renderer.importers.validation import validated
from renderer.model import JSON
from tests.importers.readings import source_of

DEFINITION: dict[str, JSON] = {"name": "notes", "type": "server", "image": "acme/notes:1.2.3"}
PARAMETERS = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "Where the notes are"},
        "mode": {"type": "string", "default": "fast", "enum": ["fast", "slow"]},
        "port": {"type": "integer", "default": 8000},
        "paths": {"type": "array", "items": {"type": "string"}, "default": ["/home/me/a", "/home/me/b"]},
        "optional": {"type": "string"},
        "inner": {"type": "object", "properties": {"level": {"type": "string"}}, "required": ["level"]},
        "unused": {"type": "string"},
    },
    "required": ["url"],
}


def drafted(**fields: Any) -> Draft:
    (draft,) = docker_registry.read([source_of({**DEFINITION, **fields})], Choices(offline=True))
    return draft


def test_a_remote_server_has_a_url() -> None:
    draft = drafted(type="remote", image=None, remote={"transport_type": "sse"})
    assert [(problem.rule, problem.message) for problem in draft.problems] == [
        ("import/remote", "the remote server has no URL")
    ]


def test_no_pod_reaches_the_machine_it_runs_on() -> None:
    draft = drafted(run={"extraHosts": ["db:host-gateway"]})
    assert "a pod has no machine of its own" in draft.losses[0].message
    assert "network" not in spec_of(run={"extraHosts": ["db:host-gateway"]})


def spec_of(**fields: Any) -> dict[str, Any]:
    draft = validated(drafted(**fields))
    assert draft.problems == ()
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    return spec


VALUES: dict[str, tuple[str, JSON]] = {
    "a literal": ("host.docker.internal", "host.docker.internal"),
    "a default": ("{{notes.mode}}", "fast"),
    "a number": ("{{notes.port}}", "8000"),
    "required": ("{{notes.url}}", {"configMap": "notes-settings", "key": "X"}),
    "required in a group": ("{{notes.inner.level}}", {"configMap": "notes-settings", "key": "X"}),
    "optional": ("{{notes.optional}}", None),
    "not declared": ("{{notes.nowhere}}", None),
    "within a text": ("http://x:{{notes.port}}/{{notes.mode}}", "http://x:8000/fast"),
    "a filter with a default": ("{{notes.optional|or:none}}", "none"),
    "the first of a list": ("{{notes.paths|first}}", "/home/me/a"),
    "the last of a list": ("{{notes.paths|last}}", "/home/me/b"),
    "a list": ("{{notes.paths}}", "/home/me/a,/home/me/b"),
}


@pytest.mark.parametrize(("value", "expected"), VALUES.values(), ids=VALUES)
def test_templates_become_values_or_references(value: str, expected: JSON) -> None:
    spec = spec_of(config={"env": [{"name": "X", "value": value}], "parameters": PARAMETERS})
    assert spec.get("env", {}).get("X") == expected


def test_secrets_are_references() -> None:
    secrets = [
        {"name": "notes.token", "env": "NOTES_TOKEN", "example": "x"},
        {"name": "notes.extra", "env": "EXTRA", "required": False},
    ]
    assert spec_of(config={"secrets": secrets})["env"] == {
        "NOTES_TOKEN": {"secret": "notes", "key": "NOTES_TOKEN"},
        "EXTRA": {"secret": "notes", "key": "EXTRA", "optional": True},
    }


def test_commands_are_arguments() -> None:
    config = {"secrets": [{"name": "notes.token", "env": "TOKEN"}], "parameters": PARAMETERS}
    command = [
        "--transport=stdio",
        "--mode={{notes.mode}}",
        "--url={{notes.url}}",
        "--optional={{notes.optional}}",
        "{{notes.paths|into}}",
        "$TOKEN",
    ]
    draft = drafted(run={"command": command}, config=config)
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert spec["args"] == [
        "--transport=stdio",
        "--mode=fast",
        "--url=$(ARG_URL)",
        "/home/me/a",
        "/home/me/b",
        "$(TOKEN)",
    ]
    assert spec["env"]["ARG_URL"] == {"configMap": "notes-settings", "key": "ARG_URL"}  # type: ignore[index,call-overload]
    assert "--optional" in draft.comments["spec", "args"]
    assert validated(draft).problems == ()


VOLUMES: dict[str, tuple[str, JSON, str]] = {
    "named": ("notes-data:/app/data", [{"name": "notes-data", "size": "1Gi", "mountPath": "/app/data"}], "decision"),
    "named, read-only": (
        "Notes_Data:/app/data:ro",
        [{"name": "notes-data", "size": "1Gi", "mountPath": "/app/data", "readOnly": True}],
        "decision",
    ),
    "a parameter": ("{{notes.paths|volume|into}}", None, "decision"),
    "a parameter with a target": ("{{notes.url}}:/app/data", None, "decision"),
    "a folder": ("/home/me/notes:/app/data", None, "decision"),
    "the machine": ("/:/host", None, "not-expressible"),
    "the socket": ("/var/run/docker.sock:/var/run/docker.sock", None, "not-expressible"),
    "a path with steps up": ("data:/app/../etc", None, "not-expressible"),
    "no path": ("data:app", None, "not-expressible"),
}


@pytest.mark.parametrize(("volume", "storage", "outcome"), VOLUMES.values(), ids=VOLUMES)
def test_volumes_are_storage_and_folders_are_not_invented(volume: str, storage: JSON, outcome: str) -> None:
    draft = drafted(run={"volumes": [volume]}, config={"parameters": PARAMETERS})
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert spec.get("storage") == storage
    assert [str(entry.outcome) for entry in draft.entries if dotted(entry.source) == "run.volumes[0]"] == [outcome]
    assert validated(draft).problems == ()


RUNS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "hosts": (
        {"run": {"allowHosts": ["api.example.com:443"]}},
        {"network": {"egress": {"hosts": ["api.example.com:443"]}}},
    ),
    "no network": ({"run": {"disableNetwork": True}}, {"network": {"egress": {}}}),
    "no network, as text": ({"run": {"disableNetwork": "yes"}}, {"network": {"egress": {}}}),
    "a user": ({"run": {"user": "1001:1002"}}, {"security": {"runAsUser": 1001, "runAsGroup": 1002}}),
    "root": ({"run": {"user": "0"}}, {}),
    "a user by name": ({"run": {"user": "app"}}, {}),
    "a host alias": ({"run": {"extraHosts": ["db:192.0.2.1"]}}, {"network": {"hostAliases": {"db": "192.0.2.1"}}}),
    "long-lived": ({"longLived": True}, {}),
    "another service": ({"requirement": "neo4j"}, {}),
}


@pytest.mark.parametrize(("fields", "expected"), RUNS.values(), ids=RUNS)
def test_what_docker_runs_it_with(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    transport = {"type": "stdio", "bridge": "none"}
    assert spec_of(**fields) == {"image": "acme/notes:1.2.3", "transport": transport, "size": "small", **expected}


def test_an_image_without_a_version_is_a_decision() -> None:
    spec = spec_of(image="acme/notes")
    assert spec["accept"][0]["rule"] == "policy/image-tag"
    assert "pin" in drafted(image="acme/notes").comments["spec", "image"]


def test_remote_servers_take_their_secrets_into_headers() -> None:
    draft = drafted(
        type="remote",
        remote={
            "url": "https://mcp.example.com/mcp",
            "transport_type": "sse",
            "headers": {"Authorization": "Bearer ${KEY}"},
        },
        config={"secrets": [{"name": "notes.key", "env": "KEY"}, {"name": "notes.other", "env": "OTHER"}]},
        oauth=[{"provider": "notes"}],
    )
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert spec["remote"] == {
        "url": "https://mcp.example.com/mcp",
        "transport": "sse",
        "headers": {"Authorization": "Bearer {KEY}"},
        "variables": {"KEY": {"secret": "notes", "key": "KEY"}},
    }
    assert [dotted(entry.source) for entry in draft.losses if entry.source[0] != "image"] == ["config.secrets[1]"]


def test_containers_for_single_tools_are_no_server() -> None:
    draft = drafted(type="poci", tools=[{"container": {"image": "curlimages/curl"}}])
    (problem,) = draft.problems
    assert problem.rule == "import/no-server"


def test_what_no_template_uses_is_lost() -> None:
    lost = drafted(config={"env": [{"name": "X", "value": "{{notes.url}}"}], "parameters": PARAMETERS}).losses
    assert "config.parameters.properties.unused" in [dotted(entry.source) for entry in lost]
    assert "config.parameters.properties.url" not in [dotted(entry.source) for entry in lost]


def test_a_catalog_has_many_servers() -> None:
    server = {
        "type": "server",
        "title": "Notes",
        "image": "acme/notes@sha256:" + "0" * 64,
        "secrets": [{"name": "notes.token", "env": "TOKEN"}],
        "env": [{"name": "X", "value": "1"}],
        "command": ["serve"],
        "volumes": ["data:/data"],
        "allowHosts": ["example.com:443"],
        "config": [{"name": "notes", "properties": {}}],
    }
    data: dict[str, Any] = {
        "registry": {"notes": server, "far": {"type": "remote", "remote": {"url": "https://example.com/mcp"}}}
    }
    assert docker_registry.recognises(data)
    far, notes = sorted(docker_registry.read([source_of(data)], Choices(offline=True)), key=lambda draft: draft.name)
    spec = notes.document["spec"]
    assert isinstance(spec, dict)
    assert spec["args"] == ["serve"]
    assert spec["env"] == {"TOKEN": {"secret": "notes", "key": "TOKEN"}, "X": "1"}
    assert spec["storage"] == [{"name": "data", "size": "1Gi", "mountPath": "/data"}]
    assert spec["network"] == {"egress": {"hosts": ["example.com:443"]}}
    assert [dotted(entry.source) for entry in notes.losses] == ["registry.notes.config"]
    assert far.document["spec"] == {"remote": {"url": "https://example.com/mcp"}}
