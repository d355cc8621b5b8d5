"""Nodes, GPUs, identity, stopping, further containers: each on and off."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import errors_in
from renderer.model import JSON
from renderer.prerequisites import prerequisites
from tests.oracles import yaml_read
from tests.specs import IMAGE, NPM, OPTIONS, PYPI, read_specs, rendered, rules, server, spec, texts

SELECTOR = {"matchLabels": {"mcpctl.io/server": "demo"}}


def deployment(**fields: JSON) -> dict[str, Any]:
    found: dict[str, Any] = yaml_read(texts("kubernetes", spec(**fields))["demo/deployment.yaml"])
    return found


def pod(**fields: JSON) -> dict[str, Any]:
    found: dict[str, Any] = deployment(**fields)["spec"]["template"]["spec"]
    return found


def test_nothing_is_asked_of_the_cluster_unless_the_spec_does() -> None:
    found = pod()
    absent = ("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName")
    assert not [key for key in (*absent, "runtimeClassName", "imagePullSecrets", "initContainers") if key in found]
    assert len(found["containers"]) == 1
    assert "lifecycle" not in found["containers"][0]
    assert found["terminationGracePeriodSeconds"] == 30
    assert found["automountServiceAccountToken"] is False
    assert deployment()["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_anti_affinity() -> None:
    term = {"labelSelector": SELECTOR, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    assert pod(scheduling={"antiAffinity": "preferred"})["affinity"] == {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
    }
    assert pod(scheduling={"antiAffinity": "required"})["affinity"] == {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    }
    assert "affinity" not in pod(scheduling={"antiAffinity": "none"})


def test_a_memory_limit_without_a_cpu_limit() -> None:
    found = pod(resources={"limits": {"cpu": None, "memory": "1Gi"}})["containers"][0]["resources"]
    assert found == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


def test_the_pull_policy() -> None:
    assert pod(imagePullPolicy="Always")["containers"][0]["imagePullPolicy"] == "Always"
    assert "imagePullPolicy" not in pod()["containers"][0]


def test_the_working_folder() -> None:
    assert pod(workingDir="/app")["containers"][0]["workingDir"] == "/app"
    assert "workingDir" not in pod()["containers"][0]


def test_scheduling() -> None:
    found = pod(
        scheduling={
            "nodeSelector": {"a": "b"},
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "seconds": 0}],
            "topologySpread": [{"topologyKey": "zone"}],
            "priorityClassName": "high",
        },
        runtimeClass="gvisor",
        imagePullSecrets=["one", "two"],
    )
    assert found["nodeSelector"] == {"a": "b"}
    assert found["tolerations"] == [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}]
    (spread,) = found["topologySpreadConstraints"]
    assert spread == {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": SELECTOR,
    }
    assert (found["priorityClassName"], found["runtimeClassName"]) == ("high", "gvisor")
    assert found["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]


def test_a_gpu_is_a_limit_a_toleration_and_with_a_product_an_affinity() -> None:
    found = pod(gpu={"product": "NVIDIA-H100-80GB-HBM3", "count": 2})
    resources = found["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == 2
    assert found["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    (term,) = found["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {
        "matchExpressions": [{"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-H100-80GB-HBM3"]}]
    }
    assert "affinity" not in pod(gpu={})


def test_a_gpu_in_compose_is_a_reserved_device_and_its_product_is_told() -> None:
    output = rendered("compose", spec(gpu={"product": "NVIDIA-L4", "count": 1}, health={"enabled": False}))
    (service,) = yaml_read(output.documents[0].text)["services"].values()
    devices = service["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert [problem.path for problem in output.problems] == ["spec.gpu.product"]
    assert errors_in(output.problems) == []


@pytest.mark.parametrize("version", kubernetes_versions())
def test_pre_stop_is_rendered_where_kubernetes_waits_by_itself(version: str) -> None:
    options = OPTIONS._replace(kubernetes_version=version)
    output = rendered("kubernetes", spec(shutdown={"graceSeconds": 60, "preStopSeconds": 10}), options=options)
    text = next(document.text for document in output.documents if document.path == "demo/deployment.yaml")
    container = yaml_read(text)["spec"]["template"]["spec"]["containers"][0]
    if int(version.partition(".")[2]) >= 30:
        assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}
        assert output.problems == ()
    else:
        assert "lifecycle" not in container
        assert "# NOT RENDERED: a wait of 10 seconds" in text
        assert rules(output.problems) == ["kubernetes/pre-stop-not-rendered"]
    assert errors_in(output.problems) == []


@pytest.mark.parametrize(
    ("package", "command"),
    [
        (NPM, ["node", "-e", "setTimeout(() => {}, 10000)"]),
        (PYPI, ["python3", "-c", "import time; time.sleep(10)"]),
    ],
)
def test_before_that_the_interpreter_of_a_package_waits(package: JSON, command: list[str]) -> None:
    shutdown: JSON = {"graceSeconds": 60, "preStopSeconds": 10}
    document = spec(package=package, shutdown=shutdown)
    output = rendered("kubernetes", document, options=OPTIONS._replace(kubernetes_version="1.29"))
    text = next(found.text for found in output.documents if found.path == "demo/deployment.yaml")
    container = yaml_read(text)["spec"]["template"]["spec"]["containers"][0]
    assert container["lifecycle"] == {"preStop": {"exec": {"command": command}}}
    assert "NOT RENDERED" not in text
    assert output.problems == ()


def test_grace_is_compose_s_too() -> None:
    (text,) = texts("compose", spec(shutdown={"graceSeconds": 75}, health={"enabled": False})).values()
    (service,) = yaml_read(text)["services"].values()
    assert service["stop_grace_period"] == "75s"


def test_rollout() -> None:
    found = deployment(rollout={"maxSurge": "25%", "maxUnavailable": 2})["spec"]["strategy"]["rollingUpdate"]
    assert found == {"maxSurge": "25%", "maxUnavailable": 2}


def test_the_account_s_annotations_are_on_the_account_alone() -> None:
    found = texts("kubernetes", spec(serviceAccount={"annotations": {"example.com/role": "r"}, "automountToken": True}))
    assert [path for path, text in found.items() if "example.com/role" in text] == ["demo/serviceaccount.yaml"]
    account = yaml_read(found["demo/serviceaccount.yaml"])
    workload = yaml_read(found["demo/deployment.yaml"])
    assert account["automountServiceAccountToken"] is True
    assert workload["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


def test_further_containers_are_restricted_and_share_what_the_server_has() -> None:
    one: JSON = {
        "name": "one",
        "image": "registry.example.com/one:1",
        "args": ["$(A)"],
        "env": {"A": {"configMap": "c", "key": "k"}},
        "mounts": [
            {"source": "data", "path": "/other", "readOnly": True},
            {"source": "/etc/a.yaml", "path": "/a.yaml"},
            {"source": "/tmp"},
        ],
    }
    found = pod(
        storage=[{"name": "data", "size": "1Gi", "mountPath": "/data"}],
        files={"/etc/a.yaml": {"content": "x"}},
        sidecars=[one],
        initContainers=[{"name": "two", "image": "registry.example.com/two:1", "size": "large"}],
    )
    server, sidecar = found["containers"]
    (init,) = found["initContainers"]
    assert sidecar["securityContext"] == init["securityContext"] == server["securityContext"]
    assert sidecar["resources"] == server["resources"]
    assert init["resources"]["limits"]["memory"] == "8Gi"
    assert sidecar["args"] == ["$(A)"]
    assert sidecar["env"] == [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]
    assert sidecar["volumeMounts"] == [
        {"name": "data", "mountPath": "/other", "readOnly": True},
        {"name": "files", "mountPath": "/a.yaml", "subPath": "a.yaml", "readOnly": True},
        {"name": "writable-0", "mountPath": "/tmp"},
    ]


def test_the_bridge_is_copied_before_the_spec_s_own_init_containers() -> None:
    own: JSON = [{"name": "own", "image": "registry.example.com/own:1"}]
    found = pod(image=IMAGE, command=["/server"], initContainers=own)
    assert [container["name"] for container in found["initContainers"]] == ["guard", "bridge", "own"]


def test_variables_of_the_pods_own_fields() -> None:
    env: dict[str, JSON] = {
        "NAMESPACE": {"field": "metadata.namespace"},
        "TEAM": {"field": "metadata.labels['team']"},
        "MEMORY": {"field": "limits.memory"},
        "URL": "http://$(NAMESPACE)/",
    }
    sidecar: JSON = {"name": "side", "image": IMAGE, "env": {"IP": {"field": "status.podIP"}}}
    found = yaml_read(texts("kubernetes", spec(env=env, sidecars=[sidecar]))["demo/deployment.yaml"])
    server, other = found["spec"]["template"]["spec"]["containers"]
    assert server["env"] == [
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "TEAM", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        {"name": "URL", "value": "http://$(NAMESPACE)/"},
    ]
    assert other["env"] == [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]


@pytest.mark.parametrize("workload", ["Deployment", "StatefulSet", "Pod"])
def test_a_claim_that_is_there_is_mounted_and_not_rendered(workload: str) -> None:
    storage: JSON = [{"name": "config", "existingClaim": "home", "mountPath": "/config", "readOnly": True}]
    found = texts("kubernetes", spec(storage=storage, workload=workload))
    assert not [path for path in found if "persistentvolumeclaim" in path]
    document = yaml_read(found[f"demo/{workload.lower()}.yaml"])
    pod = document["spec"] if workload == "Pod" else document["spec"]["template"]["spec"]
    assert {"name": "config", "persistentVolumeClaim": {"claimName": "home"}} in pod["volumes"]
    assert {"name": "config", "mountPath": "/config", "readOnly": True} in pod["containers"][0]["volumeMounts"]
    assert "volumeClaimTemplates" not in document["spec"]
    needed = [(one.kind, one.name) for one in prerequisites(server(storage=storage, workload=workload))]
    assert ("PersistentVolumeClaim", "home") in needed
    assert not [name for _, name in needed if "StorageClass" in name]


def test_pods_of_a_stateful_set_would_share_a_claim_that_is_there() -> None:
    storage: JSON = [{"name": "config", "existingClaim": "home", "mountPath": "/config"}]
    document = spec(storage=storage, workload="StatefulSet", replicas=2)
    assert "spec/replicas-share-volume" in rules(read_specs(document).problems)


def test_a_prefix_stands_before_every_key() -> None:
    sources: JSON = [{"secret": "db", "prefix": "DB_"}, {"configMap": "site"}]
    found = [yaml_read(text) for text in texts("kubernetes", spec(envFrom=sources)).values()]
    (workload,) = [one for one in found if one["kind"] == "Deployment"]
    assert workload["spec"]["template"]["spec"]["containers"][0]["envFrom"] == [
        {"secretRef": {"name": "db"}, "prefix": "DB_"},
        {"configMapRef": {"name": "site"}},
    ]
    assert "compose/env-prefix" in rules(rendered("compose", spec(envFrom=sources)).problems)


@pytest.mark.parametrize("given", [{"storageClass": ""}, {}])
def test_a_storage_class_that_is_empty_is_none_and_not_the_default(given: dict[str, JSON]) -> None:
    document = spec(storage=[{"name": "d", "size": "1Gi", "mountPath": "/d", **given}])
    found = [yaml_read(text) for text in texts("kubernetes", document).values()]
    (claim,) = [one for one in found if one["kind"] == "PersistentVolumeClaim"]
    assert claim["spec"].get("storageClassName") == given.get("storageClass")


@pytest.mark.parametrize(("field", "place"), [("sidecars", "containers"), ("initContainers", "initContainers")])
def test_further_containers_take_whole_secrets_too(field: str, place: str) -> None:
    container: JSON = {
        "name": "x",
        "image": IMAGE,
        "args": ["$(TOKEN)"],
        "envFrom": [{"secret": "s", "prefix": "A_"}, {"configMap": "c", "optional": True}],
    }
    document = spec(**{field: [container]})
    found = [yaml_read(text) for text in texts("kubernetes", document).values()]
    (workload,) = [one for one in found if one["kind"] == "Deployment"]
    (rendered_one,) = [c for c in workload["spec"]["template"]["spec"][place] if c["name"] == "x"]
    assert rendered_one["args"] == ["$(TOKEN)"], "it may be one of the keys"
    assert rendered_one["envFrom"] == [
        {"secretRef": {"name": "s"}, "prefix": "A_"},
        {"configMapRef": {"name": "c", "optional": True}},
    ]
    needed = {(need.kind, need.name, need.reasons) for need in prerequisites(server(**{field: [container]}))}
    assert ("Secret", "s", (f"{field}.x.envFrom",)) in needed
