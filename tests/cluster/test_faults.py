"""What can go wrong in the cluster, as the real kubectl tells it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster import Cluster
from tests.cluster.fixtures import Kubectl
from tests.cluster.test_cluster import WEB, apply, config_maps

FAULTS: dict[str, tuple[Callable[[Cluster], None], str]] = {
    "unauthorized": (lambda c: c.faults.unauthorized(resource="deployments"), "You must be logged in to the server"),
    "forbidden": (lambda c: c.faults.forbid(resource="deployments"), "(Forbidden)"),
    "conflict": (lambda c: c.faults.conflict(resource="deployments"), "the object has been modified"),
    "broken": (lambda c: c.faults.broken(resource="deployments"), "(InternalError)"),
    "dropped": (lambda c: c.faults.drop(verb="apply"), "EOF"),
    "cut": (lambda c: c.faults.cut(verb="apply"), "unexpected EOF"),
    "garbled": (lambda c: c.faults.garbled(verb="apply"), "invalid character '<'"),
    "quota": (lambda c: c.faults.quota("deployments"), "exceeded quota"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_reaches_kubectl(cluster: Cluster, kubectl: Kubectl, name: str) -> None:
    fault, text = FAULTS[name]
    fault(cluster)
    failed = apply(kubectl, WEB)
    assert failed.code == 1
    assert text in failed.err
    cluster.faults.clear()
    assert apply(kubectl, WEB).code == 0


def test_a_warning_is_shown(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.warn('would violate PodSecurity "restricted:latest"', resource="deployments", verb="apply")
    told = apply(kubectl, WEB)
    assert told.code == 0
    assert told.err == 'Warning: would violate PodSecurity "restricted:latest"\n'


def test_a_huge_answer(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.huge(5_000_000, resource="configmaps", verb="get")
    assert len(kubectl("get", "configmap", "huge", "-o", "json").out) > 5_000_000


def test_a_slow_answer_meets_the_time_limit_of_kubectl(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.hang(resource="configmaps", verb="get")
    late = kubectl("get", "configmap", "x", "--request-timeout=1s")
    assert late.code == 1
    assert "Client.Timeout exceeded" in late.err or "context deadline exceeded" in late.err


def test_the_server_goes_in_the_middle_and_comes_back(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.stop(verb="apply", skip=2)
    text = config_maps("a", "b", "c", "d")
    first = apply(kubectl, text)
    assert first.code == 1
    assert first.out == "configmap/a serverside-applied\nconfigmap/b serverside-applied\n"
    assert cluster.names("ConfigMap") == ["a", "b"]
    refused = apply(kubectl, text)
    assert "refused" in refused.err
    cluster.faults.clear()
    cluster.start()
    assert apply(kubectl, text).code == 0
    assert cluster.names("ConfigMap") == ["a", "b", "c", "d"]


def test_requests_are_kept(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, config_maps("needle"))
    assert cluster.was_sent("needle")
    assert not cluster.was_sent("haystack")
    sent = cluster.sent("PATCH", "/configmaps/")
    assert [one.query["fieldManager"] for one in sent] == ["mcpctl"]


def test_a_rule_meets_as_many_requests_as_told(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.broken(verb="apply", resource="configmaps", name="a*", skip=1, times=1)
    assert [apply(kubectl, config_maps("ab")).code for _ in range(3)] == [0, 1, 0]
    assert apply(kubectl, config_maps("b")).code == 0
