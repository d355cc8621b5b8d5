"""``.pre-commit-hooks.yaml``, run by the real pre-commit in a repository of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from renderer.cli import COMMANDS, main
from tests.cli.commands import BAD, GOOD, ROOT
from tests.oracles import program, yaml_read
from tests.packaging import copy_build_files
from tests.starts import mcpctl

HOOKS: list[dict[str, Any]] = yaml_read((ROOT / ".pre-commit-hooks.yaml").read_text())
IDS = [hook["id"] for hook in HOOKS]
NOT_A_SPEC = "resources: []\n"


class Repository:
    """A git repository in which pre-commit runs; nothing of the machine's own git configuration is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "mcpctl").write_text(f'#!/bin/sh\nexec {shlex.join(mcpctl())} "$@"\n')
        (programs / "mcpctl").chmod(0o755)
        identity = {
            f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        self.env = {
            **os.environ,
            **identity,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "PRE_COMMIT_HOME": str(folder / "cache"),
            "PRE_COMMIT_COLOR": "never",
        }
        self.git("init", "--quiet")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        command = [program("git"), *arguments]
        options: dict[str, Any] = {"cwd": folder or self.folder, "env": self.env, "timeout": 60, "text": True}
        done: subprocess.CompletedProcess[str] = subprocess.run(command, check=True, stdout=subprocess.PIPE, **options)
        return done.stdout.strip()

    def put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git("add", "--all")

    def configure(self, repositories: list[dict[str, Any]]) -> None:
        self.put(".pre-commit-config.yaml", yaml.safe_dump({"repos": repositories}))

    def mcpctl(self, *arguments: str) -> None:
        """What was done before: in this process, without hooks."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            assert main([*arguments]) == 0

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of pre-commit."""
        command = [program("pre-commit"), "run", "--verbose", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=600, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """The hooks as they are declared, but for the installation: mcpctl is this one."""
    made = Repository(tmp_path)
    hooks = [{**hook, "language": "system"} for hook in HOOKS]
    made.configure([{"repo": "local", "hooks": hooks}])
    return made


def test_hooks_name_commands_and_say_what_they_are_given() -> None:
    assert IDS == ["mcpctl-validate", "mcpctl-render", "mcpctl-check"]
    for hook in HOOKS:
        assert hook["entry"].split()[:1] == ["mcpctl"]
        assert hook["entry"].split()[1] in COMMANDS
        assert hook["language"] == "python"
        # Two runs at once in one tree would wait for each other; and one run checks what lies between the specs.
        assert hook["require_serial"]
        # What gets no names has to say what all of it is.
        assert hook["pass_filenames"] is ("args" not in hook)


def test_the_manifest_is_valid() -> None:
    command = [program("pre-commit"), "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    subprocess.run(command, check=True, timeout=60)


def test_only_changed_specs_are_validated(repository: Repository) -> None:
    repository.put("specs/bad.yaml", BAD)
    repository.git("commit", "--quiet", "-m", "before")
    repository.put("specs/good.yaml", GOOD)
    repository.put("kustomization.yaml", NOT_A_SPEC)
    assert repository.run("mcpctl-validate")[0] == 0
    code, output = repository.run("mcpctl-validate", "--all-files")
    assert code == 1
    assert "specs/bad.yaml:5:13: error: spec.replicas: " in output
    assert "exit code: 3" in output


def test_the_check_sees_the_whole_tree(repository: Repository) -> None:
    repository.put("specs/good.yaml", GOOD)
    code, output = repository.run("mcpctl-check")
    assert code == 1
    assert "exit code: 1" in output
    assert "missing" in output
    # New files are no change to pre-commit: who adds them has them in the commit.
    assert repository.run("mcpctl-render")[0] == 0
    assert (repository.folder / "deploy/kubernetes/demo/deployment.yaml").is_file()
    repository.put("README", "")
    assert repository.run("mcpctl-check")[0] == 0


def test_rendering_fails_where_it_changes_a_file(repository: Repository) -> None:
    repository.put("specs/good.yaml", GOOD)
    repository.mcpctl("render", "specs", "--out", "deploy")
    repository.put("specs/good.yaml", GOOD.replace("demo:1.0", "demo:1.1"))
    code, output = repository.run("mcpctl-render")
    assert code == 1
    assert "files were modified by this hook" in output
    repository.put("README", "")
    assert repository.run("mcpctl-render")[0] == 0


def test_other_files_run_the_check_alone(repository: Repository) -> None:
    repository.put("specs/good.yaml", GOOD)
    repository.mcpctl("render", "specs", "--out", "deploy")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "-m", "before")
    repository.put("README", "")
    code, output = repository.run()
    assert code == 0, output
    assert output.count("(no files to check)Skipped") == 2
    assert "mcpctl render --check" in output


def test_the_hooks_of_a_project_keep_all_environments_true(repository: Repository) -> None:
    """As ``mcpctl init --project`` writes them, with three environments and a policy that only production has."""
    repository.mcpctl("init", "--project", "--force")
    repository.put("mcpctl.yaml", "specs: [specs]\nenvironments: [environments]\nout: deploy\nprune: true\n")
    for name, more in (("dev", ""), ("staging", ""), ("prod", "  policies: {image-digest: error}\n")):
        head = f"apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {{name: {name}}}\n"
        repository.put(f"environments/{name}.yaml", f"{head}spec:\n  namespace: {{name: mcp-{name}}}\n{more}")
    repository.mcpctl("render")
    digest = f"registry.example.com/mcp/demo:1.0@sha256:{'0' * 64}"
    repository.put("specs/demo.yaml", GOOD.replace("registry.example.com/mcp/demo:1.0", digest))
    code, output = repository.run()
    assert code == 1, "new files have to be added"
    assert "to bring the tree up to date" not in output, "the first hook has rendered"
    for name in ("dev", "staging", "prod"):
        assert (repository.folder / f"deploy/{name}/kubernetes/demo/deployment.yaml").is_file()
    repository.put("README", "x")
    assert repository.run()[0] == 0

    repository.put("specs/demo.yaml", GOOD)
    code, output = repository.run()
    assert code == 1
    assert "(with environment prod, which sets the rule at environments/prod.yaml:6:14)" in output
    assert digest in (repository.folder / "deploy/dev/kubernetes/demo/deployment.yaml").read_text(), (
        "nothing is written"
    )


def test_a_tree_that_moves_is_not_green_by_mistake(repository: Repository) -> None:
    repository.mcpctl("init", "--project", "--force")
    repository.mcpctl("render")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "-m", "before")

    project = (repository.folder / "mcpctl.yaml").read_text()
    repository.put("mcpctl.yaml", project.replace("out: deploy", "out: k8s/all of it"))
    assert repository.run()[0] == 1, "new files have to be added"
    repository.put("README", "x")
    assert repository.run()[0] == 0
    assert "k8s/all of it/kubernetes/time/deployment.yaml" in repository.git("ls-files")


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="installs from PyPI, which takes a minute; CI does it")
def test_pre_commit_installs_it_from_a_clone(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    copy_build_files(source, ".pre-commit-hooks.yaml")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "all"]):
        repository.git(*arguments, folder=source)
    commit = repository.git("rev-parse", "HEAD", folder=source)
    repository.configure([{"repo": f"file://{source}", "rev": commit, "hooks": [{"id": name} for name in IDS]}])
    repository.put("specs/good.yaml", GOOD)
    # What runs is what was installed, and nothing of this checkout.
    del repository.env["PYTHONPATH"]
    repository.env["PATH"] = os.environ["PATH"]
    code, output = repository.run()
    assert code == 0, output
    assert output.count("Passed") == len(HOOKS)
    assert (repository.folder / "deploy/kubernetes/demo/deployment.yaml").is_file()


# ---------------------------------------------------------------------------------------------
# What the document shows.


def shown(key: str) -> list[dict[str, Any]]:
    """The YAML blocks of docs/gitops.md that have this key at the top."""
    text = (ROOT / "docs" / "gitops.md").read_text()
    blocks = [
        yaml.load(block, Loader=yaml.BaseLoader) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.S | re.M)
    ]
    return [block for block in blocks if isinstance(block, dict) and key in block]


def test_the_document_shows_hooks_that_there_are() -> None:
    (config,) = shown("repos")
    hooks = {hook["id"]: hook for hook in config["repos"][0]["hooks"]}
    assert list(hooks) == IDS
    assert all(hook.get("args") == known.get("args") for hook, known in zip(hooks.values(), HOOKS, strict=True))


def test_the_document_shows_inputs_that_there_are() -> None:
    action = yaml_read((ROOT / "action.yml").read_text())
    (workflow,) = shown("jobs")
    assert set(workflow["jobs"]["mcpctl"]["steps"][-1]["with"]) <= set(action["inputs"])
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "gitops.md").read_text(), re.M)
    assert set(action["inputs"]) <= set(table)


def test_the_document_shows_commands_that_there_are() -> None:
    (pipeline,) = shown("mcpctl")
    commands = [line.split()[1] for line in pipeline["mcpctl"]["script"] if line.startswith("mcpctl ")]
    assert set(commands) <= {*COMMANDS, "diff"}
