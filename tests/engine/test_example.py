"""An example of the documents by the commands alone, with local images: from nothing to an answer, and back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderer import pins
from tests.engine import images
from tests.engine.fixtures import ROOT, Project, compose_program

EXAMPLE = "docs/examples/time.yaml"
BASE = pins.BASE_IMAGES["pypi", "pypi"]
#: What uvx would install from PyPI is in the image: it starts the program of that name.
_UVX = b"""#!/usr/local/bin/python3
import os, sys
name = sys.argv[1].partition("@")[0]
os.execvp(name, [name, *sys.argv[2:]])
"""
Mcpctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def local_images(time_image: str, busybox_image: str, envoy_image: str) -> Iterator[None]:
    """The images of the example under their own names, as somebody without a network would load them."""
    for name in (BASE, pins.GUARD_IMAGE):
        form = ("image", "inspect", '--format={{index .Config.Labels "mcpctl.test.parts"}}', name)
        there = images.docker(*form, check=False)
        if there.returncode == 0 and not there.stdout.strip():
            pytest.skip(f"{name} is on this machine: it is not ours to replace")
    made = images.docker("create", time_image).stdout.decode().strip()
    try:
        images.docker("cp", "-", f"{made}:/usr/local/bin", stdin=_archive("uvx", _UVX))
        images.docker("commit", made, BASE)
        images.docker("tag", envoy_image, pins.GUARD_IMAGE)
        yield
    finally:
        images.docker("rm", made)
        images.docker("image", "rm", BASE, pins.GUARD_IMAGE, check=False)


def _archive(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.mode, entry.size = 0o755, len(content)
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def mcpctl(project: Project, tmp_path: Path) -> Iterator[Mcpctl]:
    """The program, with nothing of the machine but its engine. ``project`` is asked for its lock."""
    program = compose_program()
    assert program
    path = f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "renderer", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env, cwd=tmp_path)

    yield run
    run("delete", "time", "--yes", "--delete-data", "--ignore-not-found")


def left() -> list[str]:
    """All that the engine has of the example, or shared with it."""
    asked = (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
    found = [images.docker(*each, "--filter=name=mcp-time").stdout.decode().split() for each in asked]
    found.append(images.docker("network", "ls", "-q", "--filter=name=mcpctl-network").stdout.decode().split())
    return [name for names in found for name in names]


def test_from_nothing_to_an_answer_and_back_to_nothing(local_images: None, mcpctl: Mcpctl) -> None:
    assert left() == []
    done = mcpctl("apply", str(ROOT / EXAMPLE), "--timeout", "100s")
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:27736/mcp" in done.stdout
    assert "mcp-time 2026.10.19, MCP 20" in done.stdout
    assert "2 tools" in done.stdout
    again = mcpctl("apply", str(ROOT / EXAMPLE))
    assert (again.returncode, "\n3 unchanged\n" in again.stderr) == (0, True), again.stderr
    gone = mcpctl("delete", "time", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert left() == []
