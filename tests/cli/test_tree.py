"""``mcpctl render --out``: why files differ, in every format; what is removed, and what is left alone."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.command import Done
from renderer.diff import git
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


@pytest.mark.usefixtures("input_folder")
def test_git_is_asked_once_and_only_about_what_seems_not_to_be_ours(
    mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], **_: object) -> Done:
        calls.append(argv)
        return Done(128, "", "fatal: not a git repository")

    monkeypatch.setattr(git, "run", run)
    command = ("render", "in", "--out", "tree")
    for options in ([], [], ["--check"]):
        assert mcpctl(*command, *options).code == Exit.FINE
    assert calls == []
    Path("tree/kubernetes/notes.txt").write_text("mine\n")
    for count, more in enumerate(([], ["--check"]), 1):
        assert mcpctl(*command, *more).code == Exit.FINE
        assert len(calls) == count


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
        "two/service.yaml: edited: it was edited by hand after mcpctl wrote it; --force overwrites it: move what must "
        "stay into the spec (spec.patches) first",
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
    assert "tree/kubernetes: 2 other servers not in the input left alone (three, two)" in run.err
    after = content(Path("tree"))
    assert {path for path in after if after[path] != before[path]} == {
        "kubernetes/one/.mcpctl",
        "kubernetes/one/deployment.yaml",
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
        "networkpolicy.yaml",
        "serviceaccount.yaml",
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


@pytest.mark.parametrize("paths", [["in/one.yaml"], ["in/one.yaml", "in/two.yaml"], ["in/team"], ["empty"]])
@pytest.mark.parametrize("place", ["", ".git", "in/mcpctl.yaml"])
def test_a_part_of_what_a_tree_was_made_from_prunes_nothing(
    mcpctl: Mcpctl, input_folder: Path, tmp_path: Path, place: str, paths: list[str]
) -> None:
    """Wherever specs and tree lie: in a work tree, in a project, or in a folder with nothing else."""
    (tmp_path / "empty").mkdir()
    (input_folder / "team").mkdir()
    (input_folder / "team/four.yaml").write_text(spec("four"))
    if place == ".git":
        (tmp_path / ".git").mkdir()
    elif place:
        (tmp_path / "mcpctl.yaml").write_text("prune: false\n")
    mcpctl("render", "in", "--out", "tree")
    before = content(Path("tree"))
    run = mcpctl("render", *paths, "--out", "tree", "--prune", "--prune-data", "--force", "--allow-empty")
    assert run.code == Exit.USAGE
    assert "the input is a part: it lacks in/" in run.err
    run = mcpctl("render", *paths, "--out", "tree", "--check", "--allow-empty")
    assert run.code == Exit.FINE
    assert "not in the input left alone" in run.err
    assert "stale" not in run.err
    assert content(Path("tree")) == before


def test_a_part_is_known_by_specs_that_lie_elsewhere(
    mcpctl: Mcpctl, input_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repository/.git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository")
    mcpctl("render", "../in", "--out", "tree")
    assert mcpctl("render", "../in/one.yaml", "--out", "tree", "--prune").code == Exit.USAGE
    (input_folder / "two.yaml").unlink()
    (input_folder / "three.yaml").unlink()
    assert mcpctl("render", "../in/one.yaml", "--out", "tree", "--prune").code == Exit.FINE
    assert [path.name for path in Path("tree/kubernetes").iterdir() if path.is_dir()] == ["one"]


def test_another_fleet_beside_it_does_not_make_the_input_a_part(
    mcpctl: Mcpctl, input_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/two.yaml").write_text(spec("two"))
    mcpctl("render", "in", "--out", "tree")
    (input_folder / "two.yaml").unlink()
    assert mcpctl("render", "in", "--out", "tree", "--check").code == Exit.DIFFERENT
    assert mcpctl("render", "in", "--out", "tree", "--prune").code == Exit.FINE
    assert not Path("tree/kubernetes/two").exists()


# ---------------------------------------------------------------------------------------------
# The last line of --check.


def _deployment(environment: str = "prod") -> Path:
    return Path(f"tree/{environment}/kubernetes/two/deployment.yaml")


def _remove(*files: str) -> int:
    for file in files:
        Path(file).unlink()
    return len(files)


#: What somebody does to specs or tree, and the state that the check then names.
CHANGES: dict[str, tuple[Callable[[], object], str]] = {
    "a spec changes": (lambda: Path("in/two.yaml").write_text(spec("two", "  replicas: 2\n")), "outdated"),
    "a file is lost": (lambda: _deployment().unlink(), "missing"),
    "a record is lost": (lambda: Path("tree/prod/kubernetes/two/.mcpctl").unlink(), "foreign|missing"),
    "a file is edited": (lambda: _deployment().write_text("kind: Deployment\n"), "edited"),
    "a file is in conflict": (
        lambda: _deployment().write_text("<<<<<<< one\na: 1\n=======\na: 2\n>>>>>>> two\n"),
        "conflict",
    ),
    "a server is gone": (lambda: Path("in/two.yaml").unlink(), "stale"),
    "a server with a volume is gone": (lambda: _remove("in/two.yaml", "in/three.yaml"), "stale"),
    "all servers are gone": (lambda: _remove(*(f"in/{name}.yaml" for name in NAMES)), "stale"),
    "a volume is gone": (lambda: Path("in/three.yaml").write_text(spec("three")), "stale"),
    "an environment is gone": (lambda: Path("environments/dev.yaml").unlink(), "stale"),
    "an edited file of a server that is gone": (
        lambda: _deployment().write_text("kind: Deployment\n") and _remove("in/two.yaml"),
        "edited",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_last_line_of_a_check_makes_the_tree_true(mcpctl: Mcpctl, input_folder: Path, change: str) -> None:
    (input_folder / "three.yaml").write_text(spec("three", "  storage: [{name: data, size: 1Gi, mountPath: /d}]\n"))
    Path("environments").mkdir()
    for name in ("dev", "prod"):
        text = ENVIRONMENT.replace("production", name).replace("{name: tools}", f"{{name: tools-{name}, create: true}}")
        Path(f"environments/{name}.yaml").write_text(text)
    arguments = ("render", "in", "environments", "--out", "tree", "--allow-empty")
    assert mcpctl(*arguments).code == Exit.FINE
    carry_out, states = CHANGES[change]
    carry_out()
    run = mcpctl(*arguments, "--check")
    assert run.code == Exit.DIFFERENT
    assert any(f": {state}: " in run.err for state in states.split("|"))
    command = run.err.splitlines()[-1].removeprefix("to bring the tree up to date: mcpctl ")
    assert mcpctl(*shlex.split(command)).code == Exit.FINE, command
    assert mcpctl(*arguments, "--check").code == Exit.FINE


@pytest.mark.parametrize("name", ["evil.yaml", "two/evil.json", "new/evil.yml"])
@pytest.mark.usefixtures("input_folder")
def test_what_no_command_can_mend_is_named_in_the_last_line(mcpctl: Mcpctl, name: str) -> None:
    mcpctl("render", "in", "--out", "tree")
    file = Path("tree/kubernetes") / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("kind: ClusterRole\n")
    run = mcpctl("render", "in", "--out", "tree", "--check")
    assert run.err.splitlines()[-1] == f"to bring the tree up to date: move out of it, or remove, {file}"
    file.unlink()
    assert mcpctl("render", "in", "--out", "tree", "--check").code == Exit.FINE


@pytest.mark.usefixtures("input_folder")
def test_a_folder_in_the_way_is_not_said_to_be_overwritten(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree")
    file = Path("tree/kubernetes/one/service.yaml")
    file.unlink()
    file.mkdir()
    run = mcpctl("render", "in", "--out", "tree", "--check")
    assert run.code == Exit.DIFFERENT
    assert "a folder is never overwritten: move it away" in run.err
    assert "--force" not in run.err


@pytest.mark.usefixtures("input_folder")
@pytest.mark.parametrize("check", [[], ["--check"]], ids=["write", "check"])
def test_what_is_wrong_in_each_tree_is_told_in_one_run(mcpctl: Mcpctl, check: list[str]) -> None:
    Path("environments").mkdir()
    for name in ("a", "b", "c"):
        Path(f"environments/{name}.yaml").write_text(ENVIRONMENT.replace("production", name))
    arguments = ("render", "in", "environments", "--out", "tree")
    mcpctl(*arguments)
    Path("tree/a/kubernetes/one/.mcpctl").write_text("mine\n")
    Path("tree/b/kubernetes/two/service.yaml").write_text("mine\n")
    Path("tree/c/kubernetes/one").rename("elsewhere")
    Path("tree/c/kubernetes/one").symlink_to("../../../elsewhere")
    run = mcpctl(*arguments, *check)
    assert run.code == Exit.OUTPUT_INVALID
    places = [line.split(":")[0] for line in (run.out + run.err).splitlines()]
    for path in ("a/kubernetes/one/.mcpctl", "b/kubernetes/two/service.yaml", "c/kubernetes/one"):
        assert f"tree/{path}" in places, path


@pytest.mark.usefixtures("input_folder")
def test_a_head_names_the_file_that_a_link_leads_to(mcpctl: Mcpctl) -> None:
    """The spec itself is a link, its folder is, or both lead out of the work tree."""
    Path(".git").mkdir()
    Path("in").rename("real")
    Path("specs").mkdir()
    Path("specs/one.yaml").symlink_to("../real/one.yaml")
    Path("linked").symlink_to("real")
    Path("../outside.yaml").write_text(spec("three"))
    Path("specs/three.yaml").symlink_to("../../outside.yaml")
    mcpctl("render", "specs/one.yaml", "linked/two.yaml", "specs/three.yaml", "--out", "tree")
    heads = {name: Path(f"tree/kubernetes/{name}/service.yaml").read_text() for name in ("one", "two", "three")}
    assert "Made by mcpctl from real/one.yaml;" in heads["one"]
    assert "Made by mcpctl from real/two.yaml;" in heads["two"]
    assert "Made by mcpctl from the spec of server three;" in heads["three"]


@pytest.mark.usefixtures("input_folder")
def test_what_forbids_a_run_is_told_of_every_kind(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", "  storage: [{name: data, size: 1Gi, mountPath: /data}]\n"))
    mcpctl("render", "in", "--out", "tree")
    Path("in/one.yaml").write_text(spec("one"))
    Path("tree/kubernetes/two/service.yaml").write_text("mine\n")
    run = mcpctl("render", "in", "--out", "tree")
    assert "[tree/edited]" in run.err
    assert "[tree/data-loss]" in run.err


@pytest.mark.usefixtures("input_folder")
def test_the_working_folder_can_be_the_tree(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tree").mkdir()
    monkeypatch.chdir("tree")
    assert mcpctl("render", "../in", "--out", ".").code == Exit.FINE
    assert mcpctl("render", "../in", "--out", ".", "--check").code == Exit.FINE
    assert mcpctl("render", "../in/one.yaml", "--out", ".", "--prune").code == Exit.USAGE


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
    shared = ["namespace.yaml", "networkpolicy.yaml", "serviceaccount.yaml"]
    assert sorted(content(Path("tree/kubernetes"))) == [".mcpctl", *shared]


# ---------------------------------------------------------------------------------------------
# Input of which nobody can tell what it is a part of.


def test_standard_input_prunes_nothing(mcpctl: Mcpctl, input_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mcpctl("render", "in", "--out", "tree")
    before = content(Path("tree"))
    for options, code in ((("--prune",), Exit.USAGE), (("--check",), Exit.FINE)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((input_folder / "one.yaml").read_bytes())))
        run = mcpctl("render", "-", "--out", "tree", *options)
        assert run.code == code, run.err
        assert "stale" not in run.err
    assert content(Path("tree")) == before


def test_a_copy_of_a_spec_that_lies_elsewhere_is_a_part(mcpctl: Mcpctl, input_folder: Path, tmp_path: Path) -> None:
    mcpctl("render", "in", "--out", "tree")
    (tmp_path / "else").mkdir()
    copy = tmp_path / "else/one.yaml"
    copy.write_text((input_folder / "one.yaml").read_text())
    assert mcpctl("render", copy, "--out", "tree", "--prune").code == Exit.USAGE
    assert Path("tree/kubernetes/two/deployment.yaml").exists()
