"""A cluster to be looked at, and what the checks said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import pytest

from renderer import pipeline
from renderer.doctor import Planned, diagnose
from renderer.doctor.checks import Check
from renderer.model import Options
from renderer.orchestrators.contract import KubernetesConfig, OrchestratorConfig
from renderer.registry import target
from tests.cli.commands import GOOD
from tests.cluster import Cluster, quick
from tests.cluster.fixtures import cluster, environment, kubeconfig, kubectl_program

__all__ = ["cluster", "kubeconfig", "kubectl_program"]

SPEC = GOOD

#: What was looked at to what was seen.
Seen = Mapping[str, Check]
Doctor = Callable[..., Seen]


def planned(text: str, target_name: str, namespace: str = "mcpctl") -> Planned:
    """A spec as an apply would have it."""
    options = Options(namespace, "1.35", one_stream=False)
    specs = pipeline.read(["-"], BytesIO(text.encode()))
    output = pipeline.render(specs, target(target_name), options)
    assert output.documents, output.problems
    return Planned(specs.servers, output.documents, options)


@pytest.fixture
def doctor(
    cluster: Cluster, kubeconfig: Path, kubectl_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Doctor:
    """``doctor(SPEC)``: the checks of the cluster, where not everything is allowed."""
    quick.take_place(monkeypatch)
    for name, value in environment(tmp_path, kubeconfig).items():
        monkeypatch.setenv(name, value)

    def look(text: str = "", **config: str) -> Seen:
        given = OrchestratorConfig("kubernetes", kubernetes=KubernetesConfig(**config))  # type: ignore[arg-type]
        seen = planned(text, "kubernetes", given.kubernetes.namespace) if text else Planned()
        return {check.subject: check for check in diagnose(given, seen)}

    return look
