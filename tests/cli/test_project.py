"""The project file: no command needs a path, from any folder below; what is typed wins."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import ENVIRONMENT, GOOD, Mcpctl
from tests.oracles import yaml_read, yaml_read_all

PROJECT = "specs: [specs]\nenvironments: [environments]\nout: deploy\nprune: true\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two servers, one environment, and a work tree of git around them; the working folder lies below."""
    for folder in (".git", "specs/more", "environments"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mcpctl.yaml").write_text(PROJECT)
    for name in ("one", "two"):
        (tmp_path / f"specs/{name}.yaml").write_text(GOOD.replace("demo", name))
    (tmp_path / "environments/production.yaml").write_text(ENVIRONMENT)
    monkeypatch.chdir(tmp_path / "specs/more")
    return tmp_path


def test_no_command_needs_a_path(project: Path, mcpctl: Mcpctl) -> None:
    assert mcpctl("validate").code == Exit.FINE
    assert mcpctl("render", "--check").code == Exit.DIFFERENT
    assert mcpctl("render").code == Exit.FINE
    assert (project / "deploy/production/kubernetes/two/deployment.yaml").is_file()
    assert mcpctl("render", "--check").code == Exit.FINE
    assert mcpctl("diff").code == Exit.FINE
    assert "mcp/one:1.0" in mcpctl("explain", "one.image").out
    assert (
        "# Made by mcpctl from specs/one.yaml;"
        in (project / "deploy/production/kubernetes/one/service.yaml").read_text()
    )


def test_a_render_of_the_whole_prunes_where_the_project_says_so(project: Path, mcpctl: Mcpctl) -> None:
    assert mcpctl("render").code == Exit.FINE
    (project / "specs/two.yaml").unlink()
    assert mcpctl("render", "../one.yaml", "../../environments", "--out", "../../deploy").code == Exit.FINE
    assert (project / "deploy/production/kubernetes/two").exists(), "a part of the project removes nothing"
    assert mcpctl("render", "--check").code == Exit.DIFFERENT
    assert mcpctl("render").code == Exit.FINE
    assert not (project / "deploy/production/kubernetes/two").exists()
    assert mcpctl("render", "--check").code == Exit.FINE


def test_a_part_of_the_project_is_not_compared_with_the_rest(project: Path, mcpctl: Mcpctl) -> None:
    assert mcpctl("render").code == Exit.FINE
    part = ("../one.yaml", "../../environments", "--out", "../../deploy")
    assert mcpctl("render", *part, "--check").code == Exit.FINE
    assert mcpctl("render", *part, "--prune").code == Exit.USAGE
    assert mcpctl("render", "-e", "production", "--check").code == Exit.FINE
    run = mcpctl("render", "../one.yaml", "--out", "../../deploy")
    assert run.code == Exit.USAGE
    assert "the tree of the project's environments" in run.err
    assert not (project / "deploy/kubernetes").exists()


def test_paths_that_are_typed_win(project: Path, mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "../one.yaml")
    assert run.code == Exit.FINE
    assert run.out.startswith("---\napiVersion: v1\nkind: Namespace\n")
    assert not (project / "deploy").exists()
    assert mcpctl("render", "--out", "-").out.count("kind: Deployment") == 2


@pytest.mark.parametrize(
    ("said", "typed", "expected"),
    [
        ("", [], "v1.35"),
        ('kubernetesVersion: "1.33"\n', [], "v1.33"),
        ('kubernetesVersion: "1.33"\n', ["--kubernetes-version", "1.34"], "v1.34"),
    ],
)
def test_option_over_project_over_default(
    project: Path, mcpctl: Mcpctl, said: str, typed: list[str], expected: str
) -> None:
    (project / "mcpctl.yaml").write_text(f"specs: [specs]\n{said}")
    documents = list(yaml_read_all(mcpctl("render", *typed).out))
    assert documents[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"] == expected
    if said and not typed:
        assert mcpctl("render", "--out", str(project / "deploy")).code == Exit.FINE
        file = project / "deploy/kubernetes/namespace.yaml"
        number = 1 + next(i for i, line in enumerate(file.read_text().splitlines()) if "enforce-version" in line)
        assert expected in mcpctl("explain", f"{file}:{number}").out


def test_environment_over_project(project: Path, mcpctl: Mcpctl) -> None:
    (project / "mcpctl.yaml").write_text(f'{PROJECT}kubernetesVersion: "1.33"\nnetworkPolicyProvider: cilium\n')
    assert "CiliumNetworkPolicy" in mcpctl("render", "--out", "-").out
    assert mcpctl("render").code == Exit.FINE
    file = project / "deploy/production/kubernetes/one/ciliumnetworkpolicy.yaml"
    assert "CiliumNetworkPolicy" in mcpctl("explain", f"{file}:3").out
    own = '  kubernetesVersion: "1.34"\n  networkPolicy: {provider: none}\n'
    (project / "environments/production.yaml").write_text(ENVIRONMENT + own)
    out = mcpctl("render", "--out", "-").out
    assert "pod-security.kubernetes.io/warn-version: v1.34" in out
    assert "NetworkPolicy" not in out


@pytest.mark.parametrize("file", ["environments/prod.yaml", "specs/demo.yaml"])
def test_a_file_in_conflict_is_told_before_what_the_input_lacks(project: Path, mcpctl: Mcpctl, file: str) -> None:
    for path in (project / "environments").iterdir():
        path.write_text("<<<<<<< a\na: 1\n=======\na: 2\n>>>>>>> b\n")
    (project / file).write_text("<<<<<<< a\na: 1\n=======\na: 2\n>>>>>>> b\n")
    for options in ((), ("--check",)):
        run = mcpctl("render", *options)
        assert run.code == Exit.INPUT_INVALID
        assert f"{file}:1:1: error: the file has the conflict markers" in run.err


def test_policies_of_the_project(project: Path, mcpctl: Mcpctl) -> None:
    (project / "mcpctl.yaml").write_text(f"{PROJECT}policies: {{image-digest: error}}\n")
    assert mcpctl("validate").code == Exit.INPUT_INVALID
    (project / "environments/production.yaml").write_text(f"{ENVIRONMENT}  policies: {{image-digest: off}}\n")
    assert mcpctl("validate").code == Exit.FINE
    (project / "mcpctl.yaml").write_text(f"{PROJECT}policies: {{image-digst: error}}\n")
    run = mcpctl("validate")
    assert run.code == Exit.USAGE
    assert "mcpctl.yaml: policies: no policy rule is called 'image-digst'; did you mean" in run.err


def test_a_file_that_is_not_valid(project: Path, mcpctl: Mcpctl) -> None:
    (project / "mcpctl.yaml").write_text("specs: specs\nouts: x\n")
    run = mcpctl("render")
    assert run.code == Exit.INPUT_INVALID
    assert "mcpctl.yaml:1:8: error: specs: expected a list" in run.err
    assert "mcpctl.yaml:2:1: error: outs: unknown field; did you mean 'out'?" in run.err


def test_without_a_project_paths_are_needed(tmp_path: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    run = mcpctl("render")
    assert run.code == Exit.USAGE
    assert "PATHS are missing: name files or folders with specs" in run.err


def test_init_writes_a_project_that_holds(tmp_path: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    assert mcpctl("init", "--project").code == Exit.FINE
    assert mcpctl("init", "--project").code == Exit.USAGE, "nothing is overwritten"
    assert mcpctl("init").code == mcpctl("init", "x", "--project").code == Exit.USAGE
    assert mcpctl("render").code == Exit.FINE
    assert mcpctl("render", "--check").code == Exit.FINE
    hooks = yaml_read((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert all("mcpctl render " in hook["entry"] for hook in hooks)
    assert yaml_read((tmp_path / ".github/workflows/mcpctl.yaml").read_text())["jobs"]
    attribute = subprocess.run(
        ["git", "check-attr", "eol", "deploy/kubernetes/time/deployment.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert attribute.stdout.endswith("eol: lf\n")


def test_init_below_the_root_of_a_work_tree(tmp_path: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    folder = tmp_path / "teams" / "a.b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert mcpctl("init", "--project").code == Exit.FINE
    assert sorted(path.name for path in folder.iterdir()) == [".gitattributes", ".schemas", "mcpctl.yaml", "specs"]
    render, check = yaml_read((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert re.match(render["files"], "teams/a.b/specs/time.yaml")
    assert not re.match(render["files"], "specs/time.yaml")
    assert all(hook["entry"].startswith("sh -c 'cd teams/a.b && mcpctl render ") for hook in (render, check))
    job = yaml_read((tmp_path / ".github/workflows/mcpctl.yaml").read_text())["jobs"]["check-teams-a-b"]
    assert job["steps"][-1]["working-directory"] == "teams/a.b"


def test_init_below_a_project_leaves_the_files_of_that(
    tmp_path: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    mcpctl("init", "--project")
    before = {path: path.read_text() for path in tmp_path.rglob("*.y*ml")}
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    for options in ((), ("--force",)):
        run = mcpctl("init", "--project", *options)
        assert run.code == Exit.FINE
        assert "../.pre-commit-config.yaml: exists; add to it:\n  - repo: local\n" in run.err
        assert "../.github/workflows/mcpctl.yaml: exists; add to it:\n  check-sub:\n" in run.err
        assert before == {path: path.read_text() for path in before}


def test_init_prints_what_to_add_to_files_of_others(
    tmp_path: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".gitattributes", ".pre-commit-config.yaml"):
        (tmp_path / name).write_text("# ours\n")
    run = mcpctl("init", "--project")
    assert run.code == Exit.FINE
    assert (tmp_path / "mcpctl.yaml").is_file()
    assert (tmp_path / ".gitattributes").read_text() == (tmp_path / ".pre-commit-config.yaml").read_text() == "# ours\n"
    assert ".gitattributes: exists; add to it:\n" in run.err
    assert "deploy/** text eol=lf\n" in run.err
    assert ".pre-commit-config.yaml: exists; add to it:\n  - repo: local\n" in run.err


def test_the_settings_of_a_runtime_stand_in_the_same_file(project: Path, mcpctl: Mcpctl) -> None:
    (project / "mcpctl.yaml").write_text(f"{PROJECT}orchestrator: {{type: kubernetes}}\n")
    data = json.loads(mcpctl("config", "--output", "json").out)
    assert "kubernetes" in json.dumps(data)
    assert mcpctl("render").code == Exit.FINE


def test_a_finding_of_a_rule_that_the_project_sets_names_its_file_and_the_environment(
    project: Path, mcpctl: Mcpctl
) -> None:
    file = project / "mcpctl.yaml"
    file.write_text(f"{file.read_text()}policies: {{unrestricted-egress: error}}\n")
    run = mcpctl("validate")
    assert run.code == Exit.INPUT_INVALID
    assert "(with environment production, for which ../../mcpctl.yaml sets the rule)" in run.err


def test_faults_of_the_file_come_in_the_order_of_their_lines(project: Path, mcpctl: Mcpctl) -> None:
    (project / "mcpctl.yaml").write_text("spces: x\nout: 5\nkubernetesVersion: 1.3\n")
    lines = mcpctl("validate").err.splitlines()
    places = [line.partition(": error")[0].partition("mcpctl.yaml")[2] for line in lines[:3]]
    assert places == [":1:1", ":2:6", ":3:20"]
