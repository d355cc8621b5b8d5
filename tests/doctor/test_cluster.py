"""Each check of a cluster, with the real kubectl: once well, once not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from renderer import command
from renderer.doctor.checks import Check, Result
from renderer.doctor.kubernetes import LOOKED_FOR, UNSEEN
from renderer.kinds import KINDS
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.objects import CREATED
from renderer.prerequisites import COMPONENT, prerequisites
from tests.cluster import Cluster
from tests.cluster.kinds import Kind
from tests.doctor.conftest import SPEC, Doctor, patient

SECRET = "hunter2"
WITH_SECRET = SPEC + "  env: {TOKEN: {secret: github-token, key: token}}\n"


def secret(cluster: Cluster, *keys: str, kind: str = "Opaque", name: str = "github-token") -> None:
    data = {key: base64.b64encode(SECRET.encode()).decode() for key in keys}
    cluster.create("v1", "Secret", name, type=kind, data=data)


def test_all_is_well(cluster: Cluster, doctor: Doctor) -> None:
    secret(cluster, "token", "other")
    cluster.version = "1.32"
    seen = doctor(WITH_SECRET)
    assert seen["context"].text.startswith("context test, cluster test (http://127.0.0.1:")
    assert seen["namespace mcpctl"].text == "is there"
    assert seen["permissions"].text == "everything is allowed in the whole cluster"
    assert seen["kinds"].result is Result.OK
    assert seen["Secret github-token"].text == "is there, with token (for spec.env.TOKEN of demo)"
    assert seen["a network plugin (CNI) that enforces NetworkPolicies"].result is Result.UNCHECKED
    assert not any(check.result is Result.FAILED for check in seen.values())
    assert not any(SECRET in check.text for check in seen.values())


def test_without_specs_what_needs_none_is_checked(doctor: Doctor) -> None:
    assert {"Python", "MCP SDK", "context", "kubectl", "versions", "namespace mcpctl", "permissions"} == set(doctor())


# --- the way there ---


def test_no_cluster_answers(cluster: Cluster, doctor: Doctor) -> None:
    cluster.stop()
    seen = doctor()
    assert seen["cluster"].result is Result.FAILED
    assert "refused" in seen["cluster"].text
    assert "check that the cluster runs" in seen["cluster"].advice
    assert list(seen)[-1] == "cluster"


def test_no_such_context(doctor: Doctor) -> None:
    seen = doctor(context="other")
    assert seen["kubectl"].result is Result.FAILED
    assert "kubectl config get-contexts" in seen["kubectl"].advice
    assert "cluster" not in seen


def test_no_kubectl(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    seen = doctor()["kubectl"]
    assert (seen.result, "kubectl is not installed" in seen.text) == (Result.FAILED, True)


def test_a_login_that_is_over(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("unauthorized", resource="/version")
    assert doctor()["cluster"].result is Result.FAILED


def test_a_kubeconfig_that_is_not_there(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = doctor(kubeconfig="/nope")["kubectl"]
    assert (seen.result, seen.text.partition(";")[0]) == (Result.FAILED, "the kubeconfig /nope does not exist")
    assert "correct kubernetes.kubeconfig" in seen.text
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    assert "the kubeconfig /a, /b does not exist; correct KUBECONFIG" in doctor()["kubectl"].text


# --- versions ---


@pytest.mark.parametrize(("version", "age"), [("1.34", "older"), ("1.36", "newer")])
def test_a_server_of_another_version(cluster: Cluster, doctor: Doctor, version: str, age: str) -> None:
    cluster.version = version
    seen = doctor()["versions"]
    assert seen.result is Result.WARNING
    assert seen.text == f"API server {version} is {age} than 1.35, which the manifests are checked for"
    assert seen.advice == f"render for it: --kubernetes-version {version}"


def test_the_version_that_is_rendered_for(doctor: Doctor) -> None:
    assert doctor()["versions"].result is Result.OK


def test_a_kubectl_that_is_too_far_away(cluster: Cluster, doctor: Doctor) -> None:
    cluster.version = "1.99"
    seen = doctor()["kubectl"]
    assert seen.result is Result.WARNING
    assert seen.advice == "use kubectl 1.98 to 1.100"


# --- namespace ---


def test_a_namespace_that_is_not_there(doctor: Doctor) -> None:
    assert doctor(namespace="other")["namespace other"].result is Result.WARNING


def test_a_namespace_that_is_rendered(cluster: Cluster, doctor: Doctor) -> None:
    cluster.controllers.remove("Namespace", "mcpctl")
    assert doctor(SPEC)["namespace mcpctl"].text == "not there yet; apply creates it"


def test_a_namespace_that_goes(cluster: Cluster, doctor: Doctor) -> None:
    cluster.controllers.hold("Namespace", "mcpctl")
    cluster.controllers.remove("Namespace", "mcpctl")
    assert doctor()["namespace mcpctl"].result is Result.FAILED


def test_a_namespace_that_may_not_be_read(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("forbidden", verb="get", resource="namespaces")
    assert doctor()["namespace mcpctl"].result is Result.UNCHECKED


FOREIGN = {"containers": [{"name": "c", "image": "c", "securityContext": {"privileged": True}}]}


def test_a_namespace_of_others_is_told_what_would_change(cluster: Cluster, doctor: Doctor) -> None:
    for name in ("old", "older"):
        cluster.create("v1", "Pod", name, spec=FOREIGN)
    asked = doctor(SPEC)["namespace mcpctl"]
    assert asked.result is Result.WARNING
    assert asked.text == "mcpctl did not create it, and 2 pods in it are of others (old, older)"
    seen = doctor(SPEC)["others in mcpctl"]
    assert seen.result is Result.OK
    assert seen.text.startswith("apply does not change the namespace; --adopt-namespace ")
    assert "sets the label pod-security.kubernetes.io/enforce to restricted" in seen.text
    assert "refuses 2 of 2 pods of others at their next start (old, older)" in seen.text
    assert "others in mcpctl" not in doctor()


def test_a_namespace_of_others_that_is_only_named_is_asked_about(cluster: Cluster, doctor: Doctor) -> None:
    """No name is guessed: who else is in it counts."""
    cluster.create("v1", "Namespace", "monitoring")
    cluster.create("v1", "Pod", "prometheus-0", namespace="monitoring", spec=FOREIGN)
    seen = doctor(SPEC, namespace="monitoring")
    asked = seen["namespace monitoring"]
    assert (asked.result, "1 pods in it are of others (prometheus-0)" in asked.text) == (Result.WARNING, True)
    assert "others in monitoring" not in seen


def test_a_sandbox_in_a_namespace_of_others(cluster: Cluster, doctor: Doctor) -> None:
    cluster.create("v1", "Namespace", "team-b")
    sandboxed = SPEC + "  sandbox: {namespace: team-b, create: false}\n"
    assert doctor(sandboxed)["namespace team-b"].text == "is there"
    cluster.create("v1", "Pod", "theirs", namespace="team-b", spec=FOREIGN)
    seen = doctor(sandboxed)["sandbox in team-b"]
    assert seen.result is Result.WARNING
    for kind in ("ResourceQuota", "LimitRange", "NetworkPolicy mcp-demo-sandbox-deny"):
        assert kind in seen.text


def test_a_namespace_that_mcpctl_created_is_its_own(cluster: Cluster, doctor: Doctor) -> None:
    cluster.create("v1", "Pod", "old", spec=FOREIGN)
    meta = {"name": "mcpctl", "annotations": {CREATED: "2026-01-01T00:00:00Z"}}
    cluster.store.put(
        cluster.kinds.named("Namespace"), "", "mcpctl", cluster.get("Namespace", "mcpctl") | {"metadata": meta}
    )
    assert "others in mcpctl" not in doctor(SPEC)


# --- permissions ---


def test_permissions_for_each_kind(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("forbidden", verb="[*]")
    cluster.faults.add("forbidden", verb="patch", resource="deployments")
    cluster.faults.add("forbidden", verb="delete", resource="services")
    cluster.faults.add("forbidden", verb="create", resource="pods/portforward")
    seen = doctor(SPEC)
    assert seen["permissions for Deployment"].text == "may not patch deployments.apps"
    assert seen["permissions for Deployment"].result is Result.FAILED
    assert seen["permissions for Service"].result is Result.WARNING
    watching = seen["permissions to watch"]
    assert (watching.result, watching.text) == (
        Result.FAILED,
        "may not create pods/portforward (asking the servers over MCP)",
    )
    assert seen["permissions for NetworkPolicy"].result is Result.OK
    assert seen["permissions for Namespace"].result is Result.OK


def test_permissions_without_specs(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("forbidden", verb="[*]")
    seen = doctor()
    assert seen["permissions for Deployment"].result is Result.OK
    assert seen["permissions to watch"].result is Result.OK


def test_permissions_that_cannot_be_asked_for(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("broken", resource="selfsubjectaccessreviews")
    assert doctor()["permissions"].result is Result.UNCHECKED


# --- kinds ---

MONITORED = SPEC + "  monitoring: {port: 9090, path: /metrics}\n"


def test_kinds_that_the_cluster_does_not_know(cluster: Cluster, doctor: Doctor) -> None:
    seen = doctor(MONITORED)
    assert seen["kind ServiceMonitor"].result is Result.FAILED
    cluster.define_custom_kinds()
    seen = doctor(MONITORED)
    assert seen["kinds"].result is Result.OK
    assert seen["CustomResourceDefinition servicemonitors.monitoring.coreos.com"].result is Result.OK


def test_kinds_that_cannot_be_asked_for(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("garbled", resource="/apis*")
    cluster.faults.add("garbled", resource="/api*")
    assert doctor()["kinds"].result is Result.UNCHECKED


# --- what the specs need ---


def test_a_secret_that_is_not_there(doctor: Doctor) -> None:
    seen = doctor(WITH_SECRET)["Secret github-token"]
    assert seen.result is Result.FAILED
    assert seen.advice == "create it before the apply with the key token"


def test_a_secret_without_the_key(cluster: Cluster, doctor: Doctor) -> None:
    secret(cluster, "password")
    seen = doctor(WITH_SECRET)["Secret github-token"]
    assert (seen.result, seen.text) == (
        Result.FAILED,
        "has no key token (for spec.env.TOKEN of demo); it has password",
    )


def test_a_secret_that_may_not_be_read(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("forbidden", verb="get", resource="secrets")
    assert doctor(WITH_SECRET)["Secret github-token"].result is Result.UNCHECKED


def test_values_of_secrets_do_not_even_leave_kubectl(
    cluster: Cluster, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[str] = []
    real = command.run

    def run(argv: list[str], **options: object) -> command.Done:
        done = real(argv, **options)  # type: ignore[arg-type]
        came.extend((done.out, done.err))
        return done

    secret(cluster, "token")
    defaults = {**(Kubectl.__init__.__kwdefaults__ or {}), "run": run}
    monkeypatch.setattr(Kubectl.__init__, "__kwdefaults__", defaults)
    assert doctor(WITH_SECRET)["Secret github-token"].result is Result.OK
    assert any("token" in text for text in came)
    assert not any(SECRET in text or base64.b64encode(SECRET.encode()).decode() in text for text in came)


def test_a_secret_of_another_type(cluster: Cluster, doctor: Doctor) -> None:
    text = SPEC + "  imagePullSecrets: [pull]\n"
    secret(cluster, ".dockerconfigjson", name="pull")
    assert "is of type Opaque" in doctor(text)["Secret pull"].text
    cluster.controllers.remove("Secret", "pull")
    secret(cluster, ".dockerconfigjson", name="pull", kind="kubernetes.io/dockerconfigjson")
    assert doctor(text)["Secret pull"].result is Result.OK


def test_what_is_optional(doctor: Doctor) -> None:
    text = SPEC + "  env: {TOKEN: {secret: extra, key: token, optional: true}}\n"
    assert doctor(text)["Secret extra"].result is Result.WARNING


def test_config_maps_with_their_keys(cluster: Cluster, doctor: Doctor) -> None:
    text = SPEC + "  env: {A: {configMap: site, key: a}, B: {configMap: site, key: b}}\n"
    cluster.create("v1", "ConfigMap", "site", data={"a": "1"})
    assert "has no key b" in doctor(text)["ConfigMap site"].text
    cluster.controllers.remove("ConfigMap", "site")
    cluster.create("v1", "ConfigMap", "site", data={"a": "1"}, binaryData={"b": "AA=="})
    assert doctor(text)["ConfigMap site"].result is Result.OK


@pytest.mark.parametrize(
    ("spec", "kind", "api_version", "name"),
    [
        ("runtimeClass: gvisor", "RuntimeClass", "node.k8s.io/v1", "gvisor"),
        ("serviceAccount: {create: false, name: reader}", "ServiceAccount", "v1", "reader"),
        (
            "storage: [{name: data, size: 1Gi, mountPath: /data, storageClass: fast}]",
            "StorageClass",
            "storage.k8s.io/v1",
            "fast",
        ),
        ("scheduling: {priorityClassName: high}", "PriorityClass", "scheduling.k8s.io/v1", "high"),
        (
            "expose: {host: a.example.com, className: nginx, tls: {secret: tls}}",
            "IngressClass",
            "networking.k8s.io/v1",
            "nginx",
        ),
    ],
)
def test_classes_and_identities(
    cluster: Cluster, doctor: Doctor, spec: str, kind: str, api_version: str, name: str
) -> None:
    assert doctor(f"{SPEC}  {spec}\n")[f"{kind} {name}"].result is Result.FAILED
    cluster.create(api_version, kind, name)
    assert doctor(f"{SPEC}  {spec}\n")[f"{kind} {name}"].result is Result.OK


# --- components ---

STORED = SPEC + "  storage: [{name: data, size: 1Gi, mountPath: /data}]\n"


def test_a_default_storage_class(cluster: Cluster, doctor: Doctor) -> None:
    assert doctor(STORED)["a default StorageClass"].result is Result.FAILED
    meta = {"name": "std", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    cluster.add({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta})
    assert doctor(STORED)["a default StorageClass"].text == "std"


def test_an_ingress_controller(cluster: Cluster, doctor: Doctor) -> None:
    text = SPEC + "  expose: {host: a.example.com, tls: {secret: tls}}\n"
    assert doctor(text)["an ingress controller"].result is Result.WARNING
    cluster.create("networking.k8s.io/v1", "IngressClass", "nginx", spec={"controller": "k8s.io/ingress-nginx"})
    assert "nginx" in doctor(text)["an ingress controller"].text


def test_nodes_with_gpus(cluster: Cluster, doctor: Doctor) -> None:
    text = SPEC + "  gpu: {product: NVIDIA-H100-80GB-HBM3, count: 1}\n"
    what = next(name for name in LOOKED_FOR if "GPU" in name)

    def seen() -> Result:
        return next(check.result for name, check in doctor(text).items() if name.startswith(what))

    cluster.create("v1", "Node", "one", status={"allocatable": {"cpu": "1"}})
    assert seen() is Result.FAILED
    cluster.create("v1", "Node", "two", status={"allocatable": {"nvidia.com/gpu": "4"}})
    node = cluster.get("Node", "two")
    node["status"] = {"allocatable": {"nvidia.com/gpu": "4"}}
    cluster.store.put(cluster.kinds.named("Node"), "", "two", node)
    assert seen() is Result.OK


def test_the_metrics_server(cluster: Cluster, doctor: Doctor) -> None:
    text = SPEC + "  autoscaling: {min: 1, max: 3, cpu: 80}\n"
    what = "the metrics server (metrics.k8s.io)"
    assert doctor(text)[what].result is Result.WARNING
    cluster.kinds.add(Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods"))
    assert doctor(text)[what].result is Result.OK


def test_the_external_secrets_operator(cluster: Cluster, doctor: Doctor) -> None:
    keys = "keys: [{key: token, remoteKey: team/token}]"
    text = f"{SPEC}  externalSecrets: [{{name: token, store: {{name: vault}}, {keys}}}]\n"
    what = next(name for name in LOOKED_FOR if "External Secrets" in name)

    def seen() -> Check:
        return next(check for name, check in doctor(text).items() if name.startswith(what))

    text_without = "its API external-secrets.io/v1 is not served: no Secret is made"
    assert (seen().result, seen().text) == (Result.FAILED, text_without)
    cluster.kinds.add(Kind("external-secrets.io", "v1beta1", "ExternalSecret", "externalsecrets"))
    assert "not served, only external-secrets.io/v1beta1: " in seen().text
    cluster.kinds.add(Kind("external-secrets.io", "v1", "ExternalSecret", "externalsecrets"))
    assert seen().result is Result.OK
    cluster.faults.add("garbled", resource="/api*")
    assert seen().result is Result.UNCHECKED


def test_every_prerequisite_that_there_is_can_be_looked_for() -> None:
    examples = Path(__file__).parent.parent.parent / "docs" / "examples" / "everything.yaml"
    servers = [
        server
        for text in examples.read_text().split("\n---\n")
        if yaml.safe_load(text)
        for server in patient(text, "kubernetes").servers
    ]
    needed = [one for server in servers for name in ("kubernetes", "cilium") for one in prerequisites(server, name)]
    assert {one.kind for one in needed} - {COMPONENT} <= KINDS.keys()
    known = (*LOOKED_FOR, *UNSEEN)
    components = {one.name for one in needed if one.kind == COMPONENT}
    assert all(name.startswith(known) for name in components)
    assert all(any(name.startswith(start) for name in components) for start in known)
