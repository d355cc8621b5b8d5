"""The egress proxy of a server: the one way out of its internal network, for the hosts of its list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderer import pins
from renderer.labels import object_labels
from renderer.model import JSON, EgressHost, Server
from renderer.targets.compose.names import NETWORK, has_proxy, part_of

#: Where clouds answer a machine about itself, its credentials included: no name leads the proxy there.
METADATA = (
    "169.254.0.0/16",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fe80::/10",
    "fd00:ec2::254/128",
)

#: Ports that a URL leaves out: the name alone means them.
_HTTP = 80


def proxy(server: Server) -> dict[str, Any] | None:
    """The service with the allow list; None where the spec lists no hosts."""
    if not has_proxy(server):
        return None
    return {
        "key": part_of(server, "proxy"),
        "image": server.images.of(pins.EGRESS_PROXY_IMAGE),
        "memory": pins.EGRESS_PROXY_MEMORY,
        "port": pins.EGRESS_PROXY_PORT,
        "allowed": _allowed(server),
        "never": [_block(block) for block in METADATA],
        "refusal": f"not under network.egress.hosts of the McpServer {server.name}",
        "user": f"{server.security.run_as_user}:{server.security.run_as_group}",
        "networks": {NETWORK: {}, part_of(server, "internal"): {}},
        "labels": object_labels(server, "egress-proxy"),
    }


def _allowed(server: Server) -> list[JSON]:
    """What a request may name, each once: Envoy refuses a list that says something twice."""
    hosts = server.network.egress.hosts if server.network.egress else ()
    return list(dict.fromkeys(name for host in hosts for name in _authorities(host)))


def _authorities(host: EgressHost) -> Iterator[str]:
    yield f"{host.name}:{host.port}"
    if host.port == _HTTP:
        yield host.name


def _block(text: str) -> dict[str, JSON]:
    address, _, length = text.partition("/")
    return {"address": address, "length": int(length)}


def proxy_variables(server: Server) -> tuple[tuple[str, str], ...]:
    """What tells programs of the proxy. There is no standard: some read the one case, some the other."""
    if not has_proxy(server):
        return ()
    url = f"http://{part_of(server, 'proxy')}:{pins.EGRESS_PROXY_PORT}"
    direct = "localhost,127.0.0.1,::1"
    values = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": direct}
    both = [(name, value) for given, value in values.items() for name in (given, given.lower())]
    # Node.js itself (fetch, http) reads them only when told to, from 22.21 and 24 on.
    return (*both, ("NODE_USE_ENV_PROXY", "1"))


def not_enforced(server: Server) -> str:
    """In words, the list that nothing holds: no name is in it, so the network stays open."""
    egress = server.network.egress
    if egress is None or egress.forbidden or has_proxy(server):
        return ""
    return f"NOT ENFORCED: egress only to {', '.join(_others(server))}. A compose network is open or closed."


def out_of_reach(server: Server) -> str:
    """In words, what the server reaches through its proxy, and what of the list it cannot reach at all."""
    if not has_proxy(server):
        return ""
    text = "Its only way out is the proxy: a program that ignores HTTP_PROXY and HTTPS_PROXY cannot connect at all."
    return f"{text} OUT OF REACH: {', '.join(_others(server))}." if _others(server) else text


def _others(server: Server) -> list[str]:
    egress = server.network.egress
    return [*(b.cidr for b in egress.cidrs), *(f"service {s.name}" for s in egress.services)] if egress else []
