"""Addresses of the documentation are printed where one answers, and nowhere else."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from renderer import addresses
from tests.cli.commands import Mcpctl, in_process

ROOT = Path(__file__).parent.parent
MOVING = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: demo}
spec: {image: "registry.example.com/demo:latest", transport: {type: streamable-http}, replicas: many}
"""
PAGE = "https://docs.example.com/mcpctl/rules/policy/image-tag.html"
OTHER = "https://docs.example.com/mcpctl/rules/schema/type.html"


@pytest.fixture
def mcpctl(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mcpctl:
    monkeypatch.chdir(tmp_path)
    Path("demo.yaml").write_text(MOVING)
    return lambda *arguments: in_process(capfdbinary, *arguments)


@pytest.fixture
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "DOCUMENTATION", "https://docs.example.com/mcpctl/")


def test_the_address_is_that_of_the_distribution() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    assert urls.get("Documentation", "") == addresses.DOCUMENTATION
    assert addresses.DOCUMENTATION in ("", f"{addresses.DOCUMENTATION.rstrip('/')}/")


@pytest.mark.parametrize("style", ["text", "json", "sarif"])
def test_without_one_no_message_has_an_address(mcpctl: Mcpctl, style: str) -> None:
    run = mcpctl("validate", "demo.yaml", "--output", style)
    assert "policy/image-tag" in run.out + run.err
    assert "rules/policy" not in run.out + run.err


@pytest.mark.usefixtures("_published")
def test_with_one_each_rule_names_its_page_once(mcpctl: Mcpctl) -> None:
    err = mcpctl("validate", "demo.yaml").err
    assert err.count(f"policy/image-tag: {PAGE}\n") == 1
    assert err.count(f"schema/type: {OTHER}\n") == 1
    problems = json.loads(mcpctl("validate", "demo.yaml", "--output", "json").out)["problems"]
    assert {p["rule"]: p.get("url") for p in problems}.items() >= {
        "policy/image-tag": PAGE,
        "schema/type": OTHER,
    }.items()
    (run,) = json.loads(mcpctl("validate", "demo.yaml", "--output", "sarif").out)["runs"]
    assert {PAGE, OTHER} <= {rule.get("helpUri") for rule in run["tool"]["driver"]["rules"]}


@pytest.mark.usefixtures("_published")
def test_with_one_an_editor_reads_the_schema_from_there(mcpctl: Mcpctl) -> None:
    assert mcpctl("init", "time", "--pypi", "mcp-server-time==2026.10.19").code == 0
    line = "# yaml-language-server: $schema=https://docs.example.com/mcpctl/schemas/mcpserver.schema.json"
    assert Path("time.yaml").read_text().splitlines()[0] == line
    assert not Path(".schemas").exists()
