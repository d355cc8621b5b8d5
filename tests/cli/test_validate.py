"""``mcpctl validate``: every fault at once, as text, JSON and SARIF; and no secret in any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import Exit
from renderer.registry import TARGETS
from tests.cli.commands import BAD, GOOD, Mcpctl, as_program
from tests.specs import IMAGE, as_stream, spec
from tests.test_report import check_sarif


@pytest.mark.usefixtures("specs")
def test_text_goes_to_stderr(mcpctl: Mcpctl) -> None:
    run = mcpctl("validate", "good.yaml", "bad.yaml", "warned.yaml")
    assert (run.code, run.out) == (Exit.INPUT_INVALID, "")
    lines = run.err.splitlines()
    assert lines[0].startswith("bad.yaml:5:13: error: spec.replicas: ")
    assert "error" in lines[-1]


@pytest.mark.usefixtures("specs")
def test_json_goes_to_stdout(mcpctl: Mcpctl) -> None:
    run = mcpctl("validate", "bad.yaml", "--output", "json")
    assert (run.code, run.err) == (Exit.INPUT_INVALID, "")
    data = json.loads(run.out)
    assert (data["command"], data["errors"], data["warnings"]) == ("validate", 1, 0)
    (problem,) = data["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["path"]) == (
        "bad.yaml",
        5,
        13,
        "spec.replicas",
    )


@pytest.mark.usefixtures("specs")
def test_sarif_goes_to_stdout(mcpctl: Mcpctl) -> None:
    run = mcpctl("validate", "bad.yaml", "warned.yaml", "--output", "sarif")
    assert (run.code, run.err) == (Exit.INPUT_INVALID, "")
    assert {result["level"] for result in check_sarif(run.out)} >= {"error"}


@pytest.mark.usefixtures("specs")
def test_nothing_is_wrong(mcpctl: Mcpctl) -> None:
    run = mcpctl("validate", "good.yaml")
    assert (run.code, run.out, run.err) == (0, "", "1 server, 0 errors, 0 warnings\n")
    assert check_sarif(mcpctl("validate", "good.yaml", "-o", "sarif").out) == []
    assert mcpctl("validate", "good.yaml", "--quiet").err == ""


@pytest.mark.usefixtures("specs")
def test_targets_are_checked_when_asked_for(mcpctl: Mcpctl) -> None:
    assert mcpctl("validate", "broken.yaml").code == 0
    assert mcpctl("validate", "broken.yaml", "--target", "kubernetes").code != 0
    run = mcpctl("validate", "good.yaml", *(f"--target={name}" for name in TARGETS), "-o", "json")
    data = json.loads(run.out)
    assert all(data[f"{name} documents"] for name in TARGETS)


@pytest.mark.usefixtures("specs")
def test_a_problem_of_all_targets_is_told_once(mcpctl: Mcpctl) -> None:
    arguments = [f"--target={name}" for name in TARGETS]
    run = mcpctl("validate", "warned.yaml", *arguments, "-o", "json")
    rules = [problem["rule"] for problem in json.loads(run.out)["problems"]]
    assert rules.count("spec/privileged-port") == 1


def test_standard_input_and_files_together(specs: Path) -> None:
    run = as_program("validate", "-", "bad.yaml", stdin=BAD.replace("demo", "other"), cwd=specs)
    assert sorted({line.split(":")[0] for line in run.err.splitlines()[:-1]}) == ["<stdin>", "bad.yaml"]


@pytest.mark.usefixtures("specs")
def test_a_folder_is_all_its_files(mcpctl: Mcpctl, specs: Path) -> None:
    (specs / "many/deep").mkdir(parents=True)
    (specs / "many/deep/a.yaml").write_text(BAD)
    (specs / "many/b.json").write_text("{}")
    (specs / "many/c.txt").write_text("not ours")
    run = mcpctl("validate", "many", "-o", "json")
    assert {problem["file"] for problem in json.loads(run.out)["problems"]} == {"many/b.json", "many/deep/a.yaml"}


# ---------------------------------------------------------------------------------------------
# What looks like a secret is nowhere.

SECRET = "hunter2Qx"

LEAKS: dict[str, dict[str, Any]] = {
    "a list": {"env": {"TOKEN": [SECRET]}},
    "a mapping": {"env": {"TOKEN": {"value": SECRET}}},
    "in place of the name": {"env": {"TOKEN": {"secret": f"ghp_{SECRET}", "key": "token"}}},
    "in place of the key": {"env": {"TOKEN": {"secret": "name", "key": f"a/{SECRET}"}}},
    "in place of optional": {"env": {"TOKEN": {"secret": "name", "key": "key", "optional": SECRET}}},
    "in place of the ConfigMap": {"env": {"TOKEN": {"configMap": f"ghp_{SECRET}", "key": "key"}}},
    "a misspelt field": {"env": {"TOKEN": {"secrt": SECRET}}},
    "one field too many": {"env": {"TOKEN": {"secret": "name", "key": "key", "value": SECRET}}},
    "as docker compose has it": {"env": [f"TOKEN={SECRET}"]},
    "env as text": {"env": f"TOKEN={SECRET}"},
    "beside a bad name": {"env": {"TO-KEN": SECRET}},
    "a control character": {"env": {"TOKEN": f"{SECRET}\x01"}},
    "too long": {"env": {"TOKEN": SECRET * 20_000}},
    "envFrom as text": {"envFrom": SECRET},
    "envFrom with text": {"envFrom": [SECRET]},
    "envFrom with a bad name": {"envFrom": [{"secret": f"a_{SECRET}"}]},
    "a file as text": {"files": {"/key": SECRET}},
    "a file as list": {"files": {"/key": {"content": [SECRET]}}},
    "a file with a control character": {"files": {"/key": {"content": f"{SECRET}\x01"}}},
    "a file of a bad name": {"files": {"/key": {"secret": f"ghp_{SECRET}", "key": "k"}}},
    "arguments as text": {"args": f"--token {SECRET}"},
    "an argument as mapping": {"args": [{"--token": SECRET}]},
    "a command as text": {"command": f"run --token {SECRET}"},
    "beside another fault": {"env": {"TOKEN": SECRET}, "replicas": -1},
}


@pytest.mark.parametrize("style", ["text", "json", "sarif"])
@pytest.mark.parametrize("fields", LEAKS.values(), ids=LEAKS)
def test_a_secret_is_never_told(mcpctl: Mcpctl, tmp_path: Path, fields: dict[str, Any], style: str) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(as_stream(spec(image=IMAGE, transport={"type": "streamable-http"}, **fields))[4:])
    for arguments in (["validate"], ["validate", "--target=kubernetes", "--target=compose"], ["render"]):
        run = mcpctl(*arguments, path, "--output", style)
        assert run.code == Exit.INPUT_INVALID
        assert SECRET not in run.out + run.err


@pytest.mark.parametrize(
    "line",
    [
        f'TOKEN: "{SECRET}',
        f"TOKEN: '{SECRET}",
        f"TOKEN: {SECRET}: x",
        f"TOKEN: [{SECRET}",
        f"TOKEN: {{{SECRET}",
        f"TOKEN: &{SECRET} x",
        f"TOKEN: *{SECRET}",
        f"TOKEN: !{SECRET} x",
        f"TOKEN: @{SECRET}",
        f"TOKEN: `{SECRET}",
        f"TOKEN: %{SECRET}",
        f"TOKEN: |\n{SECRET}",
        f'TOKEN: "{SECRET}\\q"',
        f'TOKEN: "{SECRET}" {SECRET}',
        f"TOKEN: {SECRET}\n    TOKEN: {SECRET}",
        f"TOKEN:{SECRET}",
        f"TOKEN={SECRET}",
        f"\tTOKEN: {SECRET}",
        f"TOKEN: x\x00{SECRET}",
    ],
    ids=ascii,
)
def test_a_secret_in_broken_yaml_is_never_told(mcpctl: Mcpctl, tmp_path: Path, line: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"{GOOD}  env:\n    {line}\n")
    for style in ("text", "json", "sarif"):
        run = mcpctl("validate", path, "--output", style)
        assert run.code == Exit.INPUT_INVALID
        assert SECRET not in run.out + run.err


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_secret_reference_is_all_that_is_rendered(mcpctl: Mcpctl, tmp_path: Path, target: str) -> None:
    path = tmp_path / "spec.json"
    document = spec(env={"TOKEN": {"secret": "name", "key": "the-key"}})
    path.write_text(json.dumps(document))
    run = mcpctl("render", path, "--target", target)
    assert run.code == 0
    assert "kind: Secret\n" not in run.out
    assert "TOKEN" in run.out
