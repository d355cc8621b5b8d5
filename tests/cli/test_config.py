"""``mcpctl config``: each value, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.cli.editor import schema_text
from renderer.errors import Exit
from tests.cli.commands import Mcpctl
from tests.cli.fake_runtime import FakeRuntime

FILE = "orchestrator:\n  docker:\n    network: mine\n"


def test_text(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mcpctl.yaml").write_text(FILE)
    monkeypatch.setenv("MCPCTL_DOCKER_PORT", "2375")
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    run = mcpctl("config", "--docker-host", "127.0.0.1")
    assert (run.code, run.err) == (0, "")
    assert [" ".join(line.split()) for line in run.out.splitlines()] == [
        "file: mcpctl.yaml",
        "orchestrator.type docker default",
        "orchestrator.docker.socketPath /var/run/docker.sock default",
        "orchestrator.docker.host 127.0.0.1 option --docker-host",
        "orchestrator.docker.port 2375 environment variable MCPCTL_DOCKER_PORT",
        "orchestrator.docker.network mine mcpctl.yaml:3:14",
        "orchestrator.kubernetes.namespace mcpctl default",
        "orchestrator.kubernetes.kubeconfig /a:/b environment variable KUBECONFIG",
        "orchestrator.kubernetes.context - default",
        "orchestrator.kubernetes.inCluster false default",
    ]
    # No runtime is asked for that.
    assert fake.calls == []


def test_data(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(FILE)
    data = json.loads(mcpctl("config", "--config", "other.yaml", "--output", "json").out)
    assert data["file"] == "other.yaml"
    assert data["settings"][4] == {
        "name": "orchestrator.docker.network",
        "value": "mine",
        "source": "file",
        "origin": "other.yaml:3:14",
        "variable": "MCPCTL_DOCKER_NETWORK",
        "option": "--docker-network",
    }


def test_the_schema_is_printed_whatever_the_file_says(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "mcpctl.yaml").write_text("- broken")
    run = mcpctl("config", "--schema")
    assert (run.code, run.out, run.err) == (0, schema_text("config"), "")
    assert mcpctl("schema", "config").out == run.out


def test_a_broken_file_is_told_with_its_line(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "mcpctl.yaml").write_text("orchestrator:\n  typ: docker\n")
    for command in (["config"], ["status"], ["apply", "good.yaml"], ["render", "good.yaml"]):
        run = mcpctl(*command)
        assert (run.code, run.out) == (Exit.INPUT_INVALID, "")
        assert "mcpctl.yaml:2:3: error: orchestrator.typ: unknown field; did you mean 'type'?" in run.err
    assert fake.calls == []


def test_the_settings_reach_the_runtime(
    mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mcpctl.yaml").write_text(FILE)
    monkeypatch.setenv("MCPCTL_DOCKER_HOTS", "x")
    run = mcpctl("list")
    assert run.code == 0
    assert fake.config.docker.network == "mine"
    assert "MCPCTL_DOCKER_HOTS: warning: is not a setting; did you mean 'MCPCTL_DOCKER_HOST'?" in run.err


def test_a_configuration_among_specs_is_no_spec(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "a.yaml").write_text((tmp_path / "good.yaml").read_text())
    (folder / "mcpctl.yaml").write_text(FILE)
    run = mcpctl("validate", "specs")
    assert (run.code, "1 server," in run.err) == (0, True)
    assert mcpctl("validate", "specs/mcpctl.yaml").code == Exit.INPUT_INVALID
    # By what it says, not by its name.
    (folder / "mcpctl.yaml").write_text((tmp_path / "bad.yaml").read_text())
    assert mcpctl("validate", "specs").code == Exit.INPUT_INVALID
