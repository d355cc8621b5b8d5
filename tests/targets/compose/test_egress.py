"""The egress proxy: the only way out, with the hosts of the spec and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from renderer import pins
from renderer.errors import Severity, errors_in
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import IMAGE, NPM, OPTIONS, PYPI, rendered, rules, spec, texts

STREAM = OPTIONS._replace(one_stream=True)
WELL: dict[str, JSON] = {"health": {"enabled": False}}
VARIABLES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "NODE_USE_ENV_PROXY"}
URL = "http://mcp-demo.proxy:3128"


def hosts(*names: str, **more: JSON) -> dict[str, JSON]:
    return {"network": {"egress": {"hosts": list(names), **more}}}


def project(**fields: JSON) -> Any:
    return yaml_read(texts("compose", spec(**{**WELL, **fields}))["demo/compose.yaml"])


def config(found: Any) -> Any:
    """Envoy's configuration, as Envoy gets it."""
    command = found["services"]["mcp-demo.proxy"]["command"]
    assert command[-2] == "--config-yaml"
    return yaml_read(command[-1])


def virtual_hosts(found: Any) -> dict[str, Any]:
    (listener,) = config(found)["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return {one["name"]: one for one in manager["route_config"]["virtual_hosts"]}


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        (["a.example"], ["a.example:443"]),
        (["*.a.example:8443", "b.example"], ["*.a.example:8443", "b.example:443"]),
        (["a.example:80"], ["a.example:80", "a.example"]),
        (["a.example", "a.example:443"], ["a.example:443"]),
    ],
    ids=str,
)
def test_names_and_ports_are_allowed_and_nothing_else(names: list[str], allowed: list[str]) -> None:
    found = virtual_hosts(project(**hosts(*names)))
    assert found["allowed"]["domains"] == allowed
    assert found["refused"]["domains"] == ["*"]
    assert [route["direct_response"]["status"] for route in found["refused"]["routes"]] == [403, 403]
    assert "McpServer demo" in found["refused"]["routes"][0]["direct_response"]["body"]["inline_string"]


def test_connections_and_plain_requests_are_both_routed() -> None:
    """A route for every request does not match CONNECT: without its own it would be answered 404."""
    for virtual_host in virtual_hosts(project(**hosts("a.example"))).values():
        assert [list(route["match"]) for route in virtual_host["routes"]] == [["connect_matcher"], ["prefix"]]


def test_the_listener_is_where_the_variables_say() -> None:
    found = project(**hosts("a.example"))
    (listener,) = config(found)["static_resources"]["listeners"]
    assert listener["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": pins.EGRESS_PROXY_PORT}
    environment = found["services"]["mcp-demo"]["environment"]
    assert set(environment) == VARIABLES
    assert {environment[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")} == {URL}
    assert environment["NO_PROXY"] == environment["no_proxy"] == "localhost,127.0.0.1,::1"


def test_only_the_proxy_leads_out() -> None:
    found = project(**hosts("a.example"))
    services = found["services"]
    assert list(services["mcp-demo"]["networks"]) == ["mcp-demo.internal"]
    assert found["networks"]["mcp-demo.internal"]["internal"] is True
    for role in ("proxy", "gateway"):
        assert set(services[f"mcp-demo.{role}"]["networks"]) == {"mcpctl-network", "mcp-demo.internal"}
    assert "ports" not in services["mcp-demo"]
    assert services["mcp-demo.gateway"]["ports"][0]["published"] == "24596"
    assert services["mcp-demo"]["depends_on"] == {"mcp-demo.proxy": {"condition": "service_started"}}


def test_the_proxy_is_pinned_and_hardened() -> None:
    proxy = project(**hosts("a.example"))["services"]["mcp-demo.proxy"]
    assert proxy["image"] == pins.EGRESS_PROXY_IMAGE
    assert proxy["read_only"] is True
    assert proxy["cap_drop"] == ["ALL"]
    assert proxy["security_opt"] == ["no-new-privileges:true"]
    assert proxy["user"] == "1000:1000"
    assert proxy["deploy"]["resources"]["limits"]["memory"] == pins.EGRESS_PROXY_MEMORY
    assert "ports" not in proxy


def test_a_stream_has_the_same_proxy() -> None:
    """Its configuration is no file, so its root stays read-only."""
    document = spec(**WELL, **hosts("a.example"))
    stream = yaml_read(rendered("compose", document, options=STREAM).documents[0].text)
    assert stream["services"]["mcp-demo.proxy"] == project(**hosts("a.example"))["services"]["mcp-demo.proxy"]


def test_what_does_not_listen_has_a_proxy_and_no_gateway() -> None:
    found = project(image=IMAGE, transport={"bridge": "none"}, **hosts("a.example"))
    assert set(found["services"]) == {"mcp-demo", "mcp-demo.proxy"}
    assert list(found["services"]["mcp-demo"]["networks"]) == ["mcp-demo.internal"]
    assert "network_mode" not in found["services"]["mcp-demo"]


@pytest.mark.parametrize("egress", [None, {}, {"cidrs": ["10.0.0.0/8"]}, {"services": [{"name": "db"}]}], ids=str)
def test_no_hosts_no_proxy(egress: JSON) -> None:
    found = project(network={} if egress is None else {"egress": egress})
    assert "mcp-demo.proxy" not in found["services"]
    assert "HTTP_PROXY" not in found["services"]["mcp-demo"].get("environment", {})


def test_a_patch_reaches_the_proxy() -> None:
    patch: JSON = {"target": "compose", "kind": "service", "name": "mcp-demo.proxy", "merge": {"restart": "always"}}
    found = project(patches=[patch], **hosts("a.example"))
    assert found["services"]["mcp-demo.proxy"]["restart"] == "always"
    assert virtual_hosts(found)["allowed"]["domains"] == ["a.example:443"]


# ---------------------------------------------------------------------------------------------
# What is told.


def told(**fields: JSON) -> list[tuple[str, str, Severity]]:
    problems = rendered("compose", spec(**{**WELL, **fields})).problems
    found = [(p.rule, p.path.removeprefix("spec."), p.severity) for p in problems]
    return [one for one in found if one[0].startswith("compose/")]


def test_hosts_are_enforced_and_so_nothing_is_told() -> None:
    assert told(**hosts("a.example")) == []
    text = texts("compose", spec(**WELL, **hosts("a.example")))["demo/compose.yaml"]
    assert "NOT ENFORCED" not in text
    assert "OUT OF REACH" not in text
    assert "a program that ignores HTTP_PROXY and HTTPS_PROXY cannot" in text


def test_addresses_and_services_are_out_of_reach_beside_hosts() -> None:
    fields = hosts("a.example", cidrs=["10.0.0.0/8"], services=[{"name": "db"}])
    assert told(**fields) == [
        ("compose/egress-out-of-reach", "network.egress.cidrs", Severity.WARNING),
        ("compose/egress-out-of-reach", "network.egress.services", Severity.WARNING),
    ]
    text = texts("compose", spec(**WELL, **fields))["demo/compose.yaml"]
    assert "OUT OF REACH: 10.0.0.0/8, service db." in text.replace("\n    # ", " ")


def test_a_variable_of_the_spec_wins_and_is_told() -> None:
    fields: dict[str, JSON] = {**hosts("a.example"), "env": {"https_proxy": "http://corporate:8080"}}
    assert told(**fields) == [("compose/proxy-variable", "env.https_proxy", Severity.WARNING)]
    environment = project(**fields)["services"]["mcp-demo"]["environment"]
    assert environment["https_proxy"] == "http://corporate:8080"
    assert environment["HTTPS_PROXY"] == URL
    assert told(env={"https_proxy": "http://corporate:8080"}) == []


@pytest.mark.parametrize(
    ("package", "names", "missing"),
    [
        (NPM, ["a.example"], ["registry.npmjs.org"]),
        (NPM, ["registry.npmjs.org"], []),
        (NPM, ["registry.npmjs.org:80"], ["registry.npmjs.org"]),
        (PYPI, ["pypi.org", "*.pythonhosted.org"], []),
        (PYPI, ["*.org"], ["files.pythonhosted.org"]),
    ],
    ids=str,
)
def test_a_package_has_to_come_through_the_proxy(package: JSON, names: list[str], missing: list[str]) -> None:
    """An address block satisfies the rule of the spec, and leads nowhere here."""
    output = rendered("compose", spec(package=package, **hosts(*names, cidrs=["0.0.0.0/0"])))
    found = [problem for problem in output.problems if problem.rule == "compose/package-without-registry"]
    assert [name in problem.message for problem in found for name in missing] == [True] * len(missing)
    assert (rules(errors_in(output.problems)) == []) is not bool(missing)
