"""``--templates`` and ``mcpctl eject``: copied, changed, rendered, checked, and told when they fall behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

import renderer.render.engine as engine
from renderer import user_templates
from renderer.errors import Exit
from renderer.user_templates import ejected, replaceable
from tests.cli.commands import Mcpctl, as_program

NAME = "kubernetes/service.yaml.j2"


@pytest.fixture
def own(specs: Path) -> Path:
    """A folder with one ejected template; the current folder has good.yaml beside it."""
    path = specs / "own" / NAME
    path.parent.mkdir(parents=True)
    path.write_text(ejected(NAME))
    return path


def test_a_template_is_copied_and_changed(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("eject", NAME)
    assert (run.code, run.err.splitlines()[0]) == (Exit.FINE, f"templates/{NAME}: written")
    copy = specs / "templates" / NAME
    assert copy.read_text() == ejected(NAME)
    assert mcpctl("render", "good.yaml", "--templates", "templates").out == mcpctl("render", "good.yaml").out
    copy.write_text(copy.read_text().replace("spec:\n", "spec:\n  # Ours.\n"))
    run = mcpctl("render", "good.yaml", "--templates", "templates")
    assert run.code == Exit.FINE
    assert "\n  # Ours.\n" in run.out


@pytest.mark.parametrize(
    ("name", "old", "new", "shown"),
    [
        (
            "kubernetes/probe.yaml.j2",
            "        path: {{ probe.path }}\n",
            "        path: {{ probe.path }}\n        httpHeaders: [{name: Host, value: {{ spec.transport.path }}}]\n",
            "        path: /h\n        httpHeaders: [{name: Host, value: /mcp}]\n        port: mcp\n",
        ),
        (
            "kubernetes/volumes.yaml.j2",
            "      sizeLimit: {{ folder.size }}\n",
            "      sizeLimit: {{ folder.size }}\n      medium: {{ 'Memory' if folder.path == '/tmp' else '' }}\n",
            "    emptyDir:\n      sizeLimit: 64Mi\n      medium: Memory\n",
        ),
        (
            "kubernetes/pod-spec.yaml.j2",
            "restartPolicy: Always\n",
            "tolerations:\n  - key: team\n    operator: Exists\nrestartPolicy: Always\n",
            "      tolerations:\n        - key: team\n          operator: Exists\n      restartPolicy: Always\n",
        ),
        (
            "kubernetes/env.yaml.j2",
            "{% if env %}\n    env:\n",
            "{% if true %}\n    env:\n      - name: MCP_PATH\n        value: {{ spec.transport.path }}\n",
            "        - name: MCP_PATH\n              value: /mcp\n",
        ),
    ],
    ids=["probe", "volumes", "tolerations", "variables"],
)
def test_lists_are_text_that_people_edit(
    mcpctl: Mcpctl, specs: Path, name: str, old: str, new: str, shown: str
) -> None:
    (specs / "served.yaml").write_text(
        "{apiVersion: mcpctl.io/v1alpha1, kind: McpServer, metadata: {name: demo}, spec: {image: a.example/b:v1, "
        "transport: {type: streamable-http}, health: {path: /h}}}\n"
    )
    assert mcpctl("eject", name).code == Exit.FINE
    copy = specs / "templates" / name
    assert old in copy.read_text()
    copy.write_text(copy.read_text().replace(old, new))
    run = mcpctl("render", "served.yaml", "--templates", "templates")
    assert run.code == Exit.FINE, run.err
    assert shown.replace(" ", "") in run.out.replace(" ", "")


def test_several_or_none(mcpctl: Mcpctl, specs: Path) -> None:
    other = "kubernetes/pod.yaml.j2"
    assert mcpctl("eject", NAME, "--out", "x").code == Exit.FINE
    run = mcpctl("eject", other, NAME, "--out", "x")
    assert run.code == Exit.USAGE
    assert f"x/{NAME}: exists" in run.err
    assert not (specs / "x" / other).exists()
    assert mcpctl("eject", other, NAME, "--out", "x", "--force").code == Exit.FINE
    assert (specs / "x" / other).exists()


def test_to_stdout(mcpctl: Mcpctl) -> None:
    run = mcpctl("eject", NAME, "--out", "-")
    assert (run.out, run.err) == (ejected(NAME), "")


def test_a_link_is_not_followed(mcpctl: Mcpctl, own: Path, specs: Path) -> None:
    own.unlink()
    own.symlink_to(specs / "good.yaml")
    before = (specs / "good.yaml").read_text()
    assert mcpctl("eject", NAME, "--out", "own", "--force").code == Exit.USAGE
    assert (specs / "good.yaml").read_text() == before
    run = mcpctl("render", "good.yaml", "--templates", "own")
    assert (run.code, run.out) == (Exit.INPUT_INVALID, "")
    assert f"own/{NAME}: error: symbolic links are not followed" in run.err


def test_the_list(mcpctl: Mcpctl) -> None:
    assert mcpctl("eject", "--list").out.split() == replaceable()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "give names"),
        ([NAME, "--list"], "give names"),
        (["kubernetes/servic.yaml.j2"], f"did you mean '{NAME}'?"),
        (["service"], "did you mean 'compose/service.yaml.j2' or 'kubernetes/service.yaml.j2'?"),
        (["../x"], "eject --list"),
        (["init/mcpserver.yaml.j2"], "no template that can be replaced"),
        (["--check", "none"], "does not exist"),
        ([NAME, "--out", "good.yaml"], "cannot be written"),
    ],
)
@pytest.mark.usefixtures("specs")
def test_mistakes(mcpctl: Mcpctl, arguments: list[str], word: str) -> None:
    run = mcpctl("eject", *arguments)
    assert run.code == Exit.USAGE
    assert word in run.err


def test_the_check_tells_what_fell_behind(mcpctl: Mcpctl, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mcpctl("eject", "--check", "own").code == Exit.FINE
    built_in = user_templates._built_in
    monkeypatch.setattr(user_templates, "_built_in", lambda name: built_in(name) + "# newer\n")
    run = mcpctl("eject", "--check", "own", "--output", "json")
    assert run.code == Exit.DIFFERENT
    assert [p["rule"] for p in json.loads(run.out)["problems"]] == ["templates/outdated"]
    run = mcpctl("render", "good.yaml", "--templates", "own")
    assert run.code == Exit.FINE
    assert f"own/{NAME}:1: warning: the built-in template has changed since" in run.err
    own.with_name("nope.j2").write_text("")
    assert mcpctl("eject", "--check", "own").code == Exit.INPUT_INVALID


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("a: {{ nope }}\n", Exit.OUTPUT_INVALID, f"own/{NAME}:1: error: 'nope' is undefined"),
        ("\n{% if %}", Exit.OUTPUT_INVALID, f"own/{NAME}:2: error: Expected an expression"),
        ("kind: ClusterRole\n", Exit.OUTPUT_INVALID, f"own/{NAME}:1: error: "),
        ("hello\n", Exit.OUTPUT_INVALID, f"own/{NAME}:1: error: "),
        ("{% include '../../good.yaml' %}", Exit.OUTPUT_INVALID, f"own/{NAME}:1: error: there is no template"),
    ],
    ids=["undefined", "syntax", "invalid", "scalar", "include"],
)
def test_with_an_error_the_tree_is_as_it_was(
    mcpctl: Mcpctl, own: Path, specs: Path, text: str, code: Exit, word: str
) -> None:
    assert mcpctl("render", "good.yaml", "--out", "tree", "--templates", "own").code == Exit.FINE
    before = {path: path.read_bytes() for path in (specs / "tree").rglob("*") if path.is_file()}
    own.write_text(text)
    run = mcpctl("render", "good.yaml", "--out", "tree", "--templates", "own")
    assert run.code == code
    assert word in run.err
    assert {path: path.read_bytes() for path in (specs / "tree").rglob("*") if path.is_file()} == before
    assert mcpctl("validate", "good.yaml", "-t", "kubernetes", "--templates", "own").code == code


def test_faults_of_the_spec_and_of_the_folder_come_together(mcpctl: Mcpctl, own: Path) -> None:
    own.with_name("nope.j2").write_text("")
    run = mcpctl("validate", "bad.yaml", "--templates", "own", "--output", "json")
    assert run.code == Exit.INPUT_INVALID
    assert {p["rule"] for p in json.loads(run.out)["problems"]} > {"templates/unknown-name"}


def test_a_template_that_loops_runs_until_it_is_interrupted(
    mcpctl: Mcpctl, own: Path, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupts(value: object) -> str:
        if value == "round 9":
            signal.raise_signal(signal.SIGINT)
        return "x"

    monkeypatch.setattr(engine, "_finalizer", lambda quoting: interrupts)
    own.write_text("{% for a in range(9999) %}{% for b in range(9999) %}{{ 'round ' ~ a }}{% endfor %}{% endfor %}")
    run = mcpctl("render", "good.yaml", "--out", "tree", "--templates", "own")
    assert (run.code, run.out, (specs / "tree").exists()) == (Exit.INTERRUPTED, "", False)


def test_as_a_program(own: Path, specs: Path) -> None:
    own.write_text(own.read_text() + "{{ nope }}")
    run = as_program("render", "good.yaml", "--templates", "own", cwd=specs)
    assert (run.code, run.out) == (Exit.OUTPUT_INVALID, "")
    assert "'nope' is undefined; a template may read: " in run.err
