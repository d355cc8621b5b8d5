"""Access policies for gateways that replace the guard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib import parse

from renderer.errors import DocumentPath, Fault, Severity
from renderer.guard import challenge, key_host, metadata_address, metadata_document, metadata_paths
from renderer.model import Access, ConfigMapRef, Rights, Server
from renderer.model.access import AGENT, ENVOY

_TITLES: Mapping[str, str] = {ENVOY: "Envoy Gateway", AGENT: "agentgateway"}
_UNITS = {"1s": "Second", "1m": "Minute", "1h": "Hour", "60s": "Minute", "60m": "Hour"}
#: Envoy Gateway: the key that it reads in a ConfigMap, and the maximum of audiences.
_KEYS, _AUDIENCES = "jwks", 8
#: Methods and headers for web pages.
CORS = {
    "methods": ["GET", "POST", "DELETE"],
    "headers": [
        *("authorization", "content-type", "accept", "last-event-id"),
        *("mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"),
    ],
    "exposed": ["www-authenticate", "mcp-session-id", "mcp-protocol-version"],
}
#: Headers that carry claims from token validation to the rate limit.
_SUBJECT = {"iss": "x-mcpctl-issuer", "sub": "x-mcpctl-subject"}


def gateway_policy(access: Access) -> dict[str, Any]:
    """Values for the templates of both gateways."""
    scopes, limit = list(access.require.scopes), access.rate_limit
    removed = ["origin", *([] if access.forwards_token else ["authorization"]), *(_SUBJECT.values() if limit else ())]
    return {
        "name": access.enforced_by,
        "url": access.url,
        "metadata_paths": metadata_paths(access),
        # Has no percent sign, which Envoy would interpret: the schema forbids it in scopes and URLs.
        "metadata": metadata_document(access),
        "challenge": challenge(metadata_address(access), scopes),
        "supported": list(json.loads(metadata_document(access)).get("scopes_supported", [])),
        "issuers": [_issuer(access, index) for index in range(len(access.issuers))],
        "scopes": scopes,
        "groups": list(access.require.groups),
        "origins": list(access.origins),
        "cors": CORS,
        "limit": limit and {"requests": limit.per_subject, "unit": _UNITS.get(limit.per, "")},
        "claims": [{"claim": claim, "header": header} for claim, header in _SUBJECT.items()] if limit else [],
        "removed": removed if access.enforced_by == ENVOY else [],
        "forward": access.forwards_token,
        "foreign_origin": f"'origin' in request.headers && !({_own_origin(access)})",
        "required": [f"!('origin' in request.headers) || ({_own_origin(access)})", *_rights(access.require)],
        "tools": [
            *(" && ".join([_named(rule.allow), *_rights(rule.rights)]) for rule in access.tools),
            *("has(mcp.prompt)", "has(mcp.resource)", "has(mcp.task)"),
        ]
        if access.tools
        else [],
    }


def _issuer(access: Access, index: int) -> dict[str, Any]:
    issuer = access.issuers[index]
    host, address = key_host(issuer), parse.urlsplit(issuer.jwks if isinstance(issuer.jwks, str) else "")
    return {
        "name": f"issuer-{index + 1}",
        "url": issuer.url,
        "audiences": list(issuer.audiences or [access.url or ""]),
        "jwks": issuer.jwks if isinstance(issuer.jwks, str) else None,
        "configMap": issuer.jwks.config_map if isinstance(issuer.jwks, ConfigMapRef) else None,
        "host": host and host.name,
        "port": host and host.port,
        "path": address.path.removeprefix("/") + (f"?{address.query}" if address.query else ""),
        "tls": address.scheme == "https",
    }


# ---------------------------------------------------------------------------------------------
# Expressions of CEL.


def _texts(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _own_origin(access: Access) -> str:
    return f"request.headers['origin'] in {_texts(access.origins)}" if access.origins else "false"


def _rights(rights: Rights) -> list[str]:
    """All must be true. Issuers write scopes as a text ('scope') or a list ('scp')."""
    conditions = [
        f"(has(jwt.scope) ? {_text(s)} in jwt.scope.split(' ') : {_text(s)} in jwt.scp)" for s in rights.scopes
    ]
    return conditions + ([f"jwt.groups.exists(group, group in {_texts(rights.groups)})"] if rights.groups else [])


def _named(patterns: Sequence[str]) -> str:
    names = [name for name in patterns if not name.endswith("*")]
    conditions = [f"mcp.tool.name in {_texts(names)}"] if names else []
    conditions += [f"mcp.tool.name.startsWith({_text(name[:-1])})" for name in patterns if name.endswith("*")]
    return conditions[0] if len(conditions) == 1 else f"({' || '.join(conditions)})"


# ---------------------------------------------------------------------------------------------
# What cannot be expressed.


def gateway_limits(server: Server, access: Access) -> Iterator[Fault]:
    """Fields that the gateway's resources cannot express."""
    title, place = _TITLES[access.enforced_by], ("spec", "access", "enforcedBy")
    if server.expose is None or server.expose.type != "HTTPRoute":
        state = "has an Ingress" if server.expose else "is not exposed"
        message = f"{title} enforces access on an HTTPRoute, and this server {state}"
        hint = "write expose: {type: HTTPRoute, gateway: {name: …}, host: …}, or enforcedBy: envoy"
        yield Fault(place, "kubernetes/gateway-route", message, hint)
    if not access.issuers:
        message = f"without issuers {title} has nobody to ask for a token"
        yield Fault(place, "kubernetes/gateway-issuers", message, "add issuers, or write enforcedBy: envoy")
        return
    # Ways to the server past the gateway.
    guard = "or write enforcedBy: envoy: its guard stands in the pod"
    if server.network.ingress:
        own = server.sets("spec", "network", "ingress", "from")
        path: DocumentPath = ("spec", "network", "ingress", "from") if own else ("spec", "access", "enforcedBy")
        message = f"the pods of network.ingress.from{'' if own else ' (its default)'} pass {title}: none needs a token"
        yield _warning(path, "gateway-passed", message, f"write network.ingress.from: [], {guard}")
    if server.service.type != "ClusterIP":
        message = f"a Service of type {server.service.type} leads past {title}: nobody needs a token there"
        yield _warning(("spec", "service", "type"), "gateway-passed", message, f"remove it, {guard}")
    yield from _shared_limits(server, access, title)
    yield from (_envoy_limits if access.enforced_by == ENVOY else _agent_limits)(access)


def _shared_limits(server: Server, access: Access, title: str) -> Iterator[Fault]:
    differs = {
        ENVOY: "it takes tokens without an expiry (exp), answers 403 to a token for somebody else, names no scopes in "
        "a 403, and its rate limit does not count tokens without a subject (sub)",
        AGENT: "it names no scopes in its 401 and 403, and reads 'scp' only as a list",
    }
    yield _warning(
        ("spec", "access", "enforcedBy"),
        "gateway-differs",
        f"the policies of {title} are alpha, and it is no guard: {differs[access.enforced_by]}",
        "accept this with the reason, or write enforcedBy: envoy",
    )
    if server.sets("spec", "access", "log"):
        message = f"the log of requests is that of {title}, for all its routes"
        yield _warning(("spec", "access", "log"), "gateway-log", message, "configure it there, and remove this")
    for i, origin in enumerate(access.origins):
        if "[" in origin:
            message = f"the policy of {title} takes no addresses of IPv6 as origins"
            yield Fault(("spec", "access", "origins", i), "kubernetes/gateway-origin", message, "write a host name")


def _envoy_limits(access: Access) -> Iterator[Fault]:
    if access.tools:
        message = "Envoy Gateway does not read MCP, so it has no rules on tools"
        hint = "write enforcedBy: envoy or agentgateway"
        yield Fault(("spec", "access", "tools"), "kubernetes/gateway-tools", message, hint, at_key=True)
    if access.rate_limit and access.rate_limit.per not in _UNITS:
        message = f"Envoy Gateway counts per second, minute or hour, not per {access.rate_limit.per}"
        place = ("spec", "access", "rateLimit", "per")
        yield Fault(place, "kubernetes/gateway-rate-limit", message, "write per: 1s, 1m or 1h")
    for i, issuer in enumerate(access.issuers):
        path = ("spec", "access", "issuers", i)
        if isinstance(issuer.jwks, ConfigMapRef) and issuer.jwks.key != _KEYS:
            message = f"Envoy Gateway reads the key '{_KEYS}' of a ConfigMap, not '{issuer.jwks.key}'"
            yield Fault((*path, "jwksFrom", "key"), "kubernetes/gateway-jwks", message, f"call the key '{_KEYS}'")
        if isinstance(issuer.jwks, str) and not issuer.jwks.startswith("https:"):
            message = "Envoy Gateway fetches keys by https alone"
            yield Fault((*path, "jwks"), "kubernetes/gateway-jwks", message, "write an https address, or jwksFrom")
        if len(issuer.audiences) > _AUDIENCES:
            message = f"{len(issuer.audiences)} audiences are more than Envoy Gateway's {_AUDIENCES}"
            yield Fault((*path, "audiences"), "kubernetes/gateway-audiences", message, f"list at most {_AUDIENCES}")


def _agent_limits(access: Access) -> Iterator[Fault]:
    place = ("spec", "access")
    if access.rate_limit:
        message = "agentgateway has no limit for each subject without a service of its own that counts"
        hint = "remove it, or write enforcedBy: envoy or envoy-gateway"
        yield Fault((*place, "rateLimit"), "kubernetes/gateway-rate-limit", message, hint, at_key=True)
    for i, issuer in enumerate(access.issuers):
        if isinstance(issuer.jwks, ConfigMapRef):
            message = "agentgateway reads no keys from a ConfigMap"
            path = (*place, "issuers", i, "jwksFrom")
            yield Fault(path, "kubernetes/gateway-jwks", message, "write the address: jwks", at_key=True)
        if i:
            message = "agentgateway serves the metadata of one issuer alone"
            hint = "keep one issuer, or write enforcedBy: envoy or envoy-gateway"
            yield Fault((*place, "issuers", i, "url"), "kubernetes/gateway-issuers", message, hint)
    for i, rule in enumerate(access.tools):
        if rule.rights.scopes:
            message = "agentgateway hides these tools from a token without the scopes, and never says which to ask for"
            hint = "accept this, or write enforcedBy: envoy, which answers 403 insufficient_scope"
            yield _warning((*place, "tools", i, "scopes"), "gateway-step-up", message, hint)


def _warning(path: DocumentPath, rule: str, message: str, hint: str) -> Fault:
    return Fault(path, f"kubernetes/{rule}", message, hint, Severity.WARNING, at_key=True)
