"""A small Kubernetes API server for tests: real enough for the real kubectl, without clock and without chance."""

from tests.cluster.cluster import Cluster

__all__ = ["Cluster"]
