"""``--watch``: what makes a command run again, and what ends it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.cli import watch
from renderer.errors import Exit
from tests.cli.commands import BAD, GOOD, Mcpctl

Change = Callable[[], object]


def changing(*changes: Change) -> Callable[[float], None]:
    """A sleep in which something changes; after all of it, Ctrl-C."""
    left = [*changes]

    def sleep(seconds: float) -> None:
        assert seconds == watch.INTERVAL
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    return sleep


def runs(run: Callable[[], int], out: Path, *changes: Change) -> int:
    """How often the command runs when these happen one after the other."""
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return run()

    with pytest.raises(KeyboardInterrupt):
        watch.again(counted, [out], changing(*changes))
    return count


def test_it_runs_again_when_what_it_read_changes(tmp_path: Path) -> None:
    specs, lock, out = tmp_path / "specs", tmp_path / "lock", tmp_path / "out"
    specs.mkdir()
    (specs / "a.yaml").write_text("a")
    lock.write_text("1")

    def run() -> int:
        for name in os.listdir(specs):
            (specs / name).read_text()
        if lock.exists():
            os.close(os.open(lock, os.O_RDONLY))
        os.listdir(tmp_path)
        out.mkdir(exist_ok=True)
        (out / "b").write_text("b")
        (out / "b").read_text()
        return 0

    def count(*changes: Change) -> int:
        return runs(run, out, *changes)

    assert count() == 1
    assert count(lambda: (specs / "a.yaml").write_text("ab")) == 2
    assert count(lambda: (specs / "b.yaml").write_text("b"), (specs / "b.yaml").unlink) == 3
    assert count(lambda: os.replace(specs / "a.yaml", specs / "c.yaml")) == 2
    assert count(lambda: lock.write_text("22"), lock.unlink) == 3
    assert count(lambda: (out / "b").write_text("changed by hand"), lambda: (out / "c").write_text("")) == 1
    assert count(lambda: (specs / "c.yaml").chmod(0o600)) == 1


def test_a_change_during_the_run_counts(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")

    def run() -> int:
        if file.read_text() == "1":
            file.write_text("22")
        return 0

    assert runs(run, tmp_path / "out", lambda: None) == 2


@pytest.mark.parametrize("command", ["validate", "render"])
def test_a_command_survives_faults_and_ends_with_ctrl_c(
    mcpctl: Mcpctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(BAD)
    sleep = changing(spec.unlink, lambda: spec.write_text("a: ["), lambda: spec.write_text(GOOD))
    again = watch.again
    monkeypatch.setattr(watch, "again", lambda run, out: again(run, out, sleep))
    monkeypatch.chdir(tmp_path)
    run = mcpctl(command, "--watch", "demo.yaml")
    assert run.code == Exit.INTERRUPTED
    assert run.err.count("watching for changes") == 4
    assert "\ndemo.yaml changed\n" in run.err
    for rule in ("schema/minimum", "load/missing", "yaml/syntax"):
        assert f"[{rule}]" in run.err
    assert "1 server" in run.err.rpartition("changed\n")[2]
    assert ("kind: Deployment" in run.out) == (command == "render")


def test_standard_input_cannot_be_followed(mcpctl: Mcpctl) -> None:
    run = mcpctl("validate", "--watch", "-")
    assert run.code == Exit.USAGE
    assert "--watch follows files" in run.err


def test_what_the_command_line_has_wrong_is_said_once(mcpctl: Mcpctl) -> None:
    run = mcpctl("render", "--watch", "--target", "nosuch", "x.yaml")
    assert run.code == Exit.USAGE
    assert "watching" not in run.err
