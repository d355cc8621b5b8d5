"""Rules of ``access``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib import parse

from renderer import pins
from renderer.errors import DocumentPath, Fault, Severity
from renderer.guard import HEALTH, covers, is_public_name, key_host, url_path
from renderer.launch import listens_on_loopback
from renderer.model import Access, Server
from renderer.model.access import WELL_KNOWN
from renderer.validate.network import how_to_open, ip_address, opens

_ACCESS = ("spec", "access")


def addresses_are_safe(server: Server) -> Iterator[Fault]:
    """Tokens and keys travel over these URLs."""
    if not isinstance(access := server.access, Access):
        return
    addresses: list[tuple[DocumentPath, str | None]] = [((*_ACCESS, "url"), access.url)]
    for i, issuer in enumerate(access.issuers):
        jwks = issuer.jwks if isinstance(issuer.jwks, str) else None
        addresses += [((*_ACCESS, "issuers", i, "url"), issuer.url), ((*_ACCESS, "issuers", i, "jwks"), jwks)]
    for path, address in addresses:
        parts = parse.urlsplit(address or "https://")
        host = parts.hostname or ""
        ip = ip_address(host)
        if parts.scheme == "http" and host != "localhost" and not (ip and ip.is_loopback):
            message = f"{address} is not encrypted: others on the network can read tokens or replace keys"
            yield Fault(path, "spec/access-url", message, "write https://; http is for loopback addresses")


def tokens_have_an_issuer(server: Server) -> Iterator[Fault]:
    """Fields about tokens without issuers, and incomplete issuers."""
    if not isinstance(access := server.access, Access):
        return
    if access.issuers and access.url is None:
        message = "missing field 'url': the public address is what tokens are for (their audience)"
        yield Fault(
            _ACCESS, "spec/access-url", message, "add the address that clients are configured with", at_key=True
        )
    if not access.issuers:
        fields: list[DocumentPath] = [(f,) for f in ("require", "rateLimit", "token") if server.sets(*_ACCESS, f)]
        for i, rule in enumerate(access.tools):
            fields += [("tools", i, f) for f, needed in zip(("scopes", "groups"), rule.rights, strict=True) if needed]
        for field in fields:
            message = f"'{field[-1]}' is about tokens, and without 'issuers' nobody needs one"
            hint = "add issuers, or remove it"
            yield Fault((*_ACCESS, *field), "spec/access-without-issuers", message, hint, at_key=True)
    first: dict[str, int] = {}
    for i, issuer in enumerate(access.issuers):
        if first.setdefault(issuer.url, i) != i:
            message = f"two issuers are {issuer.url} (issuers[{first[issuer.url]}])"
            hint = "keep one of them, with the audiences of both"
            yield Fault((*_ACCESS, "issuers", i, "url"), "spec/duplicate-issuer", message, hint)


def access_restricts(server: Server) -> Iterator[Fault]:
    """Fields that look restrictive but allow everything."""
    if not isinstance(access := server.access, Access):
        return
    if access.url is not None and not access.issuers:
        message = "no token is asked for: 'url' is the audience of tokens, and their 'issuers' are missing"
        hint, rule = "add issuers, or remove it", "spec/access-without-issuers"
        yield Fault((*_ACCESS, "url"), rule, message, hint, Severity.WARNING, at_key=True)
    if server.sets(*_ACCESS, "tools") and not access.tools:
        message = "every tool may be called: an empty list has no rule that allows some and refuses the others"
        hint, rule = "name the tools to allow, or remove it", "spec/tool-rule-without-effect"
        yield Fault((*_ACCESS, "tools"), rule, message, hint, Severity.WARNING, at_key=True)


def tool_rules_count(server: Server) -> Iterator[Fault]:
    """Another rule that allows the tool for fewer rights makes this one ineffective."""
    if not isinstance(access := server.access, Access):
        return
    for i, rule in enumerate(access.tools):
        for j, name in enumerate(rule.allow):
            for k, other in enumerate(access.tools):
                covering = next((pattern for pattern in other.allow if covers(pattern, name)), None)
                if covering is None or k == i or not rule.rights.include(other.rights):
                    continue
                weaker = not other.rights.include(rule.rights)
                if weaker or k < i:
                    message = f"tools[{k}] allows '{covering}' {'for less' if weaker else 'too'}, so this has no effect"
                    hint = "name the tools there one by one, or remove one of the two"
                    path = (*_ACCESS, "tools", i, "allow", j)
                    yield Fault(path, "spec/tool-rule-without-effect", message, hint)
                    break
    if access.tools and access.enforced_by == "envoy":
        yield Fault(
            (*_ACCESS, "tools"),
            "spec/guard-in-progress",
            "rules on tools rest on Envoy's filter for MCP, which its makers call work in progress and outside of "
            "their threat model",
            "accept this with the reason, or have scopes and groups of all calls (access.require) protect what matters",
            Severity.WARNING,
            at_key=True,
        )


def guard_can_stand(server: Server) -> Iterator[Fault]:
    """The guard speaks streamable HTTP and reserves paths; it should be the only way to the server."""
    access, transport = server.guard, server.transport
    if access is None or not server.listens:
        return
    if transport.served == "sse":
        message = "the guard speaks streamable HTTP alone, and this server speaks sse"
        yield Fault(
            _ACCESS, "spec/access-sse", message, "use type: streamable-http, or a bridge's path /mcp", at_key=True
        )
    for path, place in ((url_path(access), (*_ACCESS, "url")), (transport.path, ("spec", "transport", "path"))):
        if path == HEALTH or f"{path}/".startswith(f"{WELL_KNOWN}/"):
            yield Fault(place, "spec/guard-path", f"the guard answers {path} itself", "choose another path")
    if isinstance(server.access, Access) and not listens_on_loopback(server):
        bridged = transport.bridge != "none"
        listener = transport.bridge if bridged else "the server"
        instead = ", or use the bridge mcp-proxy, which listens on loopback alone" if bridged else ""
        yield Fault(
            _ACCESS,
            "spec/guard-not-alone",
            f"{listener} listens on every address of its pod, so only the NetworkPolicy keeps others from passing the "
            "guard; in compose a network of its own does",
            f"accept this where the cluster's network plugin enforces policies{instead}",
            Severity.WARNING,
            at_key=True,
        )


def networks_bypass_guard(server: Server) -> Iterator[Fault]:
    """In compose a server with open egress joins these networks itself."""
    egress, networks = server.network.egress, server.compose.networks
    if server.guard and networks and (egress is None or not (egress.forbidden or egress.hosts)):
        yield Fault(
            ("spec", "compose", "networks"),
            "spec/guard-not-alone",
            f"in compose every container on {' and '.join(networks)} may connect to the server itself, past its guard",
            "restrict network.egress, so that the guard alone joins them; or remove those that only clients are on",
            Severity.WARNING,
            at_key=True,
        )


def ports_bypass_guard(server: Server) -> Iterator[Fault]:
    """The guard has a port in the pod, and no other port may lead to MCP."""
    transport, monitoring = server.transport, server.monitoring
    if server.guard is None or not server.listens:
        return
    taken: list[tuple[int, DocumentPath]] = [(transport.port, ("spec", "transport", "port"))]
    taken += [(monitoring.port, ("spec", "monitoring", "port"))] if monitoring else []
    taken += [(p.target, ("spec", "service", "ports", i)) for i, p in enumerate(server.service.ports)]
    for number, field in taken:
        if number == pins.GUARD_PORT:
            yield Fault(field, "spec/guard-port", f"port {number} of the pod is the guard's", "choose another port")
        elif number == transport.port and field[1] != "transport":
            message = f"port {number} is that of MCP, which only the guard reaches"
            hint = (
                "serve it on another port" if field[1] == "monitoring" else "remove it: service.port leads to the guard"
            )
            yield Fault(field, "spec/guard-passed", message, hint)


def ways_in_lead_to_guard(server: Server) -> Iterator[Fault]:
    """The public URL must be exposed."""
    access, expose = server.access, server.expose
    if not isinstance(access, Access) or access.url is None or expose is None:
        return
    parts = parse.urlsplit(access.url)
    name = parts.hostname or ""
    covers = {name, f"*.{name.partition('.')[2]}"}
    if covers.isdisjoint(expose.hosts) and not any("$" in host for host in (*expose.hosts, name)):
        message = f"the host of {access.url} is not exposed: {', '.join(expose.hosts)}"
        yield Fault((*_ACCESS, "url"), "spec/access-host", message, "write the same host in both")
    keeps_path = access.enforced_by != "envoy-gateway"
    prefixes = [prefix.rstrip("/") for prefix in expose.paths if f"{parts.path}/".startswith(f"{prefix.rstrip('/')}/")]
    cut = max(prefixes, key=len, default="") if expose.strip_prefix else ""
    arrives = parts.path.removeprefix(cut) or "/"
    if expose.strip_prefix and keeps_path:
        message = "the guard or gateway maps the path of access.url to transport.path itself and needs it whole"
        yield Fault(("spec", "expose", "stripPrefix"), "spec/access-path", message, "remove it", at_key=True)
    elif not expose.leads_to(parts.path):
        field = "paths" if server.sets("spec", "expose", "paths") else "path"
        message = f"nothing below {', '.join(expose.paths)} leads to access.url, whose path is {parts.path or '/'}"
        yield Fault(("spec", "expose", field), "spec/access-path", message, f"write path: {parts.path or '/'}")
    elif not keeps_path and arrives != server.transport.path:
        message = f"the server gets {access.url} as {arrives}, and speaks at {server.transport.path}"
        hint = "write an url that ends in transport.path, behind expose.path with stripPrefix: true"
        yield Fault((*_ACCESS, "url"), "spec/access-path", message, hint)


def keys_are_reachable(server: Server) -> Iterator[Fault]:
    """The guard shares the pod's egress; the policy allows public names automatically."""
    egress = server.network.egress
    if egress is None or (access := server.guard) is None:
        return
    for i, issuer in enumerate(access.issuers):
        host = key_host(issuer)
        if host and not is_public_name(host.name) and not opens(egress, host.name, host.port):
            path = (*_ACCESS, "issuers", i, "jwks")
            message = f"network.egress does not open {host.name}:{host.port}, so the guard cannot fetch the keys"
            yield Fault(path, "spec/unreachable-url", message, how_to_open(host.name, host.port), Severity.WARNING)


RULES = (
    addresses_are_safe,
    tokens_have_an_issuer,
    access_restricts,
    tool_rules_count,
    guard_can_stand,
    networks_bypass_guard,
    ports_bypass_guard,
    ways_in_lead_to_guard,
    keys_are_reachable,
)
