"""The cluster, driven by the real kubectl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.cluster import Cluster
from tests.cluster.fixtures import Kubectl, Run
from tests.cluster.kinds import DEFINITIONS, Json
from tests.cluster.pod_states import STATES

ROOT = Path(__file__).parent.parent.parent
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: server
        image: demo:1
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
        ports: [{containerPort: 80}]
"""
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one", "labels": {"app": "one"}},
    "spec": {"containers": [{"name": "server", "image": "demo:1", "ports": [{"containerPort": 8080}]}]},
}
ROUTE = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: x}\nspec: {hostnames: [a.b]}\n"


def apply(kubectl: Kubectl, text: str, *flags: str, manager: str = "mcpctl") -> Run:
    return kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", *flags, stdin=text)


def config_maps(*names: str) -> str:
    return "---\n".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{k: v}}\n" for name in names
    )


def container(cluster: Cluster) -> Json:
    found: Json = cluster.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    return found


@contextmanager
def running(kubectl_program: str, env: Mapping[str, str], *arguments: str) -> Iterator[IO[str]]:
    """kubectl beside the test; what it says."""
    command = [kubectl_program, *arguments]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env={"PATH": os.environ["PATH"], **env}, text=True, **both) as process:  # type: ignore[call-overload]
        try:
            yield process.stdout
        finally:
            process.kill()


# --- discovery ---


def test_kubectl_finds_the_server_and_its_kinds(cluster: Cluster, kubectl: Kubectl) -> None:
    assert kubectl("version", "-o", "json").data["serverVersion"]["minor"] == "35"
    assert kubectl("get", "--raw", "/readyz").out == "ok"
    told = kubectl("api-resources", "--no-headers").out.splitlines()
    assert len(told) == len(list(cluster.kinds))


def test_a_kind_is_unknown_until_its_definition_is_there(cluster: Cluster, kubectl: Kubectl) -> None:
    refused = apply(kubectl, ROUTE)
    assert refused.code == 1
    assert 'no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"' in refused.err
    assert apply(kubectl, json.dumps(DEFINITIONS[3])).code == 0
    assert apply(kubectl, ROUTE).code == 0
    assert cluster.get("HTTPRoute", "x")["spec"] == {"hostnames": ["a.b"]}
    assert kubectl("delete", "crd", "httproutes.gateway.networking.k8s.io").code == 0
    assert kubectl("get", "--raw", "/apis/gateway.networking.k8s.io/v1").code == 1


# --- apply ---


def test_rendered_examples_apply_and_a_second_time_change_nothing(cluster: Cluster, kubectl: Kubectl) -> None:
    command = [sys.executable, "-m", "renderer", "render", "--quiet", "docs/examples"]
    rendered = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout
    cluster.define_custom_kinds()
    first = apply(kubectl, rendered)
    assert first.code == 0, first.err
    assert first.out.count("serverside-applied") == rendered.count("\nkind: ")
    version = cluster.store.version
    assert apply(kubectl, rendered).code == 0
    assert cluster.store.version == version


def test_a_conflict_names_manager_and_fields(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB, manager="other")
    one = apply(kubectl, WEB.replace("replicas: 2", "replicas: 3"))
    assert one.code == 1
    assert 'Apply failed with 1 conflict: conflict with "other": .spec.replicas\n' in one.err
    two = apply(kubectl, WEB.replace("replicas: 2", "replicas: 3").replace("demo:1", "demo:2"))
    assert 'Apply failed with 2 conflicts: conflicts with "other":\n- .spec.replicas\n' in two.err
    assert '- .spec.template.spec.containers[name="server"].image\n' in two.err
    assert container(cluster)["image"] == "demo:1"


def test_force_takes_ownership(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB, manager="other")
    changed = WEB.replace("demo:1", "demo:2")
    assert apply(kubectl, changed, "--force-conflicts").code == 0
    assert container(cluster)["image"] == "demo:2"
    back = apply(kubectl, WEB, manager="other")
    assert 'conflict with "mcpctl": .spec.template.spec.containers[name="server"].image' in back.err


def test_equal_values_are_shared_and_no_conflict(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB, manager="other")
    assert apply(kubectl, WEB).code == 0
    managers = cluster.get("Deployment", "web")["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in managers] == [("mcpctl", "Apply"), ("other", "Apply")]
    assert managers[0]["fieldsV1"] == managers[1]["fieldsV1"]
    spec = managers[0]["fieldsV1"]["f:spec"]
    owned = spec["f:template"]["f:spec"]["f:containers"]['k:{"name":"server"}']
    assert owned["."] == {}
    assert owned["f:ports"] == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}


def test_what_an_apply_leaves_out_is_removed_unless_another_owns_it(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    fewer = WEB.replace(', {name: B, value: "2"}', "").replace("  replicas: 2\n", "")
    apply(kubectl, WEB, manager="other")
    apply(kubectl, fewer)
    assert [entry["name"] for entry in container(cluster)["env"]] == ["A", "B"]
    apply(kubectl, fewer, manager="other")
    assert container(cluster)["env"] == [{"name": "A", "value": "1"}]
    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 1


def test_generation_rises_with_the_spec_alone(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    kubectl("annotate", "deployment/web", "a=b")
    assert cluster.get("Deployment", "web")["metadata"]["generation"] == 1
    assert kubectl("scale", "deployment/web", "--replicas=5").code == 0
    scaled = cluster.get("Deployment", "web")
    assert (scaled["metadata"]["generation"], scaled["spec"]["replicas"]) == (2, 5)
    refused = apply(kubectl, WEB)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1' in refused.err


def test_a_dry_run_changes_nothing(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    version = cluster.store.version
    told = apply(kubectl, WEB.replace("demo:1", "demo:2"), "--dry-run=server", "-o", "json")
    assert told.data["spec"]["template"]["spec"]["containers"][0]["image"] == "demo:2"
    assert told.data["metadata"]["generation"] == 2
    assert cluster.store.version == version


def test_a_namespace_must_be_there_first(kubectl: Kubectl) -> None:
    refused = apply(kubectl, WEB, "--namespace=missing")
    assert refused.code == 1
    assert 'namespaces "missing" not found' in refused.err


def test_a_selector_cannot_change(kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    refused = apply(kubectl, WEB.replace("{matchLabels: {app: web}}", "{matchLabels: {app: web, b: c}}"))
    assert refused.code == 1
    assert refused.err.startswith('The Deployment "web" is invalid: spec.selector: Invalid value: {"matchLabels"')
    assert "field is immutable" in refused.err


@pytest.mark.parametrize(
    ("right", "wrong", "field"),
    [
        ("name: web", "name: Bad_Name", "metadata.name"),
        ("name: web, labels: {app: web}", "name: web, labels: {app: 'a b'}", "metadata.labels"),
        ("    metadata: {labels: {app: web}}", "    metadata: {labels: {app: other}}", "spec.template.metadata.labels"),
    ],
)
def test_what_no_api_server_takes_is_refused(
    cluster: Cluster, kubectl: Kubectl, right: str, wrong: str, field: str
) -> None:
    assert right in WEB
    refused = apply(kubectl, WEB.replace(right, wrong, 1))
    assert refused.code == 1
    assert f"is invalid: {field}: Invalid value" in refused.err
    assert cluster.names("Deployment") == []


def test_patches(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    image = '{"spec":{"template":{"spec":{"containers":[{"name":"server","image":"demo:2"}]}}}}'
    assert kubectl("patch", "deployment", "web", "-p", image).code == 0
    assert (container(cluster)["image"], len(container(cluster)["env"])) == ("demo:2", 2)
    assert kubectl("patch", "deployment", "web", "--type=merge", "-p", image).code == 0
    assert "env" not in container(cluster)
    assert kubectl("patch", "deployment", "web", "--type=json", "-p", '[{"op":"remove","path":"/no/where"}]').code == 1


# --- reading ---


def test_lists_come_in_pieces_and_by_selectors(cluster: Cluster, kubectl: Kubectl) -> None:
    for number in range(5):
        cluster.add({**POD, "metadata": {"name": f"p{number}", "labels": {"n": str(number)}}})
    cluster.add(POD, "default")
    assert kubectl("get", "pods", "-A", "--chunk-size=2", "-o", "name").out.count("pod/") == 6
    assert len(cluster.sent("GET", "/api/v1/pods")) == 3
    assert kubectl("get", "pods", "-l", "n in (1,2),!x", "-o", "name").out == "pod/p1\npod/p2\n"
    assert kubectl("get", "pods", "-l", "n!=1,n", "-o", "json").data["items"][1]["metadata"]["name"] == "p2"
    chosen = kubectl("get", "pods", "--field-selector", "metadata.name=p3,status.phase!=Failed", "-o", "name")
    assert chosen.out == "pod/p3\n"
    assert kubectl("get", "pod", "p3", "-o", "json").data["metadata"]["uid"]
    assert kubectl("get", "pod", "p9").err == 'Error from server (NotFound): pods "p9" not found\n'


def test_a_watch_tells_what_happens(
    cluster: Cluster, kubectl_program: str, kubectl_environment: Mapping[str, str]
) -> None:
    cluster.add(POD)
    flags = ("get", "pods", "--watch", "--output-watch-events", "-o", "jsonpath={.type} {.object.status.phase}{'\\n'}")
    with running(kubectl_program, kubectl_environment, *flags) as told:
        assert told.readline() == "ADDED Pending\n"
        cluster.controllers.pod_state("one", "Ready")
        assert told.readline() == "MODIFIED Running\n"
        cluster.controllers.remove("Pod", "one")
        assert told.readline() == "DELETED Running\n"


def test_rollout_status_follows_the_pods(
    cluster: Cluster, kubectl: Kubectl, kubectl_program: str, kubectl_environment: Mapping[str, str]
) -> None:
    apply(kubectl, WEB)
    cluster.controllers.run_pods("Deployment", "web", state="ContainerCreating")
    with running(kubectl_program, kubectl_environment, "rollout", "status", "deployment/web") as told:
        assert "0 of 2 updated replicas are available" in told.readline()
        cluster.controllers.run_pods("Deployment", "web")
        assert told.read().endswith('deployment "web" successfully rolled out\n')
    apply(kubectl, WEB.replace("demo:1", "demo:2"))
    cluster.controllers.run_pods("Deployment", "web", state="ImagePullBackOff", keep_old=True)
    cluster.controllers.deadline("web")
    late = kubectl("rollout", "status", "deployment/web")
    assert (late.code, late.err) == (1, 'error: deployment "web" exceeded its progress deadline\n')
    assert len(cluster.controllers.pods("web")) == 4


def test_pods_appear_by_themselves_when_told_so(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.auto = "Ready"
    apply(kubectl, WEB)
    stateful = WEB.replace("kind: Deployment", "kind: StatefulSet").replace("name: web,", "name: db,")
    assert apply(kubectl, stateful.replace("spec:\n", "spec:\n  serviceName: db\n", 1)).code == 0
    assert cluster.controllers.pods("db") == ["db-0", "db-1"]
    for workload in ("deployment/web", "statefulset/db"):
        assert kubectl("rollout", "status", workload).code == 0
    kubectl("scale", "statefulset/db", "--replicas=1")
    assert cluster.controllers.pods("db") == ["db-0"]


@pytest.mark.parametrize("state", STATES)
def test_a_pod_can_be_in_any_state(cluster: Cluster, kubectl: Kubectl, state: str) -> None:
    cluster.add(POD)
    cluster.controllers.pod_state("one", state, message="told so")
    status = kubectl("get", "pod", "one", "-o", "json").data["status"]
    assert status["phase"] in {"Pending", "Running", "Succeeded", "Failed"}
    if state not in ("Ready", "Running"):
        assert "told so" in json.dumps(status)


@pytest.mark.parametrize(
    ("refuse", "text"), [("refuse_by_quota", "exceeded quota"), ("refuse_by_pod_security", "violates PodSecurity")]
)
def test_pods_that_are_refused(cluster: Cluster, kubectl: Kubectl, refuse: str, text: str) -> None:
    apply(kubectl, WEB)
    getattr(cluster.controllers, refuse)("Deployment", "web")
    conditions = kubectl("get", "deployment", "web", "-o", "json").data["status"]["conditions"]
    assert any(one["type"] == "ReplicaFailure" and text in one["message"] for one in conditions)
    assert text in kubectl("events").out
    assert cluster.controllers.pods("web") == []


def test_logs(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.add(POD)
    cluster.log("one", "old", time="2025-12-31T00:00:00Z")
    cluster.log("one", "a", b"\xff\x1b[31m")
    cluster.log("one", "crash", previous=True)
    assert kubectl("logs", "one", "--tail=2", "--timestamps").out.startswith("2026-01-01T00:00:00Z a\n")
    assert kubectl("logs", "one", "--since-time=2026-01-01T00:00:00Z").out.startswith("a\n")
    assert kubectl("logs", "one", "--since=10m").out.startswith("a\n")
    assert kubectl("logs", "one", "--previous").out == "crash\n"
    assert "waiting" not in kubectl("logs", "one", "-c", "server").err
    assert kubectl("logs", "one", "-c", "no").code == 1
    cluster.add({**POD, "metadata": {"name": "new"}})
    cluster.controllers.pod_state("new", "ImagePullBackOff")
    assert "is waiting to start: trying and failing to pull image" in kubectl("logs", "new").err


def test_logs_are_followed_to_their_end(
    cluster: Cluster, kubectl_program: str, kubectl_environment: Mapping[str, str]
) -> None:
    cluster.add(POD)
    cluster.log("one", "first")
    with running(kubectl_program, kubectl_environment, "logs", "--follow", "one") as told:
        assert told.readline() == "first\n"
        cluster.log("one", "second")
        assert told.readline() == "second\n"
        cluster.end_log("one")
        assert told.read() == ""


# --- deleting ---


def test_deleting_takes_what_is_owned_or_leaves_it(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.auto = "Ready"
    apply(kubectl, WEB)
    assert kubectl("delete", "deployment", "web", "--cascade=orphan").code == 0
    assert len(cluster.names("ReplicaSet")) == 1
    assert len(cluster.names("Pod")) == 2
    assert kubectl("delete", "replicasets", "--all", "--cascade=foreground").code == 0
    assert cluster.names("Pod") == []
    assert kubectl("delete", "deployment", "web").code == 1


def test_a_namespace_goes_with_what_is_in_it(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    assert kubectl("delete", "namespace", "mcpctl").code == 0
    assert cluster.names("Deployment") == []
    assert 'namespaces "mcpctl" not found' in apply(kubectl, WEB).err


def test_delete_waits_for_what_holds(
    cluster: Cluster, kubectl: Kubectl, kubectl_program: str, kubectl_environment: Mapping[str, str]
) -> None:
    cluster.add(POD)
    cluster.controllers.hold("Pod", "one")
    with running(kubectl_program, kubectl_environment, "delete", "pod", "one") as told:
        assert told.readline() == 'pod "one" deleted\n'
        assert "deletionTimestamp" in cluster.get("Pod", "one")["metadata"]
        cluster.controllers.let_go("Pod", "one")
        assert told.read() == ""
    assert cluster.names("Pod") == []


# --- permissions, forwarding ---


def test_can_i(cluster: Cluster, kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "deployments.apps").out == "yes\n"
    cluster.faults.forbid(verb="patch", resource="deployments")
    denied = kubectl("auth", "can-i", "patch", "deployments.apps")
    assert (denied.code, denied.out) == (1, "no\n")
    assert "Error from server (Forbidden): deployments is forbidden" in apply(kubectl, WEB).err
    assert "*.*" in kubectl("auth", "can-i", "--list").out


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 300_000)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_port_forward(cluster: Cluster, kubectl_program: str, kubectl_environment: Mapping[str, str]) -> None:
    cluster.add(POD)
    cluster.controllers.pod_state("one", "Ready")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as backend:
        threading.Thread(target=backend.serve_forever, args=(0.02,), daemon=True).start()
        cluster.backends["one", 8080] = ("127.0.0.1", backend.server_port)
        flags = ("port-forward", "--address=127.0.0.1", "pod/one", ":8080")
        with running(kubectl_program, kubectl_environment, *flags) as told:
            url = f"http://127.0.0.1:{told.readline().split(':')[1].split()[0]}/"
            for _ in range(2):
                assert len(urlopen(url, timeout=10).read()) == 300_000
            cluster.backends.clear()
            with pytest.raises((URLError, ConnectionError)):
                urlopen(url, timeout=10)
        backend.shutdown()
