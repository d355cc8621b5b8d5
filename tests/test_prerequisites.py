"""What must be in a cluster first: every reference of a spec to something that is not rendered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from renderer.model import JSON
from renderer.prerequisites import as_data, as_json, as_markdown, prerequisites
from tests.specs import IMAGE, server

#: What every server needs.
CNI = ("Component", "a network plugin (CNI) that enforces NetworkPolicies")
VAULT: JSON = {"name": "vault", "kind": "ClusterSecretStore"}
TOKEN: JSON = {"secret": "s", "key": "token"}


def found(**fields: JSON) -> list[tuple[str, str]]:
    """Kind and name of each, but for what every server needs."""
    return [(one.kind, one.name) for one in prerequisites(server(**fields)) if (one.kind, one.name) != CNI]


def test_a_network_plugin_and_nothing_else() -> None:
    assert [(one.kind, one.name) for one in prerequisites(server())] == [CNI]


def test_another_plugin_for_other_policies() -> None:
    crd, cilium = prerequisites(server(), "cilium")
    assert (crd.kind, crd.name) == ("CustomResourceDefinition", "ciliumnetworkpolicies.cilium.io")
    assert "Cilium" in cilium.name
    assert prerequisites(server(), "none") == ()
    assert "Cilium" in as_markdown(server(), "n", "cilium")
    assert "ciliumnetworkpolicies" in as_json([server()], "n", "cilium")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"env": {"A": TOKEN}}, [("Secret", "s")]),
        ({"env": {"A": {"configMap": "c", "key": "k"}}}, [("ConfigMap", "c")]),
        ({"env": {"A": "text"}}, []),
        ({"envFrom": [{"secret": "s"}, {"configMap": "c"}]}, [("Secret", "s"), ("ConfigMap", "c")]),
        ({"files": {"/a": TOKEN, "/b": {"content": "x"}}}, [("Secret", "s")]),
        ({"sidecars": [{"name": "side", "image": IMAGE, "env": {"A": TOKEN}}]}, [("Secret", "s")]),
        ({"initContainers": [{"name": "init", "image": IMAGE, "env": {"A": TOKEN}}]}, [("Secret", "s")]),
        ({"imagePullSecrets": ["registry"]}, [("Secret", "registry")]),
        (
            {"storage": [{"name": "d", "size": "1Gi", "mountPath": "/d", "storageClass": "fast"}]},
            [("StorageClass", "fast")],
        ),
        (
            {"storage": [{"name": "d", "size": "1Gi", "mountPath": "/d"}]},
            [("Component", "a default StorageClass")],
        ),
        ({"runtimeClass": "gvisor"}, [("RuntimeClass", "gvisor")]),
        ({"scheduling": {"priorityClassName": "high"}}, [("PriorityClass", "high")]),
        ({"serviceAccount": {"create": False, "name": "readers"}}, [("ServiceAccount", "readers")]),
        ({"serviceAccount": {"create": False, "name": "default"}}, []),
        (
            {"gpu": {"product": "NVIDIA-H100-80GB-HBM3", "count": 1}},
            [("Component", "nodes with NVIDIA GPUs, their device plugin and GPU feature discovery")],
        ),
        (
            {"autoscaling": {"min": 1, "max": 2}},
            [("Component", "the metrics server (metrics.k8s.io)")],
        ),
        (
            {"expose": {"host": "a.example", "className": "nginx", "tls": {"secret": "t"}}},
            [("Secret", "t"), ("IngressClass", "nginx"), ("Component", "an ingress controller")],
        ),
        (
            {"expose": {"type": "HTTPRoute", "host": "a.example", "gateway": {"name": "g", "namespace": "n"}}},
            [
                ("CustomResourceDefinition", "httproutes.gateway.networking.k8s.io"),
                ("Gateway", "g"),
                ("Component", "a controller of the Gateway API, in version 1.2 or later"),
            ],
        ),
        (
            {"monitoring": {"port": 9090, "alerts": {"down": {}}}},
            [
                ("CustomResourceDefinition", "servicemonitors.monitoring.coreos.com"),
                ("CustomResourceDefinition", "prometheusrules.monitoring.coreos.com"),
            ],
        ),
        ({"monitoring": {"port": 9090, "scrape": "annotations"}}, []),
        (
            {
                "env": {"A": TOKEN},
                "externalSecrets": [{"name": "s", "store": VAULT, "keys": [{"key": "token", "remoteKey": "x"}]}],
            },
            [
                ("CustomResourceDefinition", "externalsecrets.external-secrets.io"),
                ("ClusterSecretStore", "vault"),
                ("Component", "the External Secrets Operator, in version 0.16 or later"),
            ],
        ),
        (
            {"sandbox": {"create": False, "runtimeClass": {"name": "kata", "create": False}}},
            [("Namespace", "mcp-sandboxes"), ("RuntimeClass", "kata")],
        ),
        (
            {"sandbox": {"runtimeClass": {}}, "runtimeClass": "gvisor"},
            [("Component", "nodes whose container runtime has the handler runsc")],
        ),
    ],
    ids=str,
)
def test_each_reference_is_one(fields: dict[str, JSON], expected: list[tuple[str, str]]) -> None:
    assert found(**fields) == expected


def test_keys_of_one_secret_stand_together_and_it_is_needed_when_one_of_them_is() -> None:
    fields: dict[str, JSON] = {
        "env": {
            "A": {"secret": "s", "key": "a", "optional": True},
            "B": {"secret": "s", "key": "b"},
            "C": {"secret": "s", "key": "c", "optional": True},
            "D": {"secret": "t", "key": "d", "optional": True},
        },
        "files": {"/c": {"secret": "s", "key": "c"}},
    }
    one, other = (p for p in prerequisites(server(**fields)) if p.kind == "Secret")
    assert (one.name, one.keys, one.optional_keys, one.optional) == ("s", ("a", "b", "c"), ("a",), False)
    assert one.reasons == ("env.A", "env.B", "env.C", "files./c")
    assert (other.name, other.keys, other.optional) == ("t", ("d",), True)


def test_secrets_of_a_kind() -> None:
    fields: dict[str, JSON] = {
        "imagePullSecrets": ["registry"],
        "expose": {"host": "a.example", "tls": {"secret": "tls"}},
    }
    types = {one.name: (one.type, one.keys) for one in prerequisites(server(**fields)) if one.kind == "Secret"}
    assert types == {
        "registry": ("kubernetes.io/dockerconfigjson", (".dockerconfigjson",)),
        "tls": ("kubernetes.io/tls", ("tls.crt", "tls.key")),
    }


def test_data_says_only_what_applies() -> None:
    gateway: JSON = {"name": "g", "namespace": "n"}
    fields: dict[str, JSON] = {
        "env": {"A": TOKEN},
        "expose": {"type": "HTTPRoute", "host": "a.example", "gateway": gateway},
    }
    data: Any = as_data(server(**fields), "mine")
    assert (data["server"], data["namespace"]) == ("demo", "mine")
    by_kind = {one["kind"]: one for one in data["prerequisites"]}
    assert by_kind["Secret"] == {
        "kind": "Secret",
        "name": "s",
        "namespace": "mine",
        "keys": ["token"],
        "neededBy": ["spec.env.A"],
    }
    assert by_kind["Gateway"]["namespace"] == "n"
    assert "namespace" not in by_kind["CustomResourceDefinition"]


def test_json_is_one_object_or_a_list() -> None:
    assert json.loads(as_json([server()], "n"))["server"] == "demo"
    assert [one["server"] for one in json.loads(as_json([server("a"), server("b")], "n"))] == ["a", "b"]


def test_text_is_a_list_to_tick_off() -> None:
    env: JSON = {"A": TOKEN, "B": {"secret": "s", "key": "b", "optional": True}}
    text = as_markdown(server(env=env, envFrom=[{"configMap": "c", "optional": True}], imagePullSecrets=["r"]), "n")
    assert text.startswith("# What server demo needs before it is applied\n\nIn namespace `n`")
    assert "- [ ] Secret `s` with keys `token`, `b` (optional): for `spec.env.A`, `spec.env.B`\n" in text
    assert "- [ ] ConfigMap `c` (optional): for `spec.envFrom`\n" in text
    assert "with key `.dockerconfigjson`, of type `kubernetes.io/dockerconfigjson`: for" in text
    assert text.endswith("for `spec.network`\n")
