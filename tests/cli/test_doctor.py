"""``mcpctl doctor``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import Mcpctl


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("orchestrator", ["docker", "kubernetes"])
def test_what_has_failed_is_exit_code_5(mcpctl: Mcpctl, specs: Path, orchestrator: str) -> None:
    run = mcpctl("doctor", "--orchestrator", orchestrator, "good.yaml")
    assert run.code == 5
    assert "ok           Python: 3." in run.out
    assert "\nfailed       " in run.out
    assert "is not installed" in run.out
    assert run.err.endswith(" failed\n")


def test_as_json(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("doctor", "--output", "json")
    data = json.loads(run.out)
    assert run.code == 5
    assert (data["command"], data["orchestrator"]) == ("doctor", "docker")
    assert data["results"]["failed"] == sum(check["result"] == "failed" for check in data["checks"]) > 0
    assert set(data["checks"][0]) == {"what", "result", "text", "advice"}


def test_a_spec_that_does_not_hold_is_exit_code_3(mcpctl: Mcpctl, specs: Path) -> None:
    run = mcpctl("doctor", "bad.yaml")
    assert (run.code, run.out) == (3, "")
    assert "spec.replicas" in run.err


def test_all_well_is_exit_code_0(mcpctl: Mcpctl, specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from renderer.doctor.checks import ok, warning

    seen = [ok("a\x1b[31m", "b\n"), warning("c", "d", "e")]
    monkeypatch.setattr("renderer.cli.doctor.diagnose", lambda config, planned: iter(seen))
    run = mcpctl("doctor")
    assert run.code == 0
    assert run.out == "ok           a\\x1b[31m: b\\n\nwarning      c: d\n             -> e\n"
    assert run.err == "1 ok, 1 warning\n"
