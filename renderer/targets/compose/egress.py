"""The egress proxy, the only way out of a server's internal network, for the listed hosts."""

from __future__ import annotations

from typing import Any

from renderer import pins
from renderer.model import Server
from renderer.targets.compose.names import has_proxy, part_of

#: The port that URLs may omit.
_HTTP = 80


def proxy(server: Server) -> dict[str, Any] | None:
    if not has_proxy(server):
        return None
    allowed = []
    for host in server.network.egress.hosts if server.network.egress else ():
        allowed += [f"{host.name}:{host.port}", *([host.name] if host.port == _HTTP else [])]
    return {
        "image": server.images.of(pins.EGRESS_PROXY_IMAGE),
        "memory": pins.EGRESS_PROXY_MEMORY,
        "port": pins.EGRESS_PROXY_PORT,
        # Without duplicates, which Envoy refuses.
        "allowed": list(dict.fromkeys(allowed)),
    }


def proxy_variables(server: Server) -> tuple[tuple[str, str], ...]:
    """Both cases, as there is no standard."""
    if not has_proxy(server):
        return ()
    url = f"http://{part_of(server, 'proxy')}:{pins.EGRESS_PROXY_PORT}"
    direct = "localhost,127.0.0.1,::1"
    values = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": direct}
    both = [(name, value) for upper, value in values.items() for name in (upper, upper.lower())]
    # Node.js (fetch, http) reads the others only with this one, since 22.21 and 24.
    return (*both, ("NODE_USE_ENV_PROXY", "1"))


def not_enforced(server: Server) -> str:
    """Egress rules that nothing enforces, in words: compose can enforce host names alone."""
    egress = server.network.egress
    if egress is None:
        text = "NOT ENFORCED: cloud metadata (169.254.169.254), a machine's own credentials in it, stays reachable."
        return f"{text} A compose network is open or closed."
    if egress.forbidden or has_proxy(server):
        return ""
    return f"NOT ENFORCED: egress only to {', '.join(_without_names(server))}. A compose network is open or closed."


def out_of_reach(server: Server) -> str:
    if not has_proxy(server):
        return ""
    text = "Its only way out is the proxy: a program that ignores HTTP_PROXY and HTTPS_PROXY cannot connect at all."
    others = _without_names(server)
    return f"{text} OUT OF REACH: {', '.join(others)}." if others else text


def _without_names(server: Server) -> list[str]:
    egress = server.network.egress
    return [*(b.cidr for b in egress.cidrs), *(f"service {s.name}" for s in egress.services)] if egress else []
