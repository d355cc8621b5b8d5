"""What the namespace's quota and LimitRange would refuse, and what they fill in."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import errors_in
from renderer.model import JSON, NamespaceRules, Options
from tests.oracles import yaml_read
from tests.specs import NPM, OPTIONS, rendered, spec

SIDECAR: JSON = {"name": "x", "image": "registry.example.com/x:1", "resources": {"limits": {"memory": "1Gi"}}}
IMAGE: dict[str, JSON] = {
    "image": "registry.example.com/x:1",
    "command": ["x"],
    "transport": {},
}  # a bridge is copied in


def found(limits: Any = None, quota: Any = None, options: Options = OPTIONS, /, **fields: JSON) -> dict[str, str]:
    """Path to rule."""
    options = options._replace(namespace_rules=NamespaceRules(limits=limits, quota=quota))
    problems = rendered("kubernetes", spec(**fields), options=options).problems
    return {problem.path: problem.rule for problem in errors_in(problems)}


@pytest.mark.parametrize(
    ("limits", "fields", "path"),
    [
        ({"max": {"memory": "256Mi"}}, {}, "spec.resources.limits.memory"),
        ({"min": {"cpu": "2"}}, {}, "spec.resources.requests.cpu"),
        ({"podMax": {"memory": "1Gi"}}, {"sidecars": [SIDECAR]}, "spec.resources.limits.memory"),
        ({"max": {"memory": "512Mi"}}, {"sidecars": [SIDECAR]}, "spec.sidecars[0].resources.limits.memory"),
        ({"max": {"memory": "64Mi"}}, {**IMAGE, "size": "small"}, "spec.transport.limits.memory"),
        ({"max": {"memory": "128Mi"}}, {"access": {"origins": []}}, "spec.access.limits.memory"),
        ({"podMax": {"ephemeral-storage": "1Gi"}}, {}, "spec.resources.limits.ephemeralStorage"),
        # 1Gi of packages, on the 500Mi that every container is given
        ({"default": {"ephemeral-storage": "500Mi"}}, {"package": NPM}, "spec.resources.limits.ephemeralStorage"),
        ({"max": {"ephemeral-storage": "500Mi"}}, {"package": NPM}, "spec.resources.limits.ephemeralStorage"),
        (
            {"default": {"ephemeral-storage": "500Mi"}},
            {"resources": {"requests": {"ephemeralStorage": "1Gi"}}},
            "spec.resources.requests.ephemeralStorage",
        ),
    ],
)
def test_the_limit_range_refuses(limits: Any, fields: dict[str, JSON], path: str) -> None:
    assert found(limits, **fields).get(path) == "kubernetes/limit-range"
    # Elsewhere, and where it is not rendered, nobody knows it.
    assert "kubernetes/limit-range" not in found(limits, None, namespace="data", **fields).values()
    others = OPTIONS._replace(create_namespace=False)
    assert "kubernetes/limit-range" not in found(limits, None, others, **fields).values()


def test_the_limit_range_takes_what_fits() -> None:
    limits = {
        "min": {"cpu": "10m", "memory": "16Mi"},
        "default": {"ephemeral-storage": "2Gi"},
        "max": {"memory": "4Gi", "ephemeral-storage": "2Gi"},
        "podMax": {"memory": "4Gi", "ephemeral-storage": "4Gi"},
    }
    bridge: JSON = {"bridge": "supergateway"}
    assert found(limits, package=NPM, transport=bridge, access="none", sidecars=[SIDECAR]) == {}


@pytest.mark.parametrize(
    ("quota", "fields", "path"),
    [
        ({"pods": "2"}, {"replicas": 3}, "spec.replicas"),
        ({"limits.memory": "1Gi"}, {"replicas": 3}, "spec.resources.limits.memory"),
        ({"limits.memory": "1Gi"}, {"sidecars": [SIDECAR]}, "spec.resources.limits.memory"),
        ({"limits.cpu": "10"}, {"resources": {"limits": {"cpu": None}}}, "spec.resources.limits.cpu"),
        ({"limits.ephemeral-storage": "10Gi"}, {}, "spec.resources.limits.ephemeralStorage"),
        ({"requests.storage": "1Gi"}, {"storage": [{"name": "d", "size": "2Gi", "mountPath": "/d"}]}, "spec.storage"),
        (
            {"persistentvolumeclaims": "0"},
            {"storage": [{"name": "d", "size": "2Gi", "mountPath": "/d"}]},
            "spec.storage",
        ),
    ],
)
def test_the_quota_refuses(quota: Any, fields: dict[str, JSON], path: str) -> None:
    assert found(None, quota, **fields) == {path: "kubernetes/quota"}


def test_the_limit_range_says_what_the_quota_asks_for() -> None:
    quota = {"limits.ephemeral-storage": "10Gi", "limits.memory": "512Mi", "pods": "1", "requests.storage": "1Gi"}
    assert found({"default": {"ephemeral-storage": "1Gi"}}, quota) == {}


def test_minimum_disk_and_pods_are_rendered() -> None:
    rules = NamespaceRules(limits={"min": {"cpu": "10m"}, "podMax": {"ephemeral-storage": "8Gi", "memory": "8Gi"}})
    options = OPTIONS._replace(namespace_rules=rules)
    fields: dict[str, JSON] = {"resources": {"limits": {"ephemeralStorage": "1Gi"}}}
    (text,) = [
        d.text for d in rendered("kubernetes", spec(**fields), options=options).documents if d.path == "limitrange.yaml"
    ]
    assert yaml_read(text)["spec"]["limits"] == [
        {"type": "Container", "min": {"cpu": "10m"}},
        {"type": "Pod", "max": {"ephemeral-storage": "8Gi", "memory": "8Gi"}},
    ]
