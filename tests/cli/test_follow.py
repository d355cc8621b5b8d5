"""Environments and the commands that speak to a runtime: target and namespace follow, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import Mcpctl
from tests.cli.fake_runtime import FakeRuntime

LAPTOP = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: laptop}
spec:
  target: compose
  patches:
    - {select: {name: demo}, merge: {env: {MODE: laptop}}}
"""
CLUSTER = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: cluster}
spec:
  target: kubernetes
  namespace: {name: mcp-cluster}
"""


@pytest.fixture
def environments(fake: FakeRuntime, tmp_path: Path) -> Path:
    for name, text in (("laptop", LAPTOP), ("cluster", CLUSTER)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.mark.usefixtures("environments")
def test_what_is_applied_is_what_the_environment_makes_of_it(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("apply", "good.yaml", "laptop.yaml", "cluster.yaml", "-e", "laptop")
    assert run.code == Exit.FINE
    ((documents, _),) = fake.named("apply")
    assert ["MODE: laptop" in document.text for document in documents] == [True]


@pytest.mark.usefixtures("environments")
def test_one_environment_at_a_time(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("apply", "good.yaml", "laptop.yaml", "cluster.yaml")
    assert (run.code, fake.named("apply")) == (Exit.USAGE, [])
    assert "--environment (cluster, laptop)" in run.err
    run = mcpctl("apply", "good.yaml", "laptop.yaml", "-e", "laptpo")
    assert (run.code, fake.named("apply")) == (Exit.USAGE, [])
    assert "did you mean 'laptop'?" in run.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("-e", "cluster", "--orchestrator", "docker"),
            ("cluster.yaml: environment cluster is for kubernetes", "docker"),
        ),
        (
            ("-e", "cluster", "--orchestrator", "kubernetes", "--namespace", "other", "--context", "c"),
            ("environment cluster is for mcp-cluster", "other (--namespace)"),
        ),
        (("-e", "laptop", "--orchestrator", "kubernetes"), ("environment laptop is for docker", "kubernetes")),
    ],
)
@pytest.mark.usefixtures("environments")
def test_a_setting_that_says_something_else(
    mcpctl: Mcpctl, fake: FakeRuntime, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    run = mcpctl("apply", "good.yaml", "laptop.yaml", "cluster.yaml", *arguments)
    assert (run.code, fake.named("apply")) == (Exit.USAGE, [])
    assert all(word in run.err for word in words)


@pytest.mark.usefixtures("environments")
def test_an_environment_of_a_cluster_goes_to_its_namespace(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    from renderer.orchestrators.contract import OrchestratorConfig

    seen: list[OrchestratorConfig] = []
    runtime = FakeRuntime("kubernetes", "kubernetes")

    def create(config: OrchestratorConfig) -> FakeRuntime:
        seen.append(config)
        return runtime

    monkeypatch.setattr("renderer.orchestrators.kubernetes.create", create)
    run = mcpctl("apply", "good.yaml", "cluster.yaml", "--no-wait")
    assert run.code == Exit.FINE
    assert (seen[-1].type, seen[-1].kubernetes.namespace) == ("kubernetes", "mcp-cluster")
    ((documents, _),) = runtime.named("apply")
    assert all("namespace: mcp-cluster" in document.text for document in documents[1:])


@pytest.mark.usefixtures("environments")
def test_start_takes_specs_alone(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("start", "good.yaml", "laptop.yaml")
    assert (run.code, fake.calls) == (Exit.USAGE, [])
    assert "mcpctl apply --environment laptop" in run.err


# ---------------------------------------------------------------------------------------------
# The tree of an environment.


@pytest.fixture
def tree(mcpctl: Mcpctl, environments: Path) -> Path:
    specs = ("good.yaml", "laptop.yaml", "cluster.yaml")
    assert mcpctl("render", *specs, "--out", "deploy").code == 0
    return environments / "deploy"


def test_the_tree_of_an_environment_says_where_it_belongs(mcpctl: Mcpctl, fake: FakeRuntime, tree: Path) -> None:
    run = mcpctl("apply", "--tree", "deploy/laptop")
    assert run.code == Exit.FINE
    ((documents, found),) = fake.named("apply")
    assert [document.text for document in documents] == [(tree / "laptop/compose/demo/compose.yaml").read_text()]
    assert found.folder == "deploy/laptop/compose"
    run = mcpctl("apply", "--tree", "deploy/cluster", "--orchestrator", "docker")
    assert run.code == Exit.USAGE
    assert "deploy/cluster/.mcpctl is for kubernetes" in run.err
    assert len(fake.named("apply")) == 1


def test_a_damaged_tree_of_an_environment_is_refused(mcpctl: Mcpctl, fake: FakeRuntime, tree: Path) -> None:
    (tree / "laptop/compose/demo/compose.yaml").write_text("name: mine\n")
    run = mcpctl("apply", "--tree", "deploy/laptop")
    assert (run.code, fake.named("apply")) == (Exit.OUTPUT_INVALID, [])
    assert "deploy/laptop/compose/demo/compose.yaml: error" in run.err


@pytest.mark.usefixtures("tree")
def test_a_tree_has_its_environment_in_it(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("apply", "--tree", "deploy/laptop", "-e", "laptop")
    assert (run.code, fake.named("apply")) == (Exit.USAGE, [])
    assert "name the folder of the environment" in run.err
    # The folder above the environments is no tree.
    run = mcpctl("apply", "--tree", "deploy")
    assert (run.code, fake.named("apply")) == (Exit.OUTPUT_INVALID, [])
