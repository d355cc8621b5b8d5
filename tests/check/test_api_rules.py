import ast
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renderer.check import api_rules
from renderer.check.api_rules import grammars, object_faults, set_faults
from renderer.check.api_rules.grammars import DATA_KEY, DNS_SUBDOMAIN, PORT_NAME, grammar_error, key_error
from renderer.errors import Severity
from renderer.manifest import pod_of
from renderer.quantity import nano
from tests.check.objects import (
    GONE,
    autoscaler,
    budget,
    claim_of_volume,
    config_map,
    deployment,
    every_object,
    ingress,
    job,
    monitor,
    namespace,
    network_policy,
    route,
    secret,
    service,
    spoilt,
    stateful_set,
)

_SPEC = ("spec", "template", "spec")
_C = (*_SPEC, "containers", 0)
_AFFINITY = (
    *_SPEC,
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
    0,
)
_RULE = ("spec", "egress", 0)
_BLOCK = (*_RULE, "to", 0, "ipBlock")
_CLAIM = ("spec", "resources", "requests")

# make, path that is set, value, rule, path of the Fault (None: the path that is set)
_REFUSED = [
    (deployment, (*_SPEC, "ephemeralContainers"), [{"name": "a", "image": "b"}], "ephemeral-containers", None),
    # scaling, disruption, the way in
    (autoscaler, ("spec", "minReplicas"), 0, "scale-bounds", None),
    (autoscaler, ("spec", "maxReplicas"), 2, "scale-bounds", None),
    (budget, ("spec", "maxUnavailable"), 1, "budget", ("spec",)),
    (budget, ("spec", "selector", "matchLabels", "a b"), "x", "label-key", None),
    (ingress, ("spec", "rules"), [], "ingress-rules", ("spec",)),
    (ingress, ("spec", "rules", 0, "host"), "A.example.com", "host", None),
    (ingress, ("spec", "rules", 0, "host"), "a.*.example.com", "host", None),
    (ingress, ("spec", "ingressClassName"), "Nginx", "name", None),
    (ingress, ("spec", "rules", 0, "http", "paths", 0, "path"), "mcp", "path", None),
    (ingress, ("spec", "rules", 0, "http", "paths", 0, "pathType"), "prefix", "unknown-value", None),
    # what it is
    (config_map, ("apiVersion",), None, "missing-identity", None),
    (config_map, ("kind",), GONE, "missing-identity", None),
    (config_map, ("metadata", "name"), None, "missing-identity", None),
    (config_map, ("metadata",), None, "missing-identity", ("metadata", "name")),
    # names by kind
    (config_map, ("metadata", "name"), "A_b", "name", None),
    (config_map, ("metadata", "name"), "a..b", "name", None),
    (config_map, ("metadata", "name"), "a" * 254, "name", None),
    (config_map, ("metadata", "name"), "a\n", "name", None),
    (service, ("metadata", "name"), "1a", "name", None),
    (service, ("metadata", "name"), "a.b", "name", None),
    (namespace, ("metadata", "name"), "a.b", "name", None),
    (stateful_set, ("metadata", "name"), "a" * 53, "name", None),
    (config_map, ("metadata", "namespace"), "a.b", "name", None),
    # labels and annotations
    (config_map, ("metadata", "labels", "a b"), "x", "label-key", None),
    (config_map, ("metadata", "labels", "A_.x/y"), "x", "label-key", None),
    (config_map, ("metadata", "labels", "x"), "a" * 64, "label-value", None),
    (config_map, ("metadata", "labels", "x"), "-a", "label-value", None),
    (config_map, ("metadata", "annotations", "a/b/c"), "x", "annotation-key", None),
    (config_map, ("metadata", "annotations", "x"), "é" * 131_072, "annotations-size",
     ("metadata", "annotations")),
    (deployment, ("spec", "template", "metadata", "labels", "a b"), "x", "label-key", None),
    (namespace, ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "strict",
     "unknown-value", None),
    # containers
    (deployment, (*_SPEC, "containers"), [], "containers", _SPEC),
    (deployment, (*_C, "name"), "a.b", "name", None),
    (deployment, (*_SPEC, "initContainers", 0, "name"), "mcp-server", "duplicate-container", None),
    (deployment, (*_C, "image"), "", "image", None),
    (deployment, (*_C, "image"), "a b", "image", None),
    (deployment, (*_C, "imagePullPolicy"), "always", "unknown-value", None),
    (deployment, (*_C, "terminationMessagePolicy"), "Log", "unknown-value", None),
    # ports
    (deployment, (*_C, "ports", 0, "containerPort"), 99_999, "port-range", None),
    (deployment, (*_C, "ports", 0, "containerPort"), 0, "port-range", None),
    (deployment, (*_C, "ports", 0, "name"), "a_very_wrong", "port-name", None),
    (deployment, (*_C, "ports", 0, "name"), "sixteen-is-large", "port-name", None),
    (deployment, (*_C, "ports", 0, "name"), "123", "port-name", None),
    (deployment, (*_C, "ports", 1, "name"), "mcp", "duplicate-port-name", None),
    (deployment, (*_C, "ports", 1, "containerPort"), 8080, "duplicate-port", None),
    (deployment, (*_C, "ports", 0, "protocol"), "tcp", "unknown-value", None),
    # environment
    (deployment, (*_C, "env", 0, "name"), "1A", "env-name", None),
    (deployment, (*_C, "env", 0, "name"), "A=B", "env-name", None),
    (deployment, (*_C, "env", 0, "name"), "TOKEN", "duplicate-env", (*_C, "env", 1, "name")),
    (deployment, (*_C, "env", 1, "value"), "both", "env-source", (*_C, "env", 1)),
    (deployment, (*_C, "env", 1, "valueFrom"), {}, "env-source", None),
    (deployment, (*_C, "envFrom", 0, "secretRef"), {"name": "x"}, "env-source", (*_C, "envFrom", 0)),
    (deployment, (*_C, "envFrom", 0, "prefix"), "9", "env-name", None),
    # quantities
    (deployment, (*_C, "resources", "limits", "memory"), "512MB", "quantity", None),
    (deployment, (*_C, "resources", "limits", "memory"), "-1Mi", "quantity-range", None),
    (deployment, (*_C, "resources", "requests", "cpu"), "1.5", "request-above-limit", None),
    (deployment, (*_SPEC, "volumes", 0, "emptyDir", "sizeLimit"), "1 Gi", "quantity", None),
    # mounts and volumes
    (deployment, (*_C, "volumeMounts", 0, "name"), "tpm", "unknown-volume", None),
    (deployment, (*_C, "volumeMounts", 1, "mountPath"), "/tmp", "duplicate-mount-path", None),
    (deployment, (*_C, "volumeMounts", 0, "mountPath"), "/a:b", "mount-path", None),
    (deployment, (*_C, "volumeMounts", 0, "mountPath"), "", "mount-path", None),
    (deployment, (*_C, "volumeMounts", 1, "subPath"), "../x", "sub-path", None),
    (deployment, (*_SPEC, "volumes", 1, "name"), "tmp", "duplicate-volume", None),
    (deployment, (*_SPEC, "volumes", 0, "name"), "a.b", "name", None),
    (deployment, (*_SPEC, "volumes", 0, "secret"), {}, "volume-source", (*_SPEC, "volumes", 0)),
    (deployment, (*_SPEC, "volumes", 1, "configMap", "items", 0, "path"), "/x", "item-path", None),
    (deployment, (*_SPEC, "volumes", 1, "configMap", "defaultMode"), 999, "file-mode", None),
    (deployment, (*_SPEC, "volumes", 1, "configMap", "name"), "A", "name", None),
    # probes
    (deployment, (*_C, "startupProbe", "exec"), {"command": ["x"]}, "handler", (*_C, "startupProbe")),
    (deployment, (*_C, "startupProbe", "httpGet"), GONE, "handler", (*_C, "startupProbe")),
    (deployment, (*_C, "startupProbe", "httpGet", "port"), "mpc", "unknown-port", None),
    (deployment, (*_C, "startupProbe", "httpGet", "port"), 70_000, "port-range", None),
    (deployment, (*_C, "startupProbe", "httpGet", "scheme"), "https", "unknown-value", None),
    (deployment, (*_C, "startupProbe", "periodSeconds"), 0, "probe-number", None),
    (deployment, (*_C, "livenessProbe", "successThreshold"), 2, "probe-number", None),
    (deployment, (*_C, "lifecycle", "preStop"), {}, "handler", None),
    # pods
    (deployment, (*_SPEC, "terminationGracePeriodSeconds"), -1, "number-range", None),
    (deployment, (*_SPEC, "securityContext", "runAsUser"), 2**31, "number-range", None),
    (deployment, (*_SPEC, "dnsPolicy"), "Clusterfirst", "unknown-value", None),
    (deployment, (*_SPEC, "dnsPolicy"), "None", "dns", None),
    (deployment, (*_SPEC, "serviceAccountName"), "A", "name", None),
    (deployment, (*_SPEC, "nodeSelector", "a b"), "x", "label-key", None),
    (deployment, (*_SPEC, "tolerations", 0, "operator"), "exists", "unknown-value", None),
    (deployment, (*_SPEC, "tolerations", 0, "value"), "x", "selector-values", None),
    (deployment, (*_SPEC, "topologySpreadConstraints", 0, "whenUnsatisfiable"), "No", "unknown-value", None),
    (deployment, (*_AFFINITY, "matchExpressions", 0, "operator"), "gt", "unknown-value", None),
    # workloads
    (deployment, ("spec", "selector", "matchLabels", "mcpctl.io/server"), "x", "selector",
     ("spec", "selector")),
    (deployment, ("spec", "selector"), {}, "selector", None),
    (deployment, ("spec", "selector", "matchExpressions"), [{"key": "mcpctl.io/server", "operator": "NotIn",
     "values": ["github"]}], "selector", ("spec", "selector")),
    (deployment, ("spec", "selector", "matchExpressions"), [{"key": "a b", "operator": "Exists"}],
     "label-key",
     ("spec", "selector", "matchExpressions", 0, "key")),
    (deployment, ("spec", "selector", "matchExpressions"), [{"key": "a", "operator": "In"}],
     "selector-values",
     ("spec", "selector", "matchExpressions", 0)),
    (deployment, ("spec", "selector", "matchExpressions"), [{"key": "a", "operator": "DoesNotExist",
     "values": ["x"]}], "selector-values", ("spec", "selector", "matchExpressions", 0, "values")),
    (deployment, ("spec", "selector", "matchExpressions"), [{"key": "a", "operator": "Gt"}], "unknown-value",
     ("spec", "selector", "matchExpressions", 0, "operator")),
    (deployment, ("spec", "replicas"), -1, "number-range", None),
    (deployment, (*_SPEC, "restartPolicy"), "OnFailure", "restart-policy", None),
    (deployment, (*_SPEC, "restartPolicy"), "Sometimes", "unknown-value", None),
    (deployment, ("spec", "strategy", "type"), "Recreate", "strategy", ("spec", "strategy", "rollingUpdate")),
    (deployment, ("spec", "strategy", "rollingUpdate", "maxSurge"), "0%", "strategy",
     ("spec", "strategy", "rollingUpdate")),
    (deployment, ("spec", "strategy", "type"), "Rolling", "unknown-value", None),
    (stateful_set, ("spec", "podManagementPolicy"), "parallel", "unknown-value", None),
    (stateful_set, ("spec", "volumeClaimTemplates", 0, "spec", "accessModes"), [], "access-modes", None),
    (stateful_set, ("spec", "volumeClaimTemplates", 0, "metadata", "name"), "other", "unknown-volume",
     (*_C, "volumeMounts", 2, "name")),
    (job, (*_SPEC, "restartPolicy"), "Always", "restart-policy", None),
    # services
    (service, ("spec", "type"), "clusterIP", "unknown-value", None),
    (service, ("spec", "type"), "ExternalName", "service-type", ("spec", "externalName")),
    (service, ("spec"), {"type": "NodePort", "clusterIP": "None", "ports": [{"port": 1}]}, "service-type",
     ("spec", "clusterIP")),
    (service, ("spec", "ports"), [], "service-ports", None),
    (service, ("spec", "ports", 1, "name"), GONE, "port-name", None),
    (service, ("spec", "ports", 1, "name"), "mcp", "duplicate-port-name", None),
    (service, ("spec", "ports", 1, "port"), 8080, "duplicate-port", None),
    (service, ("spec", "ports", 1, "port"), 65_536, "port-range", None),
    (service, ("spec", "ports", 0, "targetPort"), "too-long-for-a-port", "port-name", None),
    (service, ("spec", "selector", "x"), "a b", "label-value", None),
    # network policies
    (network_policy, (*_BLOCK, "cidr"), "10.0.0.0/33", "cidr", None),
    (network_policy, (*_BLOCK, "cidr"), "10.0.0.1", "cidr", None),
    (network_policy, (*_BLOCK, "except", 0), "::/0", "cidr", None),
    (network_policy, (*_BLOCK, "except", 0), "0.0.0.0/0", "cidr", None),
    (network_policy, (*_RULE, "to", 0, "podSelector"), {}, "network-peer", (*_RULE, "to", 0)),
    (network_policy, (*_RULE, "to", 0), {}, "network-peer", None),
    (network_policy, (*_RULE, "ports", 0, "endPort"), 80, "port-range", None),
    (network_policy, (*_RULE, "ports", 0, "port"), "https", "port-range", (*_RULE, "ports", 0, "endPort")),
    (network_policy, ("spec", "policyTypes"), ["Ingress"], "policy-types", ("spec", "egress")),
    (network_policy, ("spec", "policyTypes", 0), "ingress", "unknown-value", None),
    (network_policy, ("spec", "podSelector", "matchLabels", "x"), "a b", "label-value", None),
    # claims and data
    (claim_of_volume, ("spec", "accessModes"), GONE, "access-modes", None),
    (claim_of_volume, ("spec", "accessModes", 0), "RWO", "unknown-value", None),
    (claim_of_volume, _CLAIM, {}, "storage-request", None),
    (claim_of_volume, (*_CLAIM, "storage"), "0", "quantity-range", None),
    (claim_of_volume, ("spec", "storageClassName"), "A", "name", None),
    (config_map, ("data", "a/b"), "x", "data-key", None),
    (config_map, ("data", ".."), "x", "data-key", None),
    (config_map, ("binaryData", "c"), "eA==", "data-key", None),
    (config_map, ("binaryData", "d"), "no-base64!", "base64", None),
    (config_map, ("data", "c"), "x" * 1_048_577, "data-size", ("data",)),
    (secret, ("data", "k"), "hunter2!", "base64", None),
    (secret, ("type",), "kubernetes.io/tls", "secret-keys", ("data",)),
]  # fmt: skip


@pytest.mark.parametrize("make", [*(lambda d=d: d for d in every_object()), stateful_set, job, secret])
def test_what_mcpctl_renders_is_accepted(make: Any) -> None:
    assert object_faults(make()) == []


@pytest.mark.parametrize(("make", "path", "value", "rule", "where"), _REFUSED)
def test_refuses(make: Any, path: Any, value: Any, rule: Any, where: Any) -> None:
    path = (path,) if isinstance(path, str) else path
    faults = object_faults(spoilt(make(), *path, value=value))
    assert (where or path, f"api/{rule}") in [(f.path, f.rule) for f in faults]


def _other_port() -> Any:
    return spoilt(service(), "spec", "ports", 0, "targetPort", value="mpc")


def _renamed(doc: Any, name: Any) -> Any:
    return spoilt(doc, "metadata", "name", value=name)


def _stateless() -> Any:
    return spoilt(stateful_set(), "spec", "serviceName", value="mcp-gitub")


_BARE_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "mcp", "labels": {"mcpctl.io/server": "github"}},
}

_PATH = ("spec", "rules", 0, "http", "paths", 0)
_SCALED = spoilt(deployment(), "spec", "replicas", value=GONE)
_CONTAINER = ("spec", "template", "spec", "containers")
#: Not a share of what is requested, but an amount.
_AMOUNT = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "500m"}}}
]


def _unmeasured(*parts: str) -> Any:
    """A Deployment whose container says nothing of its CPU there."""
    changed = _SCALED
    for part in parts:
        changed = spoilt(changed, *_CONTAINER, 0, "resources", part, value={"memory": "64Mi"})
    return changed


# documents, and of the Faults: position of the document, path, rule, a piece of message or hint
_OTHERS = spoilt(deployment(), "spec", "template", "metadata", "labels", "mcpctl.io/server", value="other")
_REFUSED_TOGETHER: list[tuple[list[dict[str, Any]], list[tuple[Any, ...]]]] = [
    ([config_map(), secret(), config_map()], [
        (0, ("metadata", "name"), "duplicate-object", "is there 2 times: document 3 too"),
        (2, ("metadata", "name"), "duplicate-object", "document 1 too"),
    ]),
    ([deployment(), _renamed(deployment(), "other")], [
        (0, ("spec", "selector"), "selector-overlap", "matches the pods of Deployment 'other' too"),
        (0, ("spec", "template", "metadata", "labels"), "selector-overlap",
         "the selector of Deployment 'other'"),
        (1, ("spec", "template", "metadata", "labels"), "selector-overlap",
         "the selector of Deployment 'mcp-github'"),
        (1, ("spec", "selector"), "selector-overlap", "matches the pods of Deployment 'mcp-github' too"),
    ]),
    ([_BARE_POD, deployment()], [
        (0, ("metadata", "labels"), "selector-overlap", "the selector of Deployment"),
        (1, ("spec", "selector"), "selector-overlap", "the pods of Pod 'p'"),
    ]),
    ([deployment(), _other_port()],
     [(1, ("spec", "ports", 0, "targetPort"), "unknown-port", "did you mean 'mcp'?")]),
    ([deployment(), spoilt(service(), "spec", "selector", "x", value="y")], [
        (1, ("spec", "selector"), "selects-nothing", "not even those of Deployment 'mcp-github'"),
    ]),
    ([deployment(), spoilt(network_policy(), "spec", "podSelector", "matchLabels", "x", value="y")], [
        (1, ("spec", "podSelector"), "selects-nothing", "use labels that the pod template has"),
    ]),
    ([_stateless(), service()],
     [(0, ("spec", "serviceName"), "unknown-service", "did you mean 'mcp-github'?")]),
    ([_SCALED, spoilt(autoscaler(), "spec", "scaleTargetRef", "name", value="mcp-gitub")],
     [(1, ("spec", "scaleTargetRef", "name"), "unknown-scale-target", "did you mean 'mcp-github'?")]),
    ([_SCALED, spoilt(autoscaler(), "spec", "scaleTargetRef", "kind", value="StatefulSet")],
     [(1, ("spec", "scaleTargetRef", "name"), "unknown-scale-target", "no 'StatefulSet' of this set")]),
    ([deployment(), autoscaler()],
     [(0, ("spec", "replicas"), "replicas-autoscaled", "decides the number too")]),
    ([_unmeasured("requests"), autoscaler()], []),
    ([_unmeasured("requests", "limits"), autoscaler()],
     [(0, (*_CONTAINER, 0), "autoscaled-without-request", "requests no cpu, and HorizontalPodAutoscaler")]),
    ([_unmeasured("requests", "limits"), spoilt(autoscaler(), "spec", "metrics", value=_AMOUNT)], []),
    ([deployment(), spoilt(budget(), "spec", "selector", "matchLabels", "x", value="y")],
     [(1, ("spec", "selector"), "selects-nothing", "not even those of Deployment 'mcp-github'")]),
    ([deployment(), spoilt(budget(), "spec", "selector", value={})],
     [(1, ("spec", "selector"), "selects-others", "those of others too")]),
    ([_OTHERS, spoilt(service(), "spec", "selector", value={"mcpctl.io/managed": "true"})],
     [(1, ("spec", "selector"), "selects-others", "pods of server 'other' too")]),
    ([service(), spoilt(ingress(), *_PATH, "backend", "service", "name", value="mcp-gitub")],
     [(1, (*_PATH, "backend", "service", "name"), "unknown-service", "did you mean 'mcp-github'?")]),
    ([service(), spoilt(ingress(), *_PATH, "backend", "service", "port", "name", value="http")],
     [(1, (*_PATH, "backend", "service", "port", "name"), "unknown-port", "its ports are 'mcp' or 'metrics'")]),
    ([service(), spoilt(ingress(), *_PATH, "backend", "service", "port", value={"number": 80})],
     [(1, (*_PATH, "backend", "service", "port", "number"), "unknown-port", "its ports are 8080 or 9090")]),
    ([service(), spoilt(ingress(), "spec", "defaultBackend", value={"service": {"name": "x", "port": {"number": 1}}})],
     [(1, ("spec", "defaultBackend", "service", "name"), "unknown-service", "is called 'x'")]),
    ([service(), spoilt(route(), "spec", "rules", 0, "backendRefs", 0, "port", value=80)],
     [(1, ("spec", "rules", 0, "backendRefs", 0, "port"), "unknown-port", "has no port 80")]),
    ([route()],
     [(0, ("spec", "rules", 0, "backendRefs", 0, "name"), "unknown-service", "no 'Service' of this set")]),
    ([service(), spoilt(monitor(), "spec", "selector", "matchLabels", "x", value="y")],
     [(1, ("spec", "selector"), "selects-nothing", "nothing would be scraped")]),
    ([service(), spoilt(monitor(), "spec", "endpoints", 0, "port", value="metric")],
     [(1, ("spec", "endpoints", 0, "port"), "unknown-port", "its ports are 'mcp' or 'metrics'")]),
]  # fmt: skip

_ACCEPTED_TOGETHER = [
    every_object(),
    [stateful_set(), service()],
    [deployment(), spoilt(_renamed(deployment(), "other"), "metadata", "namespace", value="elsewhere")],
    [config_map(), spoilt(config_map(), "metadata", "namespace", value="elsewhere")],
    [_other_port()],
    [_SCALED, service(), autoscaler(), budget(), ingress(), route(), monitor()],
    [spoilt(route(), "spec", "rules", 0, "backendRefs", 0, "namespace", value="elsewhere")],
    [spoilt(monitor(), "spec", "namespaceSelector", "any", value=True)],
    [spoilt(monitor(), "apiVersion", value="example.com/v1")],
    [budget()],
    [spoilt(service(), "apiVersion", value="serving.knative.dev/v1"), service()],
    [],
]


@pytest.mark.parametrize(("docs", "expected"), _REFUSED_TOGETHER)
def test_refuses_together(docs: Any, expected: Any) -> None:
    found = set_faults(docs)
    assert [(i, f.path, f.rule) for i, f in found] == [(i, path, f"api/{rule}") for i, path, rule, _ in expected]
    for (_, fault), (*_, piece) in zip(found, expected, strict=True):
        assert piece in fault.message + fault.hint


@pytest.mark.parametrize("docs", _ACCEPTED_TOGETHER)
def test_accepts_together(docs: Any) -> None:
    assert set_faults(docs) == []


#: Where in the calls of each builder the rule id stands.
_RULE_ARGUMENT = {
    "refused": 1,
    "name_fault": 3,
    "range_fault": 4,
    "repeated": 1,
    "one_of_faults": 3,
    "inside_faults": 2,
}


def _written_rules() -> Iterator[str]:
    """The rule ids in the calls of the builders, wherever they are not passed on."""
    for module in Path(api_rules.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _RULE_ARGUMENT:
                rule = call.args[_RULE_ARGUMENT[call.func.id]]
                if isinstance(rule, ast.Constant):
                    yield str(rule.value)


def test_every_rule_has_been_fired() -> None:
    fired = {row[3] for row in _REFUSED} | {row[2] for _, rows in _REFUSED_TOGETHER for row in rows}
    assert set(_written_rules()) - fired == set()


def test_values_of_secrets_are_never_told() -> None:
    doc = spoilt(spoilt(secret(), "data", "k", value="hunter2!"), "stringData", "..", value="hunter2!")
    faults = object_faults(doc)
    assert {f.rule for f in faults} == {"api/base64", "api/data-key"}
    assert "hunter2" not in str(faults)


def test_bits_beside_a_prefix_are_only_a_warning() -> None:
    [fault] = object_faults(spoilt(network_policy(), *_BLOCK, "cidr", value="10.1.2.3/0"))
    assert (fault.severity, fault.hint) == (Severity.WARNING, "write 0.0.0.0/0")


def test_parts_that_recur_are_judged_where_they_are() -> None:
    """A container that was sound in one pod needs the volumes of another one too; a faulty one is faulty each time."""
    assert object_faults(deployment()) == []
    without_volumes = spoilt(deployment(), *_SPEC, "volumes", value=[])
    for _ in range(2):
        assert {fault.rule for fault in object_faults(without_volumes)} == {"api/unknown-volume"}
    policy = network_policy()
    swapped = spoilt(policy, "spec", "ingress", value=policy["spec"]["egress"])
    swapped["spec"]["ingress"][0]["from"] = [{}]
    assert [object_faults(policy), len(object_faults(swapped))] == [[], 1]


def test_custom_resources_are_not_judged_by_a_namesake() -> None:
    doc = spoilt(spoilt(service(), "apiVersion", value="serving.knative.dev/v1"), "spec", value={"type": "x"})
    elsewhere = spoilt(job(), "apiVersion", value="batch.example.com/v1")
    assert [bool(pod_of(job())), pod_of(elsewhere)] == [True, None]
    assert object_faults(doc) == []


_JUNK = [None, True, -1, 10**5000, 1.5, "", ":x", [], [[1]], [None], {}, {"a": None}, "a" * 300]


_SHAPES = [deployment, stateful_set, service, network_policy, claim_of_volume, secret]
_SHAPES += [autoscaler, budget, ingress, route, monitor]


@pytest.mark.parametrize("make", _SHAPES)
def test_documents_of_any_shape_are_survived(make: Any) -> None:
    whole, others = make(), every_object()
    for number, path in enumerate(_places(whole)):
        for junk in _JUNK[number % 2 :: 2]:  # neighbours have the other half
            doc = spoilt(whole, *path, value=junk)
            assert isinstance(object_faults(doc), list)
            assert isinstance(set_faults([doc, *others]), list)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from _places(part, (*path, key))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 10**9),
        ("100m", 10**8),
        ("0.1", 10**8),
        (".5", 5 * 10**8),
        ("1.", 10**9),
        ("1e3", 10**12),
        ("1E-3", 10**6),
        ("128Mi", 128 * 2**20 * 10**9),
        ("1.5Gi", 3 * 2**29 * 10**9),
        ("0.1n", 1),
        ("-1k", -(10**12)),
        ("+2", 2 * 10**9),
        ("1e1000", None),
        ("1MB", None),
        ("1 Mi", None),
        ("1_000", None),
        ("1/2", None),
        ("٣", None),
        ("", None),
        (".", None),
        ("1Ki\n", None),
        ("1" * 65, None),
    ],
)
def test_quantities(text: Any, expected: Any) -> None:
    assert nano(text) == expected


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (DNS_SUBDOMAIN, ["a", "a-b.c1", "0"], ["", "-a", "a-", "a.-b", "A", "a_b", "a\n", "ä"]),
        (PORT_NAME, ["http", "a", "1a", "a-b-c"], ["1", "a--b", "-a", "a-", "A", "sixteen-is-large"]),
        (DATA_KEY, [".a", "a.b", "...a"[3:], "_-."], [".", "..", "..a", "a/b", "a b", ""]),
    ],
)
def test_forms(form: Any, good: Any, bad: Any) -> None:
    assert [text for text in good if grammar_error(form, text)] == []
    assert [text for text in bad if not grammar_error(form, text)] == []


@pytest.mark.parametrize(
    ("key", "fine"), [("a.b/c_D", True), ("c", True), ("/c", False), ("a/", False), ("A/b", False)]
)
def test_label_keys(key: Any, fine: Any) -> None:
    assert (key_error(key) == "") is fine


def test_usual_names_are_of_the_pattern_which_nobody_asks_then() -> None:
    every = [each for each in vars(grammars).values() if isinstance(each, grammars.Grammar)]
    assert len(every) >= 7
    names = ["".join(name) for length in range(5) for name in itertools.product("aZ1-_./é\n", repeat=length)]
    for each in every:
        usual = [name for name in names if each.is_usual(name)]
        assert [name for name in usual if not each.pattern.fullmatch(name)] == []
        assert {"a", "a1", "a-1a"} <= {*usual}
