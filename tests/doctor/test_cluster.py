"""Each check of a cluster, with the real kubectl: once well, once not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from renderer import command, pipeline
from renderer.doctor.checks import Check, Result
from renderer.doctor.kubernetes import LOOKED_FOR, UNSEEN
from renderer.kinds import KINDS
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.objects import CREATED
from renderer.prerequisites import COMPONENT, prerequisites
from tests.cluster import Cluster, quick
from tests.cluster.kinds import Kind
from tests.doctor.conftest import SPEC, Doctor

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
    assert seen["namespace mcpctl"].text == "exists"
    assert seen["permissions"].text == "everything is allowed in the whole cluster"
    assert seen["kinds"].result is Result.OK
    assert seen["Secret github-token"].text == "exists, with token (for spec.env.TOKEN of demo)"
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
    assert doctor(SPEC)["namespace mcpctl"].text == "does not exist yet; apply creates it"


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
    assert doctor(sandboxed)["namespace team-b"].text == "exists"
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


def test_secrets_and_config_maps_with_their_keys(cluster: Cluster, doctor: Doctor) -> None:
    text = f"""{SPEC}  imagePullSecrets: [pull]
  env:
    TOKEN: {{secret: absent, key: token}}
    OTHER: {{secret: keyless, key: token}}
    MAYBE: {{secret: extra, key: token, optional: true}}
    A: {{configMap: site, key: a}}
    B: {{configMap: site, key: b}}
"""
    secret(cluster, "password", name="keyless")
    secret(cluster, ".dockerconfigjson", name="pull")
    cluster.create("v1", "ConfigMap", "site", data={"a": "1"})
    seen = doctor(text)
    assert seen["Secret absent"].result is Result.FAILED
    assert seen["Secret absent"].advice == "create it before the apply with the key token"
    assert seen["Secret keyless"].result is Result.FAILED
    assert seen["Secret keyless"].text == "has no key token (for spec.env.OTHER of demo); it has password"
    assert "is of type Opaque" in seen["Secret pull"].text
    assert seen["Secret extra"].result is Result.WARNING
    assert "has no key b" in seen["ConfigMap site"].text
    for name in ("keyless", "pull"):
        cluster.controllers.remove("Secret", name)
    cluster.controllers.remove("ConfigMap", "site")
    for name in ("absent", "keyless", "extra"):
        secret(cluster, "token", name=name)
    secret(cluster, ".dockerconfigjson", name="pull", kind="kubernetes.io/dockerconfigjson")
    cluster.create("v1", "ConfigMap", "site", data={"a": "1"}, binaryData={"b": "AA=="})
    after = doctor(text)
    looked_at = [what for what in seen if what.startswith(("Secret ", "ConfigMap "))]
    assert len(looked_at) == 5
    assert all(after[what].result is Result.OK for what in looked_at)


def test_a_secret_that_may_not_be_read(cluster: Cluster, doctor: Doctor) -> None:
    cluster.faults.add("forbidden", verb="get", resource="secrets")
    assert doctor(WITH_SECRET)["Secret github-token"].result is Result.UNCHECKED


def test_values_of_secrets_do_not_even_leave_kubectl(
    cluster: Cluster, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[str] = []
    real = command.run

    def run(argv: list[str], **options: object) -> command.Done:
        of_secrets = any("secrets/" in argument for argument in argv)
        done = (real if of_secrets else quick.run)(argv, **options)  # type: ignore[arg-type]
        came.extend((done.out, done.err))
        return done

    secret(cluster, "token")
    defaults = {**(Kubectl.__init__.__kwdefaults__ or {}), "run": run}
    monkeypatch.setattr(Kubectl.__init__, "__kwdefaults__", defaults)
    assert doctor(WITH_SECRET)["Secret github-token"].result is Result.OK
    assert any("token" in text for text in came)
    assert not any(SECRET in text or base64.b64encode(SECRET.encode()).decode() in text for text in came)


def test_classes_and_identities(cluster: Cluster, doctor: Doctor) -> None:
    text = f"""{SPEC}  runtimeClass: gvisor
  serviceAccount: {{create: false, name: reader}}
  storage: [{{name: data, size: 1Gi, mountPath: /data, storageClass: fast}}]
  scheduling: {{priorityClassName: high}}
  expose: {{host: a.example.com, className: nginx, tls: {{secret: tls}}}}
"""
    needs = {
        "RuntimeClass gvisor": "node.k8s.io/v1",
        "ServiceAccount reader": "v1",
        "StorageClass fast": "storage.k8s.io/v1",
        "PriorityClass high": "scheduling.k8s.io/v1",
        "IngressClass nginx": "networking.k8s.io/v1",
    }
    before = doctor(text)
    assert {what: before[what].result for what in needs} == dict.fromkeys(needs, Result.FAILED)
    for what, api_version in needs.items():
        cluster.create(api_version, *what.split())
    after = doctor(text)
    assert {what: after[what].result for what in needs} == dict.fromkeys(needs, Result.OK)


# --- components ---


def test_components(cluster: Cluster, doctor: Doctor) -> None:
    store = "{name: token, store: {name: vault}, keys: [{key: token, remoteKey: team/token}]}"
    text = f"""{SPEC}  storage: [{{name: data, size: 1Gi, mountPath: /data}}]
  gpu: {{product: NVIDIA-H100-80GB-HBM3, count: 1}}
  externalSecrets: [{store}]
---
{SPEC.replace("demo", "other")}  expose: {{host: a.example.com}}
  autoscaling: {{min: 1, max: 3, cpu: 80}}
"""
    storage, ingress = "a default StorageClass", "an ingress controller"
    metrics = "the metrics server (metrics.k8s.io)"
    gpu, secrets = (next(name for name in LOOKED_FOR if word in name) for word in ("GPU", "External Secrets"))

    def seen() -> list[Check]:
        checks = doctor(text)
        return [
            next(check for name, check in checks.items() if name.startswith(what))
            for what in (storage, ingress, metrics, gpu, secrets)
        ]

    cluster.create("v1", "Node", "one")
    missing = seen()
    failed, warning = Result.FAILED, Result.WARNING
    assert [check.result for check in missing] == [failed, warning, warning, failed, failed]
    assert missing[-1].text == "its API external-secrets.io/v1 is not served: no Secret is made"
    meta = {"name": "std", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    cluster.add({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta})
    cluster.create("networking.k8s.io/v1", "IngressClass", "nginx", spec={"controller": "k8s.io/ingress-nginx"})
    cluster.kinds.add(Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods"))
    cluster.kinds.add(Kind("external-secrets.io", "v1beta1", "ExternalSecret", "externalsecrets"))
    node = cluster.get("Node", "one") | {"status": {"allocatable": {"nvidia.com/gpu": "4"}}}
    cluster.store.put(cluster.kinds.named("Node"), "", "one", node)
    older = seen()
    assert [older[0].text, "nginx" in older[1].text] == ["std", True]
    assert [check.result for check in older[2:4]] == [Result.OK] * 2
    assert "not served, only external-secrets.io/v1beta1: " in older[-1].text
    cluster.kinds.add(Kind("external-secrets.io", "v1", "ExternalSecret", "externalsecrets"))
    assert seen()[-1].result is Result.OK
    cluster.faults.add("garbled", resource="/api*")
    assert seen()[-1].result is Result.UNCHECKED


def test_every_prerequisite_that_there_is_can_be_looked_for() -> None:
    tests = Path(__file__).parent.parent
    gateways = [tests / "golden/specs" / f"gateway-{name}.yaml" for name in ("envoy", "agent")]
    examples = [tests.parent / "docs" / "examples" / "everything.yaml", *gateways]
    servers = pipeline.read([str(path) for path in examples]).servers
    needed = [one for server in servers for name in ("kubernetes", "cilium") for one in prerequisites(server, name)]
    assert {one.kind for one in needed} - {COMPONENT} <= KINDS.keys()
    known = (*LOOKED_FOR, *UNSEEN)
    components = {one.name for one in needed if one.kind == COMPONENT}
    assert all(name.startswith(known) for name in components)
    assert all(any(name.startswith(start) for name in components) for start in known)
