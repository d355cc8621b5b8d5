"""The orchestrator against the cluster of the tests, through the real kubectl; no test waits for real time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from renderer import pipeline
from renderer.model import Options, Rendered, Server
from renderer.orchestrators.contract import ApplyOptions, KubernetesConfig
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.objects import CREATED, is_default_account, marked, objects, stamped
from renderer.orchestrators.wait import Time
from renderer.registry import target
from tests.cluster import Cluster, quick
from tests.cluster.fixtures import Run, cluster, kubeconfig, kubectl_environment, kubectl_program, run

__all__ = ["cluster", "kubeconfig", "kubectl_environment", "kubectl_program"]

FOLDERS = (Path(__file__).parent, Path(__file__).parents[3] / "docs" / "examples")
NOW = "2026-01-01T00:00:00Z"
OWNED = ApplyOptions("tree-a")


class Told(list[str]):
    """What was told, and what was asked: ``questions``, answered with ``answer``."""

    answer = True

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[list[str], bool]] = []

    def confirm(self, what: Sequence[str], precious: bool) -> bool:
        self.questions.append((list(what), precious))
        return self.answer


class Clock:
    """A time that passes only while somebody sleeps; ``then`` is what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.01
        self.then: list[Callable[[], object]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, self.step)
        if self.then:
            self.then.pop(0)()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connected(kubectl_program: str, kubectl_environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """kubectl finds the cluster of the test, and nothing of the user's; what only asks for objects takes no process."""
    quick.take_place(monkeypatch)
    for name, value in kubectl_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def orchestrator(connected: None, kubeconfig: Path, clock: Clock) -> Kubernetes:
    return orchestrator_of(kubeconfig, clock)


def orchestrator_of(kubeconfig: Path, clock: Clock, now: str = NOW, namespace: str = "mcpctl") -> Kubernetes:
    config = KubernetesConfig(namespace, str(kubeconfig))
    return Kubernetes(Kubectl(config), now=lambda: now, waits=Time(clock, clock.sleep))


def spec(name: str) -> str:
    return next(str(path) for folder in FOLDERS if (path := folder / f"{name}.yaml").exists())


def rendered(*names: str, namespace: str = "mcpctl", whole: bool = False) -> tuple[Rendered, ...]:
    """The documents of examples, and of ``boxed``: no larger than a server with a sandbox must be.

    Without what governs the namespace ``mcpctl``, which is somebody else's in these tests, if not ``whole``.
    """
    specs = pipeline.read([spec(name) for name in names])
    output = pipeline.render(specs, target("kubernetes"), Options(namespace, "1.35"))
    assert output.documents, output.problems
    return tuple(each for each in output.documents if whole or "/" in each.path or each.path == "namespace.yaml")


def placed(cluster: Cluster, *names: str) -> None:
    """As an apply in the name of ``tree-a`` leaves them, without the time that kubectl takes."""
    for one in objects(rendered(*names), "mcpctl"):
        if one.identity != ("Namespace", "", "mcpctl") and not is_default_account(one.identity):
            data = stamped(one, None, "tree-a", "mcpctl", NOW)
            cluster.add(marked(data, {}, {CREATED: NOW}) if one.kind == "Namespace" else data)


def server(name: str) -> Server:
    return pipeline.read([spec(name)]).servers[0]


def ready(cluster: Cluster, name: str, state: str = "Ready", kind: str = "Deployment") -> None:
    cluster.controllers.run_pods(kind, name, state=state)


@pytest.fixture
def kubectl_run(kubectl_program: str, kubectl_environment: Mapping[str, str]) -> Callable[..., Run]:
    """Somebody else's kubectl."""
    return functools.partial(run, kubectl_program, kubectl_environment)
