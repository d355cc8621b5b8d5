"""``mcpctl render --out``: why files differ, in every format; what is removed, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import Exit
from renderer.report import REPORTERS
from tests.cli.commands import GOOD, Mcpctl
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
    *lines, _, command = [line.removeprefix("tree/kubernetes/") for line in run.err.splitlines()]
    assert command == "to bring the tree up to date: mcpctl render in --out tree --force"
    assert lines == [
        "one/deployment.yaml: outdated: the specs render to another text now",
        "two/deployment.yaml: missing: it is rendered, but not in the tree",
        "two/service.yaml: edited: it was edited by hand after mcpctl wrote it",
    ]


@pytest.mark.parametrize(
    "arguments", [["--namespace", "other"], ["--kubernetes-version", "1.34"], ["--network-policy-provider", "cilium"]]
)
@pytest.mark.usefixtures("input_folder")
def test_why_is_told_as_data(mcpctl: Mcpctl, arguments: list[str]) -> None:
    mcpctl("render", "in", "--out", "tree")
    run = mcpctl("render", "in", "--out", "tree", "--check", "--output", "json", *arguments)
    data = json.loads(run.out)
    assert run.code == Exit.DIFFERENT
    assert len(data["differing"]) == data["differences"] > 0
    check_sarif(mcpctl("render", "in", "--out", "tree", "--check", "-o", "sarif", *arguments).out)
    run = mcpctl("render", "in", "--out", "tree", "--check", "-o", "github", *arguments)
    assert run.out.splitlines()[0].startswith("::error file=tree/kubernetes/")
    assert run.out.count("::error ") == data["differences"]


@pytest.mark.usefixtures("input_folder")
def test_only_annotations_are_commands_to_a_code_host(mcpctl: Mcpctl) -> None:
    for style in REPORTERS:
        run = mcpctl("render", "in", "--out", "::o", "--check", "-o", style)
        lines = (run.out + run.err).splitlines()
        assert any(line.startswith("::") for line in lines) == (style == "github")
        assert all(line.startswith("::error file=%3A%3Ao/") for line in lines if line.startswith("::"))


# ---------------------------------------------------------------------------------------------
# A part of the specs.


@pytest.mark.usefixtures("input_folder")
def test_one_spec_leaves_the_other_servers_alone(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    before = content(Path("tree"))
    Path("in/one.yaml").write_text(spec("one", "  replicas: 2\n"))
    run = mcpctl("render", "in/one.yaml", "--out", "tree")
    assert run.code == Exit.FINE
    assert "tree/kubernetes: 2 other servers not in the input left alone (three, two); --prune removes them" in run.err
    after = content(Path("tree"))
    assert {path for path in after if after[path] != before[path]} == {
        "kubernetes/one/.mcpctl",
        "kubernetes/one/deployment.yaml",
        "kubernetes/one/service.yaml",
    }
    assert before.keys() == after.keys()
    assert mcpctl("render", "in", "--out", "tree", "--check").code == Exit.FINE


def test_servers_that_are_gone_leave_the_tree_when_asked_for(mcpctl: Mcpctl, input_folder: Path) -> None:
    mcpctl("render", "in", "--out", "tree")
    (input_folder / "two.yaml").unlink()
    (input_folder / "one.yaml").write_text(spec("four"))
    run = mcpctl("render", "in", "--out", "tree", "--check")
    assert run.code == Exit.DIFFERENT
    assert "tree/kubernetes/two/deployment.yaml: stale" in run.err
    assert run.err.splitlines()[-1] == "to bring the tree up to date: mcpctl render in --out tree --prune"
    assert mcpctl("render", "in", "--out", "tree", "--prune").code == Exit.FINE
    assert sorted(path.name for path in Path("tree/kubernetes").iterdir()) == [
        ".mcpctl",
        "four",
        "namespace.yaml",
        "three",
    ]
    assert mcpctl("render", "in", "--out", "tree", "--check").code == Exit.FINE


@pytest.mark.usefixtures("input_folder")
def test_what_a_server_does_not_render_any_more_goes_with_it(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", "  expose: {host: a.example}\n"))
    mcpctl("render", "in", "--out", "tree")
    assert Path("tree/kubernetes/one/ingress.yaml").exists()
    Path("in/one.yaml").write_text(spec("one"))
    run = mcpctl("render", "in/one.yaml", "--out", "tree", "-v")
    assert "tree/kubernetes/one/ingress.yaml: removed" in run.err
    assert not Path("tree/kubernetes/one/ingress.yaml").exists()


@pytest.mark.usefixtures("input_folder")
def test_a_manifest_of_a_stranger_is_a_difference(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    Path("tree/kubernetes/notes.txt").write_text("mine\n")
    run = mcpctl("render", "in", "--out", "tree", "--check")
    assert run.code == Exit.FINE
    assert "tree/kubernetes/notes.txt: mcpctl did not write it; nothing applies it" in run.err
    for path in ("evil.yaml", "one/evil.json", "new/evil.yml"):
        file = Path("tree/kubernetes") / path
        file.parent.mkdir(exist_ok=True)
        file.write_text("kind: ClusterRole\n")
        run = mcpctl("render", "in", "--out", "tree", "--check")
        assert run.code == Exit.DIFFERENT
        assert f"{file}: stranger: mcpctl did not write it" in run.err
        file.unlink()


@pytest.mark.parametrize("command", [["render", "in", "--out", ""], ["diff", "in", "--out", ""]])
@pytest.mark.usefixtures("input_folder")
def test_an_empty_path_is_no_tree(mcpctl: Mcpctl, command: list[str]) -> None:
    run = mcpctl(*command)
    assert run.code == Exit.USAGE
    assert "the path is empty" in run.err


@pytest.mark.usefixtures("input_folder")
def test_a_checkout_with_other_line_ends_is_told_once(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    for path in Path("tree").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    run = mcpctl("render", "in", "--out", "tree", "--check")
    assert run.code == Exit.FINE
    assert run.err.count("CRLF") == 1
    assert "add a line '* text eol=lf' to .gitattributes" in run.err


@pytest.mark.parametrize("flag", ["--check", "--force", "--prune", "--prune-data", "--allow-empty", "--kustomization"])
@pytest.mark.usefixtures("input_folder")
def test_options_of_a_tree_need_one(mcpctl: Mcpctl, flag: str) -> None:
    assert mcpctl("render", "in", flag).code == Exit.USAGE


@pytest.mark.usefixtures("input_folder")
def test_a_record_of_a_newer_mcpctl_is_told_in_every_way(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    Path("tree/kubernetes/.mcpctl").write_text("# mcpctl 99\n")
    for arguments in ([], ["--check"], ["--prune"]):
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
    assert Path("tree/kubernetes/one").exists()
    assert mcpctl("render", "in", "--out", "tree", "--allow-empty", "--prune").code == 0
    assert sorted(content(Path("tree/kubernetes"))) == [".mcpctl", "namespace.yaml"]
