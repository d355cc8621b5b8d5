"""The life of a server in a cluster, from the command line and the Python API.

Every test runs against the cluster that the tests keep, which shows that the test is sound, and against a real one
where there is one (CONTRIBUTING.md). Nothing is assumed of a real one but its API and the two images.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from renderer.orchestrators.contract import InstanceFilters, InstanceState, LogOptions
from renderer.orchestrators.mcp_check import handshake
from tests.integration.kubernetes.bed import NO_IMAGE, Bed

#: Connects from inside a pod: an image of a Python server has it.
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 8080), 5)"


def needs_real(bed: Bed, reason: str) -> None:
    if bed.fake:
        pytest.skip(f"the kept cluster cannot show it: {reason}")


def test_from_nothing_to_an_answer_and_back_to_nothing(bed: Bed) -> None:
    run = replace(bed, main=None).apply(bed.spec("demo"))
    assert "demo" in run.out
    assert len(bed.pods("demo")) == 1
    told = bed.status("demo")
    assert (told["state"], told["replicas"]) == ("ready", {"desired": 1, "ready": 1})
    assert told["mcp"]["name"]
    assert told["mcp"]["protocolVersion"] >= "2024-11-05"
    again = bed.apply(bed.spec("demo"))
    assert "unchanged" in again.err
    assert "changed," not in again.err.replace("unchanged,", "")
    gone = bed.mcpctl("delete", "demo", "--yes")
    assert gone.code == 0, gone.err
    bed.until(lambda: bed.pods("demo") == [], "the pods have gone")
    kinds = "deployments,services,configmaps,networkpolicies,serviceaccounts"
    bed.until(lambda: bed.items(kinds, "--selector=mcpctl.io/server=demo") == [], "all else has gone")


def test_a_stdio_server_behind_its_bridge(bed: Bed) -> None:
    if not bed.stdio_image:
        pytest.skip("MCPCTL_TEST_STDIO_IMAGE is not set: an image with mcp-proxy and a stdio server")
    bed.apply(bed.stdio_spec("stdio"))
    assert bed.status("stdio")["state"] == "ready"


def test_status_through_the_phases(bed: Bed) -> None:
    bed.pods_turn("ContainerCreating")
    bed.apply(bed.spec("phases"), options=("--no-wait",))
    first = bed.status("phases", "--no-ask")
    assert first["state"] in ("pending", "running")
    bed.pods_turn("Ready")
    bed.pods_become("phases", "Ready")
    bed.apply(bed.spec("phases"))
    last = bed.status("phases")
    assert last["state"] == "ready"
    assert [one["state"] for one in last["instances"]] == ["running"]
    assert last["instances"][0]["started"]
    stopped = bed.mcpctl("stop", "phases")
    assert stopped.code == 0, stopped.err
    assert bed.status("phases")["state"] == "stopped"
    assert bed.pods("phases") == []
    started = bed.mcpctl("start", str(bed.spec("phases")))
    assert started.code == 0, started.err
    assert bed.status("phases")["state"] == "ready"


def test_logs(bed: Bed) -> None:
    bed.apply(bed.spec("logs"))
    bed.writes("logs", "hello")
    pod = bed.pods("logs")[0]
    if not bed.within(30, lambda: bool(bed.kubectl("logs", pod).out.strip())):
        pytest.skip("the image writes no log")
    run = bed.mcpctl("logs", "logs", "--tail=1", "--timestamps", "--output=json")
    assert run.code == 0, run.err
    line = json.loads(run.out.splitlines()[0])
    assert line["replica"].startswith(pod)
    assert line["text"][:2] == "20"


def test_a_network_policy_goes_with_the_server(bed: Bed) -> None:
    bed.apply(bed.spec("walled"))
    policies = bed.items("networkpolicies", "--selector=mcpctl.io/server=walled")
    assert policies
    assert {kind for one in policies for kind in one["spec"]["policyTypes"]} == {"Ingress", "Egress"}
    selected = policies[0]["spec"]["podSelector"]["matchLabels"]
    labels = bed.get(f"pods/{bed.pods('walled')[0]}")["metadata"]["labels"]
    assert selected.items() <= labels.items()


def test_the_network_policy_is_enforced_where_the_network_plugin_does(bed: Bed) -> None:
    needs_real(bed, "it has no network")
    bed.apply(bed.spec("one"), bed.spec("two"))
    address = bed.get(f"pods/{bed.pods('two')[0]}")["status"]["podIP"]

    def connects() -> bool:
        asked = ("exec", bed.pods("one")[0], "--container=mcp-server", "--")
        if bed.kubectl(*asked, "python3", "-c", "", check=False).code:
            pytest.skip("the image has no python3 to connect with")
        return bed.kubectl(*asked, "python3", "-c", _CONNECT, address, check=False).code == 0

    # A plugin takes a moment until it has heard of a new pod.
    if not bed.within(20, lambda: not connects()):
        pytest.skip("the network plugin of this cluster does not enforce NetworkPolicies")
    # The same without policies: it is they that closed the way.
    bed.kubectl("delete", "networkpolicies", "--selector=mcpctl.io/managed=true")
    bed.until(connects, "the way is open without policies")


def test_a_volume_is_mounted_and_survives_the_server(bed: Bed) -> None:
    classes = bed.items("storageclasses")
    key = "storageclass.kubernetes.io/is-default-class"
    if not any((one["metadata"].get("annotations") or {}).get(key) == "true" for one in classes):
        pytest.skip("the cluster has no default StorageClass")
    spec = bed.spec("stored", storage=[{"name": "data", "size": "1Gi", "mountPath": "/data"}])
    bed.apply(spec)
    claims = bed.items("persistentvolumeclaims", "--selector=mcpctl.io/server=stored")
    assert [one["status"]["phase"] for one in claims] == ["Bound"]
    container = bed.get(f"pods/{bed.pods('stored')[0]}")["spec"]["containers"][0]
    assert "/data" in [one["mountPath"] for one in container["volumeMounts"]]
    kept = bed.mcpctl("delete", "stored", "--yes")
    assert kept.code == 0, kept.err
    assert bed.get(f"persistentvolumeclaims/{claims[0]['metadata']['name']}") is not None
    gone = bed.mcpctl("delete", "stored", "--yes", "--delete-data")
    assert gone.code == 0, gone.err
    bed.until(lambda: not bed.items("persistentvolumeclaims"), "the volume has gone")


def test_a_rolling_update(bed: Bed) -> None:
    bed.apply(bed.spec("rolling", env={"TURN": "one"}))
    before = bed.pods("rolling")
    bed.apply(bed.spec("rolling", env={"TURN": "two"}))
    assert bed.status("rolling")["state"] == "ready"
    bed.until(lambda: len(bed.pods("rolling")) == 1, "only the new pod is left")
    assert bed.pods("rolling") != before
    env = bed.get(f"pods/{bed.pods('rolling')[0]}")["spec"]["containers"][0]["env"]
    assert {"name": "TURN", "value": "two"} in env
    assert bed.status("rolling")["state"] == "ready"


def test_a_restart_reads_a_changed_secret(bed: Bed) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"key": "one"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bed.namespace}}
    for made in (namespace, secret):
        bed.kubectl("create", "--filename=-", stdin=json.dumps(made))
    bed.apply(bed.spec("secretive", env={"TOKEN": {"secret": "token", "key": "key"}}))
    before = bed.pods("secretive")
    changed = {**secret, "stringData": {"key": "two"}}
    bed.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(changed))
    bed.apply(bed.spec("secretive", env={"TOKEN": {"secret": "token", "key": "key"}}))
    assert bed.pods("secretive") == before
    run = bed.mcpctl("restart", "secretive")
    assert run.code == 0, run.err
    bed.until(lambda: len(bed.pods("secretive")) == 1, "only the new pod is left")
    assert bed.pods("secretive") != before
    assert bed.status("secretive")["state"] == "ready"


def test_an_image_that_cannot_be_pulled(bed: Bed) -> None:
    bed.pods_turn("ImagePullBackOff")
    broken = str(bed.spec("broken", image=NO_IMAGE))
    run = bed.mcpctl("apply", "--create-namespace", f"--timeout={bed.patience}", broken)
    assert run.code in (5, 6), run.err
    assert f"the image {NO_IMAGE} cannot be pulled" in run.err
    assert bed.status("broken", "--no-ask")["state"] in ("pending", "failed")
    # A second run with what was wrong put right continues.
    bed.pods_turn("Ready")
    bed.apply(bed.spec("broken"))
    assert bed.status("broken")["state"] == "ready"


def test_prune_removes_what_the_owner_no_longer_has(bed: Bed) -> None:
    owned = ("--owner=integration", "--prune", "--yes")
    bed.apply(bed.spec("keep"), bed.spec("drop"), options=owned)
    bed.apply(bed.spec("other"), options=("--owner=somebody-else",))
    bed.apply(bed.spec("keep"), options=owned)
    bed.until(lambda: bed.pods("drop") == [], "what was dropped has gone")
    bed.until(lambda: bed.items("deployments", "--selector=mcpctl.io/server=drop") == [], "its Deployment has gone")
    assert len(bed.pods("keep")) == len(bed.pods("other")) == 1


def test_the_namespace_is_restricted_and_the_server_runs_in_it(bed: Bed) -> None:
    bed.apply(bed.spec("safe"))
    labels = bed.get(f"namespaces/{bed.namespace}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert bed.status("safe")["state"] == "ready"
    needs_real(bed, "it admits every pod")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "unsafe"},
        "spec": {"containers": [{"name": "a", "image": bed.image, "securityContext": {"privileged": True}}]},
    }
    refused = bed.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(pod), check=False)
    assert "violates PodSecurity" in refused.err


def test_the_python_api(bed: Bed) -> None:
    bed.apply(bed.spec("api"), bed.spec("second"))
    bed.writes("api", "hello")
    orchestrator = bed.orchestrator()
    page = orchestrator.list_instances(InstanceFilters())
    assert sorted(one.server for one in page.instances) == ["api", "second"]
    instance = next(one.id for one in page.instances if one.server == "api")
    status = orchestrator.get_status(instance)
    assert (status.state, status.where, status.ready) == (InstanceState.RUNNING, bed.namespace, 1)
    answer = orchestrator.reach(instance, lambda url: handshake(url, "streamable-http", 30))
    assert answer.server_name
    assert all(line.replica for line in orchestrator.get_logs(instance, LogOptions(tail=5)))
    orchestrator.stop_server(instance)
    assert orchestrator.get_status(instance).state is InstanceState.STOPPED


def test_the_doctor_finds_nothing_in_the_way(bed: Bed) -> None:
    run = bed.mcpctl("doctor", str(bed.spec("healthy")))
    assert run.code == 0, run.out
    assert "\nfailed" not in run.out
