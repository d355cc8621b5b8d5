"""What all commands share: exit codes, help, mistakes, defects, and the process around them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from renderer import __version__, pipeline
from renderer.cli import COMMANDS, Commands, main
from renderer.cli import mcpctl as group
from renderer.errors import Defect, Exit, OutputTreeFault
from renderer.write.tree import _Plan
from tests.cli.commands import BAD, GOOD, Mcpctl, as_program, on_terminal

# ---------------------------------------------------------------------------------------------
# Exit codes.


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["render", "good.yaml"], Exit.FINE),
        (["render", "warned.yaml"], Exit.FINE),
        (["render", "good.yaml", "--out", "tree", "--check"], Exit.DIFFERENT),
        (["render"], Exit.USAGE),
        (["render", "good.yaml", "--chek"], Exit.USAGE),
        (["render", "good.yaml", "--check"], Exit.USAGE),
        (["render", "good.yaml", "--force"], Exit.USAGE),
        (["render", "good.yaml", "--target", "nomad"], Exit.USAGE),
        (["render", "good.yaml", "--kubernetes-version", "1.3"], Exit.USAGE),
        (["render", "good.yaml", "--kubernetes-version", "../1.35"], Exit.USAGE),
        (["render", "good.yaml", "--namespace", "A"], Exit.USAGE),
        (["render", "good.yaml", "--namespace", "a/b"], Exit.USAGE),
        (["render", "good.yaml", "--namespace", "a\n"], Exit.USAGE),
        (["render", "good.yaml", "--output", "xml"], Exit.USAGE),
        (["rendr", "good.yaml"], Exit.USAGE),
        (["render", "bad.yaml"], Exit.INPUT_INVALID),
        (["render", "good.yaml", "bad.yaml"], Exit.INPUT_INVALID),
        (["render", "none.yaml"], Exit.INPUT_INVALID),
        (["validate", "good.yaml"], Exit.FINE),
        (["validate", "bad.yaml"], Exit.INPUT_INVALID),
        (["validate", "good.yaml", "good.yaml"], Exit.FINE),
        (["validate", "broken.yaml"], Exit.FINE),
        (["schema"], Exit.FINE),
        (["schema", "nope"], Exit.USAGE),
        (["init", "new"], Exit.USAGE),
        (["init", "New", "--image", "a:1"], Exit.INPUT_INVALID),
        (["--version"], Exit.FINE),
        (["--help"], Exit.FINE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.usefixtures("specs")
def test_exit_codes(mcpctl: Mcpctl, arguments: list[str], code: Exit) -> None:
    run = mcpctl(*arguments)
    assert run.code == code, run.err
    assert "Traceback" not in run.err
    assert run.err or code is Exit.FINE, "a failure says why"


@pytest.mark.parametrize("command", ["render", "validate"])
@pytest.mark.usefixtures("specs")
def test_what_a_patch_breaks_is_told_and_stops(mcpctl: Mcpctl, command: str) -> None:
    run = mcpctl(command, "broken.yaml", "--target", "kubernetes")
    assert run.code in (Exit.INPUT_INVALID, Exit.OUTPUT_INVALID)
    assert "replicas" in run.err
    assert "kind:" not in run.out


@pytest.mark.usefixtures("specs")
def test_a_fault_of_a_template_is_output_invalid(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    from renderer.targets.kubernetes import Kubernetes

    kubernetes: Any = Kubernetes
    before = kubernetes.build

    def build(self: Any, group: Any, options: Any) -> Any:
        documents, problems = before(self, group, options)
        return [d._replace(text=d.text.replace("replicas: 1", "replicas: many")) for d in documents], problems

    monkeypatch.setattr(Kubernetes, "build", build)
    run = mcpctl("render", "good.yaml")
    assert (run.code, run.out) == (Exit.OUTPUT_INVALID, "")
    assert re.match(r"templates/kubernetes/deployment.yaml.j2:\d+: error: spec.replicas: ", run.err)


@pytest.mark.parametrize(
    "stage", ["texts", "documents", "validate_source", "resolve", "validate_rules", "build_and_check"]
)
@pytest.mark.parametrize("error", [ValueError, KeyError, AssertionError, RecursionError, MemoryError, OSError])
@pytest.mark.usefixtures("specs")
def test_a_defect_of_ours_is_70_and_tells_nothing_of_the_spec(
    mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch, stage: str, error: type[Exception]
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise error("hunter2")

    monkeypatch.setattr(pipeline, stage, broken)
    run = mcpctl("render", "good.yaml")
    assert (run.code, run.out) == (Exit.DEFECT, "")
    assert error.__name__ in run.err
    assert "broken:" in run.err
    assert "report" in run.err
    assert "hunter2" not in run.err
    assert "Traceback" not in run.err
    assert "written" not in run.err


@pytest.mark.usefixtures("specs")
def test_the_traceback_of_a_defect_is_shown_to_who_asks(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ValueError("about it")

    monkeypatch.setattr(pipeline, "resolve", broken)
    run = mcpctl("--debug", "render", "good.yaml")
    assert run.code == Exit.DEFECT
    assert "Traceback (most recent call last)" in run.err
    assert "ValueError: about it" in run.err
    monkeypatch.setenv("MCPCTL_DEBUG", "1")
    assert "ValueError: about it" in mcpctl("render", "good.yaml").err
    assert "MCPCTL_DEBUG" not in mcpctl("config").err


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.usefixtures("specs")
def test_a_defect_in_the_middle_of_a_render_says_which_trees_are_written(
    mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    environment = "apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {name: NAME}\nspec: {target: compose}\n"
    for name in ("dev", "prod"):
        Path(f"{name}.yaml").write_text(environment.replace("NAME", name))
    put = _Plan.put_in_place

    def broken(self: _Plan) -> Any:
        if first or self.wanted.folder.name == "prod":
            raise RuntimeError("hunter2")
        return put(self)

    monkeypatch.setattr(_Plan, "put_in_place", broken)
    run = mcpctl("render", "good.yaml", "dev.yaml", "prod.yaml", "--out", "deploy")
    assert run.code == Exit.DEFECT
    done = "" if first else "; written: deploy/dev"
    name = "dev" if first else "prod"
    assert f"deploy/{name} is incomplete, and the next run completes it{done}; please report" in run.err


@pytest.mark.parametrize(("error", "code"), [(Defect, 70), (OutputTreeFault, 4)])
@pytest.mark.usefixtures("specs")
def test_our_own_errors_end_with_their_code(mcpctl: Mcpctl, monkeypatch: Any, error: Any, code: int) -> None:
    def failing(*args: object, **kwargs: object) -> None:
        raise error("what to do\x1b[31m\n::next")

    monkeypatch.setattr(pipeline, "render", failing)
    run = mcpctl("render", "good.yaml")
    assert run.code == code
    assert "what to do" in run.err
    assert "\x1b" not in run.err
    assert len(run.err.splitlines()) == 1


@pytest.mark.usefixtures("specs")
def test_an_interrupt_is_130(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "texts", interrupted)
    run = mcpctl("render", "good.yaml")
    assert (run.code, run.out) == (Exit.INTERRUPTED, "")
    assert "Traceback" not in run.err


# ---------------------------------------------------------------------------------------------
# Help.


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_says_what_it_does_and_shows_an_example(mcpctl: Mcpctl, command: str) -> None:
    run = mcpctl(command, "--help")
    assert run.code == 0
    assert "Examples:" in run.out
    assert f"  mcpctl {command} " in run.out or f"| mcpctl {command} " in run.out
    assert mcpctl(command, "-h") == run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_is_for(command: str) -> None:
    import click

    found = Commands.get_command(group, click.Context(group, **group.context_settings), command)
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_help_lists_every_command_and_exit_code(mcpctl: Mcpctl) -> None:
    run = mcpctl("--help")
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", run.out, re.MULTILINE)
    for code in (0, 1, 2, 3, 4, 5, 6, 70, 130):
        assert str(code) in run.out.split("Exit codes:")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_summary_is_the_command_s_own(command: str) -> None:
    context = group.make_context("mcpctl", [command], resilient_parsing=True)
    found = group.get_command(context, command)
    assert found is not None
    assert COMMANDS[command] == found.get_short_help_str(limit=1000)


def test_without_a_command_the_help_is_printed(mcpctl: Mcpctl) -> None:
    code, out, err = mcpctl()
    assert (code, err) == (Exit.FINE, "")
    assert out == mcpctl("--help")[1]
    assert "\\n" not in out


def test_the_version_is_that_of_the_package(mcpctl: Mcpctl) -> None:
    assert __version__ in mcpctl("--version").out


# ---------------------------------------------------------------------------------------------
# Mistakes on the command line.


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["rendr"], "did you mean 'render'?"),
        (["deploy"], f"there is: {', '.join(COMMANDS)}"),
        (["render", "x", "--naemspace", "a"], "--namespace"),
        (["render", "x", "--kubernetes-version", "1.99"], "1.35"),
        (["render", "x", "--namespace", "A"], "DNS label"),
        (["render", "x", "--target", "nomad"], "kubernetes"),
        (["render", "x", "--check"], "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_told_with_what_to_do(mcpctl: Mcpctl, arguments: list[str], word: str) -> None:
    run = mcpctl(*arguments)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert word in run.err
    assert "--help" in run.err


HOSTILE = "\x1b[31mred\n::error::x\u202e"


@pytest.mark.parametrize(
    "arguments",
    [
        [HOSTILE],
        ["render", f"--{HOSTILE}", "x"],
        ["render", "x", "--target", HOSTILE],
        ["render", "x", "--namespace", HOSTILE],
        ["render", "x", "--kubernetes-version", HOSTILE],
        ["render", "x", "--output", HOSTILE],
        ["render", HOSTILE],
        ["validate", HOSTILE],
        ["schema", HOSTILE],
        ["init", HOSTILE, "--image", "a:1"],
        ["init", "a", "--image", HOSTILE],
        ["init", "a", "--npm", HOSTILE],
        ["init", "a", "--image", "a:1", "--command", "x", "--out", f"/nonexistent/{HOSTILE}"],
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)
def test_what_was_typed_is_shown_escaped(mcpctl: Mcpctl, arguments: list[str]) -> None:
    run = mcpctl(*arguments)
    assert run.code in (Exit.USAGE, Exit.INPUT_INVALID)
    assert all(line.isprintable() for line in run.err.split("\n"))
    assert not any(line.startswith("::") for line in run.err.split("\n"))


def test_hostile_names_of_files_and_fields_are_shown_escaped(mcpctl: Mcpctl, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31m\n::error::x.yaml"
    path.write_text(GOOD.replace("image:", '"\\e[31m\\n::error::y": 1\n  image:'))
    for style in ("text", "json", "sarif"):
        run = mcpctl("validate", path, "--output", style)
        assert run.code == Exit.INPUT_INVALID
        assert all(line.isprintable() for line in (run.out + run.err).split("\n"))
        assert not any(line.startswith("::") for line in (run.out + run.err).split("\n"))


def test_hostile_names_of_trees_are_shown_escaped(mcpctl: Mcpctl, specs: Path) -> None:
    tree = specs / HOSTILE.replace("/", "")
    for arguments in (["--check"], [], ["--check"]):
        run = mcpctl("render", "good.yaml", "--out", tree, *arguments)
        assert run.code in (0, 1)
        assert all(line.isprintable() for line in run.err.split("\n"))


# ---------------------------------------------------------------------------------------------
# The process.


def test_the_module_is_the_program(specs: Path) -> None:
    run = as_program("render", "good.yaml", cwd=specs)
    assert (run.code, run.out[:4]) == (0, "---\n")


@pytest.mark.parametrize("command", [["render"], ["validate"], ["render", "--out", "tree"]])
def test_standard_input_is_closed(specs: Path, command: list[str]) -> None:
    """As in ``mcpctl render - <&-``."""
    script = 'exec "$@" <&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "renderer", *command, "-"],
        cwd=specs,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == Exit.INPUT_INVALID
    assert done.stderr.startswith(b"<stdin>: error: ")
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("streams", "codes"), [(">&-", {4}), ("2>&-", {0}), ("<&- >&- 2>&-", {4}), (">/dev/full", {4})]
)
def test_standard_output_is_closed_or_full(specs: Path, streams: str, codes: set[int]) -> None:
    """Data that went nowhere is not success; nothing else depends on who listens."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "renderer", "render", "good.yaml"],
        cwd=specs,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in codes
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if done.returncode and "2>" not in streams:
        assert b"standard output" in done.stderr


def test_a_reader_that_leaves_is_no_fault(specs: Path) -> None:
    """As in ``mcpctl render … | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = as_program("render", "good.yaml", "--target", "kubernetes", cwd=specs, stdout=writer)
    finally:
        os.close(writer)
    assert (run.code, run.err) == (0, "")


@pytest.mark.parametrize(("stream", "style"), [("stdout", "text"), ("stdout", "json"), ("stderr", "text")])
def test_an_error_is_an_error_whoever_listens(specs: Path, stream: str, style: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        streams: dict[str, Any] = {stream: writer}
        run = as_program("validate", "bad.yaml", "--output", style, cwd=specs, **streams)
    finally:
        os.close(writer)
    assert run.code == Exit.INPUT_INVALID
    assert "Traceback" not in run.err


_INTERRUPTED = """
import os, signal, sys
from renderer.__main__ import run
class Stdin:
    class buffer:
        @staticmethod
        def read(size=-1):
            os.kill(os.getpid(), signal.SIGINT)
            return b""
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs without it
sys.stdin = Stdin
sys.argv = ["mcpctl", "render", "-"]
run()
"""


def test_an_interrupt_while_reading(specs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (Exit.INTERRUPTED, b"")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=str,
)
def test_data_is_utf_8_whatever_the_locale(specs: Path, env: dict[str, str]) -> None:
    text = GOOD.replace("spec:\n", 'spec:\n  description: Größe 😀\n  files: {/a: {content: "é\\nü\\n"}}\n')
    (specs / "größe.yaml").write_text(text, encoding="utf-8")
    run = as_program("render", "größe.yaml".encode(), cwd=specs, env=env)
    assert run.code == 0
    assert "    é\n    ü\n" in run.out
    (specs / "größe.yaml").write_text(BAD, encoding="utf-8")
    run = as_program("validate", "größe.yaml".encode(), cwd=specs, env=env)
    assert run.code == Exit.INPUT_INVALID
    assert "Traceback" not in run.err


def test_a_name_that_is_not_text(mcpctl: Mcpctl, specs: Path) -> None:
    path = os.fsencode(specs) + b"/\xff.yaml"
    Path(os.fsdecode(path)).write_text(BAD)
    for style in ("text", "json", "sarif"):
        run = mcpctl("validate", os.fsdecode(path), "--output", style)
        assert run.code == Exit.INPUT_INVALID
        assert "Traceback" not in run.err
    assert as_program("render", b"--\xff", "x").code == Exit.USAGE


@pytest.mark.parametrize("arguments", [["render", "good.yaml", "--out", "tree"], ["validate", "warned.yaml"]])
def test_colors_are_for_terminals_only(mcpctl: Mcpctl, specs: Path, arguments: list[str]) -> None:
    assert "\x1b" not in mcpctl(*arguments).err


@pytest.mark.parametrize("arguments", [["--color", "always", "validate"], ["validate", "--color=always"]])
def test_colour_on_request(mcpctl: Mcpctl, specs: Path, arguments: list[str]) -> None:
    for file in ("bad.yaml", "nosuch.yaml"):
        assert f"{file}:" in mcpctl(*arguments, file).err
        assert "\x1b[31;1merror\x1b[0m" in mcpctl(*arguments, file).err
    assert "\x1b" not in mcpctl("validate", "bad.yaml").err  # it held for one run


@pytest.mark.parametrize(
    ("env", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_no_color(specs: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], colored: bool) -> None:
    with on_terminal(monkeypatch, "stderr", **env) as read:
        assert main(["validate", "bad.yaml"]) == Exit.INPUT_INVALID
        assert ("\x1b[" in read()) is colored
