"""The cluster, driven by the real kubectl."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.cluster import Cluster
from tests.cluster.fixtures import Kubectl, Run
from tests.cluster.kinds import Json

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


def container(cluster: Cluster) -> Json:
    first: Json = cluster.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    return first


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


def test_a_kind_is_unknown_until_its_definition_is_there(cluster: Cluster, kubectl: Kubectl) -> None:
    assert len(kubectl("api-resources", "--no-headers").out.splitlines()) == len(list(cluster.kinds))
    refused = apply(kubectl, ROUTE)
    assert refused.code == 1
    assert 'no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"' in refused.err
    cluster.define_custom_kinds()
    assert apply(kubectl, ROUTE).code == 0
    assert cluster.get("HTTPRoute", "x")["spec"] == {"hostnames": ["a.b"]}


# --- apply ---


def test_conflicts_name_manager_and_fields_until_they_are_forced(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB, manager="other")
    one = apply(kubectl, WEB.replace("replicas: 2", "replicas: 3"))
    assert one.code == 1
    assert 'Apply failed with 1 conflict: conflict with "other": .spec.replicas\n' in one.err
    changed = WEB.replace("replicas: 2", "replicas: 3").replace("demo:1", "demo:2")
    two = apply(kubectl, changed)
    assert 'Apply failed with 2 conflicts: conflicts with "other":\n- .spec.replicas\n' in two.err
    assert '- .spec.template.spec.containers[name="server"].image\n' in two.err
    assert container(cluster)["image"] == "demo:1"
    assert apply(kubectl, changed, "--force-conflicts").code == 0
    assert container(cluster)["image"] == "demo:2"
    back = apply(kubectl, WEB.replace("replicas: 2", "replicas: 3"), manager="other")
    assert 'conflict with "mcpctl": .spec.template.spec.containers[name="server"].image' in back.err


def test_what_an_apply_leaves_out_is_removed_unless_another_owns_it(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    apply(kubectl, WEB, manager="other")
    one, other = cluster.get("Deployment", "web")["metadata"]["managedFields"]
    assert [one["manager"], one["operation"], other["manager"]] == ["mcpctl", "Apply", "other"]
    assert one["fieldsV1"] == other["fieldsV1"]
    owned = one["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"server"}']
    assert owned["."] == {}
    assert owned["f:ports"] == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    fewer = WEB.replace(', {name: B, value: "2"}', "").replace("  replicas: 2\n", "")
    apply(kubectl, fewer)
    assert [entry["name"] for entry in container(cluster)["env"]] == ["A", "B"]
    apply(kubectl, fewer, manager="other")
    assert container(cluster)["env"] == [{"name": "A", "value": "1"}]
    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 1


def test_generation_rises_with_the_spec_alone_and_dry_runs_change_nothing(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    kubectl("annotate", "deployment/web", "a=b")
    assert cluster.get("Deployment", "web")["metadata"]["generation"] == 1
    assert kubectl("scale", "deployment/web", "--replicas=5").code == 0
    assert cluster.get("Deployment", "web")["metadata"]["generation"] == 2
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1' in apply(kubectl, WEB).err
    version = cluster.store.version
    dry = apply(kubectl, WEB.replace("  replicas: 2\n", "").replace("demo:1", "demo:2"), "--dry-run=server", "-o=json")
    assert dry.data["spec"]["template"]["spec"]["containers"][0]["image"] == "demo:2"
    assert dry.data["metadata"]["generation"] == 3
    assert cluster.store.version == version


#: What is replaced in WEB, and what kubectl says.
REFUSED = {
    "name": ("name: web", "name: Bad_Name", "is invalid: metadata.name: Invalid value"),
    "label": ("labels: {app: web}", "labels: {app: 'a b'}", "is invalid: metadata.labels: Invalid value"),
    "label key": ("labels: {app: web}", "labels: {a b: web}", "is invalid: metadata.labels: Invalid value"),
    "template": (
        "    metadata: {labels: {app: web}}",
        "    metadata: {labels: {app: other}}",
        "is invalid: spec.template.metadata.labels: Invalid value",
    ),
    "namespace": ("name: web", "namespace: missing, name: web", 'namespaces "missing" not found'),
}


def test_what_no_api_server_takes_is_refused(cluster: Cluster, kubectl: Kubectl) -> None:
    assert [case for case, (right, _, _) in REFUSED.items() if right not in WEB] == []
    before = cluster.store.version
    refused = apply(kubectl, "---\n".join(WEB.replace(right, wrong, 1) for right, wrong, _ in REFUSED.values()))
    assert refused.code == 1
    # Two of them in the same words.
    assert [case for case, (_, _, message) in REFUSED.items() if message not in refused.err] == []
    assert refused.err.count("is invalid: metadata.labels: Invalid value") == 2
    assert cluster.store.version == before


def test_a_selector_never_changes(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    before = cluster.store.version
    refused = apply(kubectl, WEB.replace("Labels: {app: web}}\n  t", "Labels: {}}\n  t", 1))
    assert refused.code == 1
    assert 'spec.selector: Invalid value: {"matchLabels": {}}' in refused.err
    assert cluster.store.version == before


def test_patches(cluster: Cluster, kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    image = '{"spec":{"template":{"spec":{"containers":[{"name":"server","image":"demo:2"}]}}}}'
    assert kubectl("patch", "deployment", "web", "-p", image).code == 0
    assert (container(cluster)["image"], len(container(cluster)["env"])) == ("demo:2", 2)
    assert kubectl("patch", "deployment", "web", "--type=merge", "-p", image).code == 0
    assert "env" not in container(cluster)


# --- reading ---


def test_lists_come_in_pieces_and_by_selectors(cluster: Cluster, kubectl: Kubectl) -> None:
    for number in range(4):
        cluster.add({**POD, "metadata": {"name": f"p{number}", "labels": {"n": str(number)}}})
    cluster.add(POD, "default")
    assert kubectl("get", "pods", "-A", "--chunk-size=2", "-o", "name").out.count("pod/") == 5
    assert len(cluster.sent("GET", "/api/v1/pods")) == 3
    assert kubectl("get", "pods", "-l", "n in (1,2),!x,n!=1,n", "-o", "name").out == "pod/p2\n"
    fields = "metadata.name=p3,status.phase!=Failed"
    assert kubectl("get", "pods", "--field-selector", fields, "-o", "name").out == "pod/p3\n"
    assert kubectl("get", "pod", "p9").err == 'Error from server (NotFound): pods "p9" not found\n'


def test_rollout_status_follows_the_pods(
    cluster: Cluster, kubectl: Kubectl, kubectl_program: str, kubectl_environment: Mapping[str, str]
) -> None:
    apply(kubectl, WEB)
    cluster.controllers.run_pods("Deployment", "web", state="ContainerCreating")
    with running(kubectl_program, kubectl_environment, "rollout", "status", "deployment/web") as said:
        assert "0 of 2 updated replicas are available" in said.readline()
        cluster.controllers.run_pods("Deployment", "web")
        assert said.read().endswith('deployment "web" successfully rolled out\n')
    apply(kubectl, WEB.replace("demo:1", "demo:2"))
    cluster.controllers.run_pods("Deployment", "web", state="ImagePullBackOff", keep_old=True)
    cluster.controllers.refresh("Deployment", "web", deadline=True)
    late = kubectl("rollout", "status", "deployment/web")
    assert (late.code, late.err) == (1, 'error: deployment "web" exceeded its progress deadline\n')
    assert len(cluster.controllers.pods("web")) == 4


def test_pods_appear_by_themselves_and_go_with_their_owner(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.auto = "Ready"
    stateful = WEB.replace("kind: Deployment", "kind: StatefulSet").replace("name: web,", "name: db,")
    both = f"{WEB}---\n{stateful}".replace("spec:\n", "spec:\n  serviceName: db\n", 1)
    assert apply(kubectl, both).code == 0
    assert cluster.controllers.pods("db") == ["db-0", "db-1"]
    kubectl("scale", "statefulset/db", "--replicas=1")
    assert cluster.controllers.pods("db") == ["db-0"]
    assert kubectl("delete", "deployment", "web").code == 0
    assert cluster.names("ReplicaSet") == []
    assert cluster.names("Pod") == ["db-0"]
    cluster.controllers.hold("Pod", "db-0")
    assert kubectl("delete", "namespace", "mcpctl", "--wait=false").code == 0
    assert cluster.names("StatefulSet") == []
    assert cluster.names("Pod") == ["db-0"]
    assert "because it is being terminated" in apply(kubectl, WEB).err


def test_logs(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.add(POD)
    cluster.log("one", "old", time="2025-12-31T00:00:00Z")
    cluster.log("one", "a", b"\xff\x1b[31m")
    cluster.log("one", "crash", previous=True)
    assert kubectl("logs", "one", "--tail=2", "--timestamps").out.startswith("2026-01-01T00:00:00Z a\n")
    assert kubectl("logs", "one", "--since-time=2026-01-01T00:00:00Z").out.startswith("a\n")
    assert kubectl("logs", "one", "--previous").out == "crash\n"
    assert kubectl("logs", "one", "-c", "no").code == 1
    cluster.add({**POD, "metadata": {"name": "new"}})
    cluster.controllers.pod_state("new", "ImagePullBackOff")
    assert "is waiting to start: trying and failing to pull image" in kubectl("logs", "new").err


# --- what goes wrong ---


#: The fault, its rule, and what kubectl says.
FAULTS = {
    "unauthorized": ({"resource": "deployments"}, "You must be logged in to the server"),
    "forbidden": ({"verb": "patch", "resource": "deployments"}, "(Forbidden): deployments is forbidden"),
    "modified": ({"resource": "deployments"}, "the object has been modified"),
    "broken": ({"name": "w*"}, "(InternalError)"),
    "drop": ({"verb": "apply"}, "EOF"),
    "cut": ({"verb": "apply"}, "unexpected EOF"),
    "garbled": ({"verb": "apply"}, "invalid character '<'"),
    "quota": ({"verb": "apply"}, "exceeded quota"),
    "stop": ({"verb": "apply"}, "EOF"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_reaches_kubectl(cluster: Cluster, kubectl: Kubectl, fault: str) -> None:
    where, text = FAULTS[fault]
    skip = int(fault == "quota")
    cluster.faults.add(fault, skip=skip, **where)
    others = {"verb": "patch", "resource": "secrets"}
    assert [cluster.faults.allowed(each) for each in (where, others)] == [fault != "forbidden", True]
    assert [apply(kubectl, WEB).code for _ in range(skip)] == [0] * skip
    failed = apply(kubectl, WEB)
    assert failed.code == 1
    assert text in failed.err


def test_a_warning_is_shown_and_a_slow_answer_meets_the_time_limit(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.add("warn", 'would violate "restricted"', verb="apply")
    assert apply(kubectl, WEB).err == 'Warning: would violate "restricted"\n'
    cluster.faults.add("hang", verb="get", resource="configmaps")
    late = kubectl("get", "configmap", "x", "--request-timeout=1s")
    assert late.code == 1
    assert "Client.Timeout exceeded" in late.err or "context deadline exceeded" in late.err


# --- forwarding ---


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
        with running(kubectl_program, kubectl_environment, *flags) as said:
            url = f"http://127.0.0.1:{said.readline().split(':')[1].split()[0]}/"
            for _ in range(2):
                assert len(urlopen(url, timeout=60).read()) == 300_000
            cluster.backends.clear()
            with pytest.raises((URLError, ConnectionError)):
                urlopen(url, timeout=60)
        backend.shutdown()
