"""The guard: an Envoy in front of a server, which enforces ``spec.access``, for every target."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib import parse

from renderer import pins
from renderer.errors import Problem
from renderer.model import JSON, Access, ConfigMapRef, EgressHost, Issuer, Rights, Server, Transport
from renderer.model.access import WELL_KNOWN
from renderer.render import TemplateFault, has_user_templates, places_in_templates, render
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The configuration in its container.
FOLDER = "/etc/guard"
#: Keys of issuers in ConfigMaps, in another folder: nothing can be mounted below a read-only mount.
_KEYS = "/etc/guard-keys"
CONFIG = "guard.yaml"
#: Paths that it answers itself.
HEALTH = "/healthz"

#: The names in ``guard`` of ``guard/envoy.yaml.j2``; docs/templates.md has these lines.
NAMES: Mapping[str, str] = {
    "address": "where the guard listens",
    "port": "its port",
    "largest_body": "of a request, in bytes",
    "url": "`spec.access.url`",
    "paths": "what leads to the server: the path of `url`, and `spec.transport.path`",
    "well_known": "the paths of the metadata (RFC 9728)",
    "metadata": "the metadata, as JSON",
    "challenges": "WWW-Authenticate of refusals: `missing`, `invalid`, `scopes`",
    "issuers": "`key`, `url`, `audiences`, and `file`, or `jwks` with `host`, `port`, `tls`",
    "forward": "whether the server gets the token",
    "scopes": "all of which a token needs",
    "groups": "one of which a token needs",
    "methods": "methods of MCP that need no rule on tools: `kind` (exact, prefix), `text`",
    "tools": "rules on tools: `patterns` (as `methods`; none for every tool), `regex`, `scopes`, `groups`, `challenge`",
    "limit": "the rate limit: `requests`, `interval`, `retry_after` (seconds); or null",
    "origins": "of web pages that may call it",
    "log": "whether requests are logged",
    "discovery": "how Envoy finds the server: STATIC or STRICT_DNS",
    "server_address": "where the server is: `server_address`, `server_port` and `server_path`",
    "server_port": "its port",
    "server_path": "its path",
    "host": "the Host that the server sees",
    "sticky": "whether clients must come back to one of several containers",
}
_TEMPLATE = "guard/envoy.yaml.j2"
_PORTS = {"https": 443, "http": 80}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
#: Methods that rules on tools do not restrict; '*' only at the end. The answer of an older client to a request of the
#: server has no method, for which Envoy has a name.
_METHODS = (
    *("initialize", "ping", "server/discover", "notifications/*", "__jsonrpc_response", "logging/setLevel"),
    *("tools/list", "prompts/list", "prompts/get", "resources/*", "completion/complete", "subscriptions/listen"),
    "tasks/*",
)


def covers(pattern: str, tool: str) -> bool:
    """Whether a rule's pattern, which may end with ``*``, matches the tool."""
    return tool.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == tool


def url_path(access: Access) -> str:
    """Empty for the host's root."""
    return parse.urlsplit(access.url).path if access.url else ""


def well_known_paths(access: Access) -> list[str]:
    """Of the metadata (RFC 9728): the server's own, then the host's."""
    return list(dict.fromkeys((f"{WELL_KNOWN}{url_path(access)}", WELL_KNOWN))) if access.issuers else []


def metadata_paths(access: Access) -> list[str]:
    """Those that an Ingress or HTTPRoute routes.

    The host's own only for a server that has the host for itself, which a public address with several steps denies:
    some controllers refuse a second Ingress with the same path.
    """
    return well_known_paths(access)[: 1 if url_path(access).count("/") > 1 else 2]


def metadata_address(access: Access) -> str:
    """The URL of the metadata: the host of the public address, and its path behind the well-known one."""
    return f"{access.url or ''}".removesuffix(url_path(access)) + (well_known_paths(access) or [""])[0]


def guard_arguments() -> list[str]:
    """Of Envoy: one process without hot restart; one worker is enough for a server."""
    return ["--config-path", f"{FOLDER}/{CONFIG}", "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn"]


def key_files(access: Access) -> dict[str, ConfigMapRef]:
    """The keys of issuers that are in ConfigMaps: path in the container to the ConfigMap's key."""
    return {
        f"{_KEYS}/{i}-{issuer.jwks.config_map}/{issuer.jwks.key}": issuer.jwks
        for i, issuer in enumerate(access.issuers, 1)
        if isinstance(issuer.jwks, ConfigMapRef)
    }


def key_host(issuer: Issuer) -> EgressHost | None:
    """The host of its keys; None where a ConfigMap has them."""
    if not isinstance(issuer.jwks, str):
        return None
    address = parse.urlsplit(issuer.jwks)
    # urlsplit's own host is in lower case, which the name of a placeholder is not.
    host = address.netloc.rpartition(":")[0] if address.port else address.netloc
    return EgressHost(host.strip("[]"), address.port or _PORTS[address.scheme])


def is_public_name(host: str) -> bool:
    """Whether a policy can allow it by name: no address, and no name of the cluster's own."""
    return "." in host and ":" not in host and not host[-1].isdigit() and not host.endswith((".svc", ".cluster.local"))


def opened_for_keys(server: Server) -> tuple[EgressHost, ...]:
    """The hosts that a policy allows for the guard; network.egress covers others."""
    access = server.guard
    hosts = (key_host(issuer) for issuer in (access.issuers if access else ()))
    return tuple(dict.fromkeys(host for host in hosts if host and is_public_name(host.name)))


def guard_config(server: Server, access: Access, address: str, port: int) -> str:
    """The configuration of Envoy, which listens on ``port`` and reaches the server at ``address``.

    TemplateFault where the user's template makes no YAML; the built-in one is tested with the real Envoy.
    """
    several = server.replicas > 1
    if not has_user_templates():
        return _built_in_config(access, server.transport, address, port, several)
    context = {"guard": guard_values(access, server.transport, address, port, several)}
    text = render(_TEMPLATE, context)
    _, faults = read(text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    if faults:
        place, problems = places_in_templates(_TEMPLATE, context), []
        for line, _, fault in faults:
            message = f"{fault.message} (the guard's configuration, line {line})"
            problems.append(Problem(place(line), "", fault.rule, message, fault.hint, in_output=True))
        raise TemplateFault("the configuration of a guard is not YAML", problems)
    return text


@lru_cache(maxsize=256)  # most guards of a fleet have the same
def _built_in_config(access: Access, transport: Transport, address: str, port: int, several: bool) -> str:
    return render(_TEMPLATE, {"guard": guard_values(access, transport, address, port, several)})


def pod_guard(server: Server, own_name: Callable[[str], str], *, native: bool) -> dict[str, Any] | None:
    """Of a pod; ``own_name`` makes a unique name for a volume."""
    access = server.guard
    if access is None:
        return None
    keys = enumerate(key_files(access).items(), 1)
    return {
        "image": server.images.of(pins.GUARD_IMAGE),
        "args": guard_arguments(),
        "port": pins.GUARD_PORT,
        "health": HEALTH,
        "memory": list(pins.GUARD_MEMORY),
        "cpu": list(pins.GUARD_CPU),
        "config": pod_config(server),
        "config_key": CONFIG,
        "folder": FOLDER,
        "volume": own_name("guard"),
        "keys": [
            {
                "volume": own_name(f"guard-keys-{i}"),
                "configMap": ref.config_map,
                "key": ref.key,
                "folder": path.rpartition("/")[0],
            }
            for i, (path, ref) in keys
        ],
        "native": native,
    }


def pod_config(server: Server) -> str:
    """Empty without a guard."""
    access = server.guard
    return guard_config(server, access, "127.0.0.1", pins.GUARD_PORT) if access else ""


def guard_values(access: Access, transport: Transport, address: str, port: int, several: bool) -> dict[str, Any]:
    """The values of NAMES; ``several``: whether there is more than one replica."""
    well_known, scopes = well_known_paths(access), list(access.require.scopes)
    address_of_metadata = metadata_address(access)
    path, limit = transport.path, access.rate_limit
    seconds = int(limit.per[:-1]) * _SECONDS[limit.per[-1]] if limit else 0
    return {
        "address": "0.0.0.0",  # noqa: S104 - what clients connect to
        "port": port,
        "largest_body": pins.GUARD_LARGEST_BODY,
        "url": access.url,
        "paths": list(dict.fromkeys((url_path(access) or (path if access.url is None else "/"), path))),
        "well_known": well_known,
        "metadata": metadata_document(access),
        "challenges": {
            "missing": challenge(address_of_metadata, scopes),
            "invalid": challenge(address_of_metadata, scopes, "invalid_token"),
            "scopes": challenge(address_of_metadata, scopes, "insufficient_scope"),
        },
        "issuers": [_issuer(access, i) for i in range(len(access.issuers))],
        "forward": access.forwards_token,
        **_rights(access.require),
        "methods": [_pattern(method) for method in _METHODS],
        "tools": [
            {
                **_rights(rule.rights),
                "patterns": [] if "*" in rule.allow else [_pattern(name) for name in rule.allow],
                "regex": "|".join(re.escape(name).replace(r"\*", ".*") for name in rule.allow),
                "challenge": challenge(
                    address_of_metadata, dict.fromkeys((*scopes, *rule.rights.scopes)), "insufficient_scope"
                ),
            }
            for rule in access.tools
        ],
        "limit": limit
        and {
            "requests": limit.per_subject,
            "interval": f"{seconds}s",
            "retry_after": max(1, round(seconds / limit.per_subject)),
        },
        "origins": list(access.origins),
        "log": access.log,
        "discovery": "STATIC" if address[:1].isdigit() else "STRICT_DNS",
        "server_address": address,
        "server_port": transport.port,
        "server_path": path,
        # The Host that the checks of SDKs always accept.
        "host": f"localhost:{transport.port}",
        "sticky": bool(several and transport.keeps_sessions and not address[:1].isdigit()),
    }


def metadata_document(access: Access) -> str:
    scopes = dict.fromkeys((*access.require.scopes, *(s for rule in access.tools for s in rule.rights.scopes)))
    document: dict[str, JSON] = {
        "resource": access.url,
        "authorization_servers": [issuer.url for issuer in access.issuers],
        "bearer_methods_supported": ["header"],
        **({"scopes_supported": list(scopes)} if scopes else {}),
    }
    return json.dumps(document)


def challenge(metadata: str, scopes: Iterable[str], error: str = "") -> str:
    """The value of WWW-Authenticate; ``metadata`` is the URL of the document."""
    fields = {"error": error, "resource_metadata": metadata, "scope": " ".join(scopes)}
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in fields.items() if value)


def _issuer(access: Access, index: int) -> dict[str, JSON]:
    issuer = access.issuers[index]
    host = key_host(issuer)
    files = [path for path, ref in key_files(access).items() if ref is issuer.jwks]
    return {
        "key": f"issuer-{index + 1}",
        "url": issuer.url,
        "audiences": list(issuer.audiences or [access.url or ""]),
        "file": files[0] if files else None,
        "jwks": issuer.jwks if host and isinstance(issuer.jwks, str) else None,
        "host": host and host.name,
        "port": host and host.port,
        "tls": isinstance(issuer.jwks, str) and issuer.jwks.startswith("https:"),
    }


def _rights(rights: Rights) -> dict[str, JSON]:
    return {"scopes": list(rights.scopes), "groups": list(rights.groups)}


def _pattern(text: str) -> dict[str, JSON]:
    return {"kind": "prefix" if text.endswith("*") else "exact", "text": text.removesuffix("*")}
