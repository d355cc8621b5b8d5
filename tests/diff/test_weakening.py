# ruff: noqa: E501 - a case is a row
"""What looks harmless and is not: each of these was once told as less than it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from renderer.diff.consequences import Consequence
from renderer.diff.entries import Entry
from renderer.pins import GUARD_PORT
from renderer.prerequisites import markdown_of, prerequisites
from tests.diff.test_consequences import (
    ANY,
    HARD,
    block,
    compose,
    deployment,
    ingress,
    kind,
    names,
    pod,
    policy,
    pvc,
    run,
    service,
    stateful,
    text,
    token,
)
from tests.specs import OPTIONS, server, spec, texts


def labelled(
    labels: dict[str, str] | None = None, /, container: dict[str, Any] | None = None, **rest: Any
) -> dict[str, Any]:
    return deployment(template={"metadata": {"labels": labels or {"a": "b"}}, "spec": pod(container, **rest)})


def named(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**data, "metadata": {**data["metadata"], **metadata}}


def closed(**spec: Any) -> dict[str, Any]:
    return kind("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {"matchLabels": {"a": "b"}}, **spec})


def from_pods(**peer: Any) -> dict[str, Any]:
    return closed(policyTypes=["Ingress"], ingress=[{"from": [peer]}])


def cilium(**spec: Any) -> dict[str, Any]:
    return kind(
        "CiliumNetworkPolicy", "cilium.io/v2", spec={"endpointSelector": {"matchLabels": {"k8s:a": "b"}}, **spec}
    )


def external(key: str, store: str = "s") -> dict[str, Any]:
    data = [{"secretKey": "K", "remoteRef": {"key": key}}]
    return kind("ExternalSecret", "external-secrets.io/v1", spec={"secretStoreRef": {"name": store}, "data": data})


def role(**rest: Any) -> dict[str, Any]:
    return kind("ClusterRole", "rbac.authorization.k8s.io/v1", rules=[], **rest)


def rule(kind: str) -> dict[str, Any]:
    paths = {"paths": [{"path": "/mcp", "pathType": kind}]}
    return ingress(rules=[{"host": "a", "http": paths}])


def backend(name: str, port: str = "mcp") -> dict[str, Any]:
    service = {"name": name, "port": {"name": port}}
    return ingress(rules=[{"host": "a", "http": {"paths": [{"path": "/", "backend": {"service": service}}]}}])


def route(name: str) -> dict[str, Any]:
    return kind("HTTPRoute", "gateway.networking.k8s.io/v1", spec={"rules": [{"backendRefs": [{"name": name}]}]})


def annotated(data: dict[str, Any], key: str) -> dict[str, Any]:
    return named(data, annotations={key: "x"})


class Case(NamedTuple):
    name: str
    old: Any
    new: Any
    fires: str


X, XZ = {"matchLabels": {"x": "y"}}, {"matchLabels": {"x": "y", "z": "1"}}
TOKEN = {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
CLAIM = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
IDENTITY = "eks.amazonaws.com/role-arn"
DENIED = {"egressDeny": [{"toCIDR": ["10.0.0.0/8"]}]}
INTERNAL = {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}

CASES = [
    Case("no policy types, no rule", closed(policyTypes=["Ingress", "Egress"]), closed(), "egress"),
    Case("pods of all namespaces", from_pods(podSelector=X), from_pods(podSelector=X, namespaceSelector={}), "ingress"),
    Case("all pods", from_pods(podSelector=X), from_pods(podSelector={}), "ingress"),
    Case("fewer labels", from_pods(podSelector=XZ), from_pods(podSelector=X), "ingress"),
    Case("no label of the namespace", from_pods(podSelector=X, namespaceSelector=X), from_pods(podSelector=X, namespaceSelector={}), "ingress"),
    Case("empty from", from_pods(podSelector=X), closed(policyTypes=["Ingress"], ingress=[{"from": []}]), "ingress"),
    Case("no ports", policy(block(ANY, 443)), policy(block(ANY)), "egress"),
    Case("deny gone", cilium(egress=[{"toEntities": ["all"]}], **DENIED), cilium(egress=[{"toEntities": ["all"]}]), "egress"),
    Case("not by default", cilium(egress=[]), cilium(egress=[], enableDefaultDeny={"egress": False}), "egress"),
    Case("all endpoints but some", cilium(ingress=[{"fromEndpoints": [X]}]), cilium(ingress=[{"fromEndpoints": [{**X, "matchExpressions": [{"key": "z", "operator": "Exists"}]}]}]), "ingress"),
    Case("account", labelled(serviceAccountName="a"), labelled(serviceAccountName="admin"), "rbac"),
    Case("mounted token", labelled(), labelled(volumes=[TOKEN]), "rbac"),
    Case("aggregated role", role(), role(aggregationRule={"clusterRoleSelectors": [{}]}), "rbac"),
    Case("mounted secret", labelled(), labelled(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]), "secret"),
    Case("other external secret", external("a"), external("b"), "secret"),
    Case("other store", external("a"), external("a", "b"), "secret"),
    Case("ingress class", ingress(ingressClassName="internal"), ingress(ingressClassName="public"), "exposure"),
    Case("exact path", rule("Exact"), rule("Prefix"), "exposure"),
    Case("allowed sources", named(ingress(), annotations={"nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8"}), ingress(), "exposure"),
    Case("internal balancer", named(service(type="LoadBalancer"), annotations=INTERNAL), service(type="LoadBalancer"), "exposure"),
    Case("kept by Argo CD", named(pvc(), annotations={"argocd.argoproj.io/sync-options": "Prune=false"}), pvc(), "update"),
    Case("kept by Flux", named(pvc(), labels={"kustomize.toolkit.fluxcd.io/prune": "disabled"}), pvc(), "update"),
    Case("found by its label", named(kind("ConfigMap"), labels={"grafana_dashboard": "1"}), kind("ConfigMap"), "update"),
    Case("claim used no more", labelled(volumes=[CLAIM]), labelled(volumes=[{"name": "v", "emptyDir": {}}]), "data-loss"),
    Case("access of a claim", pvc(accessModes=["ReadWriteOnce"]), pvc(accessModes=["ReadOnlyMany"]), "data-loss"),
    Case("users", labelled(hostUsers=False), labelled(), "hardening"),
    Case("processes", labelled(), labelled(shareProcessNamespace=True), "hardening"),
    Case("kernel", labelled(), labelled(securityContext={"sysctls": [{"name": "kernel.x", "value": "1"}]}), "hardening"),
    Case("apparmor", labelled(), labelled(securityContext={"appArmorProfile": {"type": "Unconfined"}}), "hardening"),
    Case("windows", labelled(), labelled(securityContext={"windowsOptions": {"hostProcess": True}}), "hardening"),
    Case("group", labelled(), labelled(None, {"securityContext": {**HARD, "runAsGroup": 0}}), "hardening"),
    Case("open namespace", None, kind("Namespace"), "hardening"),
    Case("replicas left to an autoscaler", deployment(replicas=2), deployment(replicas=None), "scaling"),
    Case("no probe", labelled(None, {"livenessProbe": {"httpGet": {"port": 1}}}), labelled(), "restart"),
    Case("another kind", deployment(), stateful(), "removal"),
    Case("compose label", compose({"labels": {"traefik.enable": "false"}}), compose({"labels": {"traefik.enable": "true"}}), "restart"),
    Case("variable without braces", compose(), compose({"environment": {"A": "$TOKEN"}}), "secret"),
    Case("variable of the caller", compose(), compose({"environment": ["TOKEN"]}), "secret"),
    Case("variable of the caller, long", compose(), compose({"environment": {"TOKEN": None}}), "secret"),
    Case("other file of a secret", compose(secrets={"s": {"file": "./a"}}), compose(secrets={"s": {"file": "/etc/shadow"}}), "secret"),
    Case("device", compose(), compose({"devices": ["/dev/mem"]}), "hardening"),
    Case("compose users", compose(), compose({"userns_mode": "host"}), "hardening"),
    Case("control groups", compose(), compose({"cgroup": "host"}), "hardening"),
    Case("writable path", compose({"volumes": ["/d:/d:ro"]}), compose({"volumes": ["/d:/d"]}), "hardening"),
    Case("spared when memory is short", compose(), compose({"oom_score_adj": -1000}), "hardening"),
    Case("another Service behind a host", backend("a"), backend("b"), "exposure"),
    Case("another port behind a host", backend("a"), backend("a", "metrics"), "exposure"),
    Case("another Service behind a route", route("a"), route("b"), "exposure"),
    Case("other pods behind a Service", service(selector={"a": "b"}), service(selector={"c": "d"}), "exposure"),
    Case("another port behind a Service", service(ports=[{"port": 80, "targetPort": "mcp"}]), service(ports=[{"port": 80, "targetPort": 9090}]), "exposure"),
    Case("past the guard", service(ports=[{"port": 80, "targetPort": GUARD_PORT}]), service(ports=[{"port": 80, "targetPort": "mcp"}]), "exposure"),
    Case("handler", kind("RuntimeClass", handler="runsc"), kind("RuntimeClass", handler="runc"), "hardening"),
    Case("package", labelled(None, {"command": ["uvx", "a@1.0"]}), labelled(None, {"command": ["uvx", "b@1.0"]}), "packages"),
    Case("version of a package", labelled(None, {"command": ["npx", "-y", "a@1.0"]}), labelled(None, {"command": ["npx", "-y", "a@1.1"]}), "packages"),
    Case("another beside the package", labelled(None, {"args": ["uvx", "--with", "x", "a"]}), labelled(None, {"args": ["uvx", "--with", "y", "a"]}), "packages"),
    Case("package of compose", compose({"command": ["uvx", "a"]}), compose({"command": ["uvx", "b"]}), "packages"),
    Case("package behind another", labelled(None, {"env": [token("A")], "command": ["uvx", "--with", "x", "a"]}), labelled(None, {"env": [token("A")], "command": ["uvx", "--with", "x", "b"]}), "secret"),
    *(Case(f"mounted {path}", labelled(None, {"env": [token("A")]}), labelled(None, {"env": [token("A")], "volumeMounts": [{"name": "v", "mountPath": path}]}), "secret") for path in ("/etc/ld.so.preload", "/usr/lib/x.so", "/etc/ssl/certs", "/app/node_modules/x", "/lib64", "/")),
    Case("trusted authorities", labelled(None, {"env": [token("A")]}), labelled(None, {"env": [token("A"), {"name": "SSL_CERT_FILE", "value": "/x"}]}), "secret"),
    Case("identity on all objects", [labelled(), kind("ServiceAccount")], [annotated(labelled(), IDENTITY), annotated(kind("ServiceAccount"), IDENTITY)], "rbac"),
    Case("annotation of the account alone", kind("ServiceAccount"), annotated(kind("ServiceAccount"), "example.com/a"), "rbac"),
    Case("path by a variable", compose(), compose({"volumes": ["${HOME}/.ssh:/k:ro"]}), "hardening"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_told(case: Case) -> None:
    if isinstance(case.old, list):
        assert case.fires in [consequence.name for consequence in told(case.old, case.new)]
    else:
        assert case.fires in names(case.old, case.new)


def told(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> tuple[Consequence, ...]:
    before, now = (
        {f"{each['kind']}-{each['metadata']['name']}.yaml": text(each) or "" for each in side} for side in (old, new)
    )
    (entry,) = run({**before}, now)
    return entry.consequences


OF_CONFIG, OF_SECRET = "${A_K:?key k of configMap a}", "${A_K:?key k of secret a}"


@pytest.mark.parametrize(
    ("old", "new", "given"),
    [
        ({}, {"environment": {"B": OF_CONFIG}}, []),
        ({"environment": {"B": OF_CONFIG}}, {"environment": {"B": OF_CONFIG, "C": OF_CONFIG}}, []),
        ({"environment": {"B": OF_CONFIG}, "image": "a"}, {"environment": {"B": OF_CONFIG}, "image": "b"}, []),
        ({}, {"env_file": [{"path": "./env/configmaps/a.env"}]}, []),
        ({}, {"env_file": [{"path": "./env/secrets/a.env"}]}, ["s: ./env/secrets/a.env"]),
        ({}, {"env_file": ["./env/configmaps/../secrets/a.env"]}, ["s: ./env/configmaps/../secrets/a.env"]),
        ({}, {"environment": {"B": OF_SECRET}}, ["s: A_K"]),
        ({}, {"environment": {"B": OF_CONFIG, "C": OF_SECRET}}, ["s: A_K"]),
        ({"environment": {"B": OF_SECRET}}, {"environment": {"C": OF_CONFIG}}, ["s: A_K → C"]),
        ({}, {"environment": {"B": "${A_K:?key k of configMap a}${A_K}"}}, ["s: A_K"]),
    ],
)
def test_what_is_of_a_configmap_is_no_secret_in_compose(
    old: dict[str, Any], new: dict[str, Any], given: list[str]
) -> None:
    (entry,) = run({"compose.yaml": text(compose(old))}, {"compose.yaml": text(compose(new)) or ""})
    assert [one.detail for one in entry.consequences if one.name == "secret"] == given


SANDBOX = {"runtimeClass": {"name": "gvisor", "handler": "runsc"}}
THEIRS = {"runtimeClass": {"name": "gvisor", "create": False}}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (SANDBOX, {}, "gvisor → none"),
        (THEIRS, {}, "gvisor → none"),
        (SANDBOX, {"runtimeClass": {"name": "plain"}}, "gvisor → plain"),
        (SANDBOX, THEIRS, None),
        ({}, SANDBOX, None),
        ({}, THEIRS, None),
        (SANDBOX, None, None),
    ],
)
def test_sandboxes_that_lose_their_runtime_class_are_isolated_less(
    old: dict[str, Any], new: dict[str, Any] | None, words: str | None
) -> None:
    sides: list[dict[str, str]] = []
    for sandbox in (old, new):
        fields = {} if sandbox is None else {"sandbox": sandbox}
        needs = prerequisites(server(**fields), OPTIONS.network_policy_provider)
        sides.append({**texts("kubernetes", spec(**fields)), "PREREQUISITES.md": markdown_of("demo", "n", needs)})
    (entry,) = run({**sides[0]}, sides[1])
    says = [each.detail for each in entry.consequences if each.name == "hardening"]
    assert says == ([f"sandboxed pods: runtime class {words}"] if words else [])


STORED: dict[str, Any] = {"storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}]}
EMPTY = "is left behind with its data; the new name starts with an empty volume"


def moved(target: str, /, namespace: str = "a", workload: str = "Deployment", **changed: Any) -> Entry:
    """A server of another resourceName, and maybe of another namespace."""
    fields = {"env": {"T": {"secret": "s", "key": "k"}}, "workload": workload, **STORED}
    fields |= {
        "runtimeClass": "before-kata",
        "image": "registry.example.com/before:1.0",
        "transport": {"type": "streamable-http"},
    }
    before = texts(target, spec(**fields, resourceName="before"), options=OPTIONS._replace(namespace="a"))
    after = {**fields, "resourceName": "after", **changed}
    now = texts(target, spec(**after), options=OPTIONS._replace(namespace=namespace))
    (entry,) = run({path: each for path, each in before.items() if "demo/" in path}, now)
    return entry


@pytest.mark.parametrize("namespace", ["a", "b"])
@pytest.mark.parametrize("workload", ["Deployment", "StatefulSet"])
def test_another_name_of_all_objects_is_a_rename(workload: str, namespace: str) -> None:
    entry = moved("kubernetes", namespace=namespace, workload=workload)
    lost, replaced = entry.consequences
    assert (lost.name, lost.detail.endswith(EMPTY)) == ("data-loss", True)
    assert (replaced.name, f"{workload} before is {workload} after now" in replaced.detail) == ("replacement", True)
    assert (" moves from namespace a to b, and its Secrets are not moved" in replaced.detail) is (namespace == "b")
    assert entry.fields == ()


def test_another_namespace_alone_is_a_move() -> None:
    entry = moved("kubernetes", namespace="b", resourceName="before")
    assert {one.name for one in entry.consequences} == {"data-loss", "replacement"}


def test_another_name_in_compose_is_a_rename() -> None:
    entry = moved("compose")
    assert {one.name for one in entry.consequences} <= {"data-loss", "replacement", "restart"}
    assert Consequence("data-loss", f"volume before.data {EMPTY}") in entry.consequences


@pytest.mark.parametrize(
    ("changed", "fires"),
    [
        ({"image": "registry.example.com/after:1.0"}, "image"),
        ({"runtimeClass": "after-kata"}, "hardening"),
        ({"env": {"T": {"secret": "after", "key": "k"}}}, "secret"),
        ({"sidecars": [{"name": "x", "image": "x:1"}]}, "container"),
        ({"storage": []}, "data-loss"),
    ],
)
def test_what_changes_beside_a_name_is_listed(changed: dict[str, Any], fires: str) -> None:
    assert fires in [one.name for one in moved("kubernetes", **changed).consequences]


OPEN = Consequence("egress", "everything, every port")
MINE = policy(block(ANY, 443))
OTHER = named(closed(policyTypes=["Egress"], podSelector={"matchLabels": {"q": "q"}}), name="other")
EVERY = named(closed(policyTypes=["Egress"], podSelector={}), name="every")
NOT_X = named(
    closed(
        policyTypes=["Egress"], podSelector={"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}
    ),
    name="not",
)


@pytest.mark.parametrize(
    ("old", "new", "opened"),
    [
        ([MINE, labelled()], [OTHER | {"metadata": MINE["metadata"]}, labelled()], True),
        ([MINE, labelled()], [MINE, labelled({"a": "z"})], True),
        ([MINE, OTHER, labelled()], [OTHER, labelled()], True),
        ([MINE, labelled()], [MINE, labelled(), named(labelled({"c": "d"}), name="second")], True),
        ([MINE, NOT_X, labelled()], [NOT_X, labelled({"a": "x"})], True),
        ([MINE, EVERY, labelled()], [EVERY, labelled()], False),
        ([MINE, NOT_X, labelled()], [NOT_X, labelled()], False),
        ([MINE, labelled()], [MINE, labelled({"a": "b", "version": "2"})], False),
        ([MINE, OTHER, labelled()], [MINE, labelled()], False),
    ],
    ids=["policy selects others", "pod has another label", "one of two goes", "pods besides", "expression", "another holds", "another with an expression", "more labels", "a policy for nobody goes"],
)  # fmt: skip
def test_pods_are_what_counts(old: list[dict[str, Any]], new: list[dict[str, Any]], opened: bool) -> None:
    assert (OPEN in told(old, new)) is opened


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (from_pods(podSelector=X, namespaceSelector={}), from_pods(podSelector=X)),
        (from_pods(podSelector={}), from_pods(podSelector=X)),
        (from_pods(podSelector=X, namespaceSelector={}), from_pods(podSelector=XZ, namespaceSelector=X)),
        (cilium(egress=[{"toCIDR": ["10.0.0.0/8"]}]), cilium(egress=[{"toCIDR": ["10.0.0.0/8"]}], **DENIED)),
        (rule("Prefix"), rule("Exact")),
        (labelled(volumes=[TOKEN]), labelled()),
        (service(ports=[{"port": 80, "targetPort": "mcp"}]), service(ports=[{"port": 80, "targetPort": GUARD_PORT}])),
        (ingress(), annotated(ingress(), "nginx.ingress.kubernetes.io/upstream-hash-by")),
        (annotated(ingress(), "nginx.ingress.kubernetes.io/proxy-read-timeout"), ingress()),
        (ingress(), annotated(ingress(), "cert-manager.io/cluster-issuer")),
        (compose(volumes={"x.bridge.program": {}}), compose()),
        (compose({"volumes": ["x.bridge.program:/b:ro"]}), compose()),
    ],
)
def test_less_is_not_grave(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert set(names(old, new)) <= {"update", "restart", "removal"}


def test_an_annotation_of_all_objects_is_for_people() -> None:
    objects = [labelled(), named(ingress(), name="y"), kind("ServiceAccount")]
    consequences = told(objects, [annotated(one, "example.com/runbook") for one in objects])
    assert {one.name for one in consequences} == {"update"}


def test_the_variable_and_the_mount_that_change_a_program_are_named() -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/etc/ld.so.preload"}]}
    old, new = {"env": [token("A")]}, {"env": [token("A"), {"name": "NODE_OPTIONS", "value": "--require x"}], **mount}
    details = [one.detail for one in told([labelled(None, old)], [labelled(None, new)]) if one.name == "secret"]
    assert [detail.partition(" → ")[2] for detail in details] == [
        "what is mounted at /etc/ld.so.preload",
        "what variable NODE_OPTIONS names",
    ]


def test_files_of_a_server_are_not_for_people() -> None:
    """A prompt is Markdown, and the server reads it."""
    whole = text(service()) or ""
    (entry,) = run({"files/PROMPT.md": "a", "x.yaml": whole}, {"files/PROMPT.md": "b", "x.yaml": whole})
    assert [one.name for one in entry.consequences] == ["update"]


@pytest.mark.parametrize("leads_out", [True, False])
def test_the_network_of_another_service_counts(leads_out: bool) -> None:
    proxy = {"labels": {"app.kubernetes.io/component": "proxy"}, "network_mode": None if leads_out else "none"}
    before, now = compose(), compose({"network_mode": "service:p"})
    for each in (before, now):
        each["services"]["p"] = {key: value for key, value in proxy.items() if value}
    assert ("egress" in names(before, now)) is leads_out
