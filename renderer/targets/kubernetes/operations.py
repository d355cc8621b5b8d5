"""What the templates of scaling, disruption, the way in and metrics read; plain data only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from renderer.errors import Fault, Severity
from renderer.model import JSON, Alert, Expose, Monitoring, Options, ScalingStep, Server

#: The first Kubernetes version that serves ``unhealthyPodEvictionPolicy`` without a feature gate.
_EVICTS_UNHEALTHY = 27
#: Over how long rates and quantiles are taken, in seconds; four scrapes at least, so that one may be lost.
_RANGE = 300
_SCRAPES = 4
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
#: An IngressClass of this name is that of ingress-nginx everywhere.
_NGINX = "nginx"
_STREAMS = {
    # Streams are silent between messages: the default of 60 seconds would cut them.
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
    # Events must not wait until a buffer is full.
    "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-http-version": "1.1",
}
#: ingress-nginx sends to pods directly, past the Service and its session affinity.
_SAME_POD = {"nginx.ingress.kubernetes.io/upstream-hash-by": "$remote_addr"}


def operations_view(server: Server, options: Options) -> dict[str, Any]:
    """The values of the objects beside the workload; None where the spec does not ask for one."""
    return {
        "autoscaling": _autoscaling(server),
        "disruption": _disruption(server, options),
        "expose": _expose(server),
        "monitoring": _monitoring(server, options),
    }


def metrics_port(server: Server) -> str | None:
    """The name of the port with the metrics; they may be served on the server's own."""
    if server.monitoring is None:
        return None
    return "mcp" if server.monitoring.port == server.transport.port else "metrics"


def scrape_annotations(server: Server) -> dict[str, str]:
    """What tells a Prometheus without operator to scrape the pod."""
    monitoring = server.monitoring
    if monitoring is None or monitoring.scrape != "annotations":
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(monitoring.port),
        "prometheus.io/path": monitoring.path,
    }


def _autoscaling(server: Server) -> dict[str, JSON] | None:
    scaling = server.autoscaling
    if scaling is None:
        return None
    return {
        "kind": server.workload,
        "min": scaling.least,
        "max": scaling.most,
        "metrics": [{"name": n, "percent": p} for n, p in (("cpu", scaling.cpu), ("memory", scaling.memory)) if p],
        "up": _step(scaling.up),
        "down": _step(scaling.down),
    }


def _step(step: ScalingStep) -> dict[str, JSON]:
    return {"pods": step.pods, "period": step.period, "stabilization": step.stabilization}


def _disruption(server: Server, options: Options) -> dict[str, JSON] | None:
    disruption = server.disruption
    if disruption is None:
        return None
    return {
        "min_available": disruption.min_available,
        "max_unavailable": disruption.max_unavailable,
        "evict_unhealthy": int(options.kubernetes_version.split(".")[1]) >= _EVICTS_UNHEALTHY,
    }


def _expose(server: Server) -> dict[str, Any] | None:
    expose = server.expose
    if expose is None:
        return None
    gateway = expose.gateway
    return {
        "host": expose.host,
        "path": expose.path,
        "class_name": expose.class_name,
        "nginx": _is_nginx(server),
        "annotations": {**_own_annotations(server), **expose.annotations},
        "tls_secret": expose.tls_secret,
        "gateway": gateway and {"name": gateway.name, "namespace": gateway.namespace, "section": gateway.section},
    }


def _is_nginx(server: Server) -> bool:
    return server.expose is not None and server.expose.class_name == _NGINX


def _own_annotations(server: Server) -> dict[str, str]:
    if not _is_nginx(server):
        return {}
    return {**_STREAMS, **(_SAME_POD if server.most_pods > 1 else {})}


def _monitoring(server: Server, options: Options) -> dict[str, Any] | None:
    monitoring = server.monitoring
    if monitoring is None:
        return None
    return {
        "port": monitoring.port,
        "port_name": metrics_port(server),
        "path": monitoring.path,
        "interval": monitoring.interval,
        "alerts": _alerts(server, monitoring, options),
    }


def _alerts(server: Server, monitoring: Monitoring, options: Options) -> list[dict[str, Any]]:
    target = f'namespace="{options.namespace}",service="{server.resource_name}"'
    over = _range(monitoring.interval or "")
    return [{"for": alert.duration, **_ALERTS[alert.kind](alert, target, over)} for alert in monitoring.alerts]


def _range(interval: str) -> str:
    number = interval.rstrip("msdh")
    seconds = int(number or 0) * _SECONDS[interval[len(number) :] or "s"]
    return f"{max(_RANGE, math.ceil(_SCRAPES * seconds))}s"


def _down(alert: Alert, target: str, over: str) -> dict[str, Any]:
    del alert, over
    return {
        "name": "MCPServerDown",
        "severity": "critical",
        # Where no pod is left there is no series either, which only absent() sees.
        "expr": f"up{{{target}}} == 0 or absent(up{{{target}}})",
        "summary": "MCP server is down",
        "description": "Prometheus cannot scrape pod {{ $labels.pod }} of {{ $labels.service }}, or there is none.",
    }


def _sessions(alert: Alert, target: str, over: str) -> dict[str, Any]:
    del over
    return {
        "name": "MCPHighSessionCount",
        "severity": "warning",
        "expr": f"sum by (namespace, service, pod) ({alert.metric}{{{target}}}) > {_number(alert.threshold)}",
        "summary": "MCP server has many sessions",
        "description": "Pod {{ $labels.pod }} has {{ $value }} active sessions.",
    }


def _latency(alert: Alert, target: str, over: str) -> dict[str, Any]:
    rate = f"sum by (namespace, service, le) (rate({alert.metric}_bucket{{{target}}}[{over}]))"
    percent = _number(alert.quantile * 100)
    return {
        "name": "MCPHighExecutionLatency",
        "severity": "warning",
        "expr": f"histogram_quantile({_number(alert.quantile)}, {rate}) > {_number(alert.threshold)}",
        "summary": "MCP executions are slow",
        "description": f"{percent} % of the executions take up to {{{{ $value | humanizeDuration }}}}.",
    }


def _errors(alert: Alert, target: str, over: str) -> dict[str, Any]:
    rate = f"sum by (namespace, service) (rate({alert.metric}{{{target}}}[{over}]))"
    return {
        "name": "MCPExecutionErrors",
        "severity": "warning",
        "expr": f"{rate} > {_number(alert.threshold)}",
        "summary": "MCP executions fail",
        "description": "{{ $value }} executions fail each second.",
    }


_ALERTS: dict[str, Callable[[Alert, str, str], dict[str, Any]]] = {
    "down": _down,
    "sessions": _sessions,
    "latency": _latency,
    "errors": _errors,
}


def _number(value: float) -> str:
    """As PromQL writes it: 30, 0.1, and 99.9 for what is 0.999 * 100."""
    return format(value, ".12g")


def operations_limits(server: Server, options: Options) -> Iterator[Fault]:
    """What the rendered objects do not bring about by themselves."""
    # Without a policy everybody may come in, which another warning tells.
    walled = options.network_policy_provider != "none"
    if walled and server.expose and server.expose.peers is None:
        yield _not_admitted(server.expose)
    if server.expose and server.most_pods > 1 and not _is_nginx(server):
        yield _without_affinity(server.expose)
    if walled and server.monitoring and server.monitoring.peers is None:
        yield Fault(
            ("spec", "monitoring"),
            "kubernetes/metrics-not-admitted",
            "the NetworkPolicy does not let Prometheus in, so nothing can be scraped",
            "name its pods under monitoring.from: [{namespace: monitoring}]; 'from: []' where another policy does",
            Severity.WARNING,
            at_key=True,
        )


def _not_admitted(expose: Expose) -> Fault:
    return Fault(
        ("spec", "expose"),
        "kubernetes/expose-not-admitted",
        f"the NetworkPolicy does not let the {_way_in(expose)} in, unless network.ingress.from names it",
        "name its pods under expose.from: [{namespace: ingress-nginx}], or say 'from: []' where it is named",
        Severity.WARNING,
        at_key=True,
    )


def _without_affinity(expose: Expose) -> Fault:
    return Fault(
        ("spec", "expose"),
        "kubernetes/expose-affinity",
        f"most {_way_in(expose)}s send to pods directly, past the Service and its session affinity: with several pods, "
        "sessions that live in one of them break",
        "have it send a client to the same pod each time; a server without sessions needs nothing",
        Severity.WARNING,
        at_key=True,
    )


def _way_in(expose: Expose) -> str:
    return "ingress controller" if expose.type == "Ingress" else "gateway"
