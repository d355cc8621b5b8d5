"""``mcpctl render``: a stream to stdout, or a tree; everything else to stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import Exit
from renderer.registry import TARGETS
from renderer.write import RECORD
from tests.cli.commands import BAD, GOOD, Mcpctl, as_program
from tests.oracles import yaml_read, yaml_read_all
from tests.test_report import check_sarif

OWN = ["ServiceAccount", "NetworkPolicy", "Service", "Deployment"]
KINDS = ["Namespace", "ServiceAccount", "NetworkPolicy", *OWN]
SHARED = ["namespace.yaml", "networkpolicy.yaml", "serviceaccount.yaml"]
TREE = ["demo/deployment.yaml", "demo/networkpolicy.yaml", "demo/service.yaml", "demo/serviceaccount.yaml"]
#: What stands beside the manifests of a tree.
BESIDE = ["demo/PREREQUISITES.md"]
#: Of one server, the Namespace included.
FILES = len(TREE) + len(BESIDE) + len(SHARED)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("specs")
def test_data_goes_to_stdout_and_the_rest_to_stderr(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "warned.yaml")
    assert [document["kind"] for document in yaml_read_all(run.out)] == KINDS
    assert run.err.splitlines()[0].startswith("warned.yaml:6:")
    assert run.err.splitlines()[-1] == "1 server, 7 documents, 0 errors, 1 warning"


@pytest.mark.usefixtures("specs")
def test_every_document_begins_with_its_marker(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "good.yaml")
    assert run.out.startswith("---\n")
    assert run.out.count("\n---\n") == len(KINDS) - 1
    assert run.out.endswith("\n")


@pytest.mark.usefixtures("specs")
def test_compose_is_one_document(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "good.yaml", "--target", "compose")
    assert run.code == 0
    assert len(list(yaml_read_all(run.out))) == 1
    assert "services" in yaml_read(run.out)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("specs")
def test_an_error_leaves_stdout_empty(mcpctl: Mcpctl, target: str) -> None:
    run = mcpctl("render", "good.yaml", "bad.yaml", "--target", target)
    assert (run.code, run.out) == (Exit.INPUT_INVALID, "")
    assert "bad.yaml:5:13: error: spec.replicas: " in run.err


@pytest.mark.usefixtures("specs")
def test_quiet_tells_errors_alone(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "warned.yaml", "--quiet").err == ""
    run = mcpctl("render", "bad.yaml", "-q")
    assert len(run.err.splitlines()) == 1


@pytest.mark.usefixtures("specs")
def test_a_report_beside_a_stream_goes_to_stderr(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "warned.yaml", "--output", "json")
    assert run.out.startswith("---\n")
    assert json.loads(run.err)["documents"] == len(KINDS)
    run = mcpctl("render", "warned.yaml", "--output", "sarif")
    assert [result["ruleId"] for result in check_sarif(run.err)] == ["spec/privileged-port"]


@pytest.mark.levels
@pytest.mark.usefixtures("specs")
def test_standard_input(mcpctl: Mcpctl) -> None:
    run = as_program("render", "-", stdin=GOOD)
    other = mcpctl("render", "good.yaml")
    assert run == other._replace(err=other.err.replace("good.yaml", "<stdin>"))


def test_faults_of_standard_input() -> None:
    assert as_program("render", "-", stdin="").code == Exit.INPUT_INVALID
    bad = as_program("render", "-", stdin=BAD)
    assert bad.code == Exit.INPUT_INVALID
    assert "<stdin>:5:13: error: " in bad.err


@pytest.mark.usefixtures("specs")
def test_options_reach_the_manifests(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "good.yaml", "-n", "other", "--create-namespace", "--kubernetes-version", "1.30")
    namespace, *rest = yaml_read_all(run.out)
    assert namespace["metadata"]["name"] == "other"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"] == "v1.30"
    assert {document["metadata"]["namespace"] for document in rest} == {"other"}
    run = mcpctl("render", "good.yaml", "--no-create-namespace")
    assert [document["kind"] for document in yaml_read_all(run.out)] == OWN


# ---------------------------------------------------------------------------------------------
# A tree.


def test_a_tree_is_written_and_told(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("render", "good.yaml", "--out", "tree")
    assert (run.code, run.out) == (0, "")
    assert files(specs / "tree") == sorted(
        [f"kubernetes/{path}" for path in [RECORD, f"demo/{RECORD}", *TREE, *BESIDE, *SHARED]]
    )
    assert run.err.splitlines()[0] == "tree/kubernetes: servers: 1 written, 0 unchanged, 0 removed"
    assert f"{FILES} written, 0 removed, 0 unchanged" in run.err
    run = mcpctl("render", "good.yaml", "--out", "tree")
    assert f"0 written, 0 removed, {FILES} unchanged" in run.err
    assert "servers:" not in run.err


def test_a_line_for_each_file_is_for_those_who_ask(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("render", "good.yaml", "--out", "tree", "--verbose")
    assert "tree/kubernetes/demo/service.yaml: written\n" in run.err
    (specs / "tree/kubernetes/demo/service.yaml").unlink()
    run = mcpctl("render", "good.yaml", "--out", "tree", "-v")
    assert run.err.splitlines()[0] == "tree/kubernetes/demo/service.yaml: written"
    (specs / "tree/kubernetes/demo/service.yaml").unlink()
    told = json.loads(mcpctl("render", "good.yaml", "--out", "tree", "--output", "json").out)
    assert "tree/kubernetes/demo/service.yaml: written" in told["lines"]


def test_each_target_has_its_folder(mcpctl: Mcpctl, specs: Path) -> None:
    for target in TARGETS:
        assert mcpctl("render", "good.yaml", "--target", target, "--out", "tree").code == 0
    assert sorted(path.name for path in (specs / "tree").iterdir()) == sorted(TARGETS)
    for target in TARGETS:
        assert mcpctl("render", "good.yaml", "--target", target, "--out", "tree", "--check").code == 0


@pytest.mark.usefixtures("specs")
def test_the_tree_is_the_stream(mcpctl: Mcpctl, specs: Path) -> None:
    stream = mcpctl("render", "good.yaml").out
    mcpctl("render", "good.yaml", "--out", "tree")
    texts = [(specs / "tree/kubernetes" / path).read_text() for path in [*SHARED, *TREE]]
    heads, bodies = zip(*(text.split("\n", 1) for text in texts), strict=True)
    assert all(head.startswith("# Made by mcpctl") for head in heads)
    assert sorted(f"{text}\n" for text in stream.removeprefix("---\n").removesuffix("\n").split("\n---\n")) == sorted(
        bodies
    )


@pytest.mark.usefixtures("specs")
def test_an_error_leaves_the_tree_alone(mcpctl: Mcpctl, specs: Path) -> None:
    mcpctl("render", "good.yaml", "--out", "tree")
    before = {path: path.stat().st_mtime_ns for path in (specs / "tree").rglob("*")}
    assert mcpctl("render", "bad.yaml", "--out", "tree").code == Exit.INPUT_INVALID
    assert {path: path.stat().st_mtime_ns for path in (specs / "tree").rglob("*")} == before


@pytest.mark.parametrize("source", ["empty", "comments.yaml", "none"])
def test_a_wrong_folder_does_not_empty_a_tree(mcpctl: Mcpctl, specs: Path, source: str) -> None:
    (specs / "empty").mkdir()
    (specs / "comments.yaml").write_text("# nothing\n---\n# more\n")
    mcpctl("render", "good.yaml", "--out", "tree")
    before = files(specs / "tree")
    assert mcpctl("render", source, "--out", "tree").code == Exit.INPUT_INVALID
    assert files(specs / "tree") == before


@pytest.mark.usefixtures("specs")
def test_what_nothing_renders_any_more_is_removed_and_told(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "two.yaml").write_text(GOOD.replace("demo", "two"))
    mcpctl("render", "good.yaml", "two.yaml", "--out", "tree")
    (specs / "two.yaml").unlink()
    run = mcpctl("render", "good.yaml", "--out", "tree", "--prune", "-v")
    assert "tree/kubernetes/two/service.yaml: removed, nothing renders it any more\n" in run.err
    assert not (specs / "tree/kubernetes/two").exists()


def test_check_says_why_each_file_differs_and_writes_nothing(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("render", "good.yaml", "--out", "tree", "--check")
    assert run.code == Exit.DIFFERENT
    assert run.err.count(": missing: it is rendered, but not in the tree\n") == FILES
    assert f"{FILES} differences" in run.err
    assert not (specs / "tree").exists()
    mcpctl("render", "good.yaml", "--out", "tree")
    run = mcpctl("render", "good.yaml", "--out", "tree", "--check")
    assert (run.code, "0 differences" in run.err) == (0, True)


@pytest.mark.usefixtures("specs")
def test_check_of_a_changed_spec_and_an_edited_file(mcpctl: Mcpctl, specs: Path) -> None:
    mcpctl("render", "good.yaml", "--out", "tree")
    (specs / "tree/kubernetes/demo/service.yaml").write_text("mine\n")
    (specs / "good.yaml").write_text(f"{GOOD}  replicas: 2\n")
    run = mcpctl("render", "good.yaml", "--out", "tree", "--check")
    assert run.code == Exit.DIFFERENT
    assert "tree/kubernetes/demo/service.yaml: edited: " in run.err
    assert "tree/kubernetes/demo/deployment.yaml: outdated: " in run.err
    run = mcpctl("render", "good.yaml", "--out", "tree")
    assert run.code == Exit.OUTPUT_INVALID
    assert "[tree/edited]" in run.err
    assert "--force" in run.err
    assert (specs / "tree/kubernetes/demo/service.yaml").read_text() == "mine\n"
    assert mcpctl("render", "good.yaml", "--out", "tree", "--force").code == 0
    assert mcpctl("render", "good.yaml", "--out", "tree", "--check").code == 0


@pytest.mark.usefixtures("specs")
def test_the_report_of_a_tree_is_data(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "warned.yaml", "--out", "tree", "--output", "json")
    data = json.loads(run.out)
    assert run.err == ""
    assert (data["written"], data["removed"], data["unchanged"], data["warnings"]) == (FILES, 0, 0, 1)
    assert "tree/kubernetes/namespace.yaml: written" in data["lines"]
    run = mcpctl("render", "good.yaml", "--out", "tree", "--check", "--output", "json")
    assert json.loads(run.out)["differences"] == 2


@pytest.mark.usefixtures("specs")
def test_out_may_not_be_a_file(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "tree").write_text("mine\n")
    assert mcpctl("render", "good.yaml", "--out", "tree").code == Exit.USAGE


def test_links_in_a_tree_are_refused(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "outside").mkdir()
    (specs / "tree/kubernetes").mkdir(parents=True)
    (specs / "tree/kubernetes/demo").symlink_to(specs / "outside")
    for arguments in ([], ["--force"], ["--check"]):
        run = mcpctl("render", "good.yaml", "--out", "tree", *arguments)
        assert run.code == Exit.OUTPUT_INVALID
        assert "symbolic link" in run.err
    assert list((specs / "outside").iterdir()) == []


@pytest.mark.parametrize(
    ("provider", "kind"), [("kubernetes", "NetworkPolicy"), ("cilium", "CiliumNetworkPolicy"), ("none", None)]
)
@pytest.mark.usefixtures("specs")
def test_the_provider_decides_which_policy_there_is(mcpctl: Mcpctl, provider: str, kind: str | None) -> None:
    run = mcpctl("render", "good.yaml", "--network-policy-provider", provider)
    kinds = [document["kind"] for document in yaml_read_all(run.out)]
    # That of the namespace, then the server's.
    assert (run.code, [found for found in kinds if "Policy" in found]) == (0, ["NetworkPolicy", kind] if kind else [])
    run = mcpctl("validate", "good.yaml", "--target", "kubernetes", "--network-policy-provider", provider)
    assert (run.code, "kubernetes/not-isolated" in run.err) == (0, provider == "none")
    run = mcpctl("prerequisites", "good.yaml", "--network-policy-provider", provider)
    assert ("Cilium" in run.out, "NetworkPolicies" in run.out) == (provider == "cilium", provider == "kubernetes")


@pytest.mark.usefixtures("specs")
def test_an_unknown_provider_is_a_usage_mistake(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "good.yaml", "--network-policy-provider", "calico").code == Exit.USAGE


@pytest.mark.usefixtures("specs")
def test_another_namespace_is_not_rendered_unless_it_is_ours(mcpctl: Mcpctl) -> None:
    for arguments, ours in (
        ([], True),
        (["-n", "mcpctl"], True),
        (["-n", "monitoring"], False),
        (["-n", "other", "--create-namespace"], True),
        (["--no-create-namespace"], False),
    ):
        run = mcpctl("render", "good.yaml", *arguments)
        kinds = [document["kind"] for document in yaml_read_all(run.out)]
        assert (run.code, kinds) == (0, KINDS if ours else OWN)
        mcpctl("render", "good.yaml", "--out", f"tree{len(arguments)}{ours}", *arguments)
        assert Path(f"tree{len(arguments)}{ours}/kubernetes/namespace.yaml").exists() == ours


@pytest.mark.usefixtures("specs")
def test_a_tree_whose_namespace_is_not_said_to_be_ours_any_more(mcpctl: Mcpctl) -> None:
    """As earlier versions rendered it: nothing leads anybody to remove it from a cluster with all that is in it."""
    assert mcpctl("render", "good.yaml", "-n", "other", "--create-namespace", "--out", "tree").code == 0
    check = mcpctl("render", "good.yaml", "-n", "other", "--out", "tree", "--check")
    said = check.out + check.err
    assert (check.code, "say that the namespace is ours (--create-namespace" in said) == (Exit.DIFFERENT, True)
    assert "--prune-data" not in said.partition("bring the tree up to date: ")[2]
    again = mcpctl("render", "good.yaml", "-n", "other", "--out", "tree")
    assert (again.code, "say that the namespace is ours (--create-namespace" in again.err) == (4, True)
    assert Path("tree/kubernetes/namespace.yaml").exists()


@pytest.mark.parametrize("namespace", ["default", "kube-system", "kube-public", "kube-x", "istio-system", "gke-system"])
@pytest.mark.parametrize("command", ["render", "validate"])
@pytest.mark.usefixtures("specs")
def test_a_namespace_of_the_cluster_is_refused(mcpctl: Mcpctl, command: str, namespace: str) -> None:
    for more in ([], ["--create-namespace"]):
        run = mcpctl(command, "good.yaml", "-n", namespace, *more)
        assert (run.code, run.out) == (Exit.USAGE, "")
    assert "--no-create-namespace" in run.err
    kept = mcpctl("render", "good.yaml", "-n", namespace, "--no-create-namespace")
    assert kept.code == 0
    assert "kind: Namespace" not in kept.out


@pytest.mark.usefixtures("specs")
def test_a_namespace_leaves_the_tree_only_with_prune_data(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "good.yaml", "--out", "tree").code == 0
    run = mcpctl("render", "good.yaml", "--out", "tree", "--no-create-namespace")
    assert run.code == Exit.OUTPUT_INVALID
    assert "--prune-data" in run.err
    assert Path("tree/kubernetes/namespace.yaml").exists()
    assert mcpctl("render", "good.yaml", "--out", "tree", "--no-create-namespace", "--prune-data").code == 0
    assert not Path("tree/kubernetes/namespace.yaml").exists()


@pytest.mark.usefixtures("specs")
def test_faults_of_a_tree_are_told_in_the_style_that_was_asked_for(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "good.yaml", "--out", "tree").code == 0
    Path("tree/kubernetes/demo/service.yaml").write_text("mine\n")
    run = mcpctl("render", "good.yaml", "--out", "tree", "--output", "json")
    assert run.code == Exit.OUTPUT_INVALID
    (problem,) = json.loads(run.out)["problems"]
    assert (problem["rule"], problem["file"]) == ("tree/edited", "tree/kubernetes/demo/service.yaml")
    check_sarif(mcpctl("render", "good.yaml", "--out", "tree", "-o", "sarif").out)


@pytest.mark.usefixtures("specs")
def test_quiet_does_not_list_what_was_written(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "good.yaml", "--out", "tree", "--quiet").err == ""
    Path("tree/kubernetes/namespace.yaml").unlink()
    assert "missing" in mcpctl("render", "good.yaml", "--out", "tree", "--quiet", "--check").err


@pytest.mark.usefixtures("specs")
def test_no_line_is_a_command_to_a_code_host(mcpctl: Mcpctl) -> None:
    assert not any(line.startswith("::") for line in mcpctl("render", "good.yaml", "--out", "::o").err.splitlines())


@pytest.mark.parametrize("command", [["render", "-t", "compose"], ["validate", "-t", "compose"], ["validate"]], ids=str)
@pytest.mark.usefixtures("specs")
def test_a_provider_without_a_cluster_is_refused(mcpctl: Mcpctl, command: list[str]) -> None:
    run = mcpctl(*command, "good.yaml", "--network-policy-provider", "cilium")
    assert run.code == Exit.USAGE
    assert "is for Kubernetes" in run.err
