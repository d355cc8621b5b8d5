"""What a cluster of others meets: their namespaces, rights and rules; and what a wait says that cannot succeed.

As in test_cluster.py, each test runs against the cluster that the tests keep, and a real one where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kubernetes.bed import Bed
from tests.oracles import yaml_read_all
from tests.orchestrators.kubernetes.test_rights import DOCUMENT, role

LEVEL = "pod-security.kubernetes.io/enforce"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def needs_kept(bed: Bed, reason: str) -> None:
    if not bed.fake:
        pytest.skip(f"no test does that to a real cluster: {reason}")


def create(bed: Bed, kind: str, name: str, *, api: str = "v1", namespace: str = "", **rest: Any) -> None:
    home = {} if kind == "Namespace" else {"namespace": namespace or bed.namespace}
    data = {"apiVersion": api, "kind": kind, "metadata": {"name": name, **home}, **rest}
    if bed.fake:
        bed.fake.add(data)
        return
    bed.kubectl("create", "--filename=-", f"--namespace={namespace or bed.namespace}", stdin=json.dumps(data))


@pytest.fixture
def theirs(bed: Bed) -> Bed:
    """A namespace that somebody else made, with a pod that 'restricted' would refuse."""
    create(bed, "Namespace", bed.namespace)
    container = {"name": "a", "image": bed.image, "securityContext": {"privileged": True}}
    create(bed, "Pod", "theirs", spec={"containers": [container]})
    return bed


def rendered(bed: Bed, spec: Path, *options: str) -> str:
    run = bed.run("render", f"--namespace={bed.namespace}", *options, str(spec))
    assert run.code == 0, run.err
    return run.out


# --- namespaces ---


def test_a_namespace_of_others_is_used_and_never_changed(theirs: Bed) -> None:
    before = theirs.get(f"namespaces/{theirs.namespace}")["metadata"]["labels"]
    for options in ((), ("--create-namespace",)):
        run = theirs.mcpctl("apply", f"--timeout={theirs.seconds}s", *options, str(theirs.spec("guest")))
        assert run.code == 0, run.err
        assert theirs.get(f"namespaces/{theirs.namespace}")["metadata"]["labels"] == before
    assert theirs.status("guest")["state"] == "ready"
    plan = theirs.apply(theirs.spec("guest"), options=("--dry-run=server",))
    assert "refuses 1 of 1 pods of others at their next start (theirs)" in plan.out
    seen = theirs.mcpctl("doctor", "--create-namespace", str(theirs.spec("guest")))
    assert "refuses 1 of 1 pods of others at their next start (theirs)" in seen.out
    assert theirs.get(f"namespaces/{theirs.namespace}")["metadata"]["labels"] == before
    assert theirs.items("networkpolicies", "--field-selector=metadata.name=mcpctl-default-deny") == []
    assert "automountServiceAccountToken" not in theirs.get("serviceaccounts/default")
    theirs.apply(theirs.spec("guest"), options=("--adopt-namespace",))
    assert theirs.get("networkpolicies.networking.k8s.io/mcpctl-default-deny")["spec"]["podSelector"] == {}
    assert theirs.get("serviceaccounts/default")["automountServiceAccountToken"] is False
    assert theirs.get(f"namespaces/{theirs.namespace}")["metadata"]["labels"][LEVEL] == "restricted"


@pytest.fixture
def sandbox(bed: Bed) -> Iterator[str]:
    """A second namespace of somebody else, with an object in it."""
    name = f"{bed.namespace}-b"
    create(bed, "Namespace", name)
    create(bed, "ConfigMap", "theirs", namespace=name)
    yield name
    bed.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false", check=False)


def test_a_sandbox_that_others_made_outlives_its_server(bed: Bed, sandbox: str) -> None:
    spec = bed.spec("boxed", sandbox={"namespace": sandbox, "create": False})
    refused = bed.mcpctl("apply", "--create-namespace", "--no-wait", str(spec))
    assert (refused.code, "which mcpctl did not create" in refused.err) == (5, True), refused.err
    assert bed.items("resourcequotas", f"--namespace={sandbox}") == []
    assert bed.items("networkpolicies", f"--namespace={sandbox}") == []
    bed.apply(spec, options=("--adopt-namespace",))
    assert len(bed.items("resourcequotas", f"--namespace={sandbox}")) == 1
    gone = bed.mcpctl("delete", "boxed", "--delete-data", "--yes")
    assert gone.code == 0, gone.err
    assert "kept: mcpctl did not create this namespace, which holds 1 objects of others" in gone.out
    assert bed.get("configmaps/theirs", f"--namespace={sandbox}")
    assert bed.items("resourcequotas", f"--namespace={sandbox}") == []


def test_a_namespace_that_is_not_there_is_told(bed: Bed) -> None:
    for command in (("status",), ("list",), ("logs", "x"), ("stop", "x"), ("restart", "x"), ("delete", "x", "--yes")):
        run = bed.mcpctl(*command)
        assert (run.code, f"the namespace {bed.namespace} does not exist" in run.err) == (5, True), (command, run.err)
    run = bed.mcpctl("apply", "--timeout=10s", str(bed.spec("lost")))
    assert run.code == 5
    assert "--create-namespace" in run.err


# --- from kubectl, and back ---


def test_from_kubectl_to_mcpctl_and_back(bed: Bed) -> None:
    create(bed, "Namespace", bed.namespace)
    for turn, way in (("one", ()), ("two", ("--server-side", "--field-manager=mcpctl"))):
        bed.kubectl("apply", "-f", "-", *way, stdin=rendered(bed, bed.spec("moved", env={"TURN": turn})))
        bed.apply(bed.spec("moved", env={"TURN": f"{turn} by mcpctl"}))
        (found,) = bed.items("deployments", "--selector=mcpctl.io/server=moved")
        env = found["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "TURN", "value": f"{turn} by mcpctl"} in env
    assert bed.status("moved")["state"] == "ready"


def test_what_kubectl_delivered_is_asked_under_its_path(bed: Bed) -> None:
    create(bed, "Namespace", bed.namespace)
    spec = bed.spec("elsewhere", transport={"type": "streamable-http", "port": 8080, "path": "/elsewhere"})
    bed.kubectl("apply", "-f", "-", stdin=rendered(bed, spec))
    assert bed.status("elsewhere", "--no-ask")["endpoint"].endswith(":8080/elsewhere")


# --- rights ---


@pytest.fixture
def pipeline(bed: Bed, tmp_path: Path) -> Bed:
    """The same cluster for a user with the Role of docs/KUBERNETES_DEPLOYMENT.md."""
    create(bed, "Namespace", bed.namespace)
    if bed.fake:
        allowed = role()
        for kind in bed.fake.kinds:
            group = f".{kind.group}" if kind.group else ""
            for sub in ("", *(f"/{each}" for each in kind.subresources)):
                verbs = allowed.get(f"{kind.plural}{group}{sub}", set())
                for verb in VERBS if "reviews" not in kind.plural else ():
                    if verb not in verbs:
                        bed.fake.faults.add("forbidden", verb=verb, resource=f"{kind.plural}{sub}")
        return bed
    text = DOCUMENT.read_text()
    block = next(part for part in text.split("```yaml\n") if "kind: Role\n" in part).partition("```")[0]
    create(bed, "ServiceAccount", "pipeline")
    for data in yaml_read_all(block):
        data["metadata"]["namespace"] = bed.namespace
        for subject in data.get("subjects", ()):
            subject["namespace"] = bed.namespace
        bed.kubectl("create", "--filename=-", stdin=json.dumps(data))
    token = bed.kubectl("create", "token", "pipeline").out.strip()
    config = json.loads(bed.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json").out)
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    file = tmp_path / "pipeline"
    file.write_text(json.dumps(config))
    return replace(bed, kubeconfig=file)


def test_the_role_of_the_documents_is_enough(pipeline: Bed) -> None:
    spec = str(pipeline.spec("allowed"))
    doctor = pipeline.mcpctl("doctor", spec)
    assert doctor.code == 0, doctor.out
    assert "\nfailed" not in doctor.out
    assert "may not" not in doctor.out
    for command in (("apply", spec), ("status",), ("logs", "allowed"), ("restart", "allowed"), ("stop", "allowed")):
        run = pipeline.mcpctl(*command)
        assert run.code == 0, (command, run.err)
    assert pipeline.mcpctl("start", "allowed").code == 0
    assert pipeline.status("allowed")["state"] == "ready"
    assert pipeline.mcpctl("delete", "allowed", "--yes").code == 0


@pytest.mark.parametrize(("verb", "resource"), [("list", "replicasets"), ("create", "pods/portforward")])
def test_a_right_that_is_missing_ends_the_wait(bed: Bed, verb: str, resource: str) -> None:
    needs_kept(bed, "it takes a right away")
    assert bed.fake
    bed.fake.faults.add("forbidden", verb=verb, resource=resource)
    run = bed.mcpctl("apply", "--create-namespace", "--timeout=5m", str(bed.spec("denied")))
    assert (run.code, f'cannot {verb} resource "{resource}"' in run.err) == (5, True), run.err
    for name in ("*", "pods", "namespaces"):
        bed.fake.faults.add("forbidden", verb="[*]", resource=f"{name}[*]")
    doctor = bed.mcpctl("doctor")
    assert doctor.code == 5
    assert f"may not {verb} {resource}" in doctor.out


# --- what admission refuses ---


def test_a_quota_is_no_missing_right(bed: Bed) -> None:
    """Of an object at once; of pods it is waited for, as somebody may raise it."""
    create(bed, "Namespace", bed.namespace)
    create(bed, "ResourceQuota", "small", spec={"hard": {"services": "0", "pods": "0"}})
    if bed.fake:
        bed.fake.faults.add("quota", verb="apply", resource="services")
    run = bed.mcpctl("apply", "--timeout=10s", str(bed.spec("many")))
    assert (run.code, "raise the quota of the namespace" in run.err, "ask for the right" in run.err) == (5, True, False)
    bed.kubectl("patch", "resourcequota", "small", "--type=merge", "--patch", '{"spec":{"hard":{"services":null}}}')
    if bed.fake:
        bed.fake.faults.clear()
        bed.pods_turn("")
        assert bed.mcpctl("apply", "--no-wait", str(bed.spec("many"))).code == 0
        bed.fake.controllers.refuse_pods("Deployment", "mcp-many", "quota", bed.namespace)
    late = bed.mcpctl("apply", "--timeout=20s", str(bed.spec("many")))
    assert (late.code, "quota of the namespace allows no more pods" in late.err.splitlines()[-1]) == (6, True), late.err
    fast = bed.mcpctl("apply", "--timeout=5m", "--fail-fast", str(bed.spec("many")))
    assert (fast.code, "quota of the namespace allows no more pods" in fast.err) == (5, True), fast.err


PODS = {"Deployment": "/spec/template/spec", "Pod": "/spec"}


def refused_pods(bed: Bed, name: str, why: str, spec: Path, workload: str) -> str:
    """What apply says where admission refuses the pods: of a Pod at once, of others while it waits."""
    if bed.fake and workload == "Pod":
        bed.fake.faults.add(why, verb="apply", resource="pods")
    elif bed.fake:
        bed.pods_turn("")
        assert bed.mcpctl("apply", "--no-wait", str(spec)).code == 0
        bed.fake.controllers.refuse_pods(workload, f"mcp-{name}", why, bed.namespace)
    run = bed.mcpctl("apply", "--timeout=5m", str(spec))
    assert (run.code, "ask for the right" in run.err) == (5, False), run.err
    return run.err


@pytest.mark.parametrize("workload", PODS)
def test_pod_security_is_no_missing_right(bed: Bed, workload: str) -> None:
    create(bed, "Namespace", bed.namespace)
    bed.kubectl("label", "namespace", bed.namespace, f"{LEVEL}=restricted")
    path = f"{PODS[workload]}/containers/0/securityContext/allowPrivilegeEscalation"
    patch = {"kind": workload, "json": [{"op": "replace", "path": path, "value": True}]}
    accepted = [{"rule": "policy/pod-security", "reason": "what a cluster says of it is the test"}]
    said = refused_pods(
        bed, "unsafe", "pod-security", bed.spec("unsafe", workload=workload, patches=[patch], accept=accepted), workload
    )
    assert "violates PodSecurity" in said


@pytest.mark.parametrize("workload", PODS)
def test_a_limit_range_is_no_missing_right(bed: Bed, workload: str) -> None:
    create(bed, "Namespace", bed.namespace)
    limits = [{"type": "Container", "max": {"cpu": "50m", "memory": "16Mi"}}]
    create(bed, "LimitRange", "small", spec={"limits": limits})
    said = refused_pods(bed, "large", "limit-range", bed.spec("large", workload=workload), workload)
    assert "maximum cpu usage per Container is 50m" in said


@pytest.mark.parametrize("size", ["2Gi", "512Mi"])
def test_a_volume_that_cannot_change_its_size_is_no_missing_right(bed: Bed, size: str) -> None:
    """That of a class that nobody serves is never bound; one that is smaller is refused whatever its class."""

    def spec(size: str) -> Path:
        volume = {"name": "data", "size": size, "mountPath": "/data", "storageClass": "mcpctl-none"}
        return bed.spec("sized", storage=[volume])

    bed.apply(spec("1Gi"), options=("--no-wait",))
    if bed.fake:
        bed.fake.faults.add("resize", verb="apply", resource="persistentvolumeclaims")
    run = bed.mcpctl("apply", "--no-wait", str(spec(size)))
    assert (run.code, "ask for the right" in run.err) == (5, False), run.err
    assert "PersistentVolumeClaim mcp-sized-data" in run.err
    assert "allowVolumeExpansion" in run.err


def test_a_larger_volume_of_a_stateful_set_is_told_with_what_helps(bed: Bed) -> None:
    def spec(size: str) -> Path:
        volume = {"name": "data", "size": size, "mountPath": "/data", "storageClass": "mcpctl-none"}
        return bed.spec("grown", workload="StatefulSet", storage=[volume])

    bed.apply(spec("1Gi"), options=("--no-wait",))
    run = bed.mcpctl("apply", "--no-wait", str(spec("2Gi")))
    assert run.code == 5
    assert "data from 1Gi to 2Gi" in run.err
    assert f"kubectl delete statefulset mcp-grown -n {bed.namespace} --cascade=orphan" in run.err


# --- the wait ---


def test_a_crash_loop_ends_the_wait_with_its_exit_code_and_its_last_words(bed: Bed) -> None:
    bed.pods_turn("CrashLoopBackOff")
    spec = bed.spec("crashing", command=["sh", "-c", "echo boom; exit 3"])
    bed.apply(spec, options=("--no-wait",))
    bed.writes("crashing", "boom", previous=True)
    run = bed.mcpctl("apply", "--timeout=10m", str(spec))
    assert run.code == 5, run.err
    assert "ends as soon as it has started" in run.err
    assert "exit code" in run.err
    assert "its last lines: boom" in run.err


def test_what_the_kubelet_says_is_no_last_line(bed: Bed) -> None:
    needs_kept(bed, "it loses a log")
    bed.pods_turn("CrashLoopBackOff")
    bed.apply(bed.spec("lost"), options=("--no-wait",))
    complaint = "unable to retrieve container logs for containerd://0123"
    bed.writes("lost", complaint, previous=True)
    run = bed.mcpctl("apply", "--timeout=10m", str(bed.spec("lost")))
    assert (run.code, "the kubelet has no log of it" in run.err, complaint in run.err) == (5, True, False)


def test_a_secret_that_is_missing_is_waited_for(bed: Bed) -> None:
    bed.pods_turn("CreateContainerConfigError")
    spec = str(bed.spec("waiting", env={"TOKEN": {"secret": "nobody-made-it", "key": "key"}}))
    late = bed.mcpctl("apply", "--create-namespace", f"--timeout={bed.patience}", spec)
    assert (late.code, "needs a Secret or ConfigMap" in late.err.splitlines()[-1]) == (6, True), late.err
    fast = bed.mcpctl("apply", "--timeout=10m", "--fail-fast", spec)
    assert (fast.code, "needs a Secret or ConfigMap" in fast.err) == (5, True), fast.err


def test_an_autoscaled_server_is_reported_against_its_minimum(bed: Bed) -> None:
    bed.apply(bed.spec("scaled", autoscaling={"min": 2, "max": 3, "cpu": 70}), options=("--no-wait",))
    assert bed.status("scaled", "--no-ask")["replicas"]["desired"] == 2


def test_the_table_shows_the_image_of_the_newest_pod(bed: Bed) -> None:
    needs_kept(bed, "it has one image")
    assert bed.fake
    bed.apply(bed.spec("upgraded"))
    bed.pods_turn("")
    bed.apply(bed.spec("upgraded", image="registry.example.com/demo:2"), options=("--no-wait",))
    bed.fake.controllers.run_pods("Deployment", "mcp-upgraded", bed.namespace, state="Ready", keep_old=True)
    assert len(bed.pods("upgraded")) == 2
    assert bed.status("upgraded")["image"] == "registry.example.com/demo:2"
    assert "registry.example.com/demo:2" in bed.apply(bed.spec("upgraded", image="registry.example.com/demo:2")).out


def test_an_api_server_that_goes_away_during_the_wait_is_told(bed: Bed) -> None:
    needs_kept(bed, "it stops the API server")
    assert bed.fake
    bed.pods_turn("ContainerCreating")
    bed.apply(bed.spec("left"), options=("--no-wait",))
    bed.fake.faults.add("stop", verb="list", resource="pods", skip=1)
    run = bed.mcpctl("apply", "--timeout=8s", str(bed.spec("left")))
    assert run.code == 6, run.err
    assert "connection" in run.err.splitlines()[-1]
    assert "check that the cluster runs" in run.err.splitlines()[-1]


def test_a_kubeconfig_that_is_not_there_is_told(bed: Bed) -> None:
    run = replace(bed, kubeconfig=bed.folder / "nope").mcpctl("status")
    assert (run.code, f"the kubeconfig {bed.folder / 'nope'} does not exist" in run.err) == (5, True), run.err
