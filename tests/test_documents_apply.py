"""The documents of the commands: every command and setting is named, and the example for Python runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from renderer.cli import COMMANDS
from renderer.orchestrators.contract import LogLine
from renderer.settings import fields
from tests.cli.fake_runtime import FakeRuntime, module

ROOT = Path(__file__).parent.parent
APPLY = (ROOT / "docs/apply.md").read_text()
#: Those that speak to a runtime.
RUNTIME = ("apply", "start", "stop", "restart", "status", "logs", "list", "delete", "config")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_names_every_one(command: str) -> None:
    assert f"`mcpctl {command}" in (ROOT / "docs/commands.md").read_text()


@pytest.mark.parametrize("command", RUNTIME)
def test_the_document_names_every_command_of_a_runtime(command: str) -> None:
    assert command in COMMANDS
    assert f"| `mcpctl {command}" in APPLY


def test_the_document_names_every_setting() -> None:
    rows = re.findall(r"^\| `(orchestrator\.\S+)` \| `(\S+)` \| `(\S+)` \|$", APPLY, re.MULTILINE)
    assert rows == [(field.name, field.variable, field.option) for field in fields()]


def test_the_example_of_a_configuration_holds(tmp_path: Path) -> None:
    from renderer.settings import load_settings

    (example,) = re.findall(r"^```yaml\n(.*?)^```$", APPLY, re.DOTALL | re.MULTILINE)
    (tmp_path / "mcpctl.yaml").write_text(example)
    config = load_settings(folder=tmp_path, environ={}).config
    assert (config.type, config.kubernetes.context) == ("kubernetes", "kind-dev")


def test_the_example_for_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeRuntime(lines=[LogLine("mcp-time-1", "hello")])
    monkeypatch.setitem(sys.modules, "renderer.orchestrators.docker", module(fake))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "time.yaml").write_text((ROOT / "docs/examples/time.yaml").read_text())
    (example,) = re.findall(r"^```python\n(.*?)^```$", APPLY, re.DOTALL | re.MULTILINE)
    exec(compile(example, "docs/apply.md", "exec"), {})
    assert capsys.readouterr().out.split("\n")[:4] == [
        "the fake daemon",
        "mcp-time: 1 of 1 running",
        "running",
        "mcp-time-1 hello",
    ]
    assert fake.named("stop_server") == ["mcp-time"]


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "renderer/py.typed").exists()
