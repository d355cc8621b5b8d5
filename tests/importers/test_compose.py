"""Compose services that run today: both forms of everything, and what is never carried in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renderer.importers.compose.values import Piece, filled, pieces, seconds
from renderer.importers.docker_flags import quantity
from renderer.importers.draft import Outcome
from renderer.importers.spec_file import text_of
from renderer.model import JSON
from tests.importers.live import draft_of, drafts_of
from tests.importers.test_manifests import messages, spec_of


def service(**fields: Any) -> str:
    return json.dumps(
        {"services": {"demo-mcp": {"image": "ghcr.io/example/mcp:1.0.0", "ports": ["8000:8000"], **fields}}}
    )


# fields, path in the spec, value there
_MAPPED: list[tuple[dict[str, Any], str, JSON]] = [
    ({}, "network.publish", {"address": "0.0.0.0", "port": 8000}),
    ({"ports": ["[::1]:9000:8000/tcp"]}, "network.publish", {"address": "::1", "port": 9000}),
    ({"ports": [{"target": 8000, "published": "9000", "host_ip": "127.0.0.1"}]}, "network.publish",
     {"address": "127.0.0.1", "port": 9000}),
    ({"ports": [], "expose": ["8123"]}, "transport.port", 8123),
    ({"ports": [], "environment": {"PORT": 8123}}, "transport.port", 8123),
    ({"environment": {"MODE": "sse"}}, "transport.type", "sse"),
    ({"environment": {"A": "$(date)"}}, "env.A", "$$(date)"),
    ({"environment": ["A=x-${B-y}-$$z"]}, "env.A", "x-y-$z"),
    ({"environment": {"A": "${API_TOKEN}"}}, "env.A", {"secret": "demo-mcp", "key": "A"}),
    ({"environment": {"A": "${PLACE}"}}, "env.A", {"configMap": "demo-mcp-settings", "key": "A"}),
    ({"mem_limit": "1g"}, "resources.limits.memory", "1Gi"),
    ({"entrypoint": "node server.js", "command": ["--verbose"]}, "command", ["node", "server.js"]),
    ({"image": "docker.io/library/node:22-alpine", "command": "npx -y @example/x-mcp@1.2.3 --root /x"}, "package",
     {"registry": "npm", "name": "@example/x-mcp", "version": "1.2.3"}),
    ({"healthcheck": {"test": "curl -f localhost"}}, "health.command", ["sh", "-c", "curl -f localhost"]),
    ({"pull_policy": "always"}, "imagePullPolicy", "Always"),
    ({"working_dir": "/app"}, "workingDir", "/app"),
    ({"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1}]}}}}, "gpu.count", 1),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "path", "value"), _MAPPED)
def test_fields_of_a_service(fields: dict[str, Any], path: str, value: JSON) -> None:
    draft = draft_of(service(**fields))
    found: Any = spec_of(draft)
    for step in path.split("."):
        found = found[step]
    assert found == value
    assert "no field of the format" not in messages(draft, Outcome.LOST)
    assert "left out: " not in messages(draft, Outcome.LOST)


_WEAK = [
    ({"privileged": True}, "root of the machine"),
    ({"cap_add": ["SYS_ADMIN"]}, "capabilities that the server would get"),
    ({"devices": ["/dev/kvm"]}, "devices of the machine"),
    ({"pid": "host"}, "the processes of the machine"),
    ({"network_mode": "host"}, "network_mode host"),
    ({"volumes": ["/:/host"]}, "/ is a path of the machine"),
    ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "root of the machine"),
    ({"security_opt": ["seccomp:unconfined"]}, "security_opt"),
    ({"volumes": [r"C:\Users\me:/host"]}, r"C:\Users\me is a path of the machine"),
    ({"extra_hosts": ["a:10.0.0.1", "b=host-gateway"]}, "b: a pod has no machine"),
    ({"extra_hosts": {"host.docker.internal": "host-gateway"}}, "a pod has no machine"),
    ({"ports": ["8000-8010:8000-8010", "8000:8000"]}, "only a single TCP port"),
]


@pytest.mark.parametrize(("fields", "message"), _WEAK)
def test_what_weakens_a_server_is_left_out_and_reported(fields: dict[str, Any], message: str) -> None:
    draft = draft_of(service(**fields))
    assert message in messages(draft, Outcome.LOST)
    assert draft.losses
    assert "accept" not in spec_of(draft)


_DECISIONS: list[tuple[dict[str, Any], str]] = [
    ({"environment": {"API_KEY": "h7Gd82kslP0qzT55"}}, "looks like a secret and is not written"),
    ({"command": ["--token", "h7Gd82kslP0qzT55"]}, "the Secret demo-mcp"),
    ({"command": ["--api-key=h7Gd82kslP0qzT55"]}, "set the key API_KEY of the Secret demo-mcp"),
    ({"user": "root"}, "'root', which is no number above 0"),
    ({"build": ".", "image": ""}, "the image is built on the machine"),
    ({"env_file": ".env"}, "--from-env-file=.env"),
    ({"ports": [], "stdin_open": True}, "it listens on no port"),
]


@pytest.mark.parametrize(("fields", "message"), _DECISIONS)
def test_what_a_person_must_decide_is_asked(fields: dict[str, Any], message: str) -> None:
    draft = draft_of(service(**fields))
    assert message in messages(draft, Outcome.DECISION)
    assert "h7Gd82kslP0qzT55" not in text_of(draft) + repr(draft.entries)


def test_a_service_whose_name_no_object_can_have_says_how_the_old_one_ends() -> None:
    draft = draft_of(service().replace("demo-mcp", "Demo_MCP"))
    assert "docker compose rm --stop Demo_MCP" in messages(draft, Outcome.DECISION)
    assert "resourceName" not in spec_of(draft)


@pytest.mark.parametrize(
    ("variable", "names"),
    [("MCP_SERVER_URL", ["notes"]), ("MCP_SERVERS", ["notes"]), ("MCP_TRANSPORT", ["app", "notes"])],
)
def test_the_address_of_a_server_is_what_its_clients_have(variable: str, names: list[str]) -> None:
    app = {"image": "registry.example.com/app:1.0", "environment": [f"{variable}=x"], "ports": ["8081:8081"]}
    notes = {"image": "registry.example.com/notes-mcp:1.0", "ports": ["8080:8080"]}
    drafts = drafts_of(json.dumps({"services": {"notes": notes, "app": app}}))
    assert sorted(draft.name for draft in drafts) == names
    alone = drafts_of(json.dumps({"services": {"app": app}}))
    assert [draft.name for draft in alone] == ["app"], "nothing else can be the server"


def test_services_that_are_no_servers_are_refused() -> None:
    (draft,) = drafts_of(json.dumps({"services": {"db": {"image": "postgres:17"}}}))
    assert "none of the services is an MCP server (db)" in draft.problems[0].message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a${B}c", [Piece("a"), Piece("", "B"), Piece("c")]),
        ("$B", [Piece("", "B")]),
        ("$$B", [Piece("$"), Piece("B")]),
        ("${B:-x}", [Piece("", "B", "x")]),
        ("${B-${C:-y}}", [Piece("", "B", "y")]),
        ("${B:?why}", [Piece("", "B")]),
        ("${B:+x}", [Piece("", "B", "")]),
        ("100%", [Piece("100%")]),
    ],
)
def test_interpolation(text: str, parts: list[Piece]) -> None:
    assert pieces(text) == parts


def test_a_text_is_whole_where_every_variable_has_a_default() -> None:
    assert (filled("${A:-x}-$$"), filled("${A}")) == ("x-$", None)


@pytest.mark.parametrize(
    ("text", "number"), [("1m30s", 90), ("30s", 30), ("500ms", 1), ("1h", 3600), ("", None), ("soon", None)]
)
def test_durations(text: str, number: int | None) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize(
    ("text", "amount"),
    [("512M", "512Mi"), ("1gb", "1Gi"), ("64k", "64Ki"), ("100", "100"), ("1.5g", "1.5Gi"), ("much", "")],
)
def test_sizes(text: str, amount: str) -> None:
    assert quantity(text) == amount


def test_parts_of_other_files_are_named(tmp_path: Path) -> None:
    """Compose merges ``include``, ``extends`` and an override; what is read is one file."""
    file = tmp_path / "compose.yaml"
    file.write_text(json.dumps({"include": ["b.yaml"]}))
    (draft,) = drafts_of("", str(file))
    assert [problem.rule for problem in draft.problems] == ["import/no-workload"]
    assert "docker compose config --no-interpolate" in draft.problems[0].hint
    file.write_text('{"include": ["b.yaml"], ' + service(extends={"file": "c.yaml", "service": "x"})[1:])
    (draft,) = drafts_of("", str(file))
    assert (
        messages(draft, Outcome.LOST).count(
            "join the files first: docker compose config --no-interpolate | mcpctl import -"
        )
        == 2
    )
    assert "override" not in messages(draft, Outcome.LOST)
    (tmp_path / "compose.override.yaml").write_text("{}")
    (draft,) = drafts_of("", str(file))
    assert "compose.override.yaml in the same folder" in messages(draft, Outcome.LOST)
