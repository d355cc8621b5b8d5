"""The sandbox namespace: walled off, limited, and open to its server alone."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import errors_in
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, rules, spec, texts

SANDBOX: dict[str, JSON] = {"namespace": "pods", "runtimeClass": {}}
KINDS = ["Namespace", "RuntimeClass", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]
STEMS = {
    *(
        "sandbox-namespace",
        "sandbox-serviceaccount",
        "runtimeclass",
        "sandbox-role",
        "sandbox-rolebinding",
        "clusterrole",
    ),
    *("clusterrolebinding", "sandbox-networkpolicy-deny", "sandbox-networkpolicy-ingress"),
    *("sandbox-networkpolicy-egress", "sandbox-resourcequota", "sandbox-limitrange"),
}


def objects(sandbox: JSON | None = None, **fields: JSON) -> dict[str, Any]:
    """Name of the file without ending to object."""
    fields = {"sandbox": SANDBOX if sandbox is None else sandbox, **fields}
    found = texts("kubernetes", spec(**fields))
    return {
        path.rpartition("/")[2].removesuffix(".yaml"): yaml_read(text) for path, text in found.items() if "/" in path
    }


def pod(found: dict[str, Any]) -> Any:
    return found["deployment"]["spec"]["template"]["spec"]


def test_nothing_of_it_without_the_field() -> None:
    found = texts("kubernetes", spec())
    assert not [path for path in found if "sandbox" in path or "role" in path or "runtimeclass" in path]
    assert pod({"deployment": yaml_read(found["demo/deployment.yaml"])})["automountServiceAccountToken"] is False
    assert yaml_read(found["demo/serviceaccount.yaml"])["automountServiceAccountToken"] is False


def test_all_of_it_with_the_field_in_order_of_application() -> None:
    found = objects()
    assert set(found) >= STEMS
    order = [name for name in found if name in STEMS or name in ("serviceaccount", "deployment")]
    assert order[:4] == ["sandbox-namespace", "runtimeclass", "sandbox-serviceaccount", "serviceaccount"]
    assert order[-1] == "deployment"


def test_the_server_gets_its_token() -> None:
    found = objects()
    assert pod(found)["automountServiceAccountToken"] is True
    assert found["serviceaccount"]["automountServiceAccountToken"] is True


def test_objects_lie_in_the_sandbox_and_those_of_the_cluster_in_no_namespace() -> None:
    found = objects()
    for stem in STEMS:
        expected = "pods" if stem.startswith("sandbox-") and stem != "sandbox-namespace" else None
        assert found[stem]["metadata"].get("namespace") == expected, stem
        assert found[stem]["metadata"]["labels"]["app.kubernetes.io/component"] == "sandbox"
    assert found["clusterrole"]["metadata"]["name"] == "mcpctl:mcp-demo-sandbox"


def test_the_namespace_enforces_pod_security() -> None:
    document = spec("demo", {"annotations": {"example.com/a": "b"}}, sandbox=SANDBOX)
    found = texts("kubernetes", document, options=OPTIONS._replace(kubernetes_version="1.30"))
    metadata = yaml_read(found["demo/sandbox-namespace.yaml"])["metadata"]
    assert metadata["name"] == "pods"
    assert metadata["annotations"] == {"example.com/a": "b"}
    for mode in ("enforce", "warn"):
        assert metadata["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert metadata["labels"][f"pod-security.kubernetes.io/{mode}-version"] == "v1.30"


def test_rights_are_these_and_no_others() -> None:
    found = objects()
    assert found["sandbox-role"]["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "delete"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    assert found["clusterrole"]["rules"] == [
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["pods"], "verbs": ["get"]}
    ]


@pytest.mark.parametrize("stem", ["sandbox-rolebinding", "clusterrolebinding"])
def test_rights_go_to_the_servers_account_alone(stem: str) -> None:
    binding = objects(serviceAccount={"name": "readers"})[stem]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "readers", "namespace": OPTIONS.namespace}]
    role = stem.removesuffix("binding")
    assert binding["roleRef"]["name"] == objects()[role]["metadata"]["name"]
    assert binding["roleRef"]["kind"] == objects()[role]["kind"]


def test_nothing_is_open_but_what_is_named() -> None:
    found = objects()
    deny, ingress, egress = (found[f"sandbox-networkpolicy-{name}"]["spec"] for name in ("deny", "ingress", "egress"))
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}
    assert ingress["policyTypes"] == ["Ingress"]
    assert ingress["ingress"] == [
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": OPTIONS.namespace}},
                    "podSelector": {"matchLabels": {"mcpctl.io/server": "demo"}},
                }
            ]
        }
    ]
    dns, sources = egress["egress"]
    assert egress["policyTypes"] == ["Egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert sources["ports"] == [{"protocol": "TCP", "port": 443}]
    assert "10.0.0.0/8" in sources["to"][0]["ipBlock"]["except"]


def test_egress_to_blocks_and_to_dns_alone() -> None:
    blocks = objects({"egress": {"cidrs": ["10.1.0.0/16"], "ports": [9000]}})["sandbox-networkpolicy-egress"]
    assert blocks["spec"]["egress"][1] == {
        "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
        "ports": [{"protocol": "TCP", "port": 9000}],
    }
    assert len(objects({"egress": {"ports": []}})["sandbox-networkpolicy-egress"]["spec"]["egress"]) == 1


def test_quota_and_limits() -> None:
    found = objects({"quota": {"pods": 7, "limits": {"cpu": "3"}}, "limits": {"max": {"memory": "8Gi"}}})
    assert found["sandbox-resourcequota"]["spec"]["hard"] == {
        "pods": "7",
        "requests.cpu": "10",
        "requests.memory": "20Gi",
        "limits.cpu": "3",
        "limits.memory": "40Gi",
    }
    (limits,) = found["sandbox-limitrange"]["spec"]["limits"]
    assert limits["type"] == "Container"
    assert limits["max"] == {"cpu": "2", "memory": "8Gi"}
    assert set(limits) == {"type", "default", "defaultRequest", "max"}


@pytest.mark.parametrize(
    ("sandbox", "missing"),
    [
        ({"create": False, "runtimeClass": {}}, ["sandbox-namespace", "sandbox-serviceaccount"]),
        ({"runtimeClass": {"create": False}}, ["runtimeclass"]),
        ({}, ["runtimeclass"]),
    ],
    ids=str,
)
def test_what_somebody_else_keeps_is_not_made(sandbox: JSON, missing: list[str]) -> None:
    assert sorted(STEMS - set(objects(sandbox))) == missing


def test_no_namespace_is_made_where_none_may() -> None:
    found = texts("kubernetes", spec(sandbox=SANDBOX), options=OPTIONS._replace(create_namespace=False))
    assert "demo/sandbox-namespace.yaml" not in found


def test_the_runtime_class() -> None:
    found = objects({"runtimeClass": {"name": "kata", "handler": "kata-qemu"}})["runtimeclass"]
    assert (found["apiVersion"], found["metadata"]["name"], found["handler"]) == ("node.k8s.io/v1", "kata", "kata-qemu")


def test_the_spec_says_that_a_sandbox_is_ours() -> None:
    """Whosever the server's own namespace is."""
    found = texts("kubernetes", spec(sandbox=SANDBOX), options=OPTIONS._replace(namespace="other"))
    assert ("namespace.yaml" in found, "demo/sandbox-namespace.yaml" in found) == (False, True)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("name", ["default", "kube-system", "istio-system", "openshift-monitoring"])
def test_a_namespace_of_the_cluster_is_no_sandbox(name: str, create: bool) -> None:
    output = rendered("kubernetes", spec(sandbox={"namespace": name, "create": create}))
    assert "kubernetes/sandbox-namespace" in rules(errors_in(output.problems))


@pytest.mark.parametrize("sandbox", [{}, {"namespace": "mcp-sandboxes"}], ids=str)
def test_the_servers_own_namespace_is_no_sandbox(sandbox: JSON) -> None:
    output = rendered("kubernetes", spec(sandbox=sandbox), options=OPTIONS._replace(namespace="mcp-sandboxes"))
    assert "kubernetes/sandbox-namespace" in rules(errors_in(output.problems))


@pytest.mark.parametrize(
    ("provider", "egress", "told"),
    [
        ("kubernetes", {"hosts": ["api.example.com"]}, True),
        ("kubernetes", {"cidrs": ["192.0.2.10/32"]}, False),
        ("cilium", {"hosts": ["api.example.com"]}, False),
        ("none", {"hosts": ["api.example.com"]}, False),
    ],
)
def test_a_wall_without_a_way_to_the_api_server_is_told(provider: Any, egress: JSON, told: bool) -> None:
    options = OPTIONS._replace(network_policy_provider=provider)
    output = rendered("kubernetes", spec(sandbox=SANDBOX, network={"egress": egress}), options=options)
    assert errors_in(output.problems) == []
    assert ("kubernetes/api-server-assumed" in rules(output.problems)) is told


def test_objects_of_one_name_in_two_namespaces_are_two() -> None:
    one: JSON = {"namespace": "one", "runtimeClass": {"create": False}}
    output = rendered("kubernetes", spec("one", sandbox=one), spec("two", sandbox=SANDBOX))
    assert errors_in(output.problems) == []
    identities = [document.identity for document in output.documents]
    assert len(set(identities)) == len(identities)
    assert ("Role", "mcp-one-sandbox", "one") in identities
    assert ("ClusterRole", "mcpctl:mcp-one-sandbox", "") in identities


def test_objects_of_the_sandbox_can_be_patched() -> None:
    patch: JSON = {"kind": "ResourceQuota", "name": "mcp-demo-sandbox", "merge": {"spec": {"hard": {"pods": "9"}}}}
    assert objects(patches=[patch])["sandbox-resourcequota"]["spec"]["hard"]["pods"] == "9"


def test_faults_in_the_sandboxs_objects_are_found() -> None:
    patch: JSON = {"kind": "LimitRange", "merge": {"spec": {"limitz": []}}}
    output = rendered("kubernetes", spec(sandbox=SANDBOX, patches=[patch]))
    assert rules(errors_in(output.problems)) == ["kubernetes/unknown-field"]


@pytest.mark.parametrize("version", kubernetes_versions())
def test_every_version_takes_it(version: str) -> None:
    output = rendered("kubernetes", spec(sandbox=SANDBOX), options=OPTIONS._replace(kubernetes_version=version))
    assert errors_in(output.problems) == []


# ---------------------------------------------------------------------------------------------
# Secrets that an operator makes.


def test_an_external_secret() -> None:
    keys: JSON = [{"key": "a", "remoteKey": "x/y", "property": "p"}, {"key": "b", "remoteKey": "z"}]
    secret: JSON = {"name": "s", "store": {"name": "vault"}, "keys": keys}
    found = texts("kubernetes", spec(externalSecrets=[secret]))
    document = yaml_read(found["demo/externalsecret-s.yaml"])
    assert (document["apiVersion"], document["kind"]) == ("external-secrets.io/v1", "ExternalSecret")
    assert (document["metadata"]["name"], document["metadata"]["namespace"]) == ("s", OPTIONS.namespace)
    assert document["spec"] == {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "SecretStore", "name": "vault"},
        "target": {"name": "s", "creationPolicy": "Owner"},
        "data": [
            {"secretKey": "a", "remoteRef": {"key": "x/y", "property": "p"}},
            {"secretKey": "b", "remoteRef": {"key": "z"}},
        ],
    }
    order = list(found)
    assert order.index("demo/externalsecret-s.yaml") < order.index("demo/deployment.yaml")


def test_a_template_makes_the_keys_that_others_refer_to() -> None:
    template = '{"token": {{ .token | toJson }}}'
    secret: JSON = {
        "name": "s",
        "store": {"name": "vault"},
        "keys": [{"key": "token", "remoteKey": "x"}],
        "template": {"config.json": template},
        "type": "Opaque",
    }
    files: JSON = {"/app/config.json": {"secret": "s", "key": "config.json"}}
    found = texts("kubernetes", spec(externalSecrets=[secret], files=files))
    target = yaml_read(found["demo/externalsecret-s.yaml"])["spec"]["target"]
    assert target["template"] == {"engineVersion": "v2", "type": "Opaque", "data": {"config.json": template}}


@pytest.mark.parametrize(
    "merge",
    [
        {"spec": {"dataz": []}},
        {"spec": {"secretStoreRef": {"kind": "Vault"}}},
        {"spec": {"refreshInterval": "often"}},
        {"spec": {"data": [{"secretKey": "a"}]}},
        {"spec": {"target": {"creationPolicy": "Maybe"}}},
        {"spec": {"target": {"template": {"engineVersion": "v1"}}}},
        {"spec": {"target": {"template": {"data": {"a": 1}}}}},
        {"spec": {"target": {"template": {"templates": {}}}}},
    ],
    ids=str,
)
def test_the_schema_of_external_secrets_is_strict(merge: dict[str, JSON]) -> None:
    secret: JSON = {"name": "s", "store": {"name": "vault"}, "keys": [{"key": "a", "remoteKey": "x"}]}
    patch: JSON = {"kind": "ExternalSecret", "merge": merge}
    output = rendered("kubernetes", spec(externalSecrets=[secret], patches=[patch]))
    assert errors_in(output.problems)


def test_disk_minimum_and_pods_are_limited_where_the_spec_says_so() -> None:
    disk: JSON = {"ephemeralStorage": "1Gi"}
    quota: JSON = {"requests": disk, "limits": disk}
    limits: JSON = {"default": disk, "min": {"cpu": "10m"}, "podMax": {"memory": "8Gi"}}
    found = objects({**SANDBOX, "quota": quota, "limits": limits})
    hard = found["sandbox-resourcequota"]["spec"]["hard"]
    assert (hard["requests.ephemeral-storage"], hard["limits.ephemeral-storage"]) == ("1Gi", "1Gi")
    container, pod_ = found["sandbox-limitrange"]["spec"]["limits"]
    assert container["default"] == {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}
    assert container["min"] == {"cpu": "10m"}
    assert pod_ == {"type": "Pod", "max": {"memory": "8Gi"}}
    plain = objects()
    assert not any("ephemeral" in name for name in plain["sandbox-resourcequota"]["spec"]["hard"])
    (only,) = plain["sandbox-limitrange"]["spec"]["limits"]
    assert set(only) == {"type", "defaultRequest", "default", "max"}
