"""The fixtures of the cluster; another folder's conftest takes them in the same way."""

from __future__ import annotations

from tests.cluster.fixtures import cluster, kubeconfig, kubectl, kubectl_environment, kubectl_program

__all__ = ["cluster", "kubeconfig", "kubectl", "kubectl_environment", "kubectl_program"]
