"""``mcpctl render --out``: why files differ, in every format; a part of the specs has the result of a whole run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.errors import Exit
from renderer.report import REPORTERS
from tests.cli.commands import ENVIRONMENT, GOOD, Mcpctl
from tests.test_report import check_sarif

NAMES = ("one", "two", "three")


def spec(name: str, more: str = "") -> str:
    return GOOD.replace("demo", name) + more


@pytest.fixture
def input_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.yaml").write_text(spec(name))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------------
# Why.


@pytest.mark.usefixtures("input_folder")
def test_why_is_told_in_text(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    Path("in/one.yaml").write_text(spec("one", "  shutdown: {graceSeconds: 50}\n"))
    Path("tree/kubernetes/two/service.yaml").write_text("mine\n")
    Path("tree/kubernetes/two/deployment.yaml").unlink()
    run = mcpctl("render", "in", "--out", "tree", "--check")
    assert run.code == Exit.DIFFERENT
    lines = [line.removeprefix("tree/kubernetes/") for line in run.err.splitlines()[:-1]]
    assert lines == [
        "one/deployment.yaml: outdated: it is as mcpctl wrote it, and is rendered otherwise now; "
        "the spec of one changed",
        "two/deployment.yaml: missing: it is rendered, but not in the tree; somebody removed it since mcpctl wrote it",
        "two/service.yaml: edited: somebody changed it by hand since mcpctl wrote it",
    ]


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--namespace", "other"], "options"),
        (["--kubernetes-version", "1.34"], "options"),
        (["--network-policy-provider", "cilium"], "options"),
    ],
)
@pytest.mark.usefixtures("input_folder")
def test_why_is_told_as_data(mcpctl: Mcpctl, arguments: list[str], cause: str) -> None:
    mcpctl("render", "in", "--out", "tree")
    run = mcpctl("render", "in", "--out", "tree", "--check", "--output", "json", *arguments)
    data = json.loads(run.out)
    assert run.code == Exit.DIFFERENT
    assert len(data["differing"]) == data["differences"] > 0
    assert all(cause in one["causes"] for one in data["differing"] if one["state"] == "outdated")
    check_sarif(mcpctl("render", "in", "--out", "tree", "--check", "-o", "sarif", *arguments).out)
    run = mcpctl("render", "in", "--out", "tree", "--check", "-o", "github", *arguments)
    assert run.out.splitlines()[0].startswith("::error file=tree/kubernetes/")
    assert run.out.count("::error ") == data["differences"]


def test_an_environment_that_changed_is_told_apart_from_specs(mcpctl: Mcpctl, input_folder: Path) -> None:
    file = input_folder / "production.yaml"
    file.write_text(ENVIRONMENT)
    assert mcpctl("render", "in", "--out", "tree").code == 0
    file.write_text(f"{ENVIRONMENT}  defaults: {{replicas: 3}}\n")
    run = mcpctl("render", "in", "--out", "tree", "--check", "-o", "json")
    assert {tuple(one["causes"]) for one in json.loads(run.out)["differing"]} == {("environment",)}
    file.write_text(ENVIRONMENT)
    Path("in/one.yaml").write_text(spec("one", "  replicas: 2\n"))
    run = mcpctl("render", "in", "--out", "tree", "--check", "-o", "json")
    assert {tuple(one["causes"]) for one in json.loads(run.out)["differing"]} == {("spec",)}


@pytest.mark.usefixtures("input_folder")
def test_only_annotations_are_commands_to_a_code_host(mcpctl: Mcpctl) -> None:
    for style in REPORTERS:
        run = mcpctl("render", "in", "--out", "::o", "--check", "-o", style)
        lines = (run.out + run.err).splitlines()
        assert any(line.startswith("::") for line in lines) == (style == "github")
        assert all(line.startswith("::error file=%3A%3Ao/") for line in lines if line.startswith("::"))


# ---------------------------------------------------------------------------------------------
# A part of the specs.


def _change(folder: Path) -> list[str]:
    (folder / "one.yaml").write_text(spec("one", "  replicas: 2\n"))
    return ["one.yaml"]


def _change_two_and_pass_one(folder: Path) -> list[str]:
    (folder / "two.yaml").write_text(spec("two", "  replicas: 2\n"))
    return _change(folder)


def _add(folder: Path) -> list[str]:
    (folder / "four.yaml").write_text(spec("four"))
    return ["four.yaml"]


def _rename(folder: Path) -> list[str]:
    (folder / "one.yaml").write_text(spec("other"))
    return ["one.yaml"]


def _remove_one_and_change_two(folder: Path) -> list[str]:
    (folder / "one.yaml").unlink()
    (folder / "two.yaml").write_text(spec("two", "  replicas: 2\n"))
    return ["two.yaml"]


def _damage(folder: Path) -> list[str]:
    (file,) = (folder.parent / "tree").rglob("one/service.yaml")
    file.unlink()
    return ["one.yaml"]


def _patch(folder: Path) -> list[str]:
    patch = "  patches: [{kind: Deployment, merge: {spec: {minReadySeconds: 3}}}]\n"
    (folder / "one.yaml").write_text(spec("one", patch))
    return ["one.yaml"]


def _nothing(folder: Path) -> list[str]:
    return ["one.yaml", "two.yaml"]


CHANGES = (_change, _change_two_and_pass_one, _add, _rename, _remove_one_and_change_two, _damage, _patch, _nothing)


@pytest.mark.parametrize("environment", [False, True], ids=["plain", "environment"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_part_has_the_result_of_the_whole(
    mcpctl: Mcpctl, input_folder: Path, change: Callable[[Path], list[str]], environment: bool
) -> None:
    if environment:
        (input_folder / "z.yaml").write_text(ENVIRONMENT)
    assert mcpctl("render", "in", "--out", "tree").code == 0
    passed = [f"in/{name}" for name in change(input_folder)]
    shutil.copytree("tree", "whole")
    check = mcpctl("render", "--out", "tree", "--part-of", "in", "--check", *passed)
    assert check.code == mcpctl("render", "in", "--out", "tree", "--check").code
    part = mcpctl("render", "--out", "tree", "--part-of", "in", *passed)
    assert part.code == mcpctl("render", "in", "--out", "whole").code == 0
    assert content(Path("tree")) == content(Path("whole"))
    assert mcpctl("render", "in", "--out", "tree", "--check").code == 0


@pytest.mark.parametrize("arguments", [[], ["--namespace", "other"]], ids=["same", "other options"])
@pytest.mark.usefixtures("input_folder")
def test_only_the_part_is_rendered_unless_more_than_specs_changed(mcpctl: Mcpctl, arguments: list[str]) -> None:
    mcpctl("render", "in", "--out", "tree")
    run = mcpctl("render", "--out", "tree", "--part-of", "in", "--check", "in/one.yaml", *arguments)
    assert run.err.splitlines()[-1].startswith("3 servers, " if arguments else "1 server, ")


@pytest.mark.usefixtures("input_folder")
def test_a_part_leaves_what_others_did_elsewhere_to_the_whole_check(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    Path("tree/kubernetes/two/service.yaml").write_text("mine\n")
    assert mcpctl("render", "--out", "tree", "--part-of", "in", "--check", "in/one.yaml").code == 0
    assert mcpctl("render", "--out", "tree", "--part-of", "in", "--check", "in/two.yaml").code == Exit.DIFFERENT
    assert mcpctl("render", "in", "--out", "tree", "--check").code == Exit.DIFFERENT


@pytest.mark.usefixtures("input_folder")
def test_a_clash_with_a_server_that_was_not_passed_is_found(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    before = content(Path("tree"))
    Path("in/one.yaml").write_text(spec("one", "  resourceName: mcp-two\n"))
    run = mcpctl("render", "--out", "tree", "--part-of", "in", "in/one.yaml")
    assert run.code == Exit.INPUT_INVALID
    assert "spec/duplicate-resource-name" in run.err
    assert content(Path("tree")) == before


@pytest.mark.parametrize("path", ["outside.yaml", "-", "in/../outside.yaml", "in/link.yaml"])
def test_what_is_passed_lies_in_the_whole(mcpctl: Mcpctl, input_folder: Path, path: str) -> None:
    Path("outside.yaml").write_text(spec("outside"))
    (input_folder / "link.yaml").symlink_to(Path("outside.yaml").resolve())
    run = mcpctl("render", "--out", "tree", "--part-of", "in", path)
    assert run.code == Exit.USAGE
    assert not Path("tree").exists()


@pytest.mark.parametrize(
    "flag", ["--check", "--force", "--prune-data", "--prune-environments", "--allow-empty", "--part-of=in"]
)
@pytest.mark.usefixtures("input_folder")
def test_options_of_a_tree_need_one(mcpctl: Mcpctl, flag: str) -> None:
    assert mcpctl("render", "in", flag).code == Exit.USAGE


@pytest.mark.usefixtures("input_folder")
def test_a_record_of_a_newer_mcpctl_is_told_in_every_way(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    Path("tree/kubernetes/.mcpctl.json").write_text('{"format": 99, "files": {}}')
    for arguments in ([], ["--check"], ["--part-of", "in"]):
        run = mcpctl("render", "in", "--out", "tree", *arguments)
        assert run.code == Exit.OUTPUT_INVALID
        assert "tree/record-newer" in run.err


def test_a_tree_is_emptied_only_when_asked_for(mcpctl: Mcpctl, input_folder: Path) -> None:
    mcpctl("render", "in", "--out", "tree")
    for name in NAMES:
        (input_folder / f"{name}.yaml").unlink()
    assert mcpctl("render", "in", "--out", "tree", "--force", "--prune-data").code == Exit.INPUT_INVALID
    assert Path("tree/kubernetes/one").exists()
    assert mcpctl("render", "in", "--out", "tree", "--allow-empty").code == 0
    assert sorted(content(Path("tree/kubernetes"))) == [".mcpctl.json", "namespace.yaml"]
