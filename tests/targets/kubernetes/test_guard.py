"""The guard in a pod: what leads to it, and that nothing leads past it."""

from __future__ import annotations

from typing import Any

import pytest

from renderer import pins, render
from renderer.errors import errors_in
from renderer.model import JSON
from renderer.model.access import Access
from renderer.user_templates import UserTemplates
from tests.oracles import yaml_read
from tests.specs import HTTP, IMAGE, NPM, OPTIONS, PYPI, rendered, rules, server, spec, texts

ISSUER: JSON = {"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}
ACCESS: dict[str, JSON] = {"url": "https://mcp.example.com/mcp", "issuers": [ISSUER]}
INGRESS: JSON = {"from": [{"podLabels": {"app": "agent"}}]}


def objects(options: Any = OPTIONS, /, **fields: JSON) -> dict[str, Any]:
    document = spec(**{"access": ACCESS, **fields})
    return {
        path.partition("/")[2]: yaml_read(text) for path, text in texts("kubernetes", document, options=options).items()
    }


def pod(found: dict[str, Any]) -> Any:
    return found["deployment.yaml"]["spec"]["template"]["spec"]


def test_it_is_a_sidecar_that_starts_first_and_ends_last() -> None:
    (guard,) = pod(objects())["initContainers"]
    assert (guard["name"], guard["restartPolicy"], guard["image"]) == ("guard", "Always", pins.GUARD_IMAGE)
    assert guard["securityContext"]["readOnlyRootFilesystem"] is True
    assert guard["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "mcp"}
    assert guard["ports"] == [{"name": "mcp", "containerPort": pins.GUARD_PORT, "protocol": "TCP"}]


def test_where_there_are_no_sidecars_it_is_a_container_and_its_early_end_is_told() -> None:
    old = OPTIONS._replace(kubernetes_version="1.28")
    found = pod(objects(old))
    assert [each["name"] for each in found["containers"]] == ["mcp-server", "guard"]
    assert "initContainers" not in found
    assert "kubernetes/guard-ends-early" in rules(rendered("kubernetes", spec(access=ACCESS), options=old).problems)
    assert "kubernetes/guard-ends-early" not in rules(rendered("kubernetes", spec(access=ACCESS)).problems)


def test_all_ways_lead_to_it_and_none_to_the_server() -> None:
    found = objects(
        network={"egress": {}, "ingress": INGRESS}, expose={"host": "mcp.example.com", "from": [], "tls": {}}
    )
    assert found["service.yaml"]["spec"]["ports"][0]["targetPort"] == pins.GUARD_PORT
    ports = [rule["ports"] for rule in found["networkpolicy.yaml"]["spec"]["ingress"]]
    assert ports == [[{"protocol": "TCP", "port": pins.GUARD_PORT}]]
    assert "ports" not in pod(found)["containers"][0]


def test_cilium_leads_to_it_too() -> None:
    found = objects(OPTIONS._replace(network_policy_provider="cilium"), network={"egress": {}, "ingress": INGRESS})
    policy = found["ciliumnetworkpolicy.yaml"]["spec"]
    assert policy["ingress"][0]["toPorts"] == [{"ports": [{"port": str(pins.GUARD_PORT), "protocol": "TCP"}]}]
    names = [rule["toFQDNs"] for rule in policy["egress"] if "toFQDNs" in rule]
    assert names == [[{"matchName": "login.example.com"}]]


def test_a_bridge_listens_on_loopback_and_is_checked_inside() -> None:
    fields: dict[str, JSON] = {"package": PYPI, "health": {"liveness": {"tcp": True}}}
    (server,) = pod(objects(**fields))["containers"]
    assert server["args"][:2] == ["--host", "127.0.0.1"]
    assert all("exec" in server[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness"))
    assert "create_connection" in server["livenessProbe"]["exec"]["command"][2]
    (plain,) = pod(objects(package=PYPI, access="none"))["containers"]
    assert plain["args"][:2] == ["--host", "0.0.0.0"]


@pytest.mark.parametrize(
    ("fields", "guarded"),
    [
        ({"package": NPM}, True),
        ({"package": NPM, "access": "none"}, True),  # its bridge invites every page
        ({"package": PYPI}, True),
        ({"package": PYPI, "access": "none"}, False),
        ({"image": IMAGE, "command": ["x"]}, True),
        ({"image": IMAGE, "command": ["x"], "access": "none"}, False),
        ({"package": NPM, "transport": {"bridge": "supergateway"}}, True),
        ({"package": PYPI, "transport": {"path": "/sse"}}, False),
        ({"package": PYPI, "transport": {"bridge": "none"}}, False),
        ({"package": PYPI, "transport": HTTP}, False),
        ({}, False),
    ],
)
def test_a_bridge_has_a_guard_of_origins_alone(fields: dict[str, JSON], guarded: bool) -> None:
    """None checks whose web page calls, as the specification of MCP asks."""
    guard = server(**fields).guard
    assert guard == (Access(log=False) if guarded else None)
    if guarded:
        document = texts("kubernetes", spec(**fields))["demo/configmap-guard.yaml"]
        assert "NO AUTHENTICATION" in document
        assert "Bearer" not in document


def test_an_image_is_checked_at_its_own_port() -> None:
    (server,) = pod(objects(health={"path": "/health"}))["containers"]
    assert server["readinessProbe"]["httpGet"] == {"path": "/health", "port": 8080}


def test_a_change_of_the_rules_restarts_the_pods() -> None:
    def checksum(**access: JSON) -> str:
        annotations: dict[str, str] = objects(access={**ACCESS, **access})["deployment.yaml"]["spec"]["template"][
            "metadata"
        ]["annotations"]
        return annotations["mcpctl.io/guard-checksum"]

    assert checksum() == checksum()
    assert checksum() != checksum(require={"scopes": ["more"]})


@pytest.mark.parametrize(
    ("url", "path", "metadata"),
    [
        ("https://mcp.example.com/mcp", "/mcp", ["/mcp", ""]),
        ("https://mcp.example.com/a/mcp", "/a", ["/a/mcp"]),
        ("https://mcp.example.com", "/", []),
        ("https://mcp.example.com/mcp", "/", []),
    ],
)
def test_the_metadata_is_exposed_where_no_path_leads_to_it(url: str, path: str, metadata: list[str]) -> None:
    wanted = [f"/.well-known/oauth-protected-resource{end}" for end in metadata]
    access: JSON = {**ACCESS, "url": url}
    ingress = objects(access=access, expose={"host": "mcp.example.com", "path": path, "tls": {}})["ingress.yaml"]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [each["path"] for each in paths if each["pathType"] == "Exact"] == wanted
    expose: JSON = {"type": "HTTPRoute", "host": "mcp.example.com", "path": path, "gateway": {"name": "public"}}
    (rule,) = objects(access=access, expose=expose)["httproute.yaml"]["spec"]["rules"]
    assert [each["path"]["value"] for each in rule["matches"] if each["path"]["type"] == "Exact"] == wanted


def test_the_way_to_the_keys_is_opened_and_told() -> None:
    document = spec(access=ACCESS, network={"egress": {}})
    output = rendered("kubernetes", document)
    assert "kubernetes/guard-opens-egress" in rules(output.problems)
    policy = next(d.text for d in output.documents if d.path == "demo/networkpolicy.yaml")
    assert "login.example.com:443" in policy
    from_file: JSON = {**ACCESS, "issuers": [{"url": "https://a", "jwksFrom": {"configMap": "k", "key": "j"}}]}
    others: list[dict[str, JSON]] = [
        {"network": {"egress": {"hosts": ["api.example.com"]}}},
        {"network": {}},
        {"network": {"egress": {}}, "access": from_file},
    ]
    for fields in others:
        changed = spec(**{"access": ACCESS, **fields})
        assert "kubernetes/guard-opens-egress" not in rules(rendered("kubernetes", changed).problems)


def test_keys_of_a_config_map_are_mounted_and_required() -> None:
    issuer: JSON = {"url": "https://a.example.com", "jwksFrom": {"configMap": "keys", "key": "jwks.json"}}
    found = objects(access={**ACCESS, "issuers": [issuer]})
    (guard,) = pod(found)["initContainers"]
    assert guard["volumeMounts"][1]["mountPath"] == "/etc/guard-keys/1-keys"
    assert (
        "local_jwks: {filename: /etc/guard-keys/1-keys/jwks.json}"
        in found["configmap-guard.yaml"]["data"]["guard.yaml"]
    )
    volume = pod(found)["volumes"][1]
    assert volume["configMap"] == {"name": "keys", "items": [{"key": "jwks.json", "path": "jwks.json"}]}


def test_a_template_of_the_user_must_make_yaml() -> None:
    own = UserTemplates("own", {"guard/envoy.yaml.j2": "a: b\nc: [\n"})
    with render.user_templates_in_force(own, {}):
        (problem,) = errors_in(rendered("kubernetes", spec(access=ACCESS)).problems)
    assert (problem.place.file, problem.in_output) == ("own/guard/envoy.yaml.j2", True)


def test_a_pod_of_its_own_has_the_checksum_too() -> None:
    found = objects(workload="Pod")["pod.yaml"]
    assert len(found["metadata"]["annotations"]["mcpctl.io/guard-checksum"]) == 64


def test_flux_fills_in_the_same_names_everywhere() -> None:
    access: JSON = {
        "url": "https://mcp.${DOMAIN}/mcp",
        "issuers": [{"url": "https://login.${DOMAIN}", "jwks": "https://login.${DOMAIN}/keys"}],
    }
    expose: JSON = {"host": "mcp.${DOMAIN}", "tls": {}, "from": []}
    document = spec(access=access, expose=expose, network={"egress": {}})
    flux = OPTIONS._replace(placeholders=("DOMAIN",))
    found = texts("kubernetes", document, options=flux)
    assert 'address: "login.${DOMAIN}", port_value: 443' in found["demo/configmap-guard.yaml"]
    assert "login.${DOMAIN}:443" in found["demo/networkpolicy.yaml"]
    paths = [p.path for p in rendered("kubernetes", document).problems if p.rule == "kubernetes/placeholder"]
    assert paths == ["spec.access.url", "spec.access.issuers[0].url", "spec.access.issuers[0].jwks", "spec.expose.host"]


def test_the_public_host_may_be_one_of_a_wildcard() -> None:
    expose: JSON = {"host": "*.example.com", "tls": {}, "from": []}
    assert "spec/access-host" not in rules(rendered("kubernetes", spec(access=ACCESS, expose=expose)).problems)
    elsewhere: JSON = {"host": "*.mcp.example.com", "tls": {}, "from": []}
    assert "spec/access-host" in rules(rendered("kubernetes", spec(access=ACCESS, expose=elsewhere)).problems)


def test_without_access_there_is_no_guard() -> None:
    for document in (spec(), spec(access="none")):
        found = texts("kubernetes", document)
        assert "demo/configmap-guard.yaml" not in found
        assert not any("envoy" in text for text in found.values())
