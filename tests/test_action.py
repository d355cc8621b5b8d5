"""``action.yml``: what its steps run, in a sandbox where python3, mcpctl, gh and git are fakes that keep a record."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.oracles import yaml_read

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml_read((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
EVENT = {
    "github.token": "t0ken",
    "github.action_path": "/action",
    "github.event.pull_request.base.sha": "0123abc",
    "github.event.pull_request.number": "7",
}
#: Keeps what it is called with, and answers what the test says. A file of answers is called by the name of the program,
#: or by that and a word of its command line. In sh, which starts in a millisecond.
FAKE = """\
#!/bin/sh
name=${0##*/}
printf '%s\\0' "$name" "$@" >>"$RECORD"
printf '\\n\\0' >>"$RECORD"
answer=$ANSWERS/$name
for word in "$@"; do
  if [ -e "$ANSWERS/$name $word" ]; then answer=$ANSWERS/$name\\ $word; fi
done
if [ -e "$answer" ]; then
  cat "$answer"
  exit "$(cat "$answer.code")"
fi
"""

#: As git answers, of the name of the tree.
HASH = "5ca1ab1e" * 5


class Runner:
    """Runs the steps as the code host does: expressions into the environment, conditions, outputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, tuple[str, int]] = {}
        self.log = ""
        for place in ("bin", "answers", "temp/mcpctl/bin"):
            (folder / place).mkdir(parents=True)
        for path in ("bin/python3", "bin/gh", "bin/git", "temp/mcpctl/bin/pip", "temp/mcpctl/bin/mcpctl"):
            (folder / path).write_text(FAKE)
            (folder / path).chmod(0o755)

    def run(self, **inputs: str) -> int:
        """The exit code of the first step that fails, or 0."""
        values = {name: given.get("default", "") for name, given in ACTION["inputs"].items()} | inputs
        known = {**EVENT, **{f"inputs.{name}": fill(value, EVENT) for name, value in values.items()}}
        for step in STEPS:
            if holds(step.get("if"), known):
                code = self._step(step, known)
                known |= self._outputs(step.get("id", ""))
                if code:
                    return code
        return 0

    def _step(self, step: Mapping[str, Any], known: Mapping[str, str]) -> int:
        for program, (out, code) in self.answers.items():
            (self.folder / "answers" / program).write_text(out)
            (self.folder / "answers" / f"{program}.code").write_text(str(code))
        env = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "RUNNER_TEMP": f"{self.folder}/temp",
            "GITHUB_OUTPUT": f"{self.folder}/output",
            "GITHUB_STEP_SUMMARY": f"{self.folder}/summary",
            "GITHUB_REPOSITORY": "acme/tools",
            "RECORD": f"{self.folder}/record",
            "ANSWERS": f"{self.folder}/answers",
            **{name: fill(value, known) for name, value in step.get("env", {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            command, env=env, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        self.log += done.stdout + done.stderr
        return done.returncode

    def _outputs(self, step: str) -> dict[str, str]:
        path = self.folder / "output"
        lines = path.read_text().splitlines() if path.exists() and step else []
        return {f"steps.{step}.outputs.{line.partition('=')[0]}": line.partition("=")[2] for line in lines}

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of each call of a program."""
        path = self.folder / "record"
        records = path.read_text().split("\0\n\0")[:-1] if path.exists() else []
        return [record.split("\0")[1:] for record in records if record.split("\0")[0] == name]

    def summary(self) -> str:
        path = self.folder / "summary"
        return path.read_text() if path.exists() else ""


def fill(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], text)


def holds(condition: str | None, known: Mapping[str, str]) -> bool:
    if condition is None:
        return True
    name, operator, value = condition.split()
    return (known.get(name, "") == value.strip("'")) is (operator == "==")


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    made = Runner(tmp_path)
    made.answers = {"git hash-object": (f"{HASH}\n", 0)}
    return made


# ---------------------------------------------------------------------------------------------
# What is written down.


def test_no_value_becomes_a_part_of_a_script() -> None:
    for step in STEPS:
        assert "${{" not in step["run"], step["name"]
        assert step["shell"] == "bash"


def test_no_other_action_is_used() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert [step for step in STEPS if "uses" in step] == []


def test_every_input_is_used_and_described() -> None:
    used = set(re.findall(r"inputs\.(\w+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    assert all(given["description"].endswith((".", ")")) and "default" in given for given in ACTION["inputs"].values())


def test_the_token_is_known_to_one_step_alone() -> None:
    assert [step["name"] for step in STEPS if "inputs.token" in json.dumps(step)] == ["Show what changes"]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step["name"])
def test_the_scripts_are_bash(step: Mapping[str, Any]) -> None:
    subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


# ---------------------------------------------------------------------------------------------
# What happens.


def test_nothing_differs(runner: Runner) -> None:
    assert runner.run() == 0
    assert runner.calls("pip") == [["install", "--quiet", "--disable-pip-version-check", "/action"]]
    assert runner.calls("mcpctl") == [
        ["render", "--check", "--out=deploy", "--", "specs"],
        ["diff", "--out=deploy", "--base=0123abc", "--format=markdown", "--", "specs"],
    ]
    assert [call for call in runner.calls("gh") if "POST" in call or "PATCH" in call] == []


def test_a_difference_fails_after_it_was_told(runner: Runner) -> None:
    runner.answers |= {"mcpctl render": ("deploy/x: edited\n", 1), "mcpctl diff": ("**image changed**\n", 1)}
    assert runner.run() == 1
    assert runner.summary() == f"<!-- mcpctl diff {HASH} -->\n**image changed**\n"
    (posted,) = [call for call in runner.calls("gh") if "POST" in call]
    assert "repos/acme/tools/issues/7/comments" in posted
    assert posted[-1] == f"body=@{runner.folder}/temp/mcpctl-diff.md"
    assert "::error title=mcpctl::the tree is not what the specs render to" in runner.log


def test_a_tree_that_is_right_may_still_change_things(runner: Runner) -> None:
    runner.answers |= {"mcpctl diff": ("**image changed**\n", 1)}
    assert runner.run() == 0
    assert len([call for call in runner.calls("gh") if "POST" in call]) == 1


def test_the_comment_of_an_earlier_run_is_changed(runner: Runner) -> None:
    runner.answers |= {"gh --paginate": ("42\n43\n", 0)}
    assert runner.run() == 0
    (patched,) = [call for call in runner.calls("gh") if "PATCH" in call]
    assert "repos/acme/tools/issues/comments/42" in patched


def test_where_comments_cannot_be_read_none_is_added(runner: Runner) -> None:
    runner.answers |= {"mcpctl diff": ("x\n", 1), "gh --paginate": ("", 1)}
    assert runner.run() == 0
    assert len(runner.calls("gh")) == 1
    assert "::warning title=mcpctl::the comment could not be written" in runner.log


def test_the_comment_is_that_of_this_tree(runner: Runner) -> None:
    """Two uses of the action, for two trees, do not write over one another."""
    runner.run()
    ((*_, query),) = runner.calls("gh")
    assert f'startswith("<!-- mcpctl diff {HASH} -->")' in query


def test_the_comment_is_one_of_our_own(runner: Runner) -> None:
    """Anybody may write the mark first: by author as well."""
    runner.run(author="team-bot")
    ((*_, query),) = runner.calls("gh")
    assert '.user.login == "team-bot" and ' in query


def test_python_runs_nothing_of_the_pull_request(runner: Runner) -> None:
    runner.run()
    assert [call[0] for call in runner.calls("python3")] == ["-I"]


def test_a_token_that_may_not_write_is_a_warning(runner: Runner) -> None:
    runner.answers |= {"mcpctl diff": ("x\n", 1), "gh": ("", 1), "gh --paginate": ("", 1)}
    assert runner.run() == 0
    assert "::warning title=mcpctl::the comment could not be written" in runner.log


@pytest.mark.parametrize(("program", "code"), [("mcpctl render", 3), ("mcpctl render", 4), ("mcpctl diff", 3)])
def test_faults_end_the_run_with_their_code(runner: Runner, program: str, code: int) -> None:
    runner.answers |= {program: ("", code)}
    assert runner.run() == code
    assert runner.calls("gh") == []


def test_without_a_comment(runner: Runner) -> None:
    runner.answers |= {"mcpctl diff": ("x\n", 1)}
    assert runner.run(comment="false") == 0
    assert runner.calls("gh") == []
    assert "x\n" in runner.summary()


def test_without_a_base_there_is_only_the_check(runner: Runner) -> None:
    assert runner.run(base="") == 0
    assert [call[0] for call in runner.calls("mcpctl")] == ["render"]


def test_a_base_that_is_not_there_is_fetched(runner: Runner) -> None:
    runner.answers |= {"git cat-file": ("", 1)}
    assert runner.run() == 0
    assert runner.calls("git")[1] == ["fetch", "--quiet", "--no-tags", "--depth=1", "origin", "0123abc"]


def test_several_paths_and_options(runner: Runner) -> None:
    assert runner.run(paths="specs\n\nmore specs/*\n", options="--target=compose\n--templates=my own\n") == 0
    arguments = ["--target=compose", "--templates=my own", "--", "specs", "more specs/*"]
    assert [call[-5:] for call in runner.calls("mcpctl")] == [arguments, arguments]


@pytest.mark.parametrize(
    "inputs",
    [
        {"paths": "--out=/etc"},
        {"paths": " \n"},
        {"out": "--force"},
        {"out": ""},
        {"out": "a\nb"},
        {"options": "specs"},
        {"options": "-q"},
        {"options": "--quiet; rm -rf x"},
        {"base": "--upload-pack=x"},
        {"base": "a b"},
        {"base": "$(touch pwned)"},
        {"comment": "yes"},
        {"author": 'x" or true or "'},
        {"author": ""},
    ],
    ids=str,
)
def test_odd_inputs_are_refused(runner: Runner, inputs: dict[str, str]) -> None:
    assert runner.run(**inputs) == 2
    assert "::error title=mcpctl::the input" in runner.log
    assert not runner.calls("mcpctl")


@pytest.mark.parametrize("text", ['"; touch pwned; "', "$(touch pwned)", "`touch pwned`", "x'; touch pwned; '"])
def test_no_input_is_run(runner: Runner, text: str) -> None:
    for name in ("paths", "out"):
        runner.run(**{name: text})
    runner.run(options=f"--target={text}")
    assert not (runner.folder / "pwned").exists()
    assert [call for call in runner.calls("mcpctl") if f"--target={text}" in call]
