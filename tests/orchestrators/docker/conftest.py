"""What all tests of this orchestrator use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.orchestrators.contract import DockerConfig, OrchestratorConfig
from renderer.orchestrators.docker import Docker, create
from tests.orchestrators.docker.fakes import Fakes


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """The programs, alone on the PATH; the working folder and the place of kept files are the test's own."""
    folder, work = tmp_path / "bin", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    made = Fakes(folder)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.chdir(work)
    return made


@pytest.fixture
def docker(fakes: Fakes) -> Docker:
    return create(OrchestratorConfig())


@pytest.fixture
def configured(fakes: Fakes) -> Callable[..., Docker]:
    """With other settings: ``configured(host="build.example")``."""
    return lambda **settings: create(OrchestratorConfig(docker=DockerConfig(**settings)))
