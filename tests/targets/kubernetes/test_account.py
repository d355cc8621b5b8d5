"""The rights of the server's own account: roles, bindings, and the token that uses them."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.model import JSON
from renderer.prerequisites import prerequisites
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, server, spec, texts

READ: JSON = [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list"]}]


def objects(**account: JSON) -> dict[str, Any]:
    """Name of the file without ending to object."""
    found = texts("kubernetes", spec(serviceAccount=account))
    return {
        path.rpartition("/")[2].removesuffix(".yaml"): yaml_read(text) for path, text in found.items() if "/" in path
    }


def rbac(found: dict[str, Any]) -> list[str]:
    return [name for name in found if name.startswith("account-")]


def test_rules_are_a_role_of_the_namespace_with_its_binding() -> None:
    found = objects(rules=READ, name="readers")
    assert rbac(found) == ["account-role", "account-rolebinding"]
    role, binding = found["account-role"], found["account-rolebinding"]
    assert role["rules"] == READ
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == OPTIONS.namespace
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mcp-demo"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "readers", "namespace": OPTIONS.namespace}]


def test_cluster_rules_are_a_cluster_role_whose_name_holds_the_namespace() -> None:
    found = objects(clusterRules=READ)
    assert rbac(found) == ["account-clusterrole", "account-clusterrolebinding"]
    for metadata in (found[name]["metadata"] for name in rbac(found)):
        assert metadata["name"] == "mcpctl:mcp-demo"
        assert "namespace" not in metadata
    assert found["account-clusterrolebinding"]["roleRef"]["name"] == "mcpctl:mcp-demo"


def test_existing_cluster_roles_are_bound_one_by_one_and_are_prerequisites() -> None:
    found = objects(clusterRoles=["view", "system:a", "system.a"])
    stem = "account-clusterrolebinding-"
    assert rbac(found) == [f"{stem}view", f"{stem}system_a", f"{stem}system.a"]
    assert [found[name]["roleRef"]["name"] for name in rbac(found)] == ["view", "system:a", "system.a"]
    needed = prerequisites(server(serviceAccount={"clusterRoles": ["view"]}))
    assert ("ClusterRole", "view", "cluster") in [(need.kind, need.name, need.scope) for need in needed]


@pytest.mark.parametrize(
    "account", [{"rules": READ}, {"clusterRules": READ}, {"clusterRoles": ["view"]}, {"automountToken": True}, {}]
)
def test_the_token_is_mounted_only_with_rights_or_where_it_is_asked_for(account: dict[str, JSON]) -> None:
    found = objects(**account)
    for one in (found["serviceaccount"], found["deployment"]["spec"]["template"]["spec"]):
        assert one["automountServiceAccountToken"] is bool(account)


def test_without_rights_there_is_no_role() -> None:
    assert rbac(objects(name="readers", automountToken=True)) == []


def test_an_existing_account_gets_them_too() -> None:
    found = objects(create=False, name="readers", rules=READ)
    assert "serviceaccount" not in found
    assert found["account-rolebinding"]["subjects"][0]["name"] == "readers"


def test_paths_of_the_api_server_itself() -> None:
    urls: JSON = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    document = spec(serviceAccount={"clusterRules": urls})
    found = [yaml_read(text) for text in texts("kubernetes", document).values()]
    (role,) = [one for one in found if one["kind"] == "ClusterRole"]
    assert role["rules"] == [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]
    wide: JSON = [{"nonResourceURLs": ["*"], "verbs": ["get"]}]
    problems = rendered("kubernetes", spec(serviceAccount={"clusterRules": wide})).problems
    (message,) = {problem.message for problem in problems if problem.rule == "policy/cluster-wide-rights"}
    assert message == "the rule grants every path of the API server ('*'), in every namespace"


def test_rights_in_single_other_namespaces_are_bound_there_alone() -> None:
    rights: JSON = [
        {"name": "shop", "rules": READ, "clusterRoles": ["view"]},
        {"name": "prod", "clusterRoles": ["view"]},
    ]
    found = objects(namespaces=rights)
    stem = "account-rolebinding-"
    assert rbac(found) == ["account-role-shop", f"{stem}shop", f"{stem}shop-view", f"{stem}prod-view"]
    assert [found[name]["metadata"]["namespace"] for name in rbac(found)] == ["shop", "shop", "shop", "prod"]
    assert found["account-role-shop"]["rules"] == READ
    assert [(found[name]["roleRef"]["kind"], found[name]["roleRef"]["name"]) for name in rbac(found)[1:]] == [
        ("Role", "mcpctl:mcp-demo"),
        ("ClusterRole", "view"),
        ("ClusterRole", "view"),
    ]
    for name in rbac(found)[1:]:
        assert found[name]["subjects"] == [{"kind": "ServiceAccount", "name": "mcp-demo", "namespace": "mcpctl"}]
    assert found["deployment"]["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
    needed = {(need.kind, need.name) for need in prerequisites(server(serviceAccount={"namespaces": rights}))}
    assert {("Namespace", "shop"), ("Namespace", "prod"), ("ClusterRole", "view")} <= needed


def test_rights_elsewhere_are_judged_and_stand_once() -> None:
    wide: JSON = [
        {"name": "a", "clusterRoles": ["edit"]},
        {"name": "a", "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]},
    ]
    problems = rendered("kubernetes", spec(serviceAccount={"namespaces": wide})).problems
    found = {(problem.rule, problem.path) for problem in problems}
    where = "spec.serviceAccount.namespaces"
    assert {
        ("policy/wide-rights", f"{where}[0].clusterRoles[0]"),
        ("policy/wide-rights", f"{where}[1].rules[0]"),
        ("spec/account-namespace", f"{where}[1].name"),
    } <= found
