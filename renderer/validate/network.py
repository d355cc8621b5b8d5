"""Rules of the network: egress, ingress, published ports."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from renderer.errors import DocumentPath, Fault, Severity
from renderer.later import pattern
from renderer.launch import registries_out_of_reach
from renderer.model import Egress, Peer, Server

#: Scheme, host and port of a URL; user and password are skipped.
_URL = pattern(
    r"\b([a-z][a-z0-9+.-]*)://(?:[^\s/@?#]*@)?([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?(?=[/?#\s,;\"']|$)"
)
#: A Service by its name in the cluster, without a scheme.
_SERVICE = pattern(r"([a-z0-9-]+\.[a-z0-9-]+\.svc(?:\.cluster\.local)?)(?::(\d{1,5}))?")
#: Default ports by scheme.
_PORTS = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "rediss": 6379,
    "mongodb": 27017,
    "amqp": 5672,
    "amqps": 5671,
    "nats": 4222,
    "bolt": 7687,
    "neo4j": 7687,
    "ldap": 389,
    "ldaps": 636,
    "ssh": 22,
}
#: Variables and options for the listening address, as in SDKs and most servers.
_PORT_NAMES = pattern(r"((MCP|HTTP|SERVER|LISTEN|BIND|UVICORN|FASTMCP|MCP_SERVER|MCP_HTTP|FASTMCP_SERVER)_)?PORT")
_HOST_NAMES = pattern(
    r"((MCP|HTTP|SERVER|LISTEN|BIND|UVICORN|FASTMCP|MCP_SERVER|MCP_HTTP|FASTMCP_SERVER)_)?HOST|(LISTEN|BIND)_ADDR(ESS)?"
)
_PORT_FLAGS = pattern(r"--(?:http-|server-|listen-|mcp-)?port(?:=(.*))?")
_HOST_FLAGS = pattern(r"--(?:http-|server-|listen-|bind-|mcp-)?(?:host|address|addr|bind|listen)(?:=(.*))?")
_AT_PORT = pattern(r"(?:^|:)(\d{1,5})$")
_LOOPBACK = pattern(r"(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)(:\d+)?$")
#: Variables whose URLs the server does not connect to.
_NOT_CONNECTED = (
    *("ORIGIN", "CORS", "ALLOW", "REDIRECT", "CALLBACK"),
    *("PUBLIC", "EXTERNAL", "AUDIENCE", "TRUSTED", "REFERER"),
)


def packages_need_their_registry(server: Server) -> Iterator[Fault]:
    """npx and uvx download packages and bridges at the start."""
    egress = server.network.egress
    if egress is None or egress.cidrs:
        return
    if missing := registries_out_of_reach(server):
        yield Fault(
            ("spec", "network", "egress"),
            "spec/package-without-registry",
            f"packages are downloaded at every start, and network.egress does not allow {' and '.join(missing)}",
            "add the missing hosts to network.egress.hosts, set a mirror in env, or build an image",
            at_key=True,
        )


def cidrs_are_blocks(server: Server) -> Iterator[Fault]:
    """A CIDR block has no host bits and contains its exceptions."""
    egress = server.network.egress
    for i, block in enumerate(egress.cidrs if egress else ()):
        path: DocumentPath = ("spec", "network", "egress", "cidrs", i)
        outer, faults = _cidr(block.cidr, path)
        yield from faults
        for j, text in enumerate(block.excepted):
            inner, faults = _cidr(text, (*path, "except", j))
            yield from faults
            if outer and inner and (outer.version != inner.version or not inner.subnet_of(outer) or inner == outer):  # type: ignore[arg-type]
                yield Fault((*path, "except", j), "spec/cidr-except", f"{text} is not inside {block.cidr}", "remove it")
    for i, cidr in enumerate(server.service.source_ranges):
        yield from _cidr(cidr, ("spec", "service", "sourceRanges", i))[1]
    for i, cidr in enumerate(server.sandbox.cidrs if server.sandbox else ()):
        yield from _cidr(cidr, ("spec", "sandbox", "egress", "cidrs", i))[1]


def peers_are_blocks(server: Server) -> Iterator[Fault]:
    lists: tuple[tuple[DocumentPath, tuple[Peer, ...] | None], ...] = (
        (("spec", "network", "ingress"), server.network.ingress),
        (("spec", "expose"), server.expose and server.expose.peers),
        (("spec", "monitoring"), server.monitoring and server.monitoring.peers),
    )
    for path, peers in lists:
        for i, peer in enumerate(peers or ()):
            if peer.cidr:
                yield from _cidr(peer.cidr, (*path, "from", i, "cidr"))[1]


def _cidr(text: str, path: DocumentPath) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network | None, list[Fault]]:
    """The network, or None, and the faults."""
    if network := _network(text, strict=True):
        return network, []
    network = _network(text, strict=False)
    if network is None:
        hint = "write an address and a prefix length such as 10.0.0.0/8"
        return None, [Fault(path, "spec/cidr", f"'{text}' is not a CIDR block", hint)]
    return None, [Fault(path, "spec/cidr", f"'{text}' is not a CIDR block: it has host bits set", f"write {network}")]


@lru_cache(maxsize=1024)  # servers of a fleet mostly have the same few
def _network(text: str, *, strict: bool) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict)
    except ValueError:
        return None


def egress_hosts_are_names(server: Server) -> Iterator[Fault]:
    """Addresses and port 0, which match the schema's pattern."""
    egress = server.network.egress
    for i, host in enumerate(egress.hosts if egress else ()):
        path = ("spec", "network", "egress", "hosts", i)
        if host.name.rpartition(".")[2].isdigit():
            message = f"'{host.name}' is an IP address, not a host name"
            hint = "write it under network.egress.cidrs: {cidr: 192.0.2.1/32, ports: [443]}"
            yield Fault(path, "spec/host-address", message, hint)
        if not 1 <= host.port <= 65535:
            yield Fault(path, "spec/host-port", f"port {host.port} is out of range", "write 1 to 65535")


def urls_are_reachable(server: Server) -> Iterator[Fault]:
    """For servers without ``network.egress.servers``."""
    if server.network.egress and not server.network.egress.servers:
        yield from _unreachable_urls(server, server.network.egress)


def linked_urls_are_reachable(server: Server) -> Iterator[Fault]:
    """For servers with resolved ``network.egress.servers``."""
    if server.network.egress and server.network.egress.servers:
        yield from _unreachable_urls(server, server.network.egress)


def _unreachable_urls(server: Server, egress: Egress) -> Iterator[Fault]:
    """URLs in variables and arguments that egress does not allow."""
    texts: list[tuple[DocumentPath, str]] = [
        (("spec", "env", name), value)
        for name, value in server.env.items()
        if isinstance(value, str)
        and ("://" in value or ".svc" in value)
        and not any(word in name.upper() for word in _NOT_CONNECTED)
    ]
    for field, words in (("command", server.command), ("args", server.args)):
        texts += [(("spec", field, i), word) for i, word in enumerate(words or ())]
    own = {"localhost", *(server.expose.hosts if server.expose else ())}
    for path, text in texts:
        for host, port in _addresses(text):
            if host not in own and not opens(egress, host, port):
                there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                yield Fault(
                    path,
                    "spec/unreachable-url",
                    f"network.egress does not open {there}, so the server cannot connect to it",
                    how_to_open(host, port),
                    Severity.WARNING,
                )


def _addresses(text: str) -> Iterator[tuple[str, int]]:
    for scheme, host, port in _URL.findall(text) if "://" in text else ():
        if number := int(port or _PORTS.get(scheme.lower(), 0)):
            yield host.strip("[]").lower().rstrip("."), number
    if ".svc" in text and (service := _SERVICE.fullmatch(text)):
        yield service[1], int(service[2] or 80)


def opens(egress: Egress, host: str, port: int) -> bool:
    """False only if the connection cannot be allowed."""
    address = ip_address(host)
    if address is not None and (address.is_loopback or address.is_unspecified):
        return True
    for block in egress.cidrs:
        # A name may resolve to an address in any block.
        inside = address is None or address in ipaddress.ip_network(block.cidr, strict=False)
        if inside and (not (block.ports or block.udp_ports) or port in block.ports):
            return True
    if address is not None:
        return False
    for allowed in egress.hosts:
        matches = host.endswith(allowed.name[1:]) if allowed.name.startswith("*.") else host == allowed.name.lower()
        if matches and port == allowed.port:
            return True
    name, _, namespace = host.removesuffix(".cluster.local").removesuffix(".svc").partition(".")
    # Ports and labels of pods may differ from port and name of the Service.
    return any(
        service.namespace in (None, namespace) or (not namespace and service.name == name)
        for service in egress.services
        if service.name == name or service.pod_labels != {"app.kubernetes.io/name": service.name}
    )


@lru_cache(maxsize=1024)
def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def how_to_open(host: str, port: int) -> str:
    if address := ip_address(host):
        return f"add {{cidr: {address}/{address.max_prefixlen}, ports: [{port}]}} to network.egress.cidrs"
    name, *rest = host.removesuffix(".cluster.local").removesuffix(".svc").split(".")
    service = f"{{name: {name}{f', namespace: {rest[0]}' if rest else ''}, ports: [{port}]}}"
    if host.endswith((".svc", ".svc.cluster.local")) or not rest:
        return f"add {service} to network.egress.services"
    by_name = f"add {host}:{port} to network.egress.hosts"
    return f"{by_name}, or for a Service {service} to network.egress.services" if len(rest) == 1 else by_name


def publish_address(server: Server) -> Iterator[Fault]:
    """The schema's pattern allows 999.1.1.1."""
    publish = server.network.publish
    if publish and not ip_address(publish.address):
        yield Fault(
            ("spec", "network", "publish", "address"),
            "spec/publish-address",
            f"'{publish.address}' is not an IP address",
            "write 127.0.0.1 for this machine only, or 0.0.0.0 for every network",
        )


def host_aliases(server: Server) -> Iterator[Fault]:
    """As for publish_address."""
    for name, address in server.network.host_aliases.items():
        if address != "host-gateway" and not ip_address(address):
            path = ("spec", "network", "hostAliases", name)
            yield Fault(path, "spec/host-alias", f"'{address}' is not an IP address", "write one such as 10.0.0.5")


def listens_where_the_service_leads(server: Server) -> Iterator[Fault]:
    """A port or address in variables or arguments that differs from the Service's."""
    if server.transport.type == "stdio":
        return
    ports, hosts = _values_of(server, _PORT_NAMES, _PORT_FLAGS), _values_of(server, _HOST_NAMES, _HOST_FLAGS)
    listens = {path: int(match[1]) for path, text in {**ports, **hosts}.items() if (match := _AT_PORT.search(text))}
    known = {server.transport.port, server.health.check.port, *(port.target for port in server.service.ports)}
    known.add(server.monitoring.port if server.monitoring else None)
    if server.transport.port not in listens.values():
        for path, port in listens.items():
            if port not in known:
                message = f"the server listens on port {port}, and clients are led to transport.port "
                hint = f"write transport: {{port: {port}}}, or accept this where it is the port of something else"
                yield _elsewhere(path, f"{message}({server.transport.port})", hint)
    for path, text in hosts.items():
        if server.guard is None and _LOOPBACK.match(text):
            message = f"the server listens on {text}: nothing outside of its container reaches it"
            yield _elsewhere(path, message, "write 0.0.0.0, or accept this where it is the host of something else")


def _elsewhere(path: DocumentPath, message: str, hint: str) -> Fault:
    return Fault(path, "spec/listens-elsewhere", message, hint, Severity.WARNING)


def _values_of(server: Server, names: re.Pattern[str], flags: re.Pattern[str]) -> dict[DocumentPath, str]:
    """Values of variables and command line options, by path."""
    values: dict[DocumentPath, str] = {
        ("spec", "env", name): value
        for name, value in server.env.items()
        if isinstance(value, str) and names.fullmatch(name)
    }
    for field, words in (("command", server.command), ("args", server.args)):
        for i, word in enumerate(words):
            if not (match := flags.fullmatch(word)):
                continue
            if match[1] is not None:
                values["spec", field, i] = match[1]
            elif i + 1 < len(words):
                values["spec", field, i + 1] = words[i + 1]
    return values


RULES = (
    listens_where_the_service_leads,
    packages_need_their_registry,
    cidrs_are_blocks,
    peers_are_blocks,
    egress_hosts_are_names,
    urls_are_reachable,
    publish_address,
    host_aliases,
)
