"""Where clients reach a server, by what its spec says."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.exporters.endpoints import endpoint_of
from renderer.model import Options
from renderer.pins import KUBERNETES_VERSION
from tests.specs import HTTP, IMAGE, read_specs, spec

OPTIONS = Options("tools", KUBERNETES_VERSION)
EXPOSE: dict[str, Any] = {"host": "mcp.example.com", "path": "/", "from": []}
ACCESS: dict[str, Any] = {
    "url": "https://mcp.example.com/mcp",
    "issuers": [{"url": "https://login.example.com", "jwks": "https://login.example.com/keys"}],
}
SERVICE = "http://mcp-demo.tools.svc:8080/mcp"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, SERVICE),
        ({"service": {"port": 80}}, "http://mcp-demo.tools.svc:80/mcp"),
        ({"namespace": "elsewhere", "resourceName": "demo"}, "http://demo.elsewhere.svc:8080/mcp"),
        ({"adopt": {"names": {"Service": "old"}}}, "http://old.tools.svc:8080/mcp"),
        ({"expose": EXPOSE}, "http://mcp.example.com/mcp"),
        ({"expose": {**EXPOSE, "tls": {}}}, "https://mcp.example.com/mcp"),
        (
            {"expose": {**EXPOSE, "path": "/demo", "stripPrefix": True, "className": "nginx"}},
            "http://mcp.example.com/demo/mcp",
        ),
        (
            {"expose": {"hosts": ["*.example.com", "a.example.com"], "path": "/mcp", "from": []}},
            "http://a.example.com/mcp",
        ),
        ({"expose": {**EXPOSE, "type": "HTTPRoute", "gateway": {"name": "public"}}}, "https://mcp.example.com/mcp"),
        (
            {"expose": {**EXPOSE, "type": "HTTPRoute", "gateway": {"name": "public", "sectionName": "http"}}},
            "http://mcp.example.com/mcp",
        ),
        ({"access": ACCESS}, "https://mcp.example.com/mcp"),
        ({"image": IMAGE, "command": ["x"], "transport": {"type": "stdio", "bridge": "none"}}, ""),
        ({"remote": {"url": "https://a.example.com/{t}", "variables": {"t": "x"}}}, "https://a.example.com/x"),
    ],
)
def test_in_a_cluster(fields: dict[str, Any], url: str) -> None:
    specs = read_specs(spec(**fields))
    (server,) = (*specs.servers, *specs.remotes)
    endpoint = endpoint_of(server, "kubernetes", OPTIONS, local=False)
    assert endpoint.url == url
    assert bool(endpoint.note) == (".svc" in url or not url or "HTTPRoute" in str(fields))


@pytest.mark.parametrize(
    ("fields", "url", "note"),
    [
        ({"network": {"publish": {"port": 9000}}}, "http://127.0.0.1:9000/mcp", "on this machine"),
        ({"network": {"publish": {"port": 9000, "address": "0.0.0.0"}}}, "http://127.0.0.1:9000/mcp", ""),
        ({"network": {"publish": {"port": 9000, "address": "::1"}}}, "http://[::1]:9000/mcp", "on this machine"),
        ({"network": {"publish": False}}, "", "publishes no port"),
        ({"replicas": 2}, "", "free port"),
        ({"access": ACCESS}, "https://mcp.example.com/mcp", ""),
    ],
)
def test_of_compose(fields: dict[str, Any], url: str, note: str) -> None:
    (server,) = read_specs(spec(**fields)).servers
    endpoint = endpoint_of(server, "compose", OPTIONS, local=True)
    assert (endpoint.url, endpoint.command) == (url, "")
    assert note in endpoint.note


def test_a_port_forward_is_a_command_to_run() -> None:
    (server,) = read_specs(spec(network={"publish": {"port": 9000}}, transport={**HTTP, "path": "/x"})).servers
    endpoint = endpoint_of(server, "kubernetes", OPTIONS, local=True)
    assert endpoint.url == "http://127.0.0.1:9000/x"
    assert endpoint.command == "kubectl port-forward --namespace tools service/mcp-demo 9000:8080"


def test_a_port_forward_of_a_guarded_server_is_not_what_its_tokens_are_for() -> None:
    (server,) = read_specs(spec(access=ACCESS)).servers
    endpoint = endpoint_of(server, "kubernetes", OPTIONS, local=True)
    assert "tokens are for https://mcp.example.com/mcp" in endpoint.note
