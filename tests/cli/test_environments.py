"""``--environment`` of every command that has it, and ``mcpctl explain``."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import GOOD, Mcpctl, Run

ENVIRONMENT = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {{name: {name}}}
spec:
  target: {target}
  policies: {{image-digest: warning}}
  patches: [{{select: {{name: demo}}, merge: {{replicas: {replicas}}}}}]
"""


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path / "specs")
    Path("demo.yaml").write_text(GOOD)
    for name, target, replicas in (("local", "compose", 1), ("prod", "kubernetes", 3)):
        text = ENVIRONMENT.format(name=name, target=target, replicas=replicas)
        Path(f"{name}.yaml").write_text(text)


def test_a_tree_has_a_folder_for_each_environment(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", ".", "--out", "../tree")
    assert run.code == Exit.FINE
    found = {path.as_posix() for path in Path("../tree").rglob("*") if path.is_file()}
    assert {
        "../tree/local/.mcpctl",
        "../tree/local/compose/demo/compose.yaml",
        "../tree/prod/.mcpctl",
        "../tree/prod/kubernetes/namespace.yaml",
        "../tree/prod/kubernetes/demo/deployment.yaml",
    } <= found
    assert "2 environments, 2 servers" in run.err
    assert mcpctl("render", ".", "--out", "../tree", "--check").code == Exit.FINE
    Path("prod.yaml").write_text(ENVIRONMENT.format(name="prod", target="kubernetes", replicas=4))
    assert mcpctl("render", ".", "--out", "../tree", "--check").code == Exit.DIFFERENT
    assert mcpctl("render", ".", "--out", "../tree", "--check", "-e", "local").code == Exit.FINE


def test_another_target_leaves_nothing_of_the_first(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", ".", "--out", "../tree", "-e", "prod").code == Exit.FINE
    Path("prod.yaml").write_text(ENVIRONMENT.format(name="prod", target="compose", replicas=1))
    assert mcpctl("render", ".", "--out", "../tree", "-e", "prod", "--prune-data").code == Exit.FINE
    assert sorted(path.name for path in Path("../tree/prod").iterdir()) == [".mcpctl", "compose"]


def test_a_stream_is_of_one_environment(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", ".")
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert "one environment at a time here: choose with --environment (local, prod)" in run.err
    run = mcpctl("render", ".", "-e", "prod")
    assert run.code == Exit.FINE
    assert "replicas: 3" in run.out
    assert mcpctl("render", "demo.yaml", "prod.yaml").out == run.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-e", "prdo"], "no environment is called 'prdo'; did you mean 'prod'?"),
        (["-e", "x"], "no environment is called 'x'; there is: local, prod"),
        (["-e", "prod", "-n", "other"], "environment prod contradicts --namespace (environment: mcpctl)"),
        (["-e", "prod", "-t", "compose"], "environment prod contradicts --target (environment: kubernetes)"),
        (["-e", "prod", "--no-create-namespace"], "contradicts --create-namespace (environment: True)"),
        (["-e", "prod", "--kubernetes-version", "1.30"], "--kubernetes-version (environment: 1.35)"),
        (["-e", "prod", "--network-policy-provider", "none"], "--network-policy-provider (environment: kubernetes)"),
        (["-e", "prod", "--policy", "image-digest=off"], "--policy policy/image-digest=off (environment: warning)"),
    ],
)
def test_options_that_contradict(mcpctl: Mcpctl, options: list[str], message: str) -> None:
    with Path("prod.yaml").open("a") as file:
        file.write("  namespace: {name: mcpctl, create: true}\n  kubernetesVersion: '1.35'\n")
        file.write("  networkPolicy: {provider: kubernetes}\n")
    run = mcpctl("render", ".", *options)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert message in run.err


def test_an_option_stands_above_project_and_defaults_where_the_environment_is_silent(mcpctl: Mcpctl) -> None:
    Path("../mcpctl.yaml").write_text("policies: {unrestricted-egress: error}\nkubernetesVersion: '1.34'\n")
    assert mcpctl("render", ".", "-e", "prod").code == Exit.INPUT_INVALID
    options = [
        "--policy",
        "unrestricted-egress=off",
        "--kubernetes-version",
        "1.36",
        "-n",
        "other",
        "--create-namespace",
    ]
    run = mcpctl("render", ".", "-e", "prod", *options, "--network-policy-provider", "cilium")
    assert run.code == Exit.FINE, run.err
    assert "namespace: other" in run.out
    assert "enforce-version: v1.36" in run.out
    assert "kind: CiliumNetworkPolicy" in run.out


def test_options_that_agree(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", ".", "-e", "prod", "-n", "mcpctl", "-t", "kubernetes").code == Exit.FINE


def test_an_environment_that_is_not_in_the_input(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "demo.yaml", "-e", "prod")
    assert run.code == Exit.USAGE
    assert "no environment is called 'prod'; PATHS have no environment: add its file to them" in run.err


def test_a_faulty_environment_is_told_before_it_is_missed(mcpctl: Mcpctl) -> None:
    Path("prod.yaml").write_text(ENVIRONMENT.format(name="prod", target="nomad", replicas=3))
    for command in (["render"], ["validate"], ["explain", "demo"]):
        run = mcpctl(*command, ".", "-e", "prod")
        assert run.code == Exit.INPUT_INVALID
        assert "prod.yaml:5:11: error: spec.target: expected 'compose' or 'kubernetes'" in run.err + run.out


def test_validate_checks_each_environment(mcpctl: Mcpctl) -> None:
    run = mcpctl("validate", ".", "--output", "json")
    data = json.loads(run.out)
    assert (run.code, data["servers"]) == (Exit.FINE, 2)
    assert data["compose documents"] == 1
    assert data["kubernetes documents"] > 4
    Path("prod.yaml").write_text(ENVIRONMENT.format(name="prod", target="kubernetes", replicas=-1))
    run = mcpctl("validate", ".")
    assert run.code == Exit.INPUT_INVALID
    assert "prod.yaml:7:54: error: spec.patches[0].merge.replicas: must be at least 0" in run.err
    run = mcpctl("validate", ".", "-e", "local", "-t", "kubernetes")
    assert run.code == Exit.USAGE
    assert "environment local is for compose" in run.err


def test_prerequisites_are_of_the_environment(mcpctl: Mcpctl) -> None:
    Path("prod.yaml").write_text(
        "apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {name: prod}\n"
        "spec: {namespace: {name: elsewhere}, networkPolicy: {provider: cilium}}\n"
    )
    run = mcpctl("prerequisites", ".", "-e", "prod")
    assert run.code == Exit.FINE
    assert "`elsewhere`" in run.out
    assert "Cilium" in run.out


def test_explain(mcpctl: Mcpctl) -> None:
    run = mcpctl("explain", "demo.replicas", ".", "-e", "prod")
    assert (run.code, run.err) == (Exit.FINE, "")
    assert run.out.startswith("spec.replicas: 3  # ./prod.yaml:7:44, environment patch\n    instead of 1")
    assert mcpctl("explain", "demo.replicas", "-e", "prod") == run, "the current folder is the default"
    data = json.loads(mcpctl("explain", "demo.replicas", "-e", "prod", "-o", "json").out)
    assert data["fields"][0]["value"] == 3
    assert mcpctl("explain", "demo.replicas", "demo.yaml").out.startswith("spec.replicas: 1  # schema default")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dmeo", "-e", "prod"], "no server is called 'dmeo'; did you mean 'demo'?"),
        (["demo.nothing", "-e", "prod"], "a spec has no field 'spec.nothing'"),
        (["demo", "--differences", "-e", "prod"], "--differences compares environments"),
        (["dmeo", "--differences"], "no server is called 'dmeo'"),
    ],
)
def test_mistakes_of_explain(mcpctl: Mcpctl, arguments: list[str], message: str) -> None:
    run = mcpctl("explain", *arguments)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert message in run.err


def test_explain_over_all_environments(mcpctl: Mcpctl) -> None:
    out = mcpctl("explain", "demo.replicas").out
    assert out.startswith("spec.replicas (local): 1  # ")
    assert "\nspec.replicas (prod): 3  # ./prod.yaml:7:44, environment patch\n" in out
    data = json.loads(mcpctl("explain", "demo.replicas", "-o", "json").out)
    assert [each["environment"] for each in data["environments"]] == ["local", "prod"]


def test_explain_of_a_server_that_is_left_out(mcpctl: Mcpctl) -> None:
    Path("more.yaml").write_text(GOOD.replace("name: demo", "name: more"))
    Path("prod.yaml").write_text(
        "apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {name: prod}\n"
        "spec: {servers: {exclude: [{name: more}]}}\n"
    )
    run = mcpctl("explain", "more", "-e", "prod")
    assert run.code == Exit.USAGE
    assert "the server more does not belong to this environment" in run.err


def test_differences(mcpctl: Mcpctl) -> None:
    run = mcpctl("explain", "demo", "--differences")
    assert run.out.splitlines()[2:] == ["| demo | spec.replicas | `1` | `3` |"]
    rows = json.loads(mcpctl("explain", "all", "--differences", "-o", "json").out)["differences"]
    assert {"server": "", "path": "target", "values": {"local": "compose", "prod": "kubernetes"}} in rows


# ---------------------------------------------------------------------------------------------
# An environment that is gone.


def _gone(mcpctl: Mcpctl, *options: str) -> Run:
    """A tree of two environments, and a run over the input when one of them is not in it any more."""
    assert mcpctl("render", ".", "--out", "../tree").code == Exit.FINE
    Path("local.yaml").unlink()
    return mcpctl("render", ".", "--out", "../tree", *options)


def test_an_environment_that_is_gone_is_told_and_its_files_stay(mcpctl: Mcpctl) -> None:
    run = _gone(mcpctl)
    assert run.code == Exit.FINE
    assert "../tree/local: warning: the input has no environment of this name" in run.err
    assert "--prune" in run.err
    assert Path("../tree/local/compose/demo/compose.yaml").exists()


def test_the_check_tells_every_file_of_an_environment_that_is_gone(mcpctl: Mcpctl) -> None:
    run = _gone(mcpctl, "--check", "--output", "json")
    assert run.code == Exit.DIFFERENT
    found = {one["file"]: one["state"] for one in json.loads(run.out)["differing"]}
    assert found["../tree/local/compose/demo/compose.yaml"] == "stale"
    assert all(file.startswith("../tree/local/") for file in found)


def test_an_environment_that_is_gone_is_removed_when_asked_for(mcpctl: Mcpctl) -> None:
    Path("local.yaml").write_text(ENVIRONMENT.format(name="local", target="kubernetes", replicas=1))
    run = _gone(mcpctl, "--prune")
    assert run.code == Exit.OUTPUT_INVALID
    assert "tree/data-loss" in run.err
    assert Path("../tree/local/kubernetes/demo/deployment.yaml").exists()
    assert mcpctl("render", ".", "--out", "../tree", "--prune", "--prune-data").code == Exit.FINE
    assert sorted(path.name for path in Path("../tree").iterdir()) == ["prod"]
    assert mcpctl("render", ".", "--out", "../tree", "--check").code == Exit.FINE


def test_what_somebody_wrote_in_an_environment_that_is_gone_stays(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", ".", "--out", "../tree").code == Exit.FINE
    Path("../tree/local/compose/demo/compose.yaml").write_text("mine\n")
    Path("../tree/local/notes.txt").write_text("mine\n")
    run = _gone_again(mcpctl)
    assert run.code == Exit.OUTPUT_INVALID
    assert "tree/edited" in run.err
    assert Path("../tree/local/compose/demo/compose.yaml").read_text() == "mine\n"
    assert _gone_again(mcpctl, "--force").code == Exit.FINE
    assert [path.name for path in Path("../tree/local").iterdir()] == ["notes.txt"]


def _gone_again(mcpctl: Mcpctl, *options: str) -> Run:
    Path("local.yaml").unlink(missing_ok=True)
    return mcpctl("render", ".", "--out", "../tree", "--prune", *options)


def test_only_a_run_over_all_environments_knows_which_are_gone(mcpctl: Mcpctl) -> None:
    run = _gone(mcpctl, "--check", "-e", "prod")
    assert (run.code, "stale" in run.err) == (Exit.FINE, False)
    run = mcpctl("render", ".", "--out", "../tree", "-e", "prod", "--prune")
    assert run.code == Exit.USAGE
    assert "give all of it, without --environment" in run.err
    assert Path("../tree/local/.mcpctl").exists()


def test_a_run_without_environments_knows_that_the_tree_has_some(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", ".", "--out", "../tree").code == Exit.FINE
    assert mcpctl("render", "demo.yaml", "--out", "../tree").code == Exit.FINE
    run = mcpctl("render", "demo.yaml", "--out", "../tree", "--check")
    assert run.code == Exit.DIFFERENT
    assert "../tree/prod: left-out: the input lacks its environment, which prod.yaml describes" in run.err
    assert run.err.splitlines()[-1] == (
        "to bring the tree up to date: mcpctl render demo.yaml --out ../tree local.yaml prod.yaml"
    )
    assert mcpctl("render", "demo.yaml", "--out", "../tree", "--prune", "--prune-data").code == Exit.USAGE
    assert Path("../tree/prod/kubernetes/demo/deployment.yaml").exists()
    run = mcpctl("render", "demo.yaml", "--out", "../tree")
    assert "add prod.yaml to PATHS" in run.err


def test_other_folders_beside_the_environments_are_nobodys(mcpctl: Mcpctl, tmp_path: Path) -> None:
    assert mcpctl("render", ".", "--out", "../tree").code == Exit.FINE
    (tmp_path / "tree" / "foreign").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "tree" / "local")
    assert mcpctl("render", ".", "--out", "../tree", "--check").code == Exit.FINE
    assert mcpctl("render", ".", "--out", "../tree", "--prune", "--prune-data").code == Exit.FINE
    assert Path("../tree/link").is_symlink()
    assert Path("../tree/local/compose/demo/compose.yaml").exists()


def test_a_tree_of_a_run_without_environments_is_left_over(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "demo.yaml", "--out", "../tree").code == Exit.FINE
    run = mcpctl("render", ".", "--out", "../tree")
    assert "../tree/kubernetes: warning: the input has no run without environments of this name" in run.err
    assert mcpctl("render", ".", "--out", "../tree", "--check").code == Exit.DIFFERENT
    assert mcpctl("render", ".", "--out", "../tree", "--prune", "--prune-data").code == Exit.FINE
    assert not Path("../tree/kubernetes").exists()


# ---------------------------------------------------------------------------------------------
# Several trees: what is refused of the last is asked before the first is written.

NAMES = ("a", "b", "c")


@pytest.fixture
def trees(mcpctl: Mcpctl) -> Path:
    """Of three environments, of which all change at the next run."""
    for name in ("local", "prod"):
        Path(f"{name}.yaml").unlink()
    for name in NAMES:
        Path(f"{name}.yaml").write_text(ENVIRONMENT.format(name=name, target="kubernetes", replicas=2))
    assert mcpctl("render", ".", "--out", "../tree").code == Exit.FINE
    for name in NAMES:
        Path(f"{name}.yaml").write_text(ENVIRONMENT.format(name=name, target="kubernetes", replicas=3))
    return Path("../tree")


def content(folder: Path) -> dict[str, str]:
    """Everything, what a run leaves unfinished included."""
    return {
        path.relative_to(folder).as_posix(): path.read_text() if path.is_file() else ""
        for path in folder.rglob("*")
        if not path.is_symlink()
    }


def _edited(tree: Path) -> None:
    (tree / "c/kubernetes/demo/service.yaml").write_text("mine\n")


def _linked(tree: Path) -> None:
    (tree / "c/kubernetes").rename(tree / "c/elsewhere")
    (tree / "c/kubernetes").symlink_to("elsewhere")


def _obstructed(tree: Path) -> None:
    (tree / "c/kubernetes/demo/deployment.yaml").unlink()
    (tree / "c/kubernetes/demo/deployment.yaml").mkdir()


def _without_a_record(tree: Path) -> None:
    (tree / "c/.mcpctl").write_text("mine\n")


def _left_over(tree: Path) -> None:
    Path("c.yaml").unlink()


def _left_over_and_edited(tree: Path) -> None:
    _edited(tree)
    _left_over(tree)


@pytest.mark.parametrize(
    ("fault", "rule", "options"),
    [
        (_edited, "tree/edited", []),
        (_linked, "tree/link", []),
        (_obstructed, "tree/obstacle", ["--force"]),
        (_without_a_record, "tree/record", []),
        (_left_over, "tree/data-loss", ["--prune"]),
        (_left_over_and_edited, "tree/edited", ["--prune", "--prune-data"]),
    ],
)
def test_nothing_is_written_where_the_third_environment_is_refused(
    mcpctl: Mcpctl, trees: Path, fault: Callable[[Path], None], rule: str, options: list[str]
) -> None:
    fault(trees)
    before = content(trees)
    run = mcpctl("render", ".", "--out", "../tree", *options)
    assert (run.code, f"[{rule}]" in run.err) == (Exit.OUTPUT_INVALID, True)
    assert content(trees) == before


def test_nothing_is_written_where_another_run_writes_into_the_third_environment(mcpctl: Mcpctl, trees: Path) -> None:
    lock = os.open(trees / "c", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = content(trees)
    try:
        assert "[tree/locked]" in mcpctl("render", ".", "--out", "../tree").err
        assert content(trees) == before
    finally:
        os.close(lock)


def test_the_refusals_of_all_environments_are_one_report(mcpctl: Mcpctl, trees: Path) -> None:
    for name in NAMES:
        (trees / name / "kubernetes/demo/service.yaml").write_text("mine\n")
    run = mcpctl("render", ".", "--out", "../tree")
    assert run.err.count("[tree/edited]") == 3
    assert run.err.count("nothing was written") == 1


def test_a_new_tree_leaves_no_folder_where_another_is_refused(mcpctl: Mcpctl, trees: Path) -> None:
    _edited(trees)
    Path("d.yaml").write_text(ENVIRONMENT.format(name="d", target="kubernetes", replicas=1))
    assert mcpctl("render", ".", "--out", "../tree").code == Exit.OUTPUT_INVALID
    assert not (trees / "d").exists()
