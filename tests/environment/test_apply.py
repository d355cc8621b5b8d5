"""An environment applied: what wins over what, whose servers they are, and what is rendered."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.delivery.objects import delivery_objects
from renderer.errors import errors_in
from renderer.pipeline import Run, read_inputs, render_run, runs_for
from renderer.registry import target
from renderer.yaml_reader import OUTPUT_LIMITS, read

SERVERS = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: web, labels: {team: platform}}
spec:
  image: ghcr.io/mcp/web:1.0
  transport: {type: streamable-http}
  env: {MODE: spec}
  sidecars: [{name: cache, image: redis:7}]
---
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: clock}
spec:
  package: {registry: pypi, name: mcp-server-time, version: 1.0.0}
---
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: shell}
spec:
  package: {registry: oci, name: ghcr.io/mcp/shell, version: "2.0"}
  command: [/shell]
"""
HEAD = "apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {name: prod}\n"


def run_of(folder: Path, spec: str) -> Run:
    """The run of one environment with this spec, over SERVERS; without errors."""
    (folder / "servers.yaml").write_text(SERVERS)
    (folder / "prod.yaml").write_text(f"{HEAD}spec:\n{spec}")
    inputs = read_inputs([str(folder / "servers.yaml"), str(folder / "prod.yaml")])
    (run,) = runs_for(inputs, inputs.environments)
    assert errors_in(run.specs.problems) == []
    return run


def objects(run: Run) -> dict[tuple[str, str], Any]:
    """What it renders, by kind and name."""
    output = render_run(run, target(run.target))
    assert errors_in(output.problems) == []
    texts = [document.text for document in output.documents]
    found: list[Any] = [read(text, strict=False, limits=OUTPUT_LIMITS)[0][0].data for text in texts]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("  defaults: {env: {MODE: default, MORE: default}}", {"MODE": "spec", "MORE": "default"}),
        ("  patches: [{select: {name: web}, merge: {env: {MODE: patch}}}]", {"MODE": "patch"}),
        ("  patches: [{select: {name: web}, merge: {env: {MODE: null}}}]", {}),
        (
            "  defaults: {env: {MORE: default}}\n"
            "  patches:\n"
            "    - {select: {glob: 'w*'}, merge: {env: {MORE: one}}}\n"
            "    - {select: {labels: {team: platform}}, merge: {env: {MORE: two}}}\n",
            {"MODE": "spec", "MORE": "two"},
        ),
    ],
)
def test_patches_win_over_the_spec_and_the_spec_over_defaults(
    tmp_path: Path, spec: str, expected: dict[str, str]
) -> None:
    (web,) = [server for server in run_of(tmp_path, spec).specs.servers if server.name == "web"]
    assert web.env == expected


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("{}", ["clock", "shell", "web"]),
        ("{include: [{name: clock}, {labels: {team: platform}}]}", ["clock", "web"]),
        ("{exclude: [{glob: '*[bk]'}]}", ["shell"]),
        ("{include: [{glob: '*'}], exclude: [{name: web, labels: {team: platform}}]}", ["clock", "shell"]),
    ],
)
def test_servers(tmp_path: Path, servers: str, expected: list[str]) -> None:
    assert [server.name for server in run_of(tmp_path, f"  servers: {servers}").specs.servers] == expected


_EGRESS = "network: {egress: {hosts: [api.example.com]}}"
_RIGHTS = "serviceAccount: {rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}"
WALLED = f"  patches: [{{select: {{name: web}}, merge: {{{_EGRESS}}}}}]\n"
WITH_TOKEN = f"  patches: [{{select: {{name: web}}, merge: {{{_EGRESS}, {_RIGHTS}}}}}]\n"
KUBE_SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}


def egress_of(run: Run, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = objects(run)[kind, "mcp-web-netpol"]["spec"]["egress"]
    return found


@pytest.mark.parametrize(
    ("dns", "expected"),
    [
        (
            "",
            [
                (53, {"namespace": KUBE_SYSTEM, "pods": {"k8s-app": "kube-dns"}}),
                (53, {"cidr": "169.254.20.10/32"}),
            ],
        ),
        (
            "[openshift]",
            [
                (
                    5353,
                    {
                        "namespace": {"kubernetes.io/metadata.name": "openshift-dns"},
                        "pods": {"dns.operator.openshift.io/daemonset-dns": "default"},
                    },
                )
            ],
        ),
        ("[gke, {cidr: 169.254.25.10/32}]", [(53, {"cidr": "169.254.169.254/32"}), (53, {"cidr": "169.254.25.10/32"})]),
        ("[{namespace: dns, port: 1053}]", [(1053, {"namespace": {"kubernetes.io/metadata.name": "dns"}})]),
    ],
)
def test_who_answers_dns_is_the_environments(tmp_path: Path, dns: str, expected: list[Any]) -> None:
    policy = f"  networkPolicy: {{dns: {dns}}}\n" if dns else ""
    found = []
    for rule in egress_of(run_of(tmp_path, policy + WALLED), "NetworkPolicy"):
        if {"protocol": "UDP"}.items() <= rule["ports"][0].items():
            assert [port["protocol"] for port in rule["ports"]] == ["UDP", "TCP"]
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                selectors = {"namespace": "namespaceSelector", "pods": "podSelector"}
                pods = {name: peer[key]["matchLabels"] for name, key in selectors.items() if key in peer}
                found.append((rule["ports"][0]["port"], {**block, **pods}))
    assert found == expected


def test_cilium_reads_the_answers_of_whoever_answers(tmp_path: Path) -> None:
    policy = "  networkPolicy: {provider: cilium, dns: [openshift, gke, node-local]}\n"
    rules = [rule for rule in egress_of(run_of(tmp_path, policy + WALLED), "CiliumNetworkPolicy") if "toPorts" in rule]
    answered = [rule for rule in rules if "rules" in rule["toPorts"][0]]
    openshift = {
        "k8s:io.kubernetes.pod.namespace": "openshift-dns",
        "k8s:dns.operator.openshift.io/daemonset-dns": "default",
    }
    local = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "node-local-dns"}
    peers = [rule.get("toEndpoints") or rule.get("toCIDRSet") for rule in answered]
    assert peers == [[{"matchLabels": local}], [{"cidr": "169.254.169.254/32"}], [{"matchLabels": openshift}]]
    assert [rule["toPorts"][0]["ports"][0]["port"] for rule in answered] == ["53", "53", "5353"]


@pytest.mark.parametrize(
    ("policy", "opened", "told"),
    [
        ("{}", {("10.0.0.0/8", 6443), ("172.16.0.0/12", 6443), ("192.168.0.0/16", 6443)}, True),
        (
            "{apiServer: [{cidr: 192.0.2.1/32, port: 443}, {cidr: 192.0.2.2/32}]}",
            {("192.0.2.1/32", 443), ("192.0.2.2/32", 6443)},
            False,
        ),
    ],
)
def test_the_api_is_reached_where_its_token_is(tmp_path: Path, policy: str, opened: set[Any], told: bool) -> None:
    run = run_of(tmp_path, f"  networkPolicy: {policy}\n{WITH_TOKEN}")
    ways = {
        (peer["ipBlock"]["cidr"], port["port"])
        for rule in egress_of(run, "NetworkPolicy")
        for peer in rule["to"]
        for port in rule["ports"]
        if "ipBlock" in peer and port["protocol"] == "TCP"
    }
    assert opened <= ways
    assert len([way for way in ways if way[1] == 6443]) == (5 if told else 1)
    problems = render_run(run, target(run.target)).problems
    assert ("kubernetes/api-server-assumed" in [problem.rule for problem in problems]) is told


def test_cilium_knows_the_api_by_its_name_and_nobody_else_reaches_it(tmp_path: Path) -> None:
    entities = {"toEntities": ["kube-apiserver"]}
    cilium = "  networkPolicy: {provider: cilium}\n"
    assert entities in egress_of(run_of(tmp_path, cilium + WITH_TOKEN), "CiliumNetworkPolicy")
    assert entities not in egress_of(run_of(tmp_path, cilium + WALLED), "CiliumNetworkPolicy")
    without = egress_of(run_of(tmp_path, WALLED), "NetworkPolicy")
    assert 6443 not in [port["port"] for rule in without for port in rule["ports"]]


_FROM = "substituteFrom: [{kind: Secret, name: cluster}]"
FLUX = f"  delivery: {{type: flux, path: prod/kubernetes, substitute: [DOMAIN], {_FROM}}}\n"
HOST = "expose: {host: 'mcp.${DOMAIN}', tls: {}}"
OTHERS = "args: ['$${DOMAIN}', '$${OTHER}', '$$(TEXT)', '$5']"


def flux_makes(text: str) -> str:
    """As its variable substitution does: undefined variables are empty."""
    return re.sub(r"\$\$|\$\{(\w+)\}", lambda m: "$" if m[0] == "$$" else {"DOMAIN": "example.com"}.get(m[1], ""), text)


def test_flux_replaces_the_names_that_the_environment_gives_it_and_nothing_else(tmp_path: Path) -> None:
    run = run_of(tmp_path, f"{FLUX}  patches: [{{select: {{name: web}}, merge: {{{HOST}, {OTHERS}}}}}]\n")
    output = render_run(run, target(run.target))
    assert errors_in(output.problems) == []
    texts = {document.path: document.text for document in output.documents}
    ingress: Any = read(flux_makes(texts["web/ingress.yaml"]), strict=False, limits=OUTPUT_LIMITS)[0][0].data
    assert ingress["spec"]["rules"][0]["host"] == "mcp.example.com"
    made: Any = read(flux_makes(texts["web/deployment.yaml"]), strict=False, limits=OUTPUT_LIMITS)[0][0].data
    args = made["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args == ["example.com", "${OTHER}", "$$(TEXT)", "$5"], "the kubelet makes $(TEXT) of $$(TEXT)"
    assert run.environment
    (delivery,) = delivery_objects(run.environment)
    kustomization: Any = read(delivery.text, strict=False, limits=OUTPUT_LIMITS)[0][0].data
    assert kustomization["spec"]["postBuild"] == {"substituteFrom": [{"kind": "Secret", "name": "cluster"}]}


def test_a_placeholder_that_nothing_replaces_is_an_error(tmp_path: Path) -> None:
    for delivery in ("", FLUX.replace("[DOMAIN]", "[OTHER]")):
        run = run_of(tmp_path, f"{delivery}  patches: [{{select: {{name: web}}, merge: {{{HOST}}}}}]\n")
        output = render_run(run, target(run.target))
        assert "kubernetes/placeholder" in [problem.rule for problem in errors_in(output.problems)]


def test_every_image_is_mirrored_and_pinned_those_of_mcpctl_among_them(tmp_path: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    spec = (
        "  images:\n"
        "    registryMirrors: {ghcr.io: mirror.example.com/ghcr, docker.io: mirror.example.com/hub}\n"
        f"    pins: {{redis: '8', ghcr.io/mcp/shell: '{digest}'}}\n"
    )
    found = objects(run_of(tmp_path, spec))
    images = {
        container["image"]
        for (kind, _), one in found.items()
        if kind == "Deployment"
        for part in ("initContainers", "containers")
        for container in one["spec"]["template"]["spec"].get(part, [])
    }
    assert all(image.startswith("mirror.example.com/") for image in images), images
    assert {
        "mirror.example.com/ghcr/mcp/web:1.0",
        "mirror.example.com/hub/library/redis:8",
        f"mirror.example.com/ghcr/mcp/shell@{digest}",
    } <= images
    assert any("astral-sh/uv" in image for image in images)
    assert any("agentgateway" in image for image in images)


def test_the_namespace(tmp_path: Path) -> None:
    spec = (
        "  kubernetesVersion: '1.34'\n"
        "  namespace:\n"
        "    name: mcp-prod\n"
        "    podSecurity: {enforce: baseline, warn: restricted, version: '1.33'}\n"
        "    quota: {pods: 9, requests: {cpu: 2}, limits: {memory: 4Gi}, storage: 10737418240, claims: 3}\n"
        "    limitRange: {defaultRequest: {cpu: 10m}, default: {memory: 64Mi}, max: {memory: 1Gi}}\n"
    )
    found = objects(run_of(tmp_path, spec))
    labels = found["Namespace", "mcp-prod"]["metadata"]["labels"]
    security = {key.partition("/")[2]: value for key, value in labels.items() if key.startswith("pod-security")}
    assert security == {
        "enforce": "baseline",
        "enforce-version": "v1.33",
        "warn": "restricted",
        "warn-version": "v1.33",
    }
    assert found["ResourceQuota", "mcpctl"]["spec"]["hard"] == {
        "pods": "9",
        "persistentvolumeclaims": "3",
        "requests.storage": "10737418240",
        "requests.cpu": "2",
        "limits.memory": "4Gi",
    }
    assert found["LimitRange", "mcpctl"]["spec"]["limits"] == [
        {"type": "Container", "defaultRequest": {"cpu": "10m"}, "default": {"memory": "64Mi"}, "max": {"memory": "1Gi"}}
    ]
    assert {one["metadata"].get("namespace") for key, one in found.items() if key[0] != "Namespace"} == {"mcp-prod"}


@pytest.mark.parametrize(
    ("namespace", "governing"),
    [
        ("{}", {"Namespace"}),
        ("{name: tools}", set()),
        ("{name: tools, create: true}", {"Namespace"}),
        ("{name: tools, podSecurity: {enforce: restricted}}", {"Namespace"}),
        ("{name: tools, quota: {pods: 9}}", {"Namespace", "ResourceQuota"}),
        ("{name: tools, create: false, quota: {pods: 9}, limitRange: {max: {cpu: '1'}}}", set()),
        ("{create: false}", set()),
    ],
)
def test_what_governs_a_namespace_is_rendered_where_it_is_ours(
    tmp_path: Path, namespace: str, governing: set[str]
) -> None:
    run = run_of(tmp_path, f"  namespace: {namespace}\n")
    assert {kind for kind, _ in objects(run)} & {"Namespace", "ResourceQuota", "LimitRange"} == governing
    told = [problem.path for problem in run.specs.problems if problem.rule == "environment/not-rendered"]
    assert told == [f"spec.namespace.{field}" for field in ("quota", "limitRange") if "false, quota" in namespace]


#: An object that 'baseline' allows and 'restricted' does not.
_LESS = "  patches: [{select: {name: web}, merge: {patches: [{kind: Deployment, merge: {spec: {template: {spec: {securityContext: {runAsNonRoot: false}}}}}}]}}]\n"  # noqa: E501


@pytest.mark.parametrize(("level", "code"), [("restricted", True), ("baseline", False)])
def test_pods_are_checked_against_the_level_that_the_namespace_enforces(tmp_path: Path, level: str, code: bool) -> None:
    run = run_of(tmp_path, f"  namespace: {{podSecurity: {{enforce: {level}}}}}\n{_LESS}")
    assert bool(errors_in(render_run(run, target("kubernetes")).problems)) is code


@pytest.mark.parametrize("off", ["off", "'off'", "false"])
def test_policies(tmp_path: Path, off: str) -> None:
    """YAML's boolean is off, however it is written."""
    run = run_of(tmp_path, f"  policies: {{image-digest: warning, policy/image-tag: {off}}}")
    assert {problem.rule for problem in run.specs.problems} == {"policy/image-digest"}


def test_the_order_of_the_input_changes_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path, "  defaults: {size: large}")
    paths = [str(tmp_path / name) for name in ("prod.yaml", "servers.yaml")]
    inputs = read_inputs(paths)
    (other,) = runs_for(inputs, inputs.environments)
    assert objects(other) == objects(run)


_WORDS = ("image", "package", "transport", "sidecars", "env", "storage", "replicas", "registry", "name", "type")
_ANYTHING = st.recursive(
    st.sampled_from([None, 1, -1, "x", True, "ghcr.io/x/y:1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=3),
    max_leaves=8,
)
_MERGES = st.dictionaries(st.sampled_from(_WORDS), _ANYTHING, min_size=1, max_size=3)


@given(_MERGES, st.lists(_MERGES, max_size=2))
def test_no_merge_is_more_than_a_problem(defaults: dict[str, Any], merges: list[dict[str, Any]]) -> None:
    """Whatever is merged into a spec, and whatever stands there then: told, never a traceback."""
    patches = [{"select": {"glob": "*"}, "merge": merge} for merge in merges]
    images = {"registryMirrors": {"ghcr.io": "mirror.example.com"}, "pins": {"redis": "8"}}
    environment = {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": "prod"},
        "spec": {"defaults": defaults, "patches": patches, "images": images},
    }
    inputs = read_inputs(["-"], BytesIO(f"{SERVERS}---\n{json.dumps(environment)}\n".encode()))
    (run,) = runs_for(inputs, inputs.environments)
    assert all(problem.place.line for problem in run.specs.problems)
