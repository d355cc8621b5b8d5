"""What the Kubernetes templates make of the values that they read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.labels import object_labels
from renderer.model import JSON
from renderer.targets.kubernetes import TARGET
from renderer.targets.kubernetes.values import literal
from renderer.variables import as_literal
from tests.kubelet import expanded
from tests.oracles import yaml_read
from tests.specs import HTTP, IMAGE, NPM, OPTIONS, PYPI, server, spec, texts


def objects(**fields: JSON) -> dict[str, Any]:
    """What a server is rendered to, by the names of its files without ending."""
    documents, _ = TARGET.build([server(**fields)], OPTIONS)
    return {d.path.removeprefix("demo/").removesuffix(".yaml"): yaml_read(d.text) for d in documents}


def pod(**fields: JSON) -> dict[str, Any]:
    """The spec of its pods."""
    workload = objects(**fields)[str(fields.get("workload", "Deployment")).lower()]
    found: dict[str, Any] = workload["spec"] if workload["kind"] == "Pod" else workload["spec"]["template"]["spec"]
    return found


def container(**fields: JSON) -> dict[str, Any]:
    """The server's own container."""
    (found,) = (c for c in pod(**fields)["containers"] if c["name"] == "mcp-server")
    return dict(found)


def config_data(**fields: JSON) -> dict[str, str]:
    return dict(objects(**fields)["configmap"]["data"])


def pod_annotations(**fields: JSON) -> dict[str, str]:
    return dict(objects(**fields)["deployment"]["spec"]["template"]["metadata"].get("annotations", {}))


# ---------------------------------------------------------------------------------------------
# What the kubelet makes of command, args, env and probe commands.


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("$(A)", {"A": "x"}, "x"),
        ("$(A)", {}, "$(A)"),
        ("$$(A)", {"A": "x"}, "$(A)"),
        ("$$$(A)", {"A": "x"}, "$x"),
        ("$A ${A} $", {"A": "x"}, "$A ${A} $"),
        ("$(A", {"A": "x"}, "$(A"),
        ("$$$$", {}, "$$"),
    ],
)
def test_the_model_of_the_kubelet(text: str, variables: dict[str, str], expected: str) -> None:
    assert expanded(text, variables) == expected


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("pa$word", "pa$word"),
        ("${A}", "${A}"),
        ("$", "$"),
        ("$(A)", "$$(A)"),
        ("$$", "$$$"),
        ("$$(A)", "$$$$(A)"),
        ("cost: $5 $(B", "cost: $5 $$(B"),
    ],
)
def test_literal(text: str, written: str) -> None:
    assert literal(text) == written


@given(st.text("$()A bx") | st.text(), st.dictionaries(st.sampled_from(["A", "b", "", "A b"]), st.just("EXPANDED")))
def test_the_kubelet_leaves_every_literal_alone(text: str, variables: dict[str, str]) -> None:
    assert expanded(literal(text), variables) == text


def test_everything_that_the_kubelet_expands_is_literal() -> None:
    text = "$$(HOME)"
    spelt = as_literal(text)
    other: JSON = {"name": "c", "image": IMAGE, "command": [spelt], "args": [spelt], "env": {"A": spelt}}
    found = pod(
        command=[spelt],
        args=[spelt],
        env={"A": spelt},
        health={"command": [text], "liveness": {"command": [text]}},
        sidecars=[other],
    )
    server_, sidecar = found["containers"]
    written = [text for one in (server_, sidecar) for text in (*one["command"], *one["args"], one["env"][0]["value"])]
    written += [server_[f"{kind}Probe"]["exec"]["command"][0] for kind in ("startup", "readiness", "liveness")]
    assert [expanded(word, {"HOME": "x"}) for word in written] == [text] * 9


# ---------------------------------------------------------------------------------------------
# Labels.


def test_labels_of_the_spec_stand_beside_ours() -> None:
    found = server("demo", {"labels": {"team": "a"}})
    assert object_labels(found) == {
        "app.kubernetes.io/name": "mcp-demo",
        "app.kubernetes.io/component": "mcp-server",
        "app.kubernetes.io/managed-by": "mcpctl",
        "app.kubernetes.io/part-of": "mcp",
        "mcpctl.io/managed": "true",
        "mcpctl.io/server": "demo",
        "team": "a",
    }


def test_the_selector_never_changes_with_other_fields() -> None:
    """It cannot be changed in a Deployment that exists."""
    plain = objects()["deployment"]["spec"]["selector"]["matchLabels"]
    assert plain.items() <= object_labels(server()).items()
    assert objects(resourceName="other", replicas=3)["deployment"]["spec"]["selector"]["matchLabels"] == plain


# ---------------------------------------------------------------------------------------------
# Environment.


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ("x", {"value": "x"}),
        ("", {"value": ""}),
        ({"secret": "s", "key": "k"}, {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        (
            {"secret": "s", "key": "k", "optional": True},
            {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        ),
        ({"configMap": "m", "key": "k"}, {"valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}),
    ],
    ids=str,
)
def test_env(value: JSON, entry: dict[str, JSON]) -> None:
    assert container(env={"A": value})["env"] == [{"name": "A", **entry}]


def test_env_of_the_spec_wins_over_the_caches() -> None:
    names = [item["name"] for item in container(package=NPM, env={"HOME": "/data", "Z": "1"})["env"]]
    assert sorted(names) == sorted(set(names))
    assert {"name": "HOME", "value": "/data"} in container(package=NPM, env={"HOME": "/data"})["env"]
    assert {"name": "HOME", "value": "/mcp-cache"} in container(package=NPM)["env"]


def test_env_keeps_the_order_of_the_spec() -> None:
    assert [item["name"] for item in container(env={"Z": "1", "A": "2"})["env"]] == ["Z", "A"]


def test_env_from() -> None:
    found = container(envFrom=[{"secret": "s"}, {"configMap": "m", "optional": True}])["envFrom"]
    assert found == [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "m", "optional": True}}]


# ---------------------------------------------------------------------------------------------
# Probes.


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({}, {"tcpSocket": {"port": "mcp"}}),
        ({"health": {"path": "/h"}}, {"httpGet": {"path": "/h", "port": "mcp"}}),
        ({"health": {"path": "/h", "port": 8080}}, {"httpGet": {"path": "/h", "port": "mcp"}}),
        ({"health": {"path": "/h", "port": 9000}}, {"httpGet": {"path": "/h", "port": 9000}}),
        ({"health": {"command": ["/c", "-q"]}}, {"exec": {"command": ["/c", "-q"]}}),
        (
            {"package": NPM, "transport": {"bridge": "supergateway"}, "access": "none"},
            {"httpGet": {"path": "/healthz", "port": "mcp"}},
        ),
        (
            {"package": PYPI, "health": {"mcp": False}, "access": "none"},
            {"httpGet": {"path": "/status", "port": "mcp"}},
        ),
        ({"image": IMAGE, "command": ["x"]}, {"httpGet": {"path": "/healthz/ready", "port": 15021}}),
    ],
    ids=str,
)
def test_probe_actions(fields: dict[str, JSON], action: dict[str, JSON]) -> None:
    found = container(**fields)
    probes = [found[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    own = {"tcpSocket": {"port": "mcp"}} if "health" in fields and "package" not in fields else action
    assert [
        {name: probe[name] for name in probe if "econds" not in name and name != "failureThreshold"} for probe in probes
    ] == [own, action, own]


@pytest.mark.parametrize(("startup", "failures"), [(0, 1), (1, 1), (5, 1), (6, 2), (120, 24), (121, 25)])
def test_startup_attempts_fill_the_time(startup: int, failures: int) -> None:
    assert container(health={"startupSeconds": startup})["startupProbe"]["failureThreshold"] == failures


@pytest.mark.parametrize(
    ("fields", "size", "failures"),
    [
        ({"package": PYPI}, "1Gi", 60),
        ({"package": NPM, "size": "small"}, "1Gi", 60),
        ({"package": NPM, "transport": {"bridge": "mcp-proxy"}, "size": "medium"}, "2Gi", 60),
        ({"package": NPM, "size": "large"}, "4Gi", 60),
        ({"package": {**PYPI, "cacheSize": "3Gi"}, "size": "large", "health": {"startupSeconds": 900}}, "3Gi", 180),
    ],
)
def test_a_download_has_room_and_time(fields: dict[str, JSON], size: str, failures: int) -> None:
    found = pod(**fields)
    mounted = {mount["mountPath"]: mount["name"] for mount in found["containers"][0]["volumeMounts"]}
    limits = {volume["name"]: volume["emptyDir"] for volume in found["volumes"] if "emptyDir" in volume}
    assert limits[mounted["/mcp-cache"]] == {"sizeLimit": size}
    assert found["containers"][0]["startupProbe"]["failureThreshold"] == failures
    assert container()["startupProbe"]["failureThreshold"] == 24, "an image downloads nothing"


@pytest.mark.parametrize(("startup", "deadline"), [(540, None), (541, 601), (3600, 3660)])
def test_a_long_start_is_no_failed_rollout(startup: int, deadline: int | None) -> None:
    spec = objects(package=PYPI, health={"startupSeconds": startup})["deployment"]["spec"]
    assert spec.get("progressDeadlineSeconds") == deadline


def test_every_handler_of_a_probe_is_rendered() -> None:
    liveness: JSON = {"grpc": {"service": "live"}, "port": 9001}
    headers: JSON = {"Host": "localhost", "X-Check": 'a: "b" $C'}
    found = container(
        transport={"type": "streamable-http", "port": 8000},
        health={"path": "/readyz", "scheme": "HTTPS", "headers": headers, "liveness": liveness},
    )
    sent = [{"name": "Host", "value": "localhost"}, {"name": "X-Check", "value": 'a: "b" $C'}]
    expected = {"path": "/readyz", "port": "mcp", "scheme": "HTTPS", "httpHeaders": sent}
    assert found["readinessProbe"]["httpGet"] == expected
    assert found["livenessProbe"]["grpc"] == found["startupProbe"]["grpc"] == {"port": 9001, "service": "live"}
    without = container(health={"grpc": {}})
    assert without["readinessProbe"]["grpc"] == {"port": 8080}, "a probe of gRPC takes no name of a port"
    assert without["livenessProbe"]["tcpSocket"] == {"port": "mcp"}
    off = container(health={"path": "/readyz", "liveness": {"enabled": False}})
    assert off.keys() & {"startupProbe", "readinessProbe", "livenessProbe"} == {"readinessProbe"}


def test_liveness_is_more_patient_than_readiness() -> None:
    found = container(health={"failureThreshold": 4, "periodSeconds": 7, "timeoutSeconds": 2})
    ready, live = (found[f"{kind}Probe"] for kind in ("readiness", "liveness"))
    assert (ready["failureThreshold"], live["failureThreshold"]) == (4, 8)
    assert {(probe["periodSeconds"], probe["timeoutSeconds"]) for probe in (ready, live)} == {(7, 2)}


def test_no_probe() -> None:
    assert not [name for name in container(health={"enabled": False}) if name.endswith("Probe")]


# ---------------------------------------------------------------------------------------------
# Volumes and files.


def consistent(found: dict[str, Any], claims: tuple[str, ...] = ()) -> None:
    """Every mount has its volume, no name and no path is there twice."""
    guards = {
        mount["name"] for one in found["initContainers"] if one["name"] == "guard" for mount in one["volumeMounts"]
    }
    volumes = [volume["name"] for volume in found["volumes"] if volume["name"] not in guards]
    server_ = next(c for c in found["containers"] if c["name"] == "mcp-server")
    mounts = [mount["name"] for mount in server_["volumeMounts"]]
    assert len(set(volumes)) == len(volumes)
    assert set(mounts) == {*volumes, *claims}
    paths = [mount["mountPath"] for mount in server_["volumeMounts"]]
    assert len(set(paths)) == len(paths)
    assert {mount["name"] for one in found["initContainers"] for mount in one["volumeMounts"]} <= {*volumes, *guards}


STORAGE_NAMES = ("data", "files", "file-1", "writable-0", "mcp-bridge", "files-mcpctl")


@pytest.mark.parametrize("workload", ["Deployment", "StatefulSet", "Pod"])
@pytest.mark.parametrize("name", STORAGE_NAMES)
def test_no_name_of_a_volume_of_the_spec_meets_one_of_ours(name: str, workload: str) -> None:
    files: JSON = {"/a": {"content": "x"}, "/b": {"secret": "s", "key": "k"}}
    storage: JSON = [{"name": name, "size": "1Gi", "mountPath": "/d"}]
    found = pod(image=IMAGE, command=["x"], workload=workload, files=files, storage=storage)
    consistent(found, (name,) if workload == "StatefulSet" else ())


def test_all_names_of_ours_taken_at_once() -> None:
    storage: JSON = [{"name": name, "size": "1Gi", "mountPath": f"/own/{name}"} for name in STORAGE_NAMES]
    files: JSON = {"/a": {"content": "x"}, "/b": {"secret": "s", "key": "k"}}
    consistent(pod(image=IMAGE, command=["x"], storage=storage, files=files))


def test_files_are_mounted_one_by_one_and_read_only() -> None:
    files: JSON = {"/etc/a.yaml": {"content": "x", "mode": "0440"}, "/etc/k": {"secret": "s", "key": "kk"}}
    assert config_data(files=files) == {"a.yaml": "x"}
    found = pod(files=files)
    mounts = found["containers"][0]["volumeMounts"]
    assert {"name": "files", "mountPath": "/etc/a.yaml", "subPath": "a.yaml", "readOnly": True} in mounts
    assert {"name": "file-1", "mountPath": "/etc/k", "subPath": "kk", "readOnly": True} in mounts
    items = [{"key": "a.yaml", "path": "a.yaml", "mode": 0o440}]
    assert {"name": "files", "configMap": {"name": "mcp-demo-files", "items": items}} in found["volumes"]
    items = [{"key": "kk", "path": "kk", "mode": 0o444}]
    assert {"name": "file-1", "secret": {"secretName": "s", "items": items}} in found["volumes"]


def test_a_whole_secret_is_a_folder_that_follows_its_rotation() -> None:
    files: JSON = {"/etc/tls": {"secret": "tls", "mode": "0440"}, "/etc/site": {"configMap": "site"}}
    found = pod(files=files)
    mounts = {mount["mountPath"]: mount for mount in found["containers"][0]["volumeMounts"]}
    assert mounts["/etc/tls"] == {"name": "file-0", "mountPath": "/etc/tls", "readOnly": True}, "no subPath"
    assert mounts["/etc/site"] == {"name": "file-1", "mountPath": "/etc/site", "readOnly": True}
    assert found["volumes"][:2] == [
        {"name": "file-0", "secret": {"secretName": "tls", "defaultMode": 0o440}},
        {"name": "file-1", "configMap": {"name": "site", "defaultMode": 0o444}},
    ]
    text = texts("kubernetes", spec(files={"/etc/key": {"secret": "tls", "key": "k"}}))["demo/deployment.yaml"]
    assert "a running pod never sees it change" in text


def test_files_of_somebody_elses_config_map() -> None:
    files: JSON = {"/etc/k": {"configMap": "m", "key": "kk"}}
    assert "configmap" not in objects(files=files)
    assert pod(files=files)["volumes"][0]["configMap"]["name"] == "m"


@pytest.mark.parametrize(
    ("paths", "keys"),
    [
        (["/etc/config.yaml"], ["config.yaml"]),
        (["/a/x", "/b/x"], ["x", "b_x"]),
        (["/a/b/x", "/c/b/x", "/b/x"], ["x", "b_x", "b_x.2"]),
        (["/a b", "/a+b", "/a~b"], ["a-b", "a-b.2", "a-b.3"]),
        (["/é", "/ü"], ["-", "-.2"]),
        (["/..data"], ["_..data"]),
        (["/x/..data", "/y/..data"], ["_..data", "y_..data"]),
        (["/..."], ["_..."]),
        (["/.hidden"], [".hidden"]),
        (["/" + "n" * 255], ["n" * 240]),
    ],
    ids=str,
)
def test_keys_of_files(paths: list[str], keys: list[str]) -> None:
    assert list(config_data(files={path: {"content": path} for path in paths})) == keys


STEPS = st.text("ab.-_ é", min_size=1, max_size=4).filter(lambda step: step not in (".", ".."))
PATHS = st.lists(STEPS, min_size=1, max_size=3).map(lambda steps: "/" + "/".join(steps))


def _not_below_one_another(paths: set[str]) -> bool:
    return not any(other.startswith(f"{path}/") for path in paths for other in paths)


@given(st.sets(PATHS, min_size=1, max_size=8).filter(_not_below_one_another))
def test_keys_are_distinct_and_what_an_api_server_takes(paths: set[str]) -> None:
    found = objects(files={path: {"content": path} for path in sorted(paths)})
    data = found["configmap"]["data"]
    mounts = found["deployment"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert sorted(data.values()) == sorted(paths)
    for key in data:
        assert re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key)
        assert key != "."
        assert not key.startswith("..")
    mounted = {mount["mountPath"]: mount["subPath"] for mount in mounts if mount["name"] == "files"}
    assert {path: data[key] for path, key in mounted.items()} == {path: path for path in paths}


@pytest.mark.parametrize(
    ("files", "same"),
    [
        ({"/a": {"content": "x"}}, True),
        ({"/a": {"content": "x", "mode": "0444"}}, True),
        ({"/a": {"content": "y"}}, False),
        ({"/a": {"content": "x\n"}}, False),
        ({"/b": {"content": "x"}}, False),
        ({"/a": {"content": "x"}, "/b": {"content": ""}}, False),
    ],
    ids=str,
)
def test_the_checksum_changes_with_the_content(files: JSON, same: bool) -> None:
    one: JSON = {"/a": {"content": "x"}}
    before, after = pod_annotations(files=one), pod_annotations(files=files)
    assert list(after) == ["mcpctl.io/config-checksum"]
    assert (before == after) is same


def test_the_checksum_does_not_depend_on_the_order_of_the_files() -> None:
    one: JSON = {"/a": {"content": "1"}, "/b": {"content": "2"}}
    two: JSON = {"/b": {"content": "2"}, "/a": {"content": "1"}}
    assert pod_annotations(files=one) == pod_annotations(files=two)


def test_no_checksum_without_content() -> None:
    assert pod_annotations(files={"/a": {"secret": "s", "key": "k"}}) == {}


def test_writable_paths_are_sized() -> None:
    found = pod(security={"writablePaths": ["/tmp", {"path": "/c", "size": "1Gi"}]})
    assert found["volumes"] == [
        {"name": "writable-0", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "writable-1", "emptyDir": {"sizeLimit": "1Gi"}},
    ]


@pytest.mark.parametrize("workload", ["Deployment", "Pod"])
def test_storage_is_claimed(workload: str) -> None:
    fields: dict[str, JSON] = {"workload": workload, "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}]}
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "mcp-demo-data"}}
    assert claim in pod(**fields)["volumes"]
    assert objects(**fields)["persistentvolumeclaim-data"]["metadata"]["name"] == "mcp-demo-data"


def test_a_stateful_set_claims_by_itself() -> None:
    found = pod(workload="StatefulSet", storage=[{"name": "data", "size": "1Gi", "mountPath": "/data"}])
    assert "data" not in [volume["name"] for volume in found["volumes"]]


@pytest.mark.parametrize(
    ("modes", "recreate"), [(["ReadWriteOnce"], True), (["ReadWriteMany"], False), (["ReadOnlyMany"], False)]
)
def test_a_volume_of_one_pod_means_recreating(modes: list[JSON], recreate: bool) -> None:
    storage: JSON = [{"name": "data", "size": "1Gi", "mountPath": "/data", "accessModes": modes}]
    strategy = {True: "Recreate", False: "RollingUpdate"}
    assert objects(storage=storage)["deployment"]["spec"]["strategy"]["type"] == strategy[recreate]
    assert objects()["deployment"]["spec"]["strategy"]["type"] == strategy[False]


def test_amounts_that_are_not_said_are_not_rendered() -> None:
    found = container(resources={"limits": {"memory": "1Gi"}})["resources"]
    assert found == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "1Gi"}}


def test_protocol_of_a_bridge_is_what_it_serves() -> None:
    assert server(package=NPM).transport.served == "streamable-http"
    assert server(image=IMAGE, transport={"type": "sse"}).transport.served == "sse"
    assert server(image=IMAGE, transport=HTTP).transport.served == "streamable-http"


def test_nothing_listens_without_a_bridge() -> None:
    fields: dict[str, JSON] = {"image": IMAGE, "transport": {"bridge": "none"}}
    found = container(**fields)
    assert ("ports" not in found, found["stdin"]) == (True, True)
    assert objects(**fields)["networkpolicy"]["spec"]["ingress"] == []
