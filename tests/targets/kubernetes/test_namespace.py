"""A server in another namespace than the run's: its objects, who wins, and who looks for it."""

from __future__ import annotations

import pytest

from renderer.model import JSON
from renderer.target import Target
from renderer.targets.kubernetes import TARGET
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, rules, server, spec, texts

ELSEWHERE: dict[str, JSON] = {
    "namespace": "data",
    "env": {"TOKEN": {"secret": "db", "key": "token"}},
    "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}],
    "disruption": {"maxUnavailable": 1},
    "expose": {"host": "db.example.com", "from": []},
    "monitoring": {"port": 9090, "from": [], "alerts": {"down": {}}},
    "serviceAccount": {
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        "clusterRules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
    },
    "sandbox": {"namespace": "db-sandbox"},
}


def test_all_of_it_lies_there_and_what_points_at_it_follows() -> None:
    documents = texts("kubernetes", spec("db", **ELSEWHERE)).items()
    found = [yaml_read(text) for path, text in documents if "/" in path]
    places = {document["metadata"].get("namespace") for document in found}
    assert places == {None, "data", "db-sandbox"}
    named = {(document["kind"], document["metadata"]["name"]): document for document in found}
    assert named["ClusterRole", "data:mcp-db"]
    for kind, name in (("RoleBinding", "mcp-db-sandbox"), ("ClusterRoleBinding", "data:mcp-db")):
        assert named[kind, name]["subjects"][0]["namespace"] == "data"
    (peer,) = named["NetworkPolicy", "mcp-db-sandbox-ingress"]["spec"]["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "data"}
    assert 'namespace="data"' in named["PrometheusRule", "mcp-db"]["spec"]["groups"][0]["rules"][0]["expr"]


def test_what_it_needs_is_looked_for_there() -> None:
    output = rendered("kubernetes", spec("db", **ELSEWHERE))
    (own, *_) = [d for d in output.documents if d.path.startswith("db/")]
    assert own.outside is not None
    assert {("Namespace", "", "data"), ("Secret", "data", "db")} <= own.outside
    target: Target = TARGET
    files = {
        file.path: file.text for file in target.tree_files([server("db", **ELSEWHERE)], output.documents, OPTIONS, [])
    }
    assert "In namespace `data`" in files["db/PREREQUISITES.md"]
    assert "Namespace `data`: for `spec.namespace`" in files["db/PREREQUISITES.md"]
    assert "namespace: data" in files["db/secret.yaml.example"]


@pytest.mark.parametrize(
    ("namespace", "typed", "create", "expected", "warned"),
    [
        ("mcpctl", False, None, "data", []),
        ("team", False, True, "data", []),
        ("team", True, None, "team", ["kubernetes/namespace-option"]),
        ("data", True, None, "data", []),
        ("data", False, True, "data", []),
    ],
)
def test_an_option_stands_above_the_spec_and_the_spec_above_the_run(
    namespace: str, typed: bool, create: bool | None, expected: str, warned: list[str]
) -> None:
    options = OPTIONS._replace(namespace=namespace, namespace_typed=typed, create_namespace=create)
    output = rendered("kubernetes", spec("db", namespace="data", network={"egress": {}}), options=options)
    found = [yaml_read(document.text) for document in output.documents]
    own = [yaml_read(document.text) for document in output.documents if "/" in document.path]
    assert {document["metadata"].get("namespace") for document in own} == {expected}
    assert [rule for rule in rules(output.problems) if rule != "policy/no-digest"] == warned
    rendered_ones = [document["metadata"]["name"] for document in found if document["kind"] == "Namespace"]
    assert rendered_ones == ([namespace] if options.owns_namespace else [])


@pytest.mark.parametrize(("one_stream", "expected"), [(True, []), (False, ["mcpctl"])])
def test_no_namespace_is_rendered_that_nobody_lies_in_but_for_a_tree(one_stream: bool, expected: list[str]) -> None:
    options = OPTIONS._replace(one_stream=one_stream)
    output = rendered("kubernetes", spec("db", namespace="data", sandbox={"namespace": "boxes"}), options=options)
    assert [d.identity[1] for d in output.documents if d.identity[0] == "Namespace"] == [*expected, "boxes"]


@pytest.mark.parametrize("one_stream", [True, False])
@pytest.mark.parametrize(
    ("others", "namespace", "rule"),
    [
        (None, "data", None),
        (("ml", "data"), "data", None),
        (("ml",), "data", "kubernetes/namespace-not-allowed"),
        ((), "data", "kubernetes/namespace-not-allowed"),
        ((), "mcpctl", None),
        (None, "kube-system", "kubernetes/reserved-namespace"),
    ],
)
def test_who_forbids_it(others: tuple[str, ...] | None, namespace: str, rule: str | None, one_stream: bool) -> None:
    options = OPTIONS._replace(other_namespaces=others, one_stream=one_stream)
    output = rendered("kubernetes", spec(namespace=namespace), options=options)
    assert [r for r in rules(output.problems) if "namespace" in r] == ([rule] if rule else [])


def test_servers_that_look_for_it_in_their_own_namespace_are_told() -> None:
    db = spec(
        "db",
        namespace="data",
        network={"egress": {}, "ingress": {"from": [{"podLabels": {"mcpctl.io/server": "web"}}]}},
    )
    egress: JSON = {"services": [{"name": "mcp-db", "ports": [8080]}]}
    web = spec("web", env={"DB": "http://mcp-db:8080/mcp", "OTHER": "http://db:80/"}, network={"egress": egress})
    found = {
        (p.owner, p.path): p.hint
        for p in rendered("kubernetes", db, web).problems
        if p.rule == "kubernetes/other-namespace"
    }
    assert found == {
        ("db", "spec.network.ingress.from[0]"): "write namespace: mcpctl",
        ("web", "spec.network.egress.services[0]"): "write namespace: data",
        ("web", "spec.env.DB"): "write mcp-db.data as its host",
    }


@pytest.mark.parametrize(
    ("admitted", "caller", "warned"),
    [
        (None, None, True),  # the local proxies of clients alone
        ([], None, True),
        ([{"podLabels": {"mcpctl.io/server": "web"}}], None, False),
        ([{"podLabels": {"mcpctl.io/server": "other"}}], None, True),
        ([{"podLabels": {"team": "a"}}], None, False),
        ([{"podLabels": {}}], "web", True),
        ([{"namespace": "web"}], "web", False),
        ([{"namespace": "web"}], None, True),
        ([{"namespaceLabels": {}}], "web", False),
        ([{"namespaceLabels": {}, "podLabels": {"team": "b"}}], "web", True),
        ([{"namespaceLabels": {"stage": "x"}}], "web", False),  # nobody knows
        ([{"cidr": "10.0.0.0/8"}], "web", False),
    ],
)
def test_a_server_that_does_not_admit_its_caller_is_a_warning(admitted: JSON, caller: str | None, warned: bool) -> None:
    network: dict[str, JSON] = {"network": {"ingress": {"from": admitted}}}
    db = spec("db", **({} if admitted is None else network))
    calls: dict[str, JSON] = {"network": {"egress": {"servers": ["db"]}}}
    web = spec("web", {"labels": {"team": "a"}}, **calls, **({"namespace": caller} if caller else {}))
    problems = [p for p in rendered("kubernetes", db, web).problems if p.rule == "kubernetes/server-not-admitted"]
    namespace = f"namespace: {caller}, " if caller else ""
    peer = f"{{{namespace}podLabels: {{mcpctl.io/server: web}}}}"
    expected = ("web", "spec.network.egress.servers[0]", f"add to network.ingress.from of db: {peer}")
    assert [(p.owner, p.path, p.hint) for p in problems] == [expected] * warned
    helped = spec("db", network={"ingress": {"from": [yaml_read(peer)]}})
    assert "kubernetes/server-not-admitted" not in rules(rendered("kubernetes", helped, web).problems)
    open_to_all = OPTIONS._replace(network_policy_provider="none")
    assert "kubernetes/server-not-admitted" not in rules(rendered("kubernetes", db, web, options=open_to_all).problems)


def test_what_a_server_is_exposed_to_may_call_it_too() -> None:
    web = spec("web", network={"egress": {"servers": ["db"]}})
    exposed: JSON = {"type": "Ingress", "host": "db.example.com", "tls": {}, "from": [{"namespaceLabels": {}}]}
    db = spec("db", expose=exposed, access="none")
    assert "kubernetes/server-not-admitted" not in rules(rendered("kubernetes", db, web).problems)


def test_names_are_of_a_namespace() -> None:
    again: dict[str, JSON] = {"resourceName": "db"}
    elsewhere = spec("two", namespace="data", **again)
    assert "spec/duplicate-resource-name" not in rules(rendered("kubernetes", spec("one", **again), elsewhere).problems)
    assert "spec/duplicate-resource-name" in rules(
        rendered("kubernetes", spec("one", **again), spec("two", **again)).problems
    )
