"""Odd but valid JSON in the place of any part of what kubectl and docker answer to doctor: told, and no defect."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from renderer import command
from renderer.command import Done
from renderer.doctor import diagnose, docker, kubernetes
from renderer.doctor.checks import Result
from renderer.orchestrators.contract import DockerConfig, KubernetesConfig, OrchestratorConfig
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.kubernetes.client import Kubectl
from tests.cluster import Cluster, quick
from tests.cluster.fixtures import environment
from tests.doctor.conftest import SPEC, planned
from tests.orchestrators.kubernetes.test_odd_answers import survive

WHOLE = SPEC + "  env: {TOKEN: {secret: github-token, key: token}}\n  expose: {host: a.example, from: []}\n"
WHOLE += "  sandbox: {namespace: team-b, create: false}\n"


def test_no_answer_of_a_cluster_is_a_defect(
    cluster: Cluster, kubeconfig: Path, kubectl_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(tmp_path, kubeconfig).items():
        monkeypatch.setenv(name, value)
    cluster.create("v1", "Namespace", "team-b")
    cluster.create("v1", "Pod", "theirs", spec={"containers": [{"name": "a", "image": "b"}]})
    cluster.create("v1", "Secret", "github-token", data={"token": "eA=="})
    cluster.create("networking.k8s.io/v1", "IngressClass", "nginx", spec={"controller": "a.example/b"})
    cluster.create("storage.k8s.io/v1", "StorageClass", "fast", provisioner="a.example/b")
    given = OrchestratorConfig("kubernetes", kubernetes=KubernetesConfig(kubeconfig=str(kubeconfig)))
    sick = planned(WHOLE, "kubernetes")
    answers: dict[tuple[str, ...], Done] = {}

    def look(run: command.Run) -> None:
        monkeypatch.setattr(kubernetes, "Kubectl", partial(Kubectl, run=run))
        assert all(isinstance(check.result, Result) for check in diagnose(given, sick))

    def recorded(argv: list[str], **options: Any) -> Done:
        answers[tuple(argv)] = done = quick.run(argv, **options)
        return done

    look(recorded)
    assert len([done for done in answers.values() if done.out.startswith("{")]) > 4
    survive(look, answers)


INFO = '{"ServerVersion": "27.1.0", "Name": "a", "OSType": "linux", "Architecture": "x86_64", "ServerErrors": []}'
NETWORK = '[{"Name": "mcpctl-network", "Internal": false, "Labels": {"a": "b"}, "IPAM": {"Config": []}}]'


def test_no_answer_of_a_daemon_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    sick = planned(SPEC, "compose")
    given = OrchestratorConfig("docker", docker=DockerConfig())
    answers: dict[tuple[str, ...], Done] = {}

    def look(run: command.Run) -> None:
        monkeypatch.setattr(docker, "Client", partial(Client, run=run))
        assert all(isinstance(check.result, Result) for check in diagnose(given, sick))

    def recorded(argv: list[str], **_: Any) -> Done:
        text = NETWORK if "network" in argv else INFO
        answers[tuple(argv)] = done = Done(0, text, "")
        return done

    look(recorded)
    assert answers
    survive(look, answers)
