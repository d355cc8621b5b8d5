"""The kubectl without a process prints what the real one prints, and asks for the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from renderer import command
from renderer.command import Done
from renderer.doctor.kubernetes import _KEYS as KEYS
from tests.cluster import Cluster, quick
from tests.cluster.fixtures import environment
from tests.cluster.requests import target

#: There, missing, and missing with its namespace.
ITEMS = [
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "none", "namespace": "mcpctl"}},
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "none", "namespace": "none"}},
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mcpctl"}},
]


#: One that is there, and one that is not.
APPLIED: list[Any] = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "mcpctl"},
        "data": {"new": "<b>&é"},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "mcpctl"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
        },
    },
]


CREATE = ["create", "--field-manager=mcpctl", "--output=name", "--filename=-"]
PATCH = ["patch", "configmaps/settings", "--type=merge", "--field-manager=mcpctl"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        labels = {"labels": {"a": "b"}}
        running.create("v1", "ConfigMap", "settings", data={"text": "<b>&é"})
        running.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", **labels}})
        running.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}}, "default")
        ports = [{"name": "mcp", "containerPort": 8080}]
        running.create("v1", "Pod", "web", spec={"containers": [{"name": "c", "image": "i:1", "ports": ports}]})
        running.controllers.pod_state("web", "Ready")
        running.log("web", "one", "two <b>&é", "three")
        yield running


@pytest.fixture
def where(cluster: Cluster, kubectl_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    for name, value in environment(tmp_path, kubeconfig).items():
        monkeypatch.setenv(name, value)
    return argv_of(kubeconfig)


def argv_of(kubeconfig: Path) -> list[str]:
    return ["kubectl", f"--kubeconfig={kubeconfig}", "--context=test", "--namespace=mcpctl", "--request-timeout=30s"]


def asked(cluster: Cluster, start: int) -> list[tuple[str, str, dict[str, str]]]:
    """The requests for objects, without those by which kubectl learns which kinds there are."""
    requests = [request for request in cluster.requests[start:] if target(cluster.kinds, request.path)]
    queries = [{name: value for name, value in request.query.items() if name != "timeout"} for request in requests]
    return [(request.method, request.path, query) for request, query in zip(requests, queries, strict=True)]


def without_process(*arguments: Any, **options: Any) -> Done:
    raise AssertionError(f"a process was started: {arguments}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "view", "--minify", "--output=json"],
        ["version", "--client", "--output=json"],
        ["get", "secrets,configmaps,deployments.apps", "--output=json"],
        ["get", "secrets,configmaps", "--selector=a in (b,c)", "--ignore-not-found", "--output=json"],
        ["get", "secrets", "--selector=a!=b", "--ignore-not-found", "--output=json"],
        ["get", "secrets", "--all-namespaces", "--output=json"],
        ["get", "secrets", "--field-selector=metadata.name!=token", "--output=json", "--show-managed-fields"],
        ["get", "namespaces/mcpctl", "--ignore-not-found", "--output=json"],
        ["get", "configmaps/settings", "--output=json", "--show-managed-fields"],
        ["get", "secrets,configmaps,deployments.apps", "--output=name"],
        ["get", "secrets", "--selector=a=none", "--ignore-not-found", "--output=name"],
        ["get", "secrets/token", "--output=name"],
        ["get", "namespaces/mcpctl", "--output=name"],
        ["get", "namespaces/none", "--output=name"],
        ["get", "namespaces/none", "--output=json"],
        ["get", "secrets/none", "--output=json"],
        ["get", "secrets/none", "--namespace=none", "--output=name"],
        ["get", "secrets", "--namespace=none", "--output=name"],
        ["get", "secrets/token", KEYS["Secret"]],
        ["get", "configmaps/settings", KEYS["ConfigMap"]],
        ["get", "secrets/none", KEYS["Secret"]],
        ["get", "secrets", "--chunk-size=500", "--output=json"],
        ["logs", "web", "--container=c", "--tail=2", "--limit-bytes=4096"],
        ["logs", "web", "--container=c", "--limit-bytes=5"],
        ["get", "--raw=/api/v1/namespaces/mcpctl/secrets?labelSelector=a%3Db"],
        ["get", "--raw=/api/v1/namespaces/mcpctl/secrets/none"],
        ["delete", "--raw=/api/v1/namespaces/mcpctl/secrets/none", "--filename=-"],
        ["get", "secrets/none", "--ignore-not-found", "--output=json"],
        ["get", "namespaces/none", "--ignore-not-found", "--output=json"],
        ["get", "--ignore-not-found", "--output=json", "--filename=-"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_both_print_and_ask_the_same(
    cluster: Cluster, where: list[str], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [*(where[:2] if "view" in arguments else where if "version" not in arguments else where[:1]), *arguments]
    start = len(cluster.requests)
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": ITEMS}).encode()
    real = command.run(argv, stdin=stdin, seconds=60)
    theirs = asked(cluster, start)
    quick.run(["kubectl", "version", "--client", "--output=json"], seconds=60)
    monkeypatch.setattr(command, "run", without_process)
    start = len(cluster.requests)
    done = quick.run(argv, stdin=stdin, seconds=60)
    read = json.loads if "--output=json" in arguments or "--raw" in arguments[1] else str
    assert (done.code, done.err, read(done.out or "0")) == (real.code, real.err, read(real.out or "0"))
    assert asked(cluster, start) == theirs


REVIEWS = [
    {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "mcpctl"}},
    }
    for verb in ("get", "delete")
]


@pytest.mark.parametrize(
    ("arguments", "items"),
    [
        (["create", "--validate=false", "--filename=-", '--output=jsonpath={.status.allowed}{"\\n"}'], REVIEWS),
        *(
            (["apply", "--server-side", "--field-manager=mcpctl", f"--output={output}", *more, "--filename=-"], items)
            for output, more, items in (
                ("name", [], APPLIED),
                ("json", [], APPLIED),
                ("json", ["--dry-run=server"], APPLIED),
                ("json", ["--force-conflicts"], APPLIED[:1]),
            )
        ),
        (CREATE, APPLIED[1:]),
        ([*CREATE[:-1], "--dry-run=server", CREATE[-1]], APPLIED[1:]),
        ([*PATCH, '--patch={"data": {"text": null, "new": "é"}}', "--output=name"], []),
        ([*PATCH, "--patch-file=/dev/stdin", "--output=name"], {"data": {"text": None, "new": "é"}}),
    ],
    ids=["reviews", "names", "objects", "dry run", "forced", "created", "tried", "patched", "patched by a file"],
)
def test_both_send_and_leave_the_same(
    arguments: list[str], items: Any, kubectl_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a cluster of its own, with one object that somebody else has made."""
    seen = []
    for run in (command.run, quick.run):
        with Cluster() as own:
            own.create("v1", "ConfigMap", "settings", data={"text": "old", "more": "theirs"})
            kubeconfig = own.write_kubeconfig(tmp_path / "kubeconfig")
            for name, value in environment(tmp_path, kubeconfig).items():
                monkeypatch.setenv(name, value)
            data = items if isinstance(items, dict) else {"apiVersion": "v1", "kind": "List", "items": items}
            stdin = json.dumps(data).encode()
            done = run([*argv_of(kubeconfig), *arguments], stdin=stdin, seconds=60)
            out = json.loads(done.out) if "--output=json" in arguments else done.out.split()
            left = [own.store.all(own.kinds.named(kind)) for kind in ("ConfigMap", "Deployment", "Namespace")]
            bodies = [request.data for request in own.requests if request.method in ("PATCH", "POST")]
            seen.append(without_uids([done.code, done.err, out, left, bodies, asked(own, 0)]))
            monkeypatch.setattr(command, "run", without_process)
    assert seen[0] == seen[1]


def without_uids(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: without_uids(value) for name, value in data.items() if name != "uid"}
    return [*map(without_uids, data)] if isinstance(data, list | tuple) else data


@pytest.mark.parametrize(
    "item",
    [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Bad_Name"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "other"}},
        {"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Widget", "metadata": {"name": "a"}},
    ],
    ids=["refused", "another namespace", "version", "kind"],
)
def test_what_is_refused_is_the_real_one_s_and_nothing_is_applied(
    cluster: Cluster, where: list[str], item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Done(7, "out", "err")
    monkeypatch.setattr(command, "run", lambda argv, **options: real)
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fine"}}, item]
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    start, before = len(cluster.requests), cluster.names("ConfigMap")
    arguments = ["apply", "--server-side", "--field-manager=mcpctl", "--output=name", "--filename=-"]
    assert quick.run([*where, *arguments], stdin=stdin, seconds=60) is real
    assert (cluster.names("ConfigMap"), len(cluster.requests)) == (before, start)


def test_what_kubectl_has_applied_itself_is_the_real_one_s(cluster: Cluster, where: list[str]) -> None:
    """It asks more of the cluster then; and so for the second time too."""
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"a": "b"}}
    command.run([*where, "apply", "--filename=-"], stdin=json.dumps(item).encode(), seconds=60)
    arguments = ["apply", "--server-side", "--field-manager=mcpctl", "--output=name", "--filename=-"]
    start = len(cluster.requests)
    assert quick.run([*where, *arguments], stdin=json.dumps(item).encode(), seconds=60).code == 0
    assert not any(request.headers["user-agent"] == "kubectl/quick" for request in cluster.requests[start:])


def test_a_delete(cluster: Cluster, where: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    printed = []
    for run in (command.run, quick.run):
        made = cluster.create("v1", "ConfigMap", "short")
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": made["metadata"]["uid"]}}
        path = "/api/v1/namespaces/mcpctl/configmaps/short"
        done = run([*where, "delete", f"--raw={path}", "--filename=-"], stdin=json.dumps(options).encode(), seconds=60)
        assert (done.code, "short" in cluster.names("ConfigMap")) == (0, False)
        printed.append({**json.loads(done.out), "details": None})
        monkeypatch.setattr(command, "run", without_process)
    assert printed[0] == printed[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "widgets", "--output=json"],
        ["get", "--raw=/api/v1/widgets"],
        ["delete", "secrets/token"],
        ["patch", "secrets/none", "--type=merge", "--field-manager=mcpctl", "--patch={}", "--output=name"],
        ["logs", "web", "--container=c", "--previous"],
        ["logs", "none", "--container=c"],
        ["logs", "web", "--container=c", "--timestamps"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_the_rest_is_the_real_one_s(
    cluster: Cluster, where: list[str], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Done(7, "out", "err")
    monkeypatch.setattr(command, "run", lambda argv, **options: real if argv == [*where, *arguments] else None)
    start = len(cluster.requests)
    assert quick.run([*where, *arguments], seconds=60) is real
    assert len(cluster.requests) == start


def test_with_a_fault_every_call_is_the_real_one_s(where: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = Done(7, "out", "err")
    monkeypatch.setattr(command, "run", lambda argv, **options: real)
    with Cluster() as faulty:
        faulty.faults.add("broken", verb="get")
        argv = [*where, "get", "secrets", "--output=json"]
        argv[1] = f"--kubeconfig={faulty.write_kubeconfig(Path(argv[1].partition('=')[2]))}"
        assert quick.run(argv, seconds=60) is real
        faulty.faults.clear()
        assert quick.run(argv, seconds=60).code == 0
    assert quick.run(argv, seconds=60) is real, "it does not run any more"


def test_with_a_fault_that_it_cannot_meet_a_call_takes_no_process(
    where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Done(7, "out", "err")
    monkeypatch.setattr(command, "run", lambda argv, **options: real)
    with Cluster() as faulty:
        argv = [*where, "get", "secrets", "--output=json"]
        argv[1] = f"--kubeconfig={faulty.write_kubeconfig(Path(argv[1].partition('=')[2]))}"
        faulty.faults.add("forbidden", verb="apply", resource="secrets")
        faulty.faults.add("forbidden", verb="list", resource="pods", skip=1)
        faulty.faults.add("forbidden", verb="list", resource="services")
        faulty.faults.add("broken", verb="list", resource="services")
        assert quick.run(argv, seconds=60).code == 0
        start = len(faulty.requests)
        for resources in ("secrets,pods", "services"):
            assert quick.run([*argv[:-2], resources, "--output=json"], seconds=60) is real
        assert len(faulty.requests) == start
        faulty.faults.add("garbled", resource="/api*")
        assert quick.run(argv, seconds=60) is real


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "secrets/token", KEYS["Secret"]],
        ["get", "secrets/token", "--output=name"],
        ["get", "secrets", "--output=json"],
        ["get", "secrets,namespaces", "--output=name"],
        ["get", "secrets,namespaces", "--output=json"],
        ["get", "secrets", "--all-namespaces", "--ignore-not-found", "--output=json"],
        ["get", "--ignore-not-found", "--output=json", "--filename=-"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_right_that_is_missing_takes_no_process(
    where: list[str], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster() as closed:
        closed.faults.add("forbidden", verb="[gl]*", resource="secrets")
        argv = [*where, *arguments]
        argv[1] = f"--kubeconfig={closed.write_kubeconfig(Path(argv[1].partition('=')[2]))}"
        stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": ITEMS[:1]}).encode()
        real = command.run(argv, stdin=stdin, seconds=60)
        theirs = asked(closed, 0)
        monkeypatch.setattr(command, "run", without_process)
        start = len(closed.requests)
        done = quick.run(argv, stdin=stdin, seconds=60)
        read = json.loads if "--output=json" in arguments else str
        assert (done.code, done.err, read(done.out or "0")) == (real.code, real.err, read(real.out or "0"))
        assert asked(closed, start) == theirs


@pytest.mark.parametrize("port", ["mcp", "8080"])
def test_a_port_is_forwarded_to_what_stands_for_the_pod(
    cluster: Cluster, where: list[str], port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [*where, "port-forward", "--address=127.0.0.1", "pods/web", f":{port}"]
    monkeypatch.setitem(cluster.backends, ("web", 8080), ("127.0.0.1", 4321))
    monkeypatch.setattr(command, "background", without_process)
    start = len(cluster.requests)
    with quick.start(argv) as running:
        assert running.lines(1) == ["Forwarding from 127.0.0.1:4321 -> 8080"]
    paths = ["/api/v1/namespaces/mcpctl/pods/web", "/api/v1/namespaces/mcpctl/pods/web/portforward"]
    assert [path for _, path, _ in asked(cluster, start)] == paths


@pytest.mark.parametrize("wrong", ["pod", "port", "backend", "right", "command"])
def test_a_port_that_cannot_be_forwarded_is_the_real_one_s(
    cluster: Cluster, where: list[str], wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod, port = "none" if wrong == "pod" else "web", "other" if wrong == "port" else "mcp"
    argv = [*where, "port-forward", "--address=127.0.0.1", f"pods/{pod}", f":{port}"]
    argv += ["--pod-running-timeout=1s"] * (wrong == "command")
    if wrong != "backend":
        monkeypatch.setitem(cluster.backends, ("web", 8080), ("127.0.0.1", 4321))
    if wrong == "right":
        cluster.faults.add("forbidden", verb="create", resource="pods/portforward")
    started: list[list[str]] = []

    def background(argv: list[str], **_: Any) -> nullcontext[None]:
        started.append(argv)
        return nullcontext()

    monkeypatch.setattr(command, "background", background)
    start = len(cluster.requests)
    with quick.start(argv):
        assert started == [argv]
    cluster.faults.clear()
    assert len(cluster.requests) == start


@pytest.mark.parametrize(
    "arguments",
    [
        ["api-versions"],
        ["api-resources", "--output=name"],
        ["api-resources", "--verbs=list,delete", "--output=name"],
        ["api-resources", "--verbs=create", "--output=name"],
    ],
    ids=" ".join,
)
def test_what_kinds_there_are(where: list[str], arguments: list[str]) -> None:
    with Cluster() as other:
        argv = [*where, *arguments]
        argv[1] = f"--kubeconfig={other.write_kubeconfig(Path(argv[1].partition('=')[2]))}"
        before = quick.run(argv, seconds=60)
        other.define_custom_kinds()
        assert quick.run(argv, seconds=60) == command.run(argv, seconds=60) != before


def test_a_version_is_asked_for_once(cluster: Cluster, where: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    argv = [*where, "version", "--output=json"]
    for version in ("1.33", "1.34", "1.33"):
        monkeypatch.setattr(cluster, "version", version)
        assert quick.run(argv, seconds=60) == command.run(argv, seconds=60)
    monkeypatch.setattr(command, "run", without_process)
    assert f"v{version}.0" in quick.run(argv, seconds=60).out
