"""The guard in a project: it alone is published, and it alone reaches the server."""

from __future__ import annotations

from typing import Any

import pytest

from renderer import pins
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, spec, texts

ACCESS: JSON = {
    "url": "https://mcp.example.com/mcp",
    "issuers": [{"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}],
}


def project(options: Any = OPTIONS, /, **fields: JSON) -> Any:
    found = texts("compose", spec(**{"access": ACCESS, **fields}), options=options)
    return yaml_read(next(text for path, text in found.items() if path.endswith("compose.yaml")))


@pytest.mark.parametrize("egress", [None, {}, {"hosts": ["api.example.com"]}])
def test_it_is_published_in_place_of_the_server(egress: JSON) -> None:
    found = project(network={"egress": egress} if egress is not None else {})
    guard, server = found["services"]["mcp-demo.guard"], found["services"]["mcp-demo"]
    assert guard["image"] == pins.GUARD_IMAGE
    assert guard["ports"][0]["target"] == 8080
    assert "ports" not in server
    assert list(server["networks"]) == ["mcp-demo.internal"]
    assert guard["networks"]["mcpctl-network"] == {"aliases": ["mcp-demo"]}
    assert "mcp-demo.internal" in guard["networks"]
    assert found["networks"]["mcp-demo.internal"].get("internal", False) is (egress is not None)
    assert "mcp-demo.gateway" not in found["services"]


def test_its_configuration_is_a_file_beside_the_project() -> None:
    found = texts("compose", spec(access=ACCESS))
    guard = yaml_read(found["demo/compose.yaml"])["services"]["mcp-demo.guard"]
    assert guard["configs"] == [{"source": "mcp-demo.guard.guard.yaml", "target": "/etc/guard/guard.yaml"}]
    assert guard["read_only"] is True
    assert "address: mcp-demo.server, port_value: 8080" in found["demo/files/guard.yaml"]


def test_in_a_stream_it_is_in_the_file_itself_and_the_server_stays_read_only() -> None:
    found = project(OPTIONS._replace(one_stream=True))
    assert found["services"]["mcp-demo.guard"]["read_only"] is False
    assert found["services"]["mcp-demo"]["read_only"] is True
    assert "static_resources:" in found["configs"]["mcp-demo.guard.guard.yaml"]["content"]


def test_a_file_of_the_server_keeps_its_name() -> None:
    found = texts("compose", spec(access=ACCESS, files={"/etc/guard.yaml": {"content": "mine"}}))
    assert found["demo/files/guard.yaml"] == "mine"
    assert "static_resources:" in found["demo/files/guard.yaml.2"]


def test_keys_of_a_config_map_are_a_file_that_somebody_keeps() -> None:
    issuer: JSON = {"url": "https://a.example.com", "jwksFrom": {"configMap": "keys", "key": "jwks.json"}}
    found = project(access={"url": "https://mcp.example.com/mcp", "issuers": [issuer]})
    assert found["configs"]["keys_jwks.json"] == {"file": "./configs/keys/jwks.json"}
    mounts = found["services"]["mcp-demo.guard"]["configs"]
    assert mounts[1] == {"source": "keys_jwks.json", "target": "/etc/guard-keys/1-keys/jwks.json"}


@pytest.mark.parametrize(("egress", "told"), [({}, True), ({"egress": {}}, False)])
def test_who_is_on_a_joined_network_passes_the_guard(egress: dict[str, JSON], told: bool) -> None:
    output = rendered("compose", spec(access=ACCESS, compose={"networks": ["team"]}, network=egress))
    paths = [problem.path for problem in output.problems if problem.rule == "spec/guard-not-alone"]
    assert ("spec.compose.networks" in paths) is told
    services = project(compose={"networks": ["team"]}, network=egress)["services"]
    assert "team" in services["mcp-demo.guard"]["networks"]
    assert ("team" in services["mcp-demo"]["networks"]) is told


def test_clients_come_back_to_one_of_several_containers() -> None:
    found = texts("compose", spec(access=ACCESS, replicas=2, transport={"type": "streamable-http", "stateful": True}))
    assert "lb_policy: MAGLEV" in found["demo/files/guard.yaml"]
    assert "MAGLEV" not in texts("compose", spec(access=ACCESS))["demo/files/guard.yaml"]
