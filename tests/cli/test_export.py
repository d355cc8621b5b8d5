"""``mcpctl export``: documents on stdout, the report on stderr, and what is lost in the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import BAD, ENVIRONMENT, GOOD, Mcpctl
from tests.oracles import yaml_read_all

EXPOSED = GOOD + "  expose: {host: mcp.example.com, path: /, tls: {}, from: []}\n"


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    (tmp_path / "demo.yaml").write_text(EXPOSED)
    return tmp_path


def test_a_file_for_a_client(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("export", "client", "--client", "vscode", specs)
    assert run.code == 0
    assert json.loads(run.out) == {"servers": {"demo": {"type": "http", "url": "https://mcp.example.com/mcp"}}}
    assert run.err == f"{specs}/demo.yaml:7:3: mapped: spec.expose -> servers.demo: https://mcp.example.com/mcp\n"


def test_for_this_machine_it_is_what_compose_publishes(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("export", "client", "--client", "cursor", "--local", specs)
    assert json.loads(run.out)["mcpServers"]["demo"]["url"].startswith("http://127.0.0.1:2")
    forwarded = mcpctl("export", "client", "--client", "cursor", "--local", "-t", "kubernetes", specs)
    assert "run kubectl port-forward --namespace mcpctl service/mcp-demo " in forwarded.err


def test_an_environment_says_where_the_servers_run(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "demo.yaml").write_text(GOOD)
    (specs / "production.yaml").write_text(ENVIRONMENT)
    run = mcpctl("export", "client", "--client", "cursor", "-e", "production", specs)
    assert json.loads(run.out)["mcpServers"]["demo"]["url"] == "http://mcp-demo.tools.svc:8080/mcp"


def test_the_same_facts_as_data(mcpctl: Mcpctl, specs: Path) -> None:
    data = json.loads(mcpctl("export", "client", "--client", "codex", "-o", "json", specs).out)
    assert (data["command"], data["file"]) == ("export client", ".codex/config.toml")
    assert data["text"].startswith('[mcp_servers."demo"]\n')
    (field,) = data["fields"]
    assert (field["line"], field["source"], field["target"]) == (7, "spec.expose", "mcp_servers.demo")


def test_resources_of_an_operator(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("export", "toolhive", specs)
    (document,) = yaml_read_all(run.out)
    assert (run.code, document["kind"], document["metadata"]["namespace"]) == (0, "MCPServer", "mcpctl")
    assert "not-expressible: spec.expose: the operator leads no host name" in run.err
    assert mcpctl("export", "toolhive", "--strict", "-q", specs).code == 3


def test_an_environment_of_compose_has_no_operator(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "laptop.yaml").write_text(ENVIRONMENT.replace("kubernetes", "compose").split("  namespace")[0])
    run = mcpctl("export", "kmcp", specs)
    assert (run.code, run.out) == (2, "")
    assert "environment production is for compose, and kmcp is for a cluster" in run.err


def test_with_an_error_in_the_specs_nothing_is_written(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "demo.yaml").write_text(BAD)
    run = mcpctl("export", "client", "--client", "cursor", specs)
    assert (run.code, run.out) == (3, "")
    assert "spec.replicas" in run.err
