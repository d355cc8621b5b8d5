"""The commands over the real kubectl and the cluster of the tests: the same words for another runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import GOOD, Mcpctl
from tests.cluster import Cluster, quick
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


@pytest.fixture
def quickly(there: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Where kubectl does nothing that the first test has not shown of the real one."""
    quick.take_place(monkeypatch)
    return there


def test_from_a_spec_to_nothing_left(mcpctl: Mcpctl, there: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    run = mcpctl("apply", "good.yaml", "--no-wait", *WHERE)
    assert run.code == 0, run.err
    assert "kubernetes: context test, cluster" in run.err
    assert run.out.splitlines()[1].split()[:2] == ["demo", "mcpctl"]
    assert [one["server"] for one in json.loads(mcpctl("list", "-o", "json", *WHERE).out)] == ["demo"]
    with monkeypatch.context() as quickly:
        quick.take_place(quickly)
        again = json.loads(mcpctl("apply", "good.yaml", "--no-wait", "-o", "json", *WHERE).out)
        # What would govern the whole namespace, which somebody else made, is left out each time.
        assert {change["outcome"] for change in again["changes"]} == {"unchanged", "not tried"}
    assert mcpctl("delete", "demo", "--yes", *WHERE).code == 0
    quick.take_place(monkeypatch)
    assert mcpctl("delete", "demo", "--yes", *WHERE).code == Exit.APPLY_FAILED
    assert mcpctl("list", "-o", "json", *WHERE).out == "[]\n"


def test_a_tree(mcpctl: Mcpctl, quickly: Cluster) -> None:
    assert mcpctl("render", "good.yaml", "--out", "deploy").code == 0
    run = mcpctl("apply", "--tree", "deploy", "--no-wait", "--owner", "me", "--prune", "--yes", *WHERE)
    assert run.code == 0, run.err
    assert run.out.splitlines()[1].split()[:2] == ["demo", "mcpctl"]


def test_no_such_context(mcpctl: Mcpctl, there: Cluster) -> None:
    run = mcpctl("apply", "good.yaml", *WHERE[:-1], "prod")
    assert (run.code, run.out) == (Exit.APPLY_FAILED, "")
    assert "prod" in run.err


def test_servers_of_two_namespaces_from_specs_and_from_a_tree(mcpctl: Mcpctl, quickly: Cluster) -> None:
    quickly.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}})
    far = GOOD.replace("name: demo", "name: far").replace("spec:", "spec:\n  namespace: data", 1)
    Path("far.yaml").write_text(far)
    run = mcpctl("apply", "good.yaml", "far.yaml", "--no-wait", "--no-create-namespace", *WHERE)
    assert run.code == 0, run.err
    assert "and into namespace data" in run.err
    assert sorted(line.split()[:2] for line in run.out.splitlines()[1:]) == [["demo", "mcpctl"], ["far", "data"]]
    assert mcpctl("render", "good.yaml", "far.yaml", "--no-create-namespace", "--out", "tree").code == 0
    again = json.loads(mcpctl("apply", "--tree", "tree", "--no-wait", "-o", "json", *WHERE).out)
    assert {change["outcome"] for change in again["changes"]} == {"unchanged"}
    assert [server["where"] for server in again["servers"]] == ["mcpctl", "data"]
    typed = mcpctl("apply", "far.yaml", "--no-wait", "-n", "mcpctl", *WHERE)
    assert typed.code == 0, typed.err
    assert "--namespace mcpctl holds for every server" in typed.err + typed.out
    assert "mcp-far" in quickly.names("Deployment", "mcpctl")
    started = mcpctl("start", "far.yaml", "--no-wait", *WHERE)
    assert started.code == 0, started.err
    assert "far: started as data/mcp-far" in started.err
    assert "far: started as mcp-far" in mcpctl("start", "far.yaml", "--no-wait", "-n", "mcpctl", *WHERE).err
