"""The table of objects: what of each kind is rendered, under which name, in which order."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from renderer import assets
from renderer.model import JSON, Answerer, NetworkPolicyProvider
from renderer.targets.kubernetes.objects import OBJECTS
from tests.oracles import yaml_read
from tests.specs import HTTP, IMAGE, NPM, OPTIONS, spec, texts

DATA: JSON = [{"name": "data", "size": "1Gi", "mountPath": "/data"}]
FILES: JSON = {"/a": {"content": "x"}}


def kinds(**fields: JSON) -> list[str]:
    """Of the server's own objects."""
    return [found["kind"] for path, found in objects(**fields).items() if "/" in path]


def objects(**fields: JSON) -> dict[str, Any]:
    return {path: yaml_read(text) for path, text in texts("kubernetes", spec(**fields)).items()}


def test_every_template_of_the_table_exists_and_every_other_is_included() -> None:
    names = {name for name in assets.names("templates") if name.startswith("kubernetes/")}
    beside = {"kubernetes/kustomization.yaml.j2", "kubernetes/secret.yaml.example.j2"}
    rules = {name for name in names if name.startswith("kubernetes/namespace")}
    used = {kind.template for kind in OBJECTS} | rules | beside
    included = {
        found
        for name in names
        for found in re.findall(r"{% (?:include|import) '([^']+)'", assets.read(f"templates/{name}").decode())
    }
    assert names == used | included
    assert not used & included


def test_each_line_of_the_table_renders_its_kind() -> None:
    for kind in OBJECTS:
        assert f"\nkind: {kind.kind}\n" in assets.read(f"templates/{kind.template}").decode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["ServiceAccount", "NetworkPolicy", "Service", "Deployment"]),
        (
            {"files": FILES, "storage": DATA},
            [
                *("ServiceAccount", "NetworkPolicy", "ConfigMap"),
                *("PersistentVolumeClaim", "Service", "Deployment"),
            ],
        ),
        (
            {"workload": "StatefulSet", "storage": DATA},
            ["ServiceAccount", "NetworkPolicy", "Service", "StatefulSet"],
        ),
        ({"workload": "Pod"}, ["ServiceAccount", "NetworkPolicy", "Service", "Pod"]),
        (
            {"serviceAccount": {"create": False, "name": "default"}},
            ["NetworkPolicy", "Service", "Deployment"],
        ),
        (
            {"image": IMAGE, "transport": {"bridge": "none"}},
            ["ServiceAccount", "NetworkPolicy", "Deployment"],
        ),
        ({"files": {"/a": {"secret": "s", "key": "k"}}}, kinds()),
        (
            {"package": NPM},  # the program that checks it, and its guard
            ["ServiceAccount", "NetworkPolicy", "ConfigMap", "ConfigMap", "Service", "Deployment"],
        ),
    ],
    ids=str,
)
def test_kinds_in_order_of_application(fields: dict[str, JSON], expected: list[str]) -> None:
    assert kinds(**fields) == expected


def test_two_servers_follow_one_another() -> None:
    found = texts("kubernetes", spec("one"), spec("two"))
    assert list(found) == [
        "namespace.yaml",
        "serviceaccount.yaml",
        "networkpolicy.yaml",
        *(f"one/{stem}.yaml" for stem in ("serviceaccount", "networkpolicy", "service", "deployment")),
        *(f"two/{stem}.yaml" for stem in ("serviceaccount", "networkpolicy", "service", "deployment")),
    ]


def test_no_namespace_when_somebody_else_keeps_it() -> None:
    found = texts("kubernetes", spec(), options=OPTIONS._replace(create_namespace=False))
    assert all("/" in path for path in found)
    assert all(yaml_read(text)["metadata"]["namespace"] == OPTIONS.namespace for text in found.values())


def test_the_namespace_enforces_pod_security_of_the_chosen_version() -> None:
    options = OPTIONS._replace(kubernetes_version="1.30", namespace="other", create_namespace=True)
    found = texts("kubernetes", spec(), options=options)
    namespace = yaml_read(found["namespace.yaml"])
    assert namespace["metadata"]["name"] == "other"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"] == "v1.30"


@pytest.mark.parametrize("provider", get_args(NetworkPolicyProvider))
def test_what_governs_our_namespace(provider: NetworkPolicyProvider) -> None:
    dns = (Answerer(5353, namespace="openshift-dns"), Answerer(53, cidr="169.254.20.10/32"))
    options = OPTIONS._replace(network_policy_provider=provider, dns=dns)
    found = {path: yaml_read(text) for path, text in texts("kubernetes", spec(), options=options).items()}
    account = found["serviceaccount.yaml"]
    assert account["metadata"]["name"] == "default"
    assert account["automountServiceAccountToken"] is False
    if provider == "none":
        assert "networkpolicy.yaml" not in found
        return
    policy = found["networkpolicy.yaml"]["spec"]
    assert policy["podSelector"] == {}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == []
    ports = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 5353, 5353]
    if provider == "kubernetes":  # where a server restricts its egress, DNS is open to the same pods and addresses
        closed = spec(network={"egress": {}})
        own = yaml_read(texts("kubernetes", closed, options=options)["demo/networkpolicy.yaml"])["spec"]
        assert own["egress"] == policy["egress"]


def test_without_dns_nothing_is_open() -> None:
    found = texts("kubernetes", spec(), options=OPTIONS._replace(dns=()))
    assert yaml_read(found["networkpolicy.yaml"])["spec"]["egress"] == []


def test_nothing_governs_a_namespace_of_others() -> None:
    found = texts("kubernetes", spec(sandbox={"create": False}), options=OPTIONS._replace(namespace="team-a"))
    accounts = [path for path in found if "serviceaccount" in path]
    assert [path for path in found if "/" not in path] == []
    assert accounts == ["demo/serviceaccount.yaml"]


def test_names_of_objects() -> None:
    found = objects(resourceName="other", files=FILES, storage=DATA, serviceAccount={"name": "readers"})
    assert {path.partition("/")[2]: obj["metadata"]["name"] for path, obj in found.items() if "/" in path} == {
        "serviceaccount.yaml": "readers",
        "networkpolicy.yaml": "other-netpol",
        "configmap.yaml": "other-files",
        "persistentvolumeclaim-data.yaml": "other-data",
        "service.yaml": "other",
        "deployment.yaml": "other",
    }


def test_labels_and_annotations_of_the_spec_are_on_every_object() -> None:
    metadata: dict[str, JSON] = {"labels": {"team": "a"}, "annotations": {"example.com/b": "c"}}
    document = spec("demo", metadata, files=FILES, storage=DATA)
    for path, text in texts("kubernetes", document).items():
        found = yaml_read(text)["metadata"]
        if "/" in path:
            assert found["labels"]["team"] == "a"
            assert found["labels"]["mcpctl.io/server"] == "demo"
            assert found["annotations"]["example.com/b"] == "c"


def test_what_selects_is_what_the_pods_carry() -> None:
    for workload in ("Deployment", "StatefulSet"):
        found = objects(workload=workload)
        pods = found[f"demo/{workload.lower()}.yaml"]["spec"]
        chosen = pods["selector"]["matchLabels"]
        assert chosen.items() <= pods["template"]["metadata"]["labels"].items()
        assert found["demo/service.yaml"]["spec"]["selector"] == chosen
        assert found["demo/networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == chosen


def test_a_pod_carries_the_checksum_itself() -> None:
    annotations = objects(workload="Pod", files=FILES)["demo/pod.yaml"]["metadata"]["annotations"]
    assert "mcpctl.io/config-checksum" in annotations


def test_the_description_is_an_annotation_of_the_workload() -> None:
    assert objects(description="What it is")["demo/deployment.yaml"]["metadata"]["annotations"] == {
        "mcpctl.io/description": "What it is"
    }
    assert "annotations" not in objects()["demo/deployment.yaml"]["metadata"]


def test_a_stateful_set_holds_its_claims() -> None:
    storage: JSON = [{"name": "data", "size": "1Gi", "mountPath": "/data", "storageClass": "fast"}]
    (claim,) = objects(workload="StatefulSet", storage=storage)["demo/statefulset.yaml"]["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert "annotations" not in claim["metadata"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Gi"}},
    }


def test_transport_of_a_server_that_attaches() -> None:
    pod = objects(image=IMAGE, transport={"bridge": "none"})["demo/deployment.yaml"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["stdin"] is True
    assert "ports" not in pod["containers"][0]
    assert objects(image=IMAGE, transport=HTTP)["demo/service.yaml"]["spec"]["ports"][0]["targetPort"] == "mcp"
