"""The clusters: the one that the tests keep, always; and a real one, given or made with kind, or a reason why not."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer.orchestrators import kubernetes
from renderer.orchestrators.wait import Time
from tests.cli.commands import in_process
from tests.cluster import Cluster, quick
from tests.cluster.fixtures import environment, kubectl_program
from tests.engine import images
from tests.integration.kubernetes.bed import Bed
from tests.orchestrators.kubernetes.conftest import Clock
from tests.orchestrators.mcp_check.servers import demo, sdk_server

__all__ = ["kubectl_program"]

KUBECONFIG, IMAGE, STDIO_IMAGE = "MCPCTL_TEST_KUBECONFIG", "MCPCTL_TEST_IMAGE", "MCPCTL_TEST_STDIO_IMAGE"
_CONFIG = Path(__file__).parent / "kind-config.yaml"
_KIND_SECONDS = 600


@pytest.fixture(scope="session")
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, str]]:
    """Kubeconfig, image and stdio image ('' without); skips with the reason where there is no cluster."""
    given = os.environ.get(KUBECONFIG)
    if given:
        if not os.environ.get(IMAGE):
            pytest.skip(
                f"{KUBECONFIG} is set, and {IMAGE} is not: an image that serves streamable-http MCP on port 8080"
            )
        yield Path(given).resolve(), os.environ[IMAGE], os.environ.get(STDIO_IMAGE, "")
        return
    for program in ("kind", "docker"):
        if not shutil.which(program):
            pytest.skip(f"no cluster: {program} is not installed, and {KUBECONFIG} is not set")
    if subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("no cluster: the Docker Engine that kind needs does not answer")
    yield from _kind(tmp_path_factory.mktemp("kind") / "kubeconfig")


def _kind(kubeconfig: Path) -> Iterator[tuple[Path, str, str]]:
    name = f"mcpctl-it-{uuid.uuid4().hex[:6]}"
    try:
        image = os.environ.get(IMAGE) or images.ensure(images.ECHO)
        stdio = os.environ.get(STDIO_IMAGE) or images.ensure(images.TIME)
    except images.Missing as missing:
        pytest.skip(f"no image: {missing}; give {IMAGE} and {STDIO_IMAGE}")
    try:
        _run(
            "kind",
            "create",
            "cluster",
            f"--name={name}",
            f"--config={_CONFIG}",
            f"--kubeconfig={kubeconfig}",
            "--wait=5m",
        )
        # What is not on this machine is pulled by the node.
        if here := [one for one in (image, stdio) if _is_here(one)]:
            _run("kind", "load", "docker-image", *here, f"--name={name}")
        yield kubeconfig, image, stdio
    finally:
        _run("kind", "delete", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}", check=False)


def _is_here(image: str) -> bool:
    argv = ("docker", "image", "inspect", "--format={{.Id}}", image)
    return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0


def _run(*argv: str, check: bool = True) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_KIND_SECONDS, check=False)
    assert done.returncode == 0 or not check, f"{argv}: {done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def answering_port() -> Iterator[int]:
    """Of a server that speaks MCP, for the pods of the kept cluster."""
    with sdk_server("streamable-http", demo()) as url:
        yield int(url.rpartition(":")[2].partition("/")[0])


@pytest.fixture(params=["kept", "real"])
def bed(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kubectl_program: str,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Iterator[Bed]:
    """A namespace that nothing else uses, and that is gone afterwards."""
    if request.param == "real":
        kubeconfig, image, stdio_image = request.getfixturevalue("real_cluster")
        made = Bed(kubeconfig, image, stdio_image, tmp_path)
        try:
            yield made
        finally:
            made.remove()
        return
    with Cluster(auto="Ready") as cluster:
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        for name, value in environment(tmp_path, kubeconfig).items():
            monkeypatch.setenv(name, value)
        for name in [name for name in os.environ if name.startswith("MCPCTL_")]:
            monkeypatch.delenv(name)
        cluster.backends["*", 8080] = ("127.0.0.1", request.getfixturevalue("answering_port"))
        meta = {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
        cluster.add({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta})
        quick.take_place(monkeypatch)
        monkeypatch.chdir(tmp_path)
        clock = Clock()
        monkeypatch.setattr(kubernetes, "Time", lambda: Time(clock, clock.sleep))
        main = functools.partial(in_process, capfdbinary)
        yield Bed(kubeconfig, "registry.example.com/demo:1", "registry.example.com/stdio:1", tmp_path, cluster, main)
    assert not cluster.defects, "\n".join(cluster.defects)
