"""The reviews that ``kubectl auth`` asks for."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.kinds import Json

_ALL: Json = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}


def review(data: Json, allowed: Callable[[Json], bool]) -> Json:
    """``data`` with its status; ``allowed`` takes verb, resource, subresource, namespace, name."""
    if data["kind"] == "SelfSubjectReview":
        return {**data, "status": {"userInfo": {"username": "tester", "groups": ["system:authenticated"]}}}
    if data["kind"] == "SelfSubjectRulesReview":
        return {**data, "status": {"resourceRules": [_ALL], "nonResourceRules": [], "incomplete": False}}
    attributes = data["spec"].get("resourceAttributes", data["spec"].get("nonResourceAttributes", {}))
    return {**data, "status": {"allowed": allowed(attributes)}}
