"""Scaling, disruption, the way in and metrics: each object, and each condition on and off."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import errors_in
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import OPTIONS, PYPI, rendered, rules, spec, texts

SCALED: JSON = {"min": 3, "max": 10}
SESSIONS: JSON = {"type": "streamable-http", "stateful": True}
NGINX: dict[str, JSON] = {"host": "mcp.example.com", "className": "nginx", "from": []}
ROUTE: dict[str, JSON] = {"type": "HTTPRoute", "host": "mcp.example.com", "gateway": {"name": "public"}, "from": []}
PEER: JSON = [{"namespace": "somewhere"}]
IN_NAMESPACE = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "somewhere"}}}
METRICS: dict[str, JSON] = {"port": 9090, "from": []}
PREFIX = "nginx.ingress.kubernetes.io/"


def objects(version: str = OPTIONS.kubernetes_version, /, **fields: JSON) -> dict[str, Any]:
    found = texts("kubernetes", spec(**fields), options=OPTIONS._replace(kubernetes_version=version))
    documents = [yaml_read(text) for text in found.values()]
    return {document["kind"]: document for document in documents}


def warnings(**fields: JSON) -> list[str]:
    """Without policy, which has tests of its own."""
    found = rules(rendered("kubernetes", spec(**fields)).problems)
    return [rule for rule in found if not rule.startswith("policy/")]


def alerts(**monitoring: JSON) -> dict[str, Any]:
    group = objects(monitoring={**METRICS, **monitoring})["PrometheusRule"]["spec"]["groups"][0]
    return {rule["alert"]: rule for rule in group["rules"]}


# ---------------------------------------------------------------------------------------------
# Autoscaling


def test_the_autoscaler_of_the_seed() -> None:
    found = objects(autoscaling=SCALED)
    assert found["HorizontalPodAutoscaler"]["metadata"]["name"] == "mcp-demo"
    assert found["HorizontalPodAutoscaler"]["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mcp-demo"},
        "minReplicas": 3,
        "maxReplicas": 10,
        "metrics": [
            {"type": "Resource", "resource": {"name": n, "target": {"type": "Utilization", "averageUtilization": p}}}
            for n, p in (("cpu", 70), ("memory", 80))
        ],
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 0,
                "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
            },
        },
    }


@pytest.mark.parametrize("workload", ["Deployment", "StatefulSet"])
def test_what_is_autoscaled_names_no_number_of_pods(workload: str) -> None:
    scaled = objects(workload=workload, autoscaling=SCALED)
    assert "replicas" not in scaled[workload]["spec"]
    assert scaled["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["kind"] == workload
    assert objects(workload=workload)[workload]["spec"]["replicas"] == 1
    assert "HorizontalPodAutoscaler" not in objects(workload=workload)


def test_a_measure_of_0_is_left_out() -> None:
    found = objects(autoscaling={"min": 1, "max": 2, "memory": 0})["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert [metric["resource"]["name"] for metric in found] == ["cpu"]


@pytest.mark.parametrize(
    ("fields", "sticky"),
    [
        ({"autoscaling": SCALED, "transport": {"type": "streamable-http", "stateful": True}}, True),
        ({"replicas": 2, "transport": {"type": "streamable-http", "stateful": True}}, True),
        ({"replicas": 2, "transport": {"type": "streamable-http", "stateful": False}}, False),
        ({"replicas": 2, "transport": {"type": "streamable-http"}}, False),
        ({"replicas": 2, "transport": {"type": "sse"}}, True),
        ({"transport": {"type": "streamable-http", "stateful": True}}, False),
        ({"autoscaling": {"min": 1, "max": 1}, "transport": {"type": "sse"}}, False),
    ],
)
def test_clients_of_a_server_with_sessions_come_back_to_one_pod(fields: dict[str, JSON], sticky: bool) -> None:
    assert (objects(**fields)["Service"]["spec"].get("sessionAffinity") == "ClientIP") is sticky


# ---------------------------------------------------------------------------------------------
# Disruption


@pytest.mark.parametrize("budget", [{"minAvailable": 2}, {"maxUnavailable": 1}, {"minAvailable": "50%"}], ids=str)
def test_the_budget_says_what_the_spec_says(budget: JSON) -> None:
    found = objects(replicas=3, disruption=budget)["PodDisruptionBudget"]["spec"]
    selector = {"matchLabels": {"mcpctl.io/server": "demo"}}
    assert found == {**budget, "selector": selector, "unhealthyPodEvictionPolicy": "AlwaysAllow"}  # type: ignore[dict-item]
    assert "PodDisruptionBudget" not in objects(replicas=3)


@pytest.mark.parametrize("version", kubernetes_versions())
def test_the_eviction_policy_is_rendered_where_it_is_served(version: str) -> None:
    found = objects(version, replicas=3, disruption={"minAvailable": 2})["PodDisruptionBudget"]["spec"]
    assert ("unhealthyPodEvictionPolicy" in found) is (version not in ("1.25", "1.26"))


# ---------------------------------------------------------------------------------------------
# The way in


def test_an_ingress_for_nginx_keeps_streams_open() -> None:
    found = objects(expose={**NGINX, "tls": {"secret": "mcp-tls"}})["Ingress"]
    assert found["metadata"]["annotations"] == {
        f"{PREFIX}proxy-read-timeout": "3600",
        f"{PREFIX}proxy-send-timeout": "3600",
        f"{PREFIX}proxy-buffering": "off",
        f"{PREFIX}proxy-request-buffering": "off",
        f"{PREFIX}proxy-http-version": "1.1",
    }
    backend = {"service": {"name": "mcp-demo", "port": {"name": "mcp"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    assert found["spec"] == {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["mcp.example.com"], "secretName": "mcp-tls"}],
        "rules": [{"host": "mcp.example.com", "http": {"paths": paths}}],
    }


def test_several_pods_behind_nginx_are_chosen_by_the_client_s_address() -> None:
    found = objects(expose=NGINX, autoscaling=SCALED, transport=SESSIONS)["Ingress"]["metadata"]["annotations"]
    assert found[f"{PREFIX}upstream-hash-by"] == "$remote_addr"
    without = objects(expose=NGINX, autoscaling=SCALED)["Ingress"]["metadata"]["annotations"]
    assert f"{PREFIX}upstream-hash-by" not in without


def test_annotations_of_the_spec_win() -> None:
    own: JSON = {f"{PREFIX}proxy-read-timeout": "60", "example.com/a": "b"}
    found = objects(expose={**NGINX, "annotations": own})["Ingress"]["metadata"]["annotations"]
    assert (found[f"{PREFIX}proxy-read-timeout"], found["example.com/a"]) == ("60", "b")


@pytest.mark.parametrize("name", ["traefik", None])
def test_another_controller_gets_no_annotations_but_a_comment(name: str | None) -> None:
    expose: dict[str, JSON] = {"host": "mcp.example.com", "from": [], **({"className": name} if name else {})}
    text = texts("kubernetes", spec(expose=expose))["demo/ingress.yaml"]
    document = yaml_read(text)
    assert "annotations" not in document["metadata"]
    assert document["spec"].get("ingressClassName") == name
    assert "tls" not in document["spec"]
    assert "# Streams (SSE) stay open for long" in text


def test_a_route_belongs_to_its_gateway_and_has_no_time_outs() -> None:
    gateway: JSON = {"name": "public", "namespace": "gateways", "sectionName": "https"}
    found = objects(expose={**ROUTE, "gateway": gateway, "path": "/mcp"})
    assert "Ingress" not in found
    assert found["HTTPRoute"]["spec"] == {
        "parentRefs": [gateway],
        "hostnames": ["mcp.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/mcp"}}],
                "timeouts": {"request": "0s", "backendRequest": "0s"},
                "backendRefs": [{"name": "mcp-demo", "port": 8080}],
            }
        ],
    }
    assert objects(expose=ROUTE)["HTTPRoute"]["spec"]["parentRefs"] == [{"name": "public"}]


def test_several_hosts_and_paths_and_the_controllers_certificate() -> None:
    several: dict[str, JSON] = {"hosts": ["mcp.example.com", "mcp"], "paths": ["/mcp", "/.well-known"]}
    found = objects(expose={**several, "className": "internal", "tls": {}})["Ingress"]["spec"]
    assert found["tls"] == [{"hosts": ["mcp.example.com", "mcp"]}], (
        "no secretName: the controller's default certificate"
    )
    ways = [(rule["host"], path["path"]) for rule in found["rules"] for path in rule["http"]["paths"]]
    assert ways == [(host, path) for host in ("mcp.example.com", "mcp") for path in ("/mcp", "/.well-known")]
    route = objects(expose={**several, "type": "HTTPRoute", "gateway": {"name": "public"}})["HTTPRoute"]["spec"]
    assert route["hostnames"] == ["mcp.example.com", "mcp"]
    assert [match["path"]["value"] for match in route["rules"][0]["matches"]] == ["/mcp", "/.well-known"]


def test_the_prefix_is_cut_off() -> None:
    strip: dict[str, JSON] = {"path": "/grafana", "stripPrefix": True}
    ingress = objects(expose={**NGINX, **strip})["Ingress"]
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/grafana(/|$)(.*)", "ImplementationSpecific")
    assert ingress["metadata"]["annotations"][f"{PREFIX}rewrite-target"] == "/$2"
    assert ingress["metadata"]["annotations"][f"{PREFIX}use-regex"] == "true"
    (rule,) = objects(expose={**ROUTE, **strip})["HTTPRoute"]["spec"]["rules"]
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": rewrite}]
    both: dict[str, JSON] = {"paths": ["/a", "/b"], "stripPrefix": True}
    rules = objects(expose={**ROUTE, **both})["HTTPRoute"]["spec"]["rules"]
    assert [len(rule["matches"]) for rule in rules] == [1, 1], "the Gateway API refuses two prefixes in such a rule"
    own: JSON = {"traefik.ingress.kubernetes.io/router.middlewares": "mcp-strip@kubernetescrd"}
    other = objects(expose={"host": "mcp.example.com", "className": "traefik", "annotations": own, **strip})["Ingress"]
    assert other["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/grafana"


@pytest.mark.parametrize(
    ("strip", "second"), [(False, ("/messages/", "Prefix")), (True, ("/()(messages(/.*)?)$", "ImplementationSpecific"))]
)
def test_the_second_path_of_sse_is_routed_as_the_server_announces_it(strip: bool, second: tuple[str, str]) -> None:
    sse: dict[str, JSON] = {"type": "sse", "path": "/sse" if strip else "/own/sse", "messagesPath": "/messages/"}
    expose: dict[str, JSON] = {"path": "/own", "stripPrefix": strip}
    ingress = objects(transport=sse, expose={**NGINX, **expose})["Ingress"]
    own, path = ingress["spec"]["rules"][0]["http"]["paths"]
    assert (path["path"], path["pathType"]) == second
    assert path["backend"] == own["backend"]
    routes = objects(transport=sse, expose={**ROUTE, **expose})["HTTPRoute"]["spec"]["rules"]
    assert [match["path"]["value"] for rule in routes for match in rule["matches"]] == ["/own", "/messages/"]
    assert [bool(rule.get("filters")) for rule in routes] == ([True, False] if strip else [False])


def test_the_second_path_of_sse_is_routed_once() -> None:
    everything = objects(transport={"type": "sse", "messagesPath": "/messages/"}, expose=NGINX)["Ingress"]
    assert len(everything["spec"]["rules"][0]["http"]["paths"]) == 1, "'/' leads there too"
    bridged = objects(package=PYPI, transport={"path": "/sse"}, expose={**NGINX, "path": "/sse"})["Ingress"]
    assert [path["path"] for path in bridged["spec"]["rules"][0]["http"]["paths"]] == ["/sse", "/messages/"]
    image = objects(image="a/b:1", command=["x"], transport={"path": "/sse"}, expose={**NGINX, "path": "/sse"})
    assert len(image["Ingress"]["spec"]["rules"][0]["http"]["paths"]) == 1, "agentgateway takes messages at /sse"


def test_the_network_policy_admits_who_is_named() -> None:
    fields: dict[str, JSON] = {
        "network": {"ingress": {"from": []}},
        "expose": {**NGINX, "from": PEER},
        "monitoring": {"port": 9090, "from": PEER},
    }
    rules_of = objects(**fields)["NetworkPolicy"]["spec"]["ingress"]
    assert rules_of == [
        {"from": [IN_NAMESPACE], "ports": [{"protocol": "TCP", "port": "mcp"}]},
        {"from": [IN_NAMESPACE], "ports": [{"protocol": "TCP", "port": "metrics"}]},
    ]
    closed = {**fields, "expose": NGINX, "monitoring": METRICS}
    assert objects(**closed)["NetworkPolicy"]["spec"]["ingress"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"expose": {"host": "x.example.com"}}, ["kubernetes/expose-not-admitted"]),
        ({"expose": {"host": "x.example.com", "from": []}}, []),
        ({"expose": {"host": "x.example.com", "from": PEER}}, []),
        ({"expose": NGINX, "replicas": 2}, []),
        ({"expose": {"host": "x.example.com", "from": []}, "replicas": 2}, []),
        (
            {"expose": {"host": "x.example.com", "from": []}, "replicas": 2, "transport": SESSIONS},
            ["kubernetes/expose-affinity"],
        ),
        ({"expose": ROUTE, "autoscaling": SCALED, "transport": SESSIONS}, ["kubernetes/expose-affinity"]),
        ({"expose": ROUTE}, []),
        ({"monitoring": {"port": 9090}}, ["kubernetes/metrics-not-admitted"]),
        ({"monitoring": METRICS}, []),
        ({}, []),
    ],
    ids=str,
)
def test_what_does_not_come_about_by_itself_is_told(fields: dict[str, JSON], told: list[str]) -> None:
    assert warnings(**fields) == told


def test_what_no_policy_keeps_out_is_not_told_to_be_kept_out() -> None:
    """Affinity has nothing to do with policies, and is told all the same."""
    closed = spec(expose={"host": "x.example.com"}, monitoring={"port": 9090}, replicas=2, transport=SESSIONS)
    output = rendered("kubernetes", closed, options=OPTIONS._replace(network_policy_provider="none"))
    told = [problem.rule for problem in output.problems if problem.rule.startswith("kubernetes/")]
    assert told == ["kubernetes/not-isolated", "kubernetes/expose-affinity"]


# ---------------------------------------------------------------------------------------------
# Metrics


def test_metrics_have_a_port_and_a_monitor() -> None:
    found = objects(monitoring={**METRICS, "labels": {"release": "prometheus"}, "interval": "15s"})
    container = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "metrics", "containerPort": 9090, "protocol": "TCP"} in container["ports"]
    (port,) = [port for port in found["Service"]["spec"]["ports"] if port["name"] == "metrics"]
    assert (port["port"], port["targetPort"]) == (9090, "metrics")
    assert found["ServiceMonitor"]["metadata"]["labels"]["release"] == "prometheus"
    assert found["ServiceMonitor"]["spec"] == {
        "selector": {"matchLabels": {"mcpctl.io/server": "demo"}},
        "endpoints": [{"port": "metrics", "path": "/metrics", "interval": "15s"}],
    }
    assert "release" not in found["Deployment"]["metadata"]["labels"]
    assert "annotations" not in found["Deployment"]["spec"]["template"]["metadata"]
    assert "PrometheusRule" not in found


def test_metrics_may_be_on_the_server_s_own_port() -> None:
    found = objects(monitoring={"port": 8080, "from": PEER})
    assert [port["name"] for port in found["Service"]["spec"]["ports"]] == ["mcp"]
    assert found["ServiceMonitor"]["spec"]["endpoints"][0]["port"] == "mcp"
    assert found["NetworkPolicy"]["spec"]["ingress"][-1]["ports"] == [{"protocol": "TCP", "port": "mcp"}]


def test_without_the_operator_the_pods_are_annotated() -> None:
    found = objects(monitoring={**METRICS, "scrape": "annotations"}, files={"/a": {"content": "x"}})
    annotations = found["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key.startswith("prometheus.io/")} == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "prometheus.io/path": "/metrics",
    }
    assert not {"ServiceMonitor", "PrometheusRule"} & set(found)


def test_the_alerts_of_the_seed() -> None:
    found = alerts(alerts={"down": {}, "sessions": {}, "latency": {}, "errors": {}})
    series = 'namespace="mcpctl",service="mcp-demo"'
    assert {name: (rule["expr"], rule["for"]) for name, rule in found.items()} == {
        "MCPServerDown": (f"up{{{series}}} == 0 or absent(up{{{series}}})", "1m"),
        "MCPHighSessionCount": (
            f"sum by (namespace, service, pod) (mcp_active_sessions{{{series}}}) > 15",
            "5m",
        ),
        "MCPHighExecutionLatency": (
            "histogram_quantile(0.95, sum by (namespace, service, le) "
            f"(rate(mcp_execution_duration_seconds_bucket{{{series}}}[300s]))) > 30",
            "5m",
        ),
        "MCPExecutionErrors": (
            f"sum by (namespace, service) (rate(mcp_execution_errors_total{{{series}}}[300s])) > 0.1",
            "5m",
        ),
    }
    assert found["MCPServerDown"]["labels"] == {"severity": "critical"}
    assert "{{ $labels.pod }}" in found["MCPServerDown"]["annotations"]["description"]
    assert found["MCPHighExecutionLatency"]["annotations"]["description"].startswith("95 % of")


def test_an_alert_is_on_when_it_is_named_and_its_values_are_fields() -> None:
    latency: JSON = {"metric": "calls", "quantile": 0.999, "threshold": 2, "for": "1h"}
    found = alerts(alerts={"latency": latency})
    assert list(found) == ["MCPHighExecutionLatency"]
    rule = found["MCPHighExecutionLatency"]
    assert rule["expr"].startswith("histogram_quantile(0.999, ")
    assert "rate(calls_bucket{" in rule["expr"]
    assert rule["expr"].endswith(" > 2")
    assert rule["for"] == "1h"
    assert rule["annotations"]["description"].startswith("99.9 % of")


def test_prometheus_own_grammar_reads_every_expression() -> None:
    values: JSON = {
        "down": {},
        "sessions": {"threshold": 0.5},
        "latency": {"metric": "a:b_seconds", "quantile": 0.999, "threshold": 1e-3},
        "errors": {"threshold": 100000},
    }
    for rule in alerts(interval="75s", alerts=values).values():
        assert promql_parser.parse(rule["expr"])
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum by (pod (up)")


@pytest.mark.parametrize(
    ("interval", "over"), [("500ms", "300s"), ("30s", "300s"), ("75s", "300s"), ("76s", "304s"), ("5m", "1200s")]
)
def test_a_rate_spans_four_scrapes(interval: str, over: str) -> None:
    expr = alerts(interval=interval, alerts={"errors": {}})["MCPExecutionErrors"]["expr"]
    assert f"[{over}]" in expr


# ---------------------------------------------------------------------------------------------
# All together


@pytest.mark.parametrize("version", kubernetes_versions())
@pytest.mark.parametrize("way_in", [NGINX, ROUTE], ids=["Ingress", "HTTPRoute"])
def test_all_of_it_is_valid_in_every_version(version: str, way_in: dict[str, JSON]) -> None:
    alerts_on: JSON = {"down": {}, "sessions": {}, "latency": {}, "errors": {}}
    document = spec(
        package=PYPI,
        autoscaling=SCALED,
        disruption={"minAvailable": 2},
        expose={**way_in, "from": PEER},
        monitoring={**METRICS, "alerts": alerts_on},
    )
    output = rendered("kubernetes", document, options=OPTIONS._replace(kubernetes_version=version))
    assert errors_in(output.problems) == []


def test_compose_says_what_it_does_not_render() -> None:
    fields: dict[str, JSON] = {"autoscaling": SCALED, "disruption": {"minAvailable": 2}, "expose": NGINX}
    problems = rendered("compose", spec(**fields, monitoring=METRICS)).problems
    told = {problem.path for problem in problems if problem.rule == "compose/not-rendered"}
    assert told == {"spec.autoscaling", "spec.disruption", "spec.expose", "spec.monitoring"}
