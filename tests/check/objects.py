"""Objects as mcpctl renders them, and a way to spoil one place of a copy."""

from __future__ import annotations

import copy
import marshal
from typing import Any

#: In ``spoilt``: take the place away.
GONE = object()

LABELS = {"mcpctl.io/server": "github", "mcpctl.io/managed": "true", "app.kubernetes.io/name": "mcp-github"}
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "mcp", "labels": dict(LABELS)}


def deployment() -> dict[str, Any]:
    server = {
        "name": "mcp-server",
        "image": "ghcr.io/github/github-mcp-server:v0.20.1",
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": "mcp", "containerPort": 8080, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9090},
        ],
        "env": [
            {"name": "TOOLSETS", "value": "repos"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "github-token", "key": "token"}}},
        ],
        "envFrom": [{"prefix": "X_", "configMapRef": {"name": "more"}}],
        "resources": copy.deepcopy(_RESOURCES),
        "startupProbe": {"httpGet": {"path": "/status", "port": "mcp"}, "periodSeconds": 2},
        "livenessProbe": {"tcpSocket": {"port": 8080}},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "1"]}}},
        "securityContext": copy.deepcopy(_SECURITY),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "files", "mountPath": "/c", "subPath": "c"},
        ],
    }
    bridge = {"name": "bridge", "image": "bridge:v1", "securityContext": copy.deepcopy(_SECURITY)}
    spec = {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": "mcp-github",
        "terminationGracePeriodSeconds": 30,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {}},
            }
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Gt", "values": ["1"]}]}]
                }
            }
        },
        "initContainers": [bridge],
        "containers": [server],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            {
                "name": "files",
                "configMap": {"name": "mcp-github-files", "items": [{"key": "c", "path": "c"}]},
            },
        ],
    }
    selector = {"mcpctl.io/server": "github"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata("mcp-github"),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": dict(LABELS), "annotations": {"mcpctl.io/sum": "1"}},
                "spec": spec,
            },
        },
    }


def stateful_set() -> dict[str, Any]:
    doc = deployment()
    doc["kind"] = "StatefulSet"
    del doc["spec"]["strategy"]
    claim = {"metadata": {"name": "data"}, "spec": claim_of_volume()["spec"]}
    doc["spec"] |= {
        "serviceName": "mcp-github",
        "podManagementPolicy": "Parallel",
        "volumeClaimTemplates": [claim],
    }
    doc["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    return doc


def job() -> dict[str, Any]:
    doc = deployment()
    doc |= {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": doc["spec"]["template"]}}
    doc["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    return doc


def service() -> dict[str, Any]:
    ports = [
        {"name": "mcp", "port": 8080, "targetPort": "mcp"},
        {"name": "metrics", "port": 9090, "targetPort": 9090},
    ]
    spec = {"type": "ClusterIP", "selector": {"mcpctl.io/server": "github"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata("mcp-github"), "spec": spec}


def network_policy() -> dict[str, Any]:
    spec = {
        "podSelector": {"matchLabels": {"mcpctl.io/server": "github"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": "mcp"}]}],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}],
                "ports": [{"port": 443, "endPort": 445, "protocol": "TCP"}],
            }
        ],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata("mcp-github"),
        "spec": spec,
    }


def namespace() -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mcp", "labels": labels}}


def config_map() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata("mcp-github-files"),
        "data": {"c": "x"},
    }


def secret() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _metadata("s"), "data": {"k": "aHVzaA=="}}


def claim_of_volume() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata("mcp-github-data"),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def autoscaler() -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 70}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mcp-github"},
        "minReplicas": 3,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    about = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": _metadata("mcp-github")}
    return {**about, "spec": spec}


def budget() -> dict[str, Any]:
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"mcpctl.io/server": "github"}}}
    about = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": _metadata("mcp-github")}
    return {**about, "spec": spec}


def ingress() -> dict[str, Any]:
    backend = {"service": {"name": "mcp-github", "port": {"name": "mcp"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec = {"ingressClassName": "nginx", "rules": [{"host": "mcp.example.com", "http": {"paths": [path]}}]}
    about = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": _metadata("mcp-github")}
    return {**about, "spec": spec}


def cilium_policy() -> dict[str, Any]:
    def ports() -> list[Any]:
        return [{"ports": [{"port": "443", "protocol": "TCP"}]}]

    spec = {
        "endpointSelector": {"matchLabels": {"mcpctl.io/server": "github"}},
        "ingress": [{"fromEndpoints": [{"matchLabels": {"a": "b"}}], "toPorts": ports()}],
        "egress": [{"toFQDNs": [{"matchName": "a.example"}], "toPorts": ports()}, {"toCIDRSet": [{"cidr": "::/0"}]}],
    }
    about = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": _metadata("mcp-github")}
    return {**about, "spec": spec}


def route() -> dict[str, Any]:
    spec = {
        "parentRefs": [{"name": "public"}],
        "hostnames": ["mcp.example.com"],
        "rules": [{"timeouts": {"request": "0s"}, "backendRefs": [{"name": "mcp-github", "port": 8080}]}],
    }
    about = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": _metadata("mcp-github")}
    return {**about, "spec": spec}


def monitor() -> dict[str, Any]:
    selector = {"matchLabels": {"mcpctl.io/server": "github"}}
    spec = {"selector": selector, "endpoints": [{"port": "metrics", "path": "/metrics", "interval": "30s"}]}
    about = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": _metadata("mcp-github")}
    return {**about, "spec": spec}


def rule() -> dict[str, Any]:
    alert = {"alert": "MCPServerDown", "expr": "up == 0", "for": "1m", "labels": {"severity": "critical"}}
    about = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": _metadata("mcp-github")}
    return {**about, "spec": {"groups": [{"name": "mcp-github", "rules": [alert]}]}}


def every_object() -> list[dict[str, Any]]:
    return [namespace(), config_map(), claim_of_volume(), deployment(), service(), network_policy()]


def spoilt(doc: dict[str, Any], *path: str | int, value: Any) -> dict[str, Any]:
    """A copy with another value at a path; GONE removes it. Missing mappings on the way are made."""
    copied: dict[str, Any] = marshal.loads(marshal.dumps(doc))  # ten times as fast as copy.deepcopy
    place: Any = copied
    for step in path[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is GONE:
        del place[path[-1]]
    elif isinstance(place, list) and path[-1] == len(place):
        place.append(value)
    else:
        place[path[-1]] = value
    return copied
