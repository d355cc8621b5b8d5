"""Access that a gateway enforces: its policies, and what they cannot say. The golden specs have the whole of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from renderer.errors import Problem, Severity
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import rendered, spec

ISSUER: JSON = {"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}
ROUTE: JSON = {"type": "HTTPRoute", "host": "mcp.example.com", "gateway": {"name": "public"}, "from": []}
OWN: JSON = {"egress": {}, "ingress": {"from": []}}


def output(gateway: str, target: str = "kubernetes", **changes: Any) -> Any:
    access = {
        "url": "https://mcp.example.com/mcp",
        "issuers": [ISSUER],
        "enforcedBy": gateway,
        **changes.pop("access", {}),
    }
    fields: dict[str, JSON] = {
        "access": access,
        "expose": ROUTE,
        "network": OWN,
        "image": "registry.example.com/demo:1.0",
        "transport": {"type": "streamable-http", "port": 8080},
        **changes,
    }
    return rendered(target, spec(**{name: value for name, value in fields.items() if value is not None}))


def objects(gateway: str, **changes: Any) -> dict[str, Any]:
    found = output(gateway, **changes)
    return {document.path.partition("/")[2]: yaml_read(document.text) for document in found.documents}


def told(gateway: str, **changes: Any) -> dict[str, Problem]:
    return {problem.rule: problem for problem in output(gateway, **changes).problems}


def test_no_guard_stands_beside_the_server() -> None:
    for gateway in ("envoy-gateway", "agentgateway"):
        found = objects(gateway)
        assert "configmap-guard.yaml" not in found
        assert "initContainers" not in found["deployment.yaml"]["spec"]["template"]["spec"]
        assert "annotations" not in found["service.yaml"]["metadata"]


LISTED: JSON = ["https://app.example.com"]


@pytest.mark.parametrize(
    ("gateway", "changes", "path", "rule"),
    [
        ("envoy-gateway", {"expose": None}, "spec.access.enforcedBy", "gateway-route"),
        (
            "agentgateway",
            {"expose": {"host": "mcp.example.com", "from": [], "tls": {}}},
            "spec.access.enforcedBy",
            "gateway-route",
        ),
        ("envoy-gateway", {"access": {"issuers": [], "origins": LISTED}}, "spec.access.enforcedBy", "gateway-issuers"),
        ("envoy-gateway", {"access": {"tools": [{"allow": ["a"]}]}}, "spec.access.tools", "gateway-tools"),
        (
            "envoy-gateway",
            {"access": {"rateLimit": {"perSubject": 5, "per": "90s"}}},
            "spec.access.rateLimit.per",
            "gateway-rate-limit",
        ),
        ("agentgateway", {"access": {"rateLimit": {"perSubject": 5}}}, "spec.access.rateLimit", "gateway-rate-limit"),
        (
            "envoy-gateway",
            {"access": {"issuers": [{"url": "https://a.example", "jwksFrom": {"configMap": "k", "key": "a.json"}}]}},
            "spec.access.issuers[0].jwksFrom.key",
            "gateway-jwks",
        ),
        (
            "agentgateway",
            {"access": {"issuers": [{"url": "https://a.example", "jwksFrom": {"configMap": "k", "key": "jwks"}}]}},
            "spec.access.issuers[0].jwksFrom",
            "gateway-jwks",
        ),
        (
            "envoy-gateway",
            {"access": {"issuers": [{"url": "http://127.0.0.1:9", "jwks": "http://127.0.0.1:9/keys"}]}},
            "spec.access.issuers[0].jwks",
            "gateway-jwks",
        ),
        (
            "envoy-gateway",
            {"access": {"issuers": [{**ISSUER, "audiences": list("abcdefghi")}]}},  # type: ignore[dict-item]
            "spec.access.issuers[0].audiences",
            "gateway-audiences",
        ),
        (
            "agentgateway",
            {"access": {"issuers": [ISSUER, {"url": "https://b.example", "jwks": "https://b.example/keys"}]}},
            "spec.access.issuers[1].url",
            "gateway-issuers",
        ),
        ("agentgateway", {"access": {"origins": ["http://[::1]:80"]}}, "spec.access.origins[0]", "gateway-origin"),
    ],
)
def test_what_it_cannot_say_is_an_error(gateway: str, changes: Any, path: str, rule: str) -> None:
    problem = told(gateway, **changes)[f"kubernetes/{rule}"]
    assert (problem.path, problem.severity) == (path, Severity.ERROR)


@pytest.mark.parametrize(
    ("gateway", "changes", "path", "rule"),
    [
        ("envoy-gateway", {}, "spec.access.enforcedBy", "gateway-differs"),
        ("agentgateway", {}, "spec.access.enforcedBy", "gateway-differs"),
        ("agentgateway", {"access": {"log": False}}, "spec.access.log", "gateway-log"),
        (
            "agentgateway",
            {"access": {"tools": [{"allow": ["a"], "scopes": ["s"]}]}},
            "spec.access.tools[0].scopes",
            "gateway-step-up",
        ),
        (
            "envoy-gateway",
            {"network": {"egress": {}, "ingress": {"from": [{"podLabels": {"a": "b"}}]}}},
            "spec.network.ingress.from",
            "gateway-passed",
        ),
        ("envoy-gateway", {"network": {"egress": {}}}, "spec.access.enforcedBy", "gateway-passed"),
        ("envoy-gateway", {"service": {"type": "NodePort"}}, "spec.service.type", "gateway-passed"),
    ],
)
def test_what_differs_is_a_warning(gateway: str, changes: Any, path: str, rule: str) -> None:
    problem = told(gateway, **changes)[f"kubernetes/{rule}"]
    assert (problem.path, problem.severity) == (path, Severity.WARNING)


def test_nothing_more_is_told() -> None:
    for gateway in ("envoy-gateway", "agentgateway"):
        rules = {rule for rule in told(gateway) if "gateway" in rule or "guard" in rule or "access" in rule}
        assert rules == {"kubernetes/gateway-differs"}


@pytest.mark.parametrize("gateway", ["envoy-gateway", "agentgateway"])
def test_compose_has_no_gateway(gateway: str) -> None:
    found = output(gateway, "compose", expose=None)
    (problem,) = [problem for problem in found.problems if problem.rule == "compose/gateway"]
    assert (problem.path, problem.severity) == ("spec.access.enforcedBy", Severity.ERROR)


def test_the_path_must_lead_to_the_server() -> None:
    below = {"url": "https://mcp.example.com/tools/mcp"}
    route: Any = {**ROUTE, "path": "/tools"}  # type: ignore[dict-item]
    assert "spec/expose-path" in told("envoy-gateway", access=below, expose=route)
    stripped = {**route, "stripPrefix": True}
    assert not {"spec/expose-path", "spec/access-path"} & told("envoy-gateway", access=below, expose=stripped).keys()
    other = {"url": "https://mcp.example.com/tools/else"}
    assert "spec/access-path" in told("envoy-gateway", access=other, expose=stripped)
    assert not {"spec/expose-path", "spec/access-path"} & told("agentgateway", access=below, expose=route).keys()
    assert "spec/access-path" in told("agentgateway", access=below, expose=stripped)


def test_without_rights_every_valid_token_will_do() -> None:
    authorization = objects("envoy-gateway")["securitypolicy.yaml"]["spec"]["authorization"]
    assert authorization["defaultAction"] == "Allow"
    assert [rule["name"] for rule in authorization["rules"]] == ["foreign-origin"]
    assert authorization["rules"][0]["cel"] == "'origin' in request.headers && !(false)"
    with_scope = objects("envoy-gateway", access={"require": {"scopes": ["a"]}})["securitypolicy.yaml"]["spec"]
    assert with_scope["authorization"]["defaultAction"] == "Deny"


def test_the_token_is_removed_unless_it_is_forwarded() -> None:
    def removed(**access: JSON) -> Any:
        (rule,) = objects("envoy-gateway", access=access)["httproute.yaml"]["spec"]["rules"]
        return rule["filters"][0]["requestHeaderModifier"]["remove"]

    assert removed() == ["origin", "authorization"]
    assert removed(token="forward", rateLimit={"perSubject": 1}) == ["origin", "x-mcpctl-issuer", "x-mcpctl-subject"]
    assert "policies" not in objects("agentgateway")["agentgatewaybackend.yaml"]["spec"]
    forwarding = objects("agentgateway", access={"token": "forward"})["agentgatewaybackend.yaml"]["spec"]
    assert forwarding["policies"] == {"auth": {"passthrough": {}}}


def test_values_stay_values() -> None:
    hostile = "a'\"]) || true || ([\\%"
    access: Any = {"require": {"groups": [hostile]}, "url": "https://mcp.example.com/mcp"}
    policy = objects("agentgateway", access=access)["agentgatewaypolicy.yaml"]["spec"]
    assert policy["traffic"]["authorization"]["policy"]["matchExpressions"][1] == (
        f"jwt.groups.exists(group, group in [{json.dumps(hostile)}])"
    )
