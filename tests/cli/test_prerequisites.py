"""``mcpctl prerequisites``: the list on stdout, problems on stderr."""

from __future__ import annotations

import json
from pathlib import Path

from renderer.errors import Exit
from tests.cli.commands import BAD, GOOD, WARNED, Mcpctl

SECRET = GOOD + "  env: {TOKEN: {secret: demo, key: token}}\n"


def test_text(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(SECRET)
    run = mcpctl("prerequisites", tmp_path, "--namespace", "mine", "--quiet")
    assert (run.code, run.err) == (Exit.FINE, "")
    assert "In namespace `mine`" in run.out
    assert "- [ ] Secret `demo` with key `token`: for `spec.env.TOKEN`\n" in run.out


def test_json(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(SECRET)
    run = mcpctl("prerequisites", tmp_path, "--output", "json")
    assert json.loads(run.out)["prerequisites"][0]["name"] == "demo"
    (tmp_path / "other.yaml").write_text(GOOD.replace("demo", "other"))
    several = mcpctl("prerequisites", tmp_path, "--output", "json")
    assert [one["server"] for one in json.loads(several.out)] == ["demo", "other"]


def test_problems_are_told_and_errors_leave_no_list(mcpctl: Mcpctl, tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(WARNED)
    warned = mcpctl("prerequisites", path)
    assert warned.code == Exit.FINE
    assert warned.out
    assert "spec/privileged-port" in warned.err
    path.write_text(BAD)
    bad = mcpctl("prerequisites", path)
    assert (bad.code, bad.out) == (Exit.INPUT_INVALID, "")
    assert "spec.replicas" in bad.err
