"""ToolHive's MCPServer, MCPRemoteProxy and MCPOIDCConfig, toolhive.stacklok.dev/v1beta1.

What these lack is in podTemplateSpec, whose container 'mcp' is the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderer.exporters.exported import (
    COMMON,
    Exported,
    Fates,
    Lost,
    document,
    entries_of,
    lost,
    network_entry,
    without_empty,
)
from renderer.exporters.pod import Pod, pod_of
from renderer.model import JSON, Access, Options, SecretRef, Server

API_VERSION = "toolhive.stacklok.dev/v1beta1"
_POD, _MCP = "spec.podTemplateSpec", "spec.podTemplateSpec.spec.containers.0"
_CEDAR = Lost("ToolHive authorises by policies in Cedar: write them under spec.authzConfig")

_FATES: Fates = {
    **COMMON,
    "image": "spec.image",
    "package": f"{_MCP}.command",
    "remote": "spec.remoteUrl",
    "command": f"{_MCP}.command",
    "args": "spec.args",
    "workingDir": f"{_MCP}.workingDir",
    "transport.type": "spec.transport",
    "transport.port": "spec.mcpPort",
    "transport.path": "",
    "transport.stateful": "spec.sessionAffinity",
    "env": "spec.env",
    "envFrom": f"{_MCP}.envFrom",
    "files": f"{_POD}.spec.volumes",
    "resources": "spec.resources",
    "replicas": "spec.backendReplicas",
    "service.port": "spec.proxyPort",
    "storage": f"{_POD}.spec.volumes",
    "network.hostAliases": f"{_POD}.spec.hostAliases",
    "health": _MCP,
    "security": f"{_MCP}.securityContext",
    "shutdown": f"{_POD}.spec",
    "scheduling": f"{_POD}.spec",
    "gpu": _POD,
    "runtimeClass": f"{_POD}.spec.runtimeClassName",
    "imagePullPolicy": f"{_MCP}.imagePullPolicy",
    "imagePullSecrets": f"{_POD}.spec.imagePullSecrets",
    "initContainers": f"{_POD}.spec.initContainers",
    "sidecars": f"{_POD}.spec.containers",
    "serviceAccount": "spec.serviceAccount",
    "access.url": "spec.oidcConfigRef.resourceUrl",
    "access.issuers": "spec.oidcConfigRef",
    "access.require": Lost("ToolHive names the scopes to clients and asks for none of them; write spec.authzConfig"),
    "access.tools": _CEDAR,
    "access.rateLimit": Lost("ToolHive counts calls in Redis alone: write spec.sessionStorage and spec.rateLimiting"),
    "access.origins": Lost("ToolHive has no list of origins"),
    "access.log": "spec.audit.enabled",
    "access.token": Lost("ToolHive decides what becomes of the token; see spec.externalAuthConfigRef"),
    "access.enforcedBy": Lost("ToolHive's own proxy asks for the token"),
}


def export(server: Server, options: Options) -> Exported:
    if server.remote:
        return _proxy(server, options)
    pod = pod_of(server, options)
    tokens = _oidc(server, options)
    stdio = server.transport.type == "stdio"
    spec: dict[str, Any] = {
        "image": pod.container["image"],
        "transport": server.transport.type,
        **({"proxyMode": "streamable-http"} if stdio else {"mcpPort": server.transport.port}),
        "proxyPort": server.service.port,
        **({"args": pod.container["args"]} if pod.container.get("args") else {}),
        "env": [{"name": name, "value": value} for name, value in pod.literals.items()],
        "secrets": [
            {"name": key["name"], "key": key["key"], "targetEnvName": name}
            for name, key in ((env["name"], env["valueFrom"].get("secretKeyRef")) for env in pod.references)
            if _is_required(key)
        ],
        "resources": _amounts(pod, small=True),
        "serviceAccount": server.service_account.name if pod.has_account else None,
        "backendReplicas": None if server.autoscaling else server.replicas,
        "sessionAffinity": "None" if server.transport.keeps_sessions is False else "ClientIP",
        **_reference(tokens, server),
        "audit": {"enabled": True} if server.guard and server.guard.log else None,
        "podTemplateSpec": {"spec": _pod_template(pod)},
    }
    resource = document(API_VERSION, "MCPServer", server, options, without_empty(spec))
    entries = (*entries_of(server, _fates(server, tokens)), *network_entry(server))
    return Exported(server, (*pod.companions, *tokens, resource), entries)


def _is_required(key: Mapping[str, Any] | None) -> bool:
    """Optional references are in the pod template, as ``spec.secrets`` has no ``optional``."""
    return key is not None and not key.get("optional")


def _amounts(pod: Pod, *, small: bool) -> dict[str, Any]:
    """CPU and memory (``small``), or the other resources, which are in the pod template."""
    amounts = pod.container.get("resources", {})
    return without_empty(
        {
            kind: {name: value for name, value in values.items() if (name in ("cpu", "memory")) is small}
            for kind, values in amounts.items()
        }
    )


def _pod_template(pod: Pod) -> dict[str, Any]:
    mine = ("name", "image", "args", "env", "resources", "stdin", "tty")
    container = {"name": "mcp", **{key: value for key, value in pod.container.items() if key not in mine}}
    more = [env for env in pod.references if not _is_required(env["valueFrom"].get("secretKeyRef"))]
    if more:
        container["env"] = more
    if others := _amounts(pod, small=False):
        container["resources"] = others
    whole = {key: value for key, value in pod.spec.items() if key not in ("serviceAccountName", "restartPolicy")}
    return {**whole, "containers": [container, *pod.sidecars]}


def _oidc(server: Server, options: Options) -> list[dict[str, JSON]]:
    """Exists for a single issuer with a JWKS URL; anything else is lost."""
    access = server.access
    if not isinstance(access, Access) or len(access.issuers) != 1:
        return []
    issuer = access.issuers[0]
    inline: dict[str, Any] = {"issuer": issuer.url}
    if isinstance(issuer.jwks, str):
        inline["jwksUrl"] = issuer.jwks
    elif issuer.jwks:
        return []
    return [document(API_VERSION, "MCPOIDCConfig", server, options, {"type": "inline", "inline": inline})]


def _reference(tokens: list[dict[str, JSON]], server: Server) -> dict[str, Any]:
    access = server.access
    if not tokens or not isinstance(access, Access):
        return {}
    audiences = access.issuers[0].audiences or ((access.url,) if access.url else ())
    reference = {
        "name": server.name,
        "audience": audiences[0] if audiences else server.name,
        "scopes": list(access.require.scopes),
        "resourceUrl": access.url,
    }
    return {"oidcConfigRef": without_empty(reference)}


def _fates(server: Server, tokens: list[dict[str, JSON]]) -> Fates:
    """Adds losses that depend on values."""
    fates = dict(_FATES)
    access = server.access
    if isinstance(access, Access) and access.issuers and not tokens:
        why = Lost("ToolHive takes one issuer, whose keys have an address: without it everybody may call the server")
        fates |= {"access.issuers": why, "access.url": why}
    if server.transport.type == "stdio":
        fates["health"] = Lost("nobody but ToolHive's proxy can ask a stdio server")
    if server.transport.type == "stdio" and server.replicas > 1:
        fates["replicas"] = Lost("ToolHive runs one replica of a stdio server")
    return fates


_PROXY_FATES: Fates = {
    "description": "metadata.annotations",
    "remote.url": "spec.remoteUrl",
    "remote.transport": "spec.transport",
    "remote.headers": "spec.headerForward",
    "remote.variables": "spec.headerForward",
    "namespace": "metadata.namespace",
    "accept": _FATES["accept"],
}


def _proxy(server: Server, options: Options) -> Exported:
    remote = server.remote
    assert remote, "only of remote servers"
    plain: dict[str, JSON] = {}
    secret: list[JSON] = []
    entries = list(entries_of(server, _PROXY_FATES))
    for name, value in remote.headers.items():
        match remote.pieces(value):
            case [SecretRef() as reference]:
                place: JSON = {"name": reference.secret, "key": reference.key}
                secret.append({"headerName": name, "valueSecretRef": place})
            case pieces if all(isinstance(piece, str) for piece in pieces):
                plain[name] = "".join(str(piece) for piece in pieces)
            case _:
                why = f"ToolHive takes the whole header {name} from a Secret: add a key with the text around the secret"
                entries.append(lost(server, ("spec", "remote", "headers", name), why))
    forward = {"addPlaintextHeaders": plain, "addHeadersFromSecret": secret}
    spec = {"remoteUrl": remote.address, "transport": remote.transport, "headerForward": without_empty(forward)}
    return Exported(
        server, (document(API_VERSION, "MCPRemoteProxy", server, options, without_empty(spec)),), tuple(entries)
    )
