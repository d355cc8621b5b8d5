"""The commands over the real kubectl and the cluster of the tests: the same words for another runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import GOOD, Mcpctl
from tests.cluster import Cluster
from tests.cluster.fixtures import cluster as cluster
from tests.cluster.fixtures import kubeconfig as kubeconfig
from tests.cluster.fixtures import kubectl_program as kubectl_program

WHERE = ["--orchestrator", "kubernetes", "--context", "test"]


@pytest.fixture
def there(
    cluster: Cluster, kubeconfig: Path, kubectl_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """The working folder has a spec and a configuration, which names the cluster."""
    config = {"orchestrator": {"type": "docker", "kubernetes": {"kubeconfig": kubeconfig.name}}}
    (tmp_path / "mcpctl.json").write_text(json.dumps(config))
    (tmp_path / "good.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return cluster


def test_from_a_spec_to_nothing_left(mcpctl: Mcpctl, there: Cluster) -> None:
    run = mcpctl("apply", "good.yaml", "--no-wait", *WHERE)
    assert run.code == 0, run.err
    assert "kubernetes: context test, cluster" in run.err
    assert run.out.splitlines()[1].split()[:2] == ["demo", "mcpctl"]
    again = json.loads(mcpctl("apply", "good.yaml", "--no-wait", "-o", "json", *WHERE).out)
    assert {change["outcome"] for change in again["changes"]} == {"unchanged"}
    assert [one["server"] for one in json.loads(mcpctl("list", "-o", "json", *WHERE).out)] == ["demo"]
    assert mcpctl("delete", "demo", "--yes", *WHERE).code == 0
    assert mcpctl("delete", "demo", "--yes", *WHERE).code == Exit.APPLY_FAILED
    assert mcpctl("list", "-o", "json", *WHERE).out == "[]\n"


def test_a_tree(mcpctl: Mcpctl, there: Cluster, tmp_path: Path) -> None:
    assert mcpctl("render", "good.yaml", "--out", "deploy").code == 0
    run = mcpctl("apply", "--tree", "deploy", "--no-wait", "--owner", "me", "--prune", "--yes", *WHERE)
    assert run.code == 0, run.err
    assert run.out.splitlines()[1].split()[:2] == ["demo", "mcpctl"]


def test_no_such_context(mcpctl: Mcpctl, there: Cluster) -> None:
    run = mcpctl("apply", "good.yaml", *WHERE[:-1], "prod")
    assert (run.code, run.out) == (Exit.APPLY_FAILED, "")
    assert "prod" in run.err
