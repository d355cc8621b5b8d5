"""kubectl as a program that may be missing, old, slow, killed or talkative; clusters that refuse."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from renderer.command import Done, ProgramMissing
from renderer.errors import ApplyFailed, Exit, McpctlError, WaitTimedOut
from renderer.orchestrators.contract import KubernetesConfig
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.failures import refusal, warnings
from tests.cluster import Cluster
from tests.orchestrators.kubernetes.conftest import OWNED, Clock, Told, orchestrator_of, placed, rendered

VERSION = json.dumps({"clientVersion": {"major": "1", "minor": "32+"}})
CONFIG = json.dumps(
    {
        "current-context": "prod",
        "clusters": [{"name": "c1", "cluster": {"server": "https://me:hunter2@example.com:6443"}}],
    }
)


class Answers:
    """kubectl by what it is asked for; keeps what it was asked."""

    def __init__(self, **answers: Done) -> None:
        self.answers = {"version": Done(0, VERSION, ""), "config": Done(0, CONFIG, ""), **answers}
        self.asked: list[list[str]] = []
        self.env: list[Mapping[str, str]] = []

    def __call__(
        self, argv: list[str], *, seconds: float, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Done:
        self.asked.append(argv)
        self.env.append(env or {})
        return next((done for word, done in self.answers.items() if word in argv), Done(0, "{}", ""))


def test_every_call_says_where_and_for_how_long() -> None:
    run = Answers()
    kubectl = Kubectl(KubernetesConfig(kubeconfig="/k c"), run=run)
    kubectl.call("looking", "get", "pods")
    assert run.asked[0] == ["kubectl", "version", "--client", "--output=json"]
    assert run.asked[1] == ["kubectl", "--kubeconfig=/k c", "config", "view", "--minify", "--output=json"]
    where = ["--kubeconfig=/k c", "--context=prod", "--namespace=mcpctl", "--request-timeout=30s"]
    assert run.asked[2] == ["kubectl", *where, "get", "pods"]
    kubectl.call("again", "get", "pods")
    assert len(run.asked) == 4


def test_the_place_is_shown_without_passwords() -> None:
    place = str(Kubectl(KubernetesConfig(), run=Answers()).place)
    assert place == "context prod, cluster c1 (https://example.com:6443), namespace mcpctl"


def test_in_a_cluster_only_the_service_account_counts() -> None:
    run = Answers()
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    kubectl = Kubectl(KubernetesConfig(in_cluster=True), run=run, environ=environ)
    kubectl.call("looking", "get", "pods")
    assert run.asked[1] == ["kubectl", "--namespace=mcpctl", "--request-timeout=30s", "get", "pods"]
    assert run.env[1] == {"KUBECONFIG": os.devnull}
    assert str(kubectl.place).startswith("in cluster this pod's own, by its service account (10.0.0.1:443)")


def test_in_cluster_outside_of_one() -> None:
    with pytest.raises(ApplyFailed, match="this is not a pod of a cluster"):
        Kubectl(KubernetesConfig(in_cluster=True), run=Answers(), environ={}).place  # noqa: B018


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"version": Done(0, '{"clientVersion":{"major":"1","minor":"21"}}', "")}, "kubectl 1.21 is too old.*1.22"),
        ({"version": Done(0, "{}", "")}, "cannot be read; is it really kubectl"),
        ({"version": Done(0, "usage: \x1b[31m", "")}, r"not JSON \(usage: \\x1b\[31m\)"),
        ({"version": Done(0, "[" * 100_000, "")}, "not JSON"),
        ({"config": Done(0, '{"current-context": "a", "clusters": [1]}', "")}, "cannot be read: clusters"),
        ({"config": Done(0, '{"current-context": "a", "clusters": {"a": 1}}', "")}, "cannot be read: clusters"),
        ({"config": Done(0, "{}", "")}, "the kubeconfig has no current context"),
        ({"config": Done(1, "", "error: current-context must exist in order to minify")}, "name one of"),
        ({"config": Done(-9, "", "")}, "kubectl was ended by signal 9"),
    ],
)
def test_no_place(answers: dict[str, Done], message: str) -> None:
    with pytest.raises(ApplyFailed, match=message) as raised:
        Kubectl(KubernetesConfig(), run=Answers(**answers)).place  # noqa: B018
    assert raised.value.exit_code is Exit.APPLY_FAILED


def test_kubectl_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match="kubectl is not installed, or not on the PATH: install it"):
        Kubectl(KubernetesConfig()).place  # noqa: B018


@pytest.mark.parametrize("namespace", ["-n", "A", "", "a/b", "a b"])
def test_a_namespace_is_a_name(namespace: str) -> None:
    with pytest.raises(ApplyFailed, match=r"kubernetes\.namespace: .* is not a name"):
        Kubectl(KubernetesConfig(namespace))


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        ("Unable to connect to the server: dial tcp: lookup x: no such host", "down", "check that the cluster runs"),
        ("The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?", "down", ""),
        ("error: You must be logged in to the server (Unauthorized)", "login", "log in to the cluster again"),
        ("Unable to connect to the server: getting credentials: exec: executable aws not found", "login", "helper"),
        ('Error from server (Forbidden): pods is forbidden: User "x" cannot list', "forbidden", "ask for the right"),
        ('Error from server (Forbidden): pods "a" is forbidden: exceeded quota: q', "quota", "raise the quota"),
        ('Error from server (Forbidden): violates PodSecurity "restricted:latest"', "pod security", "spec.security"),
        (
            'Error from server (Forbidden): pods "a" is forbidden: maximum memory usage per Container is 1Gi',
            "admission",
            "an admission rule",
        ),
        ('admission webhook "x.example.com" denied the request: no latest', "admission", "an admission rule"),
        (
            'persistentvolumeclaims "a" is forbidden: Only bound persistent volume claims can be expanded',
            "resize",
            "only when it is bound",
        ),
        (
            'persistentvolumeclaims "a" is forbidden: only dynamically provisioned pvc can be resized and the '
            "storageclass that provisions the pvc must support resize",
            "resize",
            "allowVolumeExpansion",
        ),
        (
            'The PersistentVolumeClaim "a" is invalid: spec.resources.requests.storage: Forbidden: field can not be '
            "less than status.capacity",
            "resize",
            "never shrinks",
        ),
        (
            'The StatefulSet "a" is invalid: spec: Forbidden: updates to statefulset spec for fields other than',
            "stateful set",
            "--cascade=orphan",
        ),
        ("Error from server (Conflict): the object has been modified", "changed", "run the command again"),
        ('error: no matches for kind "X" in version "y/v1"', "no kind", "install what defines this kind"),
        ('Error from server (NotFound): namespaces "a" not found', "no namespace", "create the namespace"),
        ('error: context "x" does not exist', "context", "get-contexts"),
        ("Unable to connect to the server: tls: failed to verify certificate: x509: unknown", "certificate", "check"),
        ('The Deployment "a" is invalid: spec.selector: Invalid value: field is immutable', "immutable", "delete"),
        ("Error from server (InternalError): etcdserver: no leader", "broken", "later"),
        ("error: unknown flag: --server-side", "too old", "too old"),
        ("something else", "other", ""),
        ("", "other", ""),
    ],
)
def test_what_kubectl_says_is_told_apart(said: str, kind: str, advice: str) -> None:
    found = refusal(f"Warning: beside\n{said}\n" if said else "", "doing it")
    assert getattr(found, "kind", "") == kind
    assert found.message.startswith("doing it: ")
    assert advice in found.message
    assert "beside" not in found.message


def test_a_slow_server_is_a_time_out() -> None:
    found = refusal("Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded)", "x")
    assert isinstance(found, WaitTimedOut)


def test_words_about_a_secret_are_not_repeated() -> None:
    found: McpctlError = refusal('The Secret "a" is invalid: data: Invalid value: "hunter2"', "x", secret=True)
    assert "hunter2" not in repr(found)


def test_warnings_are_escaped_and_told_once() -> None:
    assert warnings("Warning: \x1b[1mold\nWarning: \x1b[1mold\nother\n") == ["\\x1b[1mold"]


# --- against the cluster ---


def test_no_such_context(connected: None, kubeconfig: Path) -> None:
    config = KubernetesConfig(kubeconfig=str(kubeconfig), context="-x y")
    with pytest.raises(ApplyFailed, match="name one of `kubectl config get-contexts`"):
        Kubectl(config).place  # noqa: B018


def test_no_such_kubeconfig(connected: None, tmp_path: Path) -> None:
    with pytest.raises(ApplyFailed, match="none does not exist; correct"):
        Kubectl(KubernetesConfig(kubeconfig=str(tmp_path / "none"))).place  # noqa: B018


def test_a_context_that_changes_in_the_middle_is_not_followed(
    orchestrator: Kubernetes, cluster: Cluster, kubeconfig: Path
) -> None:
    placed(cluster, "time")
    assert "context test" in orchestrator.where()
    data = json.loads(kubeconfig.read_text())
    data["current-context"] = "other"
    data["contexts"].append({"name": "other", "context": {"cluster": "elsewhere", "user": "tester"}})
    data["clusters"].append({"name": "elsewhere", "cluster": {"server": "http://127.0.0.1:1"}})
    kubeconfig.write_text(json.dumps(data))
    assert orchestrator.get_status("mcp-time").id == "mcp-time"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("unauthorized", "log in to the cluster again"),
        ("broken", "internal problem"),
    ],
)
def test_a_cluster_that_refuses(orchestrator: Kubernetes, cluster: Cluster, fault: str, message: str) -> None:
    assert orchestrator.where()
    cluster.faults.add(fault, resource="deployments*")
    with pytest.raises(ApplyFailed, match=message):
        orchestrator.get_status("mcp-time")


def test_a_connection_that_ends_without_an_answer(connected: None, cluster: Cluster, kubeconfig: Path) -> None:
    # A create: kubectl asks ten times, a second apart, where it only reads.
    cluster.faults.add("drop", resource="configmaps")
    stdin = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}).encode()
    with pytest.raises(ApplyFailed, match="check that the cluster runs"):
        Kubectl(KubernetesConfig("mcpctl", str(kubeconfig))).call("creating", "create", "-f", "-", stdin=stdin)


def test_an_answer_that_is_no_json(orchestrator: Kubernetes, cluster: Cluster) -> None:
    cluster.faults.add("garbled", resource="deployments*")
    with pytest.raises(ApplyFailed):
        orchestrator.get_status("mcp-time")


def test_a_cluster_that_is_down(connected: None, cluster: Cluster, kubeconfig: Path, clock: Clock, told: Told) -> None:
    cluster.stop()
    applied = orchestrator_of(kubeconfig, clock).apply(rendered("time"), OWNED, told.append, told.confirm)
    assert [change.outcome for change in applied.changes] == ["failed", *["not tried"] * 4]
    assert "check that the cluster runs" in applied.changes[0].message
    cluster.start()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("print('Error: all is lost', file=sys.stderr)", "kubectl's answer is not"),
        ("sys.stdout.buffer.write(b'\\xff\\x00' * 99)", "not JSON"),
        ("print('x' * (65 << 20))", "wrote more than 64 MiB"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
        ("sys.exit('bad\\x1b[2J')", r"bad\\x1b\[2J"),
    ],
)
def test_a_kubectl_that_misbehaves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, message: str) -> None:
    """A program of the name kubectl that answers for the place, and else does as it is told."""
    script = tmp_path / "kubectl"
    script.write_text(
        textwrap.dedent(f"""\
            #!{sys.executable}
            import sys
            if "version" in sys.argv:
                print({VERSION!r})
            elif "config" in sys.argv:
                print({CONFIG!r})
            else:
                {program}
            """)
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    kubectl = Kubectl(KubernetesConfig())
    applied = Kubernetes(kubectl).apply(rendered("time"), OWNED, lambda _: None, lambda _, __: False)
    assert [change.outcome for change in applied.changes] == ["failed", *["not tried"] * 4]
    assert re.search(message, applied.changes[0].message)
