"""The Dockerfile: built on a Python of this machine without a network, and run once on an example."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.engine import images
from tests.engine.fixtures import ROOT
from tests.packaging import copy_build_files

NAME = "mcpctl-test/mcpctl:1"
EXAMPLE = ROOT / "docs/examples/time.yaml"


@pytest.fixture(scope="module")
def image(python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("context")
    copy_build_files(folder, "Dockerfile", ".dockerignore")
    # What the image installs, and what builds it: the build itself has no network.
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir"]
    subprocess.run([*command, str(folder / "dist"), str(ROOT), "hatchling"], check=True, timeout=300, cwd=folder)
    arguments = (f"--build-arg=BASE={python_image}", "--build-arg=PIP_NO_INDEX=1", "--network=none")
    command = ["docker", "build", "--quiet", f"--tag={NAME}", *arguments, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield NAME
    images.docker("image", "rm", "--force", NAME, check=False)


def test_it_renders_an_example(image: str) -> None:
    run = ("run", "--rm", "--interactive", "--network=none", "--read-only", image)
    done = images.docker(*run, "render", "--quiet", "-", stdin=EXAMPLE.read_bytes())
    here = [sys.executable, "-m", "renderer", "render", "--quiet", "-"]
    expected = subprocess.run(here, input=EXAMPLE.read_bytes(), capture_output=True, timeout=60, check=True, cwd=ROOT)
    assert done.stdout == expected.stdout
    assert b"kind: Deployment" in done.stdout


def test_it_says_what_it_is(image: str) -> None:
    assert b"Usage: mcpctl" in images.docker("run", "--rm", "--network=none", image).stdout
    config = images.docker("image", "inspect", "--format={{.Config.User}} {{.Config.WorkingDir}}", image)
    assert config.stdout == b"1000:1000 /work\n"
