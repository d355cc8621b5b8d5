"""Fixtures of the commands that speak to a runtime."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click.termui
import pytest

from renderer.orchestrators import mcp_check
from renderer.orchestrators.contract import Handshake
from tests.cli.commands import BAD, GOOD
from tests.cli.fake_runtime import SHAKE, FakeRuntime, module


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeRuntime:
    """Stands where the docker runtime would; every server answers; no settings but its own reach a command."""
    found = FakeRuntime()
    monkeypatch.setitem(sys.modules, "renderer.orchestrators.docker", module(found))
    for name in [name for name in os.environ if name.startswith("MCPCTL_")]:
        monkeypatch.delenv(name)
    for name in ("DOCKER_HOST", "KUBECONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(mcp_check, "installed", lambda: "2.3.0")
    monkeypatch.setattr(mcp_check, "handshake", _answers)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return found


def _answers(url: str, transport: str, seconds: float) -> Handshake:
    del url, transport, seconds
    return SHAKE


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody who can be asked; what they will answer is the list."""
    answers: list[str] = []

    monkeypatch.setattr("renderer.cli.runtime.on_terminal", lambda: True)
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda prompt: answers.pop(0))
    return answers
