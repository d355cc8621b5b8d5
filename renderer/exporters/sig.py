"""MCPServer of the MCP Lifecycle Operator (Kubernetes SIGs), mcp.x-k8s.io/v1beta1.

It runs images that speak HTTP, with arguments but no command, and mounts ConfigMaps, Secrets and emptyDirs alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renderer import pins
from renderer.errors import DocumentPath
from renderer.exporters.exported import (
    COMMON,
    Exported,
    Fates,
    Lost,
    document,
    entries_of,
    entry,
    lost,
    refused,
    without_empty,
)
from renderer.exporters.pod import Pod, pod_of
from renderer.importers.draft import Entry, Outcome
from renderer.manifest import at, mappings
from renderer.model import Options, Peer, Server

API_VERSION = "mcp.x-k8s.io/v1beta1"
_REMOTE = "the operator runs servers and knows no remote ones"
_NO_COMMAND = "the operator starts the image's own entrypoint: the resource has arguments, and no command"
_CLAIMS = Lost("the operator mounts ConfigMaps, Secrets and empty folders, and no claims: what is written is lost")
_EGRESS = Lost("the resource knows no host names: write spec.network.egressTo with addresses")

#: Replacements of bridges that need a guard.
_BRIDGES = {"mcp-proxy-npm": "mcp-proxy"}

_FATES: Fates = {
    **COMMON,
    "image": "spec.source.containerImage.ref",
    "package": "spec.config.arguments",
    "remote": Lost(_REMOTE),
    "command": "spec.config.arguments",
    "args": "spec.config.arguments",
    "workingDir": Lost("the resource has no working directory: the image's counts"),
    "transport.type": "",
    "transport.bridge": "spec.config.arguments",
    "transport.port": "spec.config.port",
    "transport.path": "spec.config.path",
    "transport.stateful": "spec.mcp.stateless",
    "env": "spec.config.env",
    "envFrom": "spec.config.envFrom",
    "files": "spec.config.storage",
    "resources": "spec.runtime.resources",
    "replicas": "spec.runtime.replicas",
    "service.port": Lost("the operator's Service has the port of the server"),
    "storage": _CLAIMS,
    "network.egress": _EGRESS,
    "network.ingress": "spec.network.ingressFrom",
    "health": "spec.runtime.health",
    "security": "spec.runtime.security",
    "imagePullPolicy": "spec.source.containerImage.pullPolicy",
    "imagePullSecrets": "spec.source.containerImage.imagePullSecrets",
    "serviceAccount": "spec.runtime.security.serviceAccountName",
}


def export(server: Server, options: Options) -> Exported:
    if reason := _refusal(server):
        return refused(server, *reason)
    pod = pod_of(server, options, _BRIDGES.get(server.transport.bridge, server.transport.bridge))
    storage, losses = _storage(server, pod)
    image: dict[str, Any] = {
        "ref": pod.container["image"],
        "pullPolicy": pod.container.get("imagePullPolicy"),
        "imagePullSecrets": pod.spec.get("imagePullSecrets"),
    }
    config = {
        "port": server.transport.port,
        "path": server.transport.path,
        "arguments": [*pod.container.get("command", []), *pod.container.get("args", [])],
        "env": pod.container.get("env"),
        "envFrom": pod.container.get("envFrom"),
        "storage": storage,
    }
    security = {
        "serviceAccountName": server.service_account.name if pod.has_account else None,
        "podSecurityContext": pod.spec.get("securityContext"),
        "securityContext": pod.container.get("securityContext"),
    }
    runtime: dict[str, Any] = {
        "replicas": None if server.autoscaling else server.replicas,
        "security": without_empty(security),
        "resources": pod.container.get("resources"),
        "health": _health(server, pod),
    }
    more = (way.peers or () for way in (server.expose, server.monitoring) if way)
    peers = [*server.network.ingress, *(peer for listed in more for peer in listed)]
    spec: dict[str, Any] = {
        "extraLabels": dict(server.labels),
        "source": {"type": "ContainerImage", "containerImage": without_empty(image)},
        "config": without_empty(config),
        "runtime": without_empty(runtime),
        "mcp": {"stateless": True} if server.transport.keeps_sessions is False else None,
        "network": {"ingressFrom": [_peer(peer) for peer in peers]},
    }
    resource = document(API_VERSION, "MCPServer", server, options, without_empty(spec))
    entries = (*entries_of(server, _FATES), *losses, *_defaults(server))
    companions = [each for each in pod.companions if each["kind"] != "PersistentVolumeClaim"]
    return Exported(server, (*companions, resource), entries)


def _refusal(server: Server) -> tuple[DocumentPath, str] | None:
    """The field for which the operator cannot run the server, and the reason."""
    transport: DocumentPath = ("spec", "transport")
    if server.remote:
        return ("spec", "remote"), _REMOTE
    if not server.listens:
        return transport, "the operator runs servers that listen, and this one speaks stdio alone"
    if server.transport.bridge == "agentgateway":
        why = "the operator copies no bridge into the image of a stdio server; ToolHive's and kmcp's do"
        return transport, why
    # mcpctl's base images start whatever the arguments name.
    own = server.package is not None and server.package.base_image in (None, *pins.BASE_IMAGES.values())
    starts = server.command or (server.transport.type == "stdio" and not own)
    if starts and not own:
        return ("spec", "command"), _NO_COMMAND
    return None


def _health(server: Server, pod: Pod) -> dict[str, Any]:
    """The operator has no startup probe: a slow start delays the liveness probe."""
    probes = {name: pod.container[name] for name in ("livenessProbe", "readinessProbe") if name in pod.container}
    start = pod.container.get("startupProbe")
    if start and "livenessProbe" in probes:
        delay = start["periodSeconds"] * start["failureThreshold"]
        probes["livenessProbe"] = {"initialDelaySeconds": delay, **probes["livenessProbe"]}
    # The operator has other names for ports.
    port = {"port": server.transport.port}
    return {
        name: {key: {**value, **port} if at(value, "port") == "mcp" else value for key, value in probe.items()}
        for name, probe in probes.items()
    }


def _peer(peer: Peer) -> dict[str, Any]:
    """As in a NetworkPolicy."""
    if peer.cidr:
        return {"ipBlock": {"cidr": peer.cidr}}
    namespace = {"kubernetes.io/metadata.name": peer.namespace} if peer.namespace else peer.namespace_labels
    selectors = {"podSelector": peer.pod_labels, "namespaceSelector": namespace}
    return {key: {"matchLabels": dict(labels)} for key, labels in selectors.items() if labels is not None}


#: Volumes that the operator mounts, and what it calls them.
_MOUNTED = {"configMap": "ConfigMap", "secret": "Secret", "emptyDir": "EmptyDir"}


def _storage(server: Server, pod: Pod) -> tuple[list[dict[str, Any]], list[Entry]]:
    """The mounts that the operator supports, and a report on the others."""
    volumes = {volume["name"]: volume for volume in mappings(pod.spec.get("volumes"))}
    mounted: dict[str, dict[str, Any]] = {}
    entries = []
    for mount in mappings(pod.container.get("volumeMounts")):
        held, path = volumes[mount["name"]], mount["mountPath"]
        source: dict[str, Any] | None = next(
            ({"type": kind, key: dict(held[key])} for key, kind in _MOUNTED.items() if key in held), None
        )
        if source is None:
            continue  # a claim or a path of the node: spec.storage, which is reported
        if file := mount.get("subPath"):  # the operator mounts folders, and mcpctl this file alone
            path, _, name = path.rpartition("/")
            field: DocumentPath = ("spec", "files", mount["mountPath"])
            # Only this file of the ConfigMap or Secret.
            volume = source["configMap" if source["type"] == "ConfigMap" else "secret"]
            known = {item["path"]: item for item in mappings(volume.get("items"))}
            volume["items"] = [{**known.get(file, {"key": file}), "path": name}]
            if path in mounted and not _merge_files(mounted[path]["source"], source):
                why = f"the operator mounts a folder from one source, and {path or '/'} would have two"
                entries.append(lost(server, field, why))
                continue
            question = f"the operator mounts all of {path or '/'}, which hides what the image has there"
            if server.sets(*(str(step) for step in field)):  # else it is the program that checks the server
                entries.append(entry(server, field, Outcome.DECISION, "spec.config.storage", question))
            if path in mounted:
                continue
        permissions = "ReadOnly" if mount.get("readOnly") else "ReadWrite"
        mounted[path] = {"path": path or "/", "permissions": permissions, "source": source}
    return list(mounted.values()), entries


def _merge_files(held: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Adds the files of ``source`` if both are of one ConfigMap or Secret; returns whether they are."""
    field = "configMap" if held["type"] == "ConfigMap" else "secret"
    old, new = held[field], source.get(field)
    if new is None or {**old, "items": None} != {**new, "items": None}:
        return False
    old["items"] += [item for item in new["items"] if item not in old["items"]]
    return True


def _defaults(server: Server) -> Iterator[Entry]:
    """Defaults of mcpctl that the operator does not share."""
    if server.transport.bridge in _BRIDGES:
        question = (
            "npm's mcp-proxy takes calls from every web page, and the operator sets no guard before it: PyPI's "
            "mcp-proxy stands in its place, which speaks no MCP of 2026-07-28"
        )
        yield entry(server, ("spec", "transport"), Outcome.DECISION, "spec.config.arguments", question)
    egress = server.network.egress
    if egress is None:
        return
    if egress.forbidden:
        why = "an empty list allows everything to the operator: it cannot forbid a server to connect"
        yield lost(server, ("spec", "network", "egress"), why)
