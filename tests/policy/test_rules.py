"""Every policy rule, fired, accepted, and explained."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from renderer import assets
from renderer.errors import Problem, Severity, UsageMistake
from renderer.model import Options
from renderer.pipeline import Output, read, render
from renderer.policy import parse_levels, policy_of
from renderer.policy.catalogue import RULES
from renderer.policy.secrets import in_value
from renderer.registry import target
from renderer.render import user_templates_in_force
from renderer.user_templates import UserTemplates
from tests.specs import HTTP, IMAGE, NPM, OPTIONS, PYPI, as_stream, spec

#: Of a form that only tokens have, and valid nowhere.
TOKEN = "ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6"
DISORDER = "3f786850e387550fdab836ed7e6dc881de23001b"
SECRET = {"secret": "mcp", "key": "key"}
CONTAINER = "/spec/template/spec/containers/0"


#: Whose namespace it is decides whether a pod below 'restricted' may be accepted.
OTHERS_NAMESPACE = OPTIONS._replace(create_namespace=False)


def run(target_name: str, levels: dict[str, Any], options: Options = OTHERS_NAMESPACE, /, **fields: Any) -> Output:
    from io import BytesIO

    specs = read(["-"], BytesIO(as_stream(spec(**fields))), parse_levels(f"{k}={v}" for k, v in levels.items()))
    return render(specs, target(target_name), options)


def add(path: str, value: Any) -> dict[str, Any]:
    """A patch of the Deployment."""
    return {"patches": [{"kind": "Deployment", "json": [{"op": "add", "path": path, "value": value}]}]}


def compose(merge: dict[str, Any]) -> dict[str, Any]:
    """A patch of the compose service."""
    return {"patches": [{"target": "compose", "kind": "service", "merge": merge}]}


def role(rules: Any) -> dict[str, Any]:
    """A patch of a ClusterRole, which a sandbox brings."""
    patch = {"kind": "ClusterRole", "merge": {"rules": rules}}
    return {"sandbox": {"namespace": "boxes"}, "serviceAccount": {"automountToken": True}, "patches": [patch]}


def account(**rights: Any) -> dict[str, Any]:
    return {"serviceAccount": rights}


def access(resource: str, *verbs: str, group: str = "", names: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": [*verbs], "resourceNames": [*names]}


def remote(query: str = "", **fields: Any) -> dict[str, Any]:
    return {"remote": {"url": f"https://mcp.example.com/mcp{query}", **fields}}


WIDE = [
    access("pods", "*"),
    access("*", "get"),
    access("pods", "get", group="*"),
    access("secrets", "list"),
    access("roles", "escalate", group="rbac.authorization.k8s.io"),
    access("clusterroles", "bind", group="rbac.authorization.k8s.io", names=("view",)),
    access("users", "impersonate"),
    access("pods/exec", "create"),
    access("pods/*", "get"),
    access("serviceaccounts/token", "create"),
    access("deployments", "get", "patch", group="apps"),
]
NARROW = [
    access("pods", "get", "list", "watch"),
    access("secrets", "get", names=("settings",)),
    access("pods/log", "get"),
    access("deployments/scale", "patch", group="apps"),
    access("configmaps", "create"),
    access("pods", "delete"),
]


def image(name: str) -> dict[str, Any]:
    return {"image": name, "transport": HTTP}


def volume(path: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"volumes": [{"name": "x", "hostPath": {"path": path}}]}}}}


CLOSED: dict[str, Any] = {"egress": {"hosts": ["api.example.com:443"]}}


def open_ways(policy: dict[str, Any]) -> dict[str, Any]:
    """A spec that restricts egress, and a patch that does not."""
    return {"network": CLOSED, "patches": [{"kind": "NetworkPolicy", "merge": {"spec": policy}}]}


SIDECAR = {"name": "side", "image": "registry.example.com/side", "env": {"PASSWORD": "hunter2"}}
STDIO = {"package": NPM, "transport": {"bridge": "supergateway"}}
RULE_CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("cluster-wide-rights", "kubernetes", role([{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}])),
    ("cluster-wide-rights", "kubernetes", role([{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}])),
    ("cluster-wide-rights", "kubernetes", role([{"apiGroups": ["*"], "resources": ["x"], "verbs": ["get"]}])),
    ("cluster-wide-rights", "kubernetes", role([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])),
    ("cluster-wide-rights", "kubernetes", role([{"apiGroups": [""], "resources": ["x"], "verbs": ["escalate"]}])),
    *(("cluster-wide-rights", "kubernetes", account(clusterRoles=[name])) for name in ("cluster-admin", "edit")),
    *(("wide-rights", "kubernetes", account(rules=[rule])) for rule in WIDE),
    *(("cluster-wide-rights", "kubernetes", account(clusterRules=[rule])) for rule in WIDE),
    (
        "wide-rights",
        "kubernetes",
        account(rules=[NARROW[0]]) | {"patches": [{"kind": "Role", "merge": {"rules": [WIDE[0]]}}]},
    ),
    ("wide-rights", "kubernetes", {"sandbox": {}, "patches": [{"kind": "Role", "merge": {"rules": [WIDE[3]]}}]}),
    (
        "cluster-wide-rights",
        "kubernetes",
        account(clusterRoles=["view"])
        | {"patches": [{"kind": "ClusterRoleBinding", "merge": {"roleRef": {"name": "admin"}}}]},
    ),
    ("docker-socket", "compose", compose({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]})),
    ("docker-socket", "kubernetes", {"patches": [{"kind": "Deployment", "merge": volume("/run/docker.sock")}]}),
    ("host-path", "compose", compose({"volumes": [{"type": "bind", "source": "/etc", "target": "/host"}]})),
    ("host-path", "compose", {"storage": [{"name": "x", "hostPath": "~/notes", "mountPath": "/x", "readOnly": True}]}),
    ("docker-socket", "compose", {"storage": [{"name": "x", "hostPath": "/run/docker.sock", "mountPath": "/x"}]}),
    ("host-path", "compose", {"compose": {"build": {"context": "../src"}}}),
    ("image-tag", "compose", {"compose": {"build": {"context": "https://example.com/a.git#main"}}}),
    ("host-path", "kubernetes", {"patches": [{"kind": "Deployment", "merge": volume("/etc")}]}),
    ("privileged", "compose", compose({"privileged": True})),
    ("privileged", "compose", compose({"pid": "host"})),
    ("privileged", "kubernetes", add("/spec/template/spec/hostPID", True)),
    ("privileged", "kubernetes", add(f"{CONTAINER}/securityContext/privileged", True)),
    ("limits", "compose", compose({"deploy": {"resources": {"limits": {"memory": None}}}})),
    (
        "limits",
        "kubernetes",
        {"patches": [{"kind": "Deployment", "json": [{"op": "remove", "path": f"{CONTAINER}/resources/limits/cpu"}]}]},
    ),
    ("image-tag", "kubernetes", image("registry.example.com:5000/demo")),
    ("image-tag", "compose", image("registry.example.com/demo:latest")),
    ("image-tag", "kubernetes", {"sidecars": [{"name": "side", "image": "registry.example.com/side:main"}]}),
    ("image-tag", "kubernetes", add(f"{CONTAINER}/image", "registry.example.com/demo:edge")),
    ("image-tag", "compose", compose({"image": "registry.example.com/demo"})),
    ("exposed-without-access", "kubernetes", {"expose": {"host": "mcp.example.com", "tls": {}}}),
    (
        "exposed-without-access",
        "compose",
        {"expose": {"host": "mcp.example.com", "tls": {}}, "access": {"origins": ["https://app.example.com"]}},
    ),
    ("ingress-tls", "kubernetes", {"expose": {"host": "mcp.example.com"}, "access": "none"}),
    (
        "ingress-tls",
        "kubernetes",
        {
            "expose": {"host": "mcp.example.com", "tls": {"secret": "tls"}},
            "access": "none",
            "patches": [{"kind": "Ingress", "merge": {"spec": {"tls": None}}}],
        },
    ),
    ("loader-variable", "kubernetes", {"env": {"LD_PRELOAD": "/x.so"}}),
    ("loader-variable", "kubernetes", {"env": {"PATH": {"secret": "x", "key": "y"}}}),
    ("loader-variable", "kubernetes", add(f"{CONTAINER}/env", [{"name": "LD_AUDIT", "value": "/x.so"}])),
    ("loader-variable", "compose", compose({"environment": {"PATH": "/x"}})),
    ("published-everywhere", "compose", {"network": {"publish": {"address": "0.0.0.0"}}}),
    ("published-everywhere", "kubernetes", {"service": {"type": "NodePort"}}),
    ("published-everywhere", "kubernetes", {"service": {"type": "LoadBalancer"}}),
    ("published-everywhere", "compose", compose({"ports": ["9999:8080"]})),
    (
        "guard-passed",
        "kubernetes",
        {"access": {}, "patches": [{"kind": "Service", "merge": {"spec": {"ports": [{"port": 8080}]}}}]},
    ),
    ("guard-passed", "compose", {"access": {}, **compose({"ports": ["127.0.0.1:9999:8000"]})}),
    ("remote-http", "kubernetes", {"remote": {"url": "http://mcp.example.com/mcp"}}),
    ("remote-http", "compose", {"remote": {"url": "http://10.0.0.5:8080/mcp"}}),
    ("secret-argument", "kubernetes", {"args": ["--key", "$(KEY)"], "env": {"KEY": SECRET}}),
    ("secret-argument", "compose", {"args": ["--key", "$(KEY)"], "env": {"KEY": SECRET}}),
    ("secret-argument", "kubernetes", {"command": ["/s", "$(URL)"], "env": {"URL": "a$(KEY)", "KEY": SECRET}}),
    ("secret-argument", "kubernetes", {"args": ["$(KEY)"], "envFrom": [{"secret": "keys"}]}),
    (
        "secret-argument",
        "kubernetes",
        {"sidecars": [{"name": "side", "image": "a.example.com/b:1", "args": ["$(KEY)"], "env": {"KEY": SECRET}}]},
    ),
    ("secret-literal", "kubernetes", {"args": ["--password", "hunter2"]}),
    ("secret-literal", "kubernetes", remote(headers={"Authorization": "Bearer hunter2hunter2"})),
    ("secret-literal", "kubernetes", remote(headers={"X-Api-Key": "hunter2hunter2"})),
    ("secret-literal", "kubernetes", remote("?token={a}", variables={"a": "https://me:hunter2@x/"})),
    ("secret-literal", "kubernetes", remote("?api_key=hunter2hunter2")),
    ("secret-literal", "kubernetes", {"args": ["--password=hunter2"]}),
    ("secret-literal", "kubernetes", {"command": ["/server", "postgres://me:hunter2@db/x"]}),
    ("secret-literal", "kubernetes", {"args": ["--header", "Authorization: Bearer hunter2hunter2"]}),
    ("secret-literal", "kubernetes", {"args": ["PASSWORD=hunter2"]}),
    ("secret-literal", "kubernetes", {"command": ["sh", "-c", "export API_KEY=hunter2; /server"]}),
    ("secret-literal", "kubernetes", {"env": {"HEADERS": '{"Authorization": "Bearer hunter2hunter2"}'}}),
    ("secret-literal", "kubernetes", {"env": {"CACHE": "redis://:hunter2@cache/0"}}),
    ("secret-literal", "kubernetes", {"env": {"DSN": "Server=db;Password=hunter2;"}}),
    ("secret-literal", "kubernetes", {"env": {"API": "https://api.example.com/v1?api_key=hunter2"}}),
    ("secret-literal", "kubernetes", {"env": {"DB_PASSWORD": "12345678"}}),
    ("secret-literal", "kubernetes", {"health": {"command": ["/check", "--password", "hunter2"]}}),
    (
        "secret-literal",
        "kubernetes",
        {"patches": [{"kind": "Deployment", "merge": {"metadata": {"annotations": {"a/b": "https://me:hunter2@x/"}}}}]},
    ),
    ("secret-literal", "kubernetes", {"files": {"/a.yaml": {"content": "a: b\npassword: hunter2\n"}}}),
    ("secret-literal", "kubernetes", add(f"{CONTAINER}/args", ["--token", "hunter2"])),
    ("secret-literal", "compose", compose({"environment": {"DB_PASSWORD": "hunter2"}})),
    ("high-entropy", "kubernetes", {"env": {"VALUE": DISORDER}}),
    ("service-account-token", "kubernetes", {"serviceAccount": {"automountToken": True}}),
    ("service-account-token", "kubernetes", add("/spec/template/spec/automountServiceAccountToken", True)),
    (
        "service-account-token",
        "kubernetes",
        {
            "patches": [
                {
                    "kind": "Deployment",
                    "merge": {"spec": {"template": {"spec": {"automountServiceAccountToken": None}}}},
                }
            ]
        },
    ),
    (
        "data-of-others",
        "kubernetes",
        {
            "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}],
            "patches": [{"kind": "PersistentVolumeClaim", "merge": {"spec": {"volumeName": "pv-1"}}}],
        },
    ),
    ("stateful-replicas", "kubernetes", {**STDIO, "replicas": 3}),
    (
        "stateful-replicas",
        "kubernetes",
        {**STDIO, "patches": [{"kind": "Deployment", "merge": {"spec": {"replicas": 3}}}]},
    ),
    ("stateful-replicas", "kubernetes", {**STDIO, "autoscaling": {"min": 1, "max": 3}}),
    ("unlocked-package", "kubernetes", {"package": NPM}),
    ("unlocked-package", "compose", {"package": {**PYPI, "with": ["mcp<2"]}}),
    ("unrestricted-egress", "kubernetes", {}),
    ("unrestricted-egress", "kubernetes", open_ways({"egress": [{}]})),
    ("unrestricted-egress", "kubernetes", open_ways({"policyTypes": ["Ingress"]})),
    ("unrestricted-egress", "kubernetes", open_ways({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]})),
    ("unrestricted-egress", "compose", {"network": CLOSED, **compose({"networks": {"mcpctl-network": {}}})}),
    (
        "unrestricted-egress",
        "compose",
        {
            "network": CLOSED,
            "patches": [
                {"target": "compose", "kind": "network", "name": "mcp-demo.internal", "merge": {"internal": None}}
            ],
        },
    ),
    ("published-everywhere", "kubernetes", {"patches": [{"kind": "Service", "merge": {"spec": {"type": "NodePort"}}}]}),
    (
        "published-everywhere",
        "kubernetes",
        {"patches": [{"kind": "Service", "merge": {"spec": {"externalIPs": ["192.0.2.1"]}}}]},
    ),
    ("image-digest", "kubernetes", {}),
]


def acceptance(problem: Problem) -> dict[str, Any]:
    """Of this finding alone."""
    value = {"digest": problem.digest} if problem.digest else {}
    fields = {"rule": policy_of(problem.rule) or problem.rule, "path": problem.path, **value}
    return {**fields, "reason": "our own reason", "until": "2027-01-31"}


@pytest.mark.parametrize(("name", "target_name", "fields"), RULE_CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_fired_and_accepted(name: str, target_name: str, fields: dict[str, Any]) -> None:
    rule = f"policy/{name}"
    on = {name: "error"}
    fired = [p for p in run(target_name, on, **fields).problems if p.rule == rule]
    assert {p.severity for p in fired} == {Severity.ERROR}
    accepted = [acceptance(problem) for problem in fired]
    told = run(target_name, on, **fields, accept=accepted).problems
    assert [p.severity for p in told if p.rule == rule] == [Severity.ACCEPTED] * len(fired)
    for problem in (p for p in told if p.rule == rule):
        assert problem.hint == "the reason given: our own reason (until 2027-01-31)"
    assert "policy/accepts-nothing" not in [p.rule for p in told]
    elsewhere = run(target_name, on, **fields, accept=[{**each, "path": "spec.x"} for each in accepted]).problems
    assert [p.severity for p in elsewhere if p.rule == rule] == [Severity.ERROR] * len(fired)
    off = run(target_name, {name: "off"}, **fields, accept=accepted).problems
    assert {"policy/accepts-nothing", rule}.isdisjoint(p.rule for p in off)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "crm", "crm.sales.svc", "crm.sales.svc.cluster.local"]
)
def test_http_is_fine_on_this_machine_and_in_a_cluster(host: str) -> None:
    assert run("kubernetes", {}, remote={"url": f"http://{host}:8080/mcp"}).problems == ()


@pytest.mark.parametrize("field", ["rules", "clusterRules"])
def test_rights_by_name_pass(field: str) -> None:
    problems = run("kubernetes", {}, **account(**{field: NARROW})).problems
    assert problems == ()
    assert run("kubernetes", {}, **account(clusterRoles=["view", "system:discovery"])).problems == ()


def test_no_message_holds_the_value() -> None:
    for name, target_name, fields in RULE_CASES:
        for problem in run(target_name, {name: "error"}, **fields).problems:
            assert "hunter2" not in problem.message + problem.hint
            assert TOKEN not in problem.message + problem.hint


def test_every_rule_has_fired() -> None:
    assert {f"policy/{name}" for name, _, _ in RULE_CASES} | {"policy/pod-security"} == set(RULES)


@pytest.mark.levels
def test_by_default_each_rule_has_the_level_of_the_table() -> None:
    for name, target_name, fields in RULE_CASES:
        rule = f"policy/{name}"
        levels = {str(p.severity) for p in run(target_name, {}, **fields).problems if p.rule == rule}
        assert (levels or {"off"}) == {RULES[rule].level}


def test_a_patch_brings_its_finding_to_its_own_place() -> None:
    (problem,) = [p for p in run("compose", {}, **compose({"privileged": True})).problems if "policy" in p.rule]
    assert problem.place.file == "<stdin>"


OWN = {
    "kubernetes/token.yaml.j2": ("service-account-token", "automountServiceAccountToken: true\n"),
    "kubernetes/env.yaml.j2": ("loader-variable", "    env: [{name: LD_PRELOAD, value: /x.so}]\n"),
}


@pytest.mark.parametrize("template", OWN)
def test_what_a_template_brings_is_found_as_through_a_field(template: str) -> None:
    rule, text = OWN[template]
    with user_templates_in_force(UserTemplates("own", {template: text}), {}):
        found = [p for p in run("kubernetes", {}).problems if p.rule == f"policy/{rule}"]
        assert {(p.place.file, p.in_output) for p in found} == {(f"own/{template}", True)}
        accepted = run("kubernetes", {}, accept=[{"rule": f"policy/{rule}", "reason": "our own reason"}]).problems
        assert [p.severity for p in accepted if p.rule.startswith("policy/")] == [Severity.ACCEPTED] * len(found)


@pytest.mark.parametrize(("target_name", "rule"), [("kubernetes", "host-path"), ("compose", "image-tag")])
def test_accepting_what_does_not_fire(target_name: str, rule: str) -> None:
    accept = [{"rule": f"policy/{rule}", "reason": "our own reason"}]
    problems = run(target_name, {}, accept=accept).problems
    assert [(p.rule, p.path, p.severity) for p in problems if "policy/" in p.rule] == [
        ("policy/accepts-nothing", "spec.accept[0].rule", Severity.WARNING)
    ]


def test_a_patch_of_the_other_target_may_be_what_is_accepted() -> None:
    accept = [{"rule": "policy/privileged", "reason": "our own reason"}]
    assert run("kubernetes", {}, accept=accept, **compose({"privileged": True})).problems == ()


ROOT = [
    ("kubernetes", "pod-security/run-as-user", add(f"{CONTAINER}/securityContext/runAsUser", 0)),
    ("compose", "compose/not-restricted", compose({"user": "root"})),
]
WAIVER = {"rule": "policy/pod-security", "reason": "opens raw sockets", "until": "2027-01-31"}


@pytest.mark.parametrize(("target_name", "rule", "fields"), ROOT, ids=["kubernetes", "compose"])
def test_a_waiver_of_pod_security_is_named_reasoned_and_told(
    target_name: str, rule: str, fields: dict[str, Any]
) -> None:
    fields = {**fields, "health": {"enabled": False}}
    (refused,) = run(target_name, {}, **fields).problems
    assert (refused.rule, refused.severity) == (rule, Severity.ERROR)
    waived = run(target_name, {}, **fields, accept=[WAIVER])
    (told,) = waived.problems
    assert (told.rule, told.severity) == (rule, Severity.ACCEPTED)
    assert told.hint == "the reason given: opens raw sockets (until 2027-01-31)"
    holders = [d for d in waived.documents if "policy/pod-security: opens raw sockets (until 2027-01-31)" in d.text]
    assert len(holders) == 1


@pytest.mark.parametrize("level", ["warning", "off"])
def test_no_run_lowers_pod_security(level: str) -> None:
    assert parse_levels(["pod-security=error"])
    with pytest.raises(UsageMistake, match="only a spec lifts it"):
        parse_levels([f"pod-security={level}"])


def test_a_namespace_that_enforces_it_leaves_nothing_to_accept() -> None:
    for rule, fields in [
        ("pod-security", ROOT[0][2]),
        ("privileged", add("/spec/template/spec/hostPID", True)),
        ("host-path", add("/spec/template/spec/volumes/-", {"name": "x", "hostPath": {"path": "/etc"}})),
    ]:
        accepted = [{"rule": f"policy/{rule}", "reason": "our own reason"}]
        (problem,) = run("kubernetes", {}, OPTIONS, **fields, accept=accepted).problems
        assert problem.severity is Severity.ERROR
        assert "add --no-create-namespace" in problem.hint
        (elsewhere,) = run("kubernetes", {}, OPTIONS, **fields, namespace="others", accept=accepted).problems
        assert elsewhere.severity is Severity.ACCEPTED, "the Namespace there is not rendered"


@pytest.mark.parametrize(
    ("target_name", "fields"),
    [
        ("kubernetes", add("/spec/template/spec/hostPID", True)),
        ("kubernetes", add(f"{CONTAINER}/securityContext/privileged", True)),
        (
            "kubernetes",
            add("/spec/template/spec/volumes/-", {"name": "x", "hostPath": {"path": "/run/docker.sock"}}),
        ),
        ("compose", compose({"privileged": True})),
        ("compose", compose({"ipc": "host"})),
        ("compose", compose({"volumes": ["./data:/data"]})),
        ("compose", compose({"volumes": [{"type": "bind", "source": "data", "target": "/data"}]})),
        ("compose", compose({"volumes": ["/run/docker.sock:/x"]})),
    ],
)
def test_one_fault_is_told_once(target_name: str, fields: dict[str, Any]) -> None:
    (problem,) = run(target_name, {}, **fields, health={"enabled": False}).problems
    assert problem.rule.startswith("policy/")
    assert problem.severity is Severity.ERROR


def test_a_lowered_policy_leaves_pod_security_as_it_is() -> None:
    fields = add("/spec/template/spec/hostPID", True)
    for level in ("warning", "off"):
        errors = [p.rule for p in run("kubernetes", {"privileged": level}, **fields).problems if p.severity == "error"]
        assert errors == ["pod-security/host-namespaces"]


def test_acceptances_stand_in_the_output() -> None:
    accept = [{"rule": "policy/image-tag", "reason": "costs $5 to mend", "until": "2027-01-31"}]
    kubernetes = run("kubernetes", {}, **image("demo"), accept=accept)
    told = "mcpctl.io/accepted: 'policy/image-tag: costs $5 to mend (until 2027-01-31)'"
    holders = [d.path for d in kubernetes.documents if "mcpctl.io/accepted" in d.text]
    assert holders == ["demo/deployment.yaml"]
    assert any(told in d.text.replace('"', "'") for d in kubernetes.documents)
    composed = run("compose", {}, **image("demo"), accept=accept)
    assert any(told.replace("$", "$$") in d.text.replace('"', "'") for d in composed.documents)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "4096"),
        ("TOKEN_FILE", "/run/secrets/token"),
        ("SECRET_NAME", "github-token"),
        ("PASSWORD", "${DB_PASSWORD}"),
        ("API_KEY", "<your-key>"),
        ("TOKENIZER", "cl100k_base"),
        ("API_URL", "https://api.example.com/v1/projects/12345"),
        ("TOOLSETS", "repos,issues,pull_requests,discussions"),
        ("PATHS", "/usr/local/lib/node_modules/server-3/index.js"),
        ("ASTRA_DB_KEYSPACE", "default_keyspace"),
        ("SECRETS_BACKEND", "vault"),
        ("GITHUB_TOKEN_SCOPES", "repo,read:org"),
        ("OAUTH_TOKEN_AUDIENCE", "https://api.example.com"),
        ("OPENAI_API_KEY", "ollama"),
        ("OPENAI_API_KEY", "sk-no-key-required"),
        ("API_KEY", "not-needed"),
        ("VLLM_API_KEY", "EMPTY"),
        ("API_TOKEN", "your-api-key-here"),
        ("DSN", "host=db password=${DB_PASSWORD}"),
        ("DATABASE_URL", "postgres://$USER:$PASSWORD@db/x"),
        ("HEADERS", "Authorization: Bearer ${TOKEN}"),
        ("OPTIONS", "--max-tokens=4096 --key-file=/run/key"),
        ("REQUEST_ID", "a8f5f167-f44f-4964-e6c9-98d9e8f1b2a1"),
        ("IMAGE", IMAGE),
    ],
)
def test_what_is_no_secret(name: str, value: str) -> None:
    problems = run("kubernetes", {}, env={name: value}).problems
    assert [problem for problem in problems if problem.rule != "spec/unexpanded-variable"] == []


@pytest.mark.parametrize("value", ["changeme", "dummy", "ollama", "secret"])
def test_a_short_word_may_be_a_password(value: str) -> None:
    (problem,) = run("kubernetes", {}, env={"DB_PASSWORD": value}).problems
    assert problem.rule == "policy/secret-literal"


def test_a_secret_in_an_annotation() -> None:
    from io import BytesIO

    document = spec("demo", {"annotations": {"example.com/hook": f"https://x.example/{TOKEN}"}})
    (problem,) = read(["-"], BytesIO(as_stream(document))).problems
    assert (problem.rule, problem.path) == ("policy/secret-literal", 'metadata.annotations["example.com/hook"]')


def test_a_private_key_in_a_file() -> None:
    text = "key: |\n  -----BEGIN RSA PRIVATE KEY-----\n  " + "MIIEpAIBAAKCAQEA7" * 3 + "\n"
    (problem,) = run("kubernetes", {"high-entropy": "off"}, files={"/a.pem": {"content": text}}).problems
    assert problem.message.startswith("looks like a secret in line 2 of the content (Private Key)")


def test_blanks_in_a_row_do_not_stop_the_library() -> None:
    """Some of its patterns took minutes for them."""
    began = time.process_time()
    assert in_value("X", "key" + " " * 4000) is None
    assert time.process_time() - began < 5


def test_levels_of_a_run() -> None:
    assert parse_levels(["policy/limits=off", "image-digest=error"]) == {
        "policy/limits": "off",
        "policy/image-digest": "error",
    }
    with pytest.raises(UsageMistake, match="did you mean 'policy/host-path'"):
        parse_levels(["host-pth=off"])
    with pytest.raises(UsageMistake, match="write limits=error"):
        parse_levels(["limits=never"])


def test_the_schema_knows_every_rule() -> None:
    accept = assets.schema("mcpserver")["$defs"]["spec"]["properties"]["accept"]
    pattern = re.compile(accept["items"]["properties"]["rule"]["pattern"])
    assert all(map(pattern.match, RULES))


@pytest.mark.parametrize("target_name", ["kubernetes", "compose"])
def test_a_spec_that_wants_no_cpu_limit_is_asked_for_none(target_name: str) -> None:
    fields: dict[str, Any] = {"resources": {"limits": {"cpu": None}}, "health": {"enabled": False}}
    assert run(target_name, {}, **fields).problems == ()
    gone = {"kubernetes": add(f"{CONTAINER}/resources", {}), "compose": compose({"deploy": None})}[target_name]
    assert "policy/limits" in {problem.rule for problem in run(target_name, {}, **fields, **gone).problems}
