"""Flux: a Kustomization, and its source where that is not there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderer.environment.delivery import Delivery, Flux
from renderer.environment.values import Environment

_REFERENCES = ("branch", "tag", "semver", "commit", "digest")


def kustomization(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """What is applied. With ``wait`` it is healthy when all of it is; health checks by name would name every server."""
    del environment
    if not isinstance(delivery, Flux):
        return None
    return {
        "delivery": {
            "path": f"./{delivery.path}",
            "source_ref": dict(delivery.source_ref),
            "interval": delivery.interval,
            "retry_interval": delivery.retry_interval,
            "timeout": delivery.timeout,
            "prune": delivery.prune,
            "wait": delivery.wait,
            "depends_on": [dict(one) for one in delivery.depends_on],
            "service_account": delivery.service_account,
        },
    }


def git_repository(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """The repository with the tree."""
    del environment
    return _source(delivery, "GitRepository")


def oci_repository(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """The artifact with the tree."""
    del environment
    return _source(delivery, "OCIRepository")


def _source(delivery: Delivery | None, kind: str) -> Mapping[str, Any] | None:
    if not isinstance(delivery, Flux) or not delivery.source or delivery.source["kind"] != kind:
        return None
    source = delivery.source
    return {
        "source": {
            "url": source["url"],
            "interval": source["interval"],
            "secret": source.get("secret"),
            "ref": {name: source[name] for name in _REFERENCES if name in source},
        }
    }
