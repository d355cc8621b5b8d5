"""``network.egress.servers``: other servers, as hosts, blocks and pods."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model import EgressCidr, EgressHost, EgressService, Options
from renderer.pipeline import placed, render
from renderer.registry import target
from tests.specs import HTTP, IMAGE, OPTIONS, read_specs, rules, spec

CALLER: dict[str, Any] = {"network": {"egress": {"servers": ["crm"]}}}


def egress(options: Options = OPTIONS, caller: dict[str, Any] | None = None, **crm: Any) -> list[Any]:
    """What the caller may reach of the server crm."""
    specs = placed(read_specs(spec("caller", **{**CALLER, **(caller or {})}), spec("crm", **crm)), options)
    (server,) = [server for server in specs.servers if server.name == "caller"]
    assert server.network.egress, [str(problem) for problem in specs.problems]
    return [*server.network.egress.hosts, *server.network.egress.cidrs, *server.network.egress.services]


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("https://crm.example.com/mcp", EgressHost("crm.example.com", 443)),
        ("https://CRM.example.com:8443/mcp", EgressHost("crm.example.com", 8443)),
        ("https://192.0.2.7/mcp", EgressCidr("192.0.2.7/32", (), (443,))),
        ("https://[2001:db8::7]:8443/mcp", EgressCidr("2001:db8::7/128", (), (8443,))),
        ("http://crm:8080/mcp", EgressService("crm", None, {"app.kubernetes.io/name": "crm"}, (8080,))),
        ("http://crm.sales.svc/mcp", EgressService("crm", "sales", {"app.kubernetes.io/name": "crm"}, (80,))),
        (
            "http://crm.sales.svc.cluster.local:8080/",
            EgressService("crm", "sales", {"app.kubernetes.io/name": "crm"}, (8080,)),
        ),
    ],
)
def test_a_remote_server_is_its_host_and_port(url: str, way: Any) -> None:
    assert egress(remote={"url": url}) == [way]


def test_variables_are_filled_in() -> None:
    url = "https://{tenant}.example.com:{port}/mcp"
    assert egress(remote={"url": url, "variables": {"tenant": "acme", "port": "444"}}) == [
        EgressHost("acme.example.com", 444)
    ]


def test_a_host_that_is_listed_already_is_opened_once() -> None:
    caller = {"network": {"egress": {"servers": ["crm"], "hosts": ["crm.example.com"]}}}
    assert egress(caller=caller, remote={"url": "https://crm.example.com/mcp"}) == [EgressHost("crm.example.com", 443)]


@pytest.mark.parametrize(
    ("caller", "crm", "options", "namespace"),
    [
        ({}, {}, OPTIONS, None),
        ({}, {"namespace": "sales"}, OPTIONS, "sales"),
        ({"namespace": "sales"}, {"namespace": "sales"}, OPTIONS, None),
        ({"namespace": "sales"}, {}, OPTIONS, "mcpctl"),
        ({"namespace": "sales"}, {}, OPTIONS._replace(namespace="all", namespace_typed=True), None),
    ],
)
def test_another_server_is_its_pods_wherever_they_lie(
    caller: dict[str, Any], crm: dict[str, Any], options: Options, namespace: str | None
) -> None:
    (service,) = egress(options, {**caller, "image": IMAGE, "transport": HTTP}, **crm, image=IMAGE, transport=HTTP)
    assert service.pod_labels == {"mcpctl.io/server": "crm"}
    assert (service.namespace, service.ports) == (namespace, (8080,))


def test_behind_a_guard_the_port_is_the_guards() -> None:
    (service,) = egress(image=IMAGE, command=["/crm"])
    assert service.ports == (10000,)


def test_a_name_that_nobody_has_is_an_error_where_it_is_rendered() -> None:
    specs = read_specs(spec("caller", **CALLER))
    assert [(p.rule, p.severity) for p in specs.problems] == [("spec/unknown-server", Severity.WARNING)]
    output = render(specs, target("kubernetes"), OPTIONS)
    assert [(p.rule, p.severity) for p in output.problems] == [("spec/unknown-server", Severity.ERROR)]
    assert output.documents == ()


def test_of_an_input_with_faults_no_name_is_unknown() -> None:
    specs = read_specs(spec("caller", **CALLER), spec("crm", remote={"url": "no address"}))
    assert rules(specs.problems) == ["schema/pattern"]
