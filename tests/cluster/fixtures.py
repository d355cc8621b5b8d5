"""Fixtures for tests that drive the real kubectl against a cluster of their own."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cluster.cluster import Cluster
from tests.oracles import NO_COLLECTOR


class Run(NamedTuple):
    """What kubectl did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Kubectl = Callable[..., Run]


def environment(folder: Path, kubeconfig: Path) -> Mapping[str, str]:
    """For kubectl: nothing of the user's is read, and nothing is kept from one cluster to the next."""
    places = {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(folder / "cache"), "HOME": str(folder)}
    return {**places, **NO_COLLECTOR}


@pytest.fixture(scope="session")
def kubectl_program() -> str:
    """The path of kubectl; skips without one, except in CI."""
    program = shutil.which("kubectl")
    if not program and not os.environ.get("CI"):
        pytest.skip("needs kubectl")
    assert program, "kubectl must be there in CI"
    return program


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Running, with the namespaces default, kube-system and mcpctl; no pods appear by themselves."""
    with Cluster() as running:
        yield running
    assert not running.defects, "\n".join(running.defects)


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Path:
    """Of ``cluster``, with the context ``test`` and the namespace mcpctl."""
    return cluster.write_kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def kubectl_environment(kubeconfig: Path, tmp_path: Path) -> Mapping[str, str]:
    """What kubectl must find in its environment, to be laid over PATH."""
    return environment(tmp_path, kubeconfig)


@pytest.fixture
def kubectl(kubectl_program: str, kubectl_environment: Mapping[str, str]) -> Kubectl:
    """Runs kubectl: ``kubectl("get", "pods", stdin="")``."""
    return functools.partial(run, kubectl_program, kubectl_environment)


def run(program: str, env: Mapping[str, str], *arguments: str, stdin: str = "") -> Run:
    """The exit code and streams of kubectl; logs may hold any bytes."""
    env = {"PATH": os.environ["PATH"], **env}
    done = subprocess.run(
        [program, *arguments], input=stdin.encode(), capture_output=True, env=env, timeout=300, check=False
    )
    return Run(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
