"""Values that the Kubernetes templates read; plain data only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from renderer import pins
from renderer.bundle import Fetch, bundle_fetch
from renderer.context import document_values
from renderer.digests import sha256
from renderer.guard import metadata_paths, opened_for_keys, pod_guard
from renderer.labels import object_labels
from renderer.later import later
from renderer.launch import Launch, Probe
from renderer.model import JSON, Answerer, Container, Expose, Options, Server
from renderer.model.access import ENVOY
from renderer.targets.kubernetes import names
from renderer.targets.kubernetes.files import mount, mount_of_file, own_name, server_files
from renderer.variables import expanded_in, in_order, pieces

if TYPE_CHECKING:
    from renderer.targets.kubernetes import gateway
else:
    gateway = later("renderer.targets.kubernetes.gateway")  # 1 ms, which few servers need

#: Names for templates of a server, also listed in docs/templates.md.
NAMES: Mapping[str, str] = {
    "metadata": "`metadata` of the spec's document",
    "spec": "`spec`, in the names of [spec.md](spec.md)",
    "object_name": "name of this object",
    "object_annotations": "annotations of this object",
    "namespace": "namespace of this object; null where it has none",
    "labels": "labels of this object",
    "position": "which one of `spec.storage` or `spec.externalSecrets` the object is for, from 0; null for all others",
    "role": "the Role or ClusterRole of a binding; else null",
    "role_kind": "of a RoleBinding in another namespace: `Role` or `ClusterRole`",
    "rules": "the rules of the account's own Role or ClusterRole; null for those of a sandbox",
    "policy": "of a sandbox's NetworkPolicy: `deny`, `ingress` or `egress`; else null",
    "server_namespace": "namespace of the server, also for objects that lie elsewhere",
    "resource_name": "what the server's own objects are called: `spec.resourceName`, or `mcp-` and the name",
    **names.NAMES,
    "service_account": "name of the pods' ServiceAccount",
    "mounts_token": "whether the token of the account is mounted",
    "pod_annotations": "annotations of the pods: the spec's, of Prometheus, the checksum of the files",
    "listens": "false for a server that speaks stdio without a bridge",
    "protocol": "what clients speak to it: `streamable-http`, `sse` or `stdio`",
    "sticky": "whether clients must come back to the same pod: the server keeps sessions, and may have several pods",
    "recreate": "whether a volume cannot be on the old and the new pod at once",
    "kubernetes_minor": "35 for Kubernetes 1.35",
    "image": "image of the server's container: the spec's, or the base image of its package",
    "state": "what becomes of the server's state behind its bridge; null without one",
    "command": "its command: that of the bridge where there is one; an empty list for the image's own. As the kubelet "
    "reads it: `$(NAME)` is the value of a variable, `$$(NAME)` is text",
    "args": "its arguments, in the same way",
    "env": "its variables, in the same way: the defaults of npx and uvx, then `spec.env`, each after what it refers to",
    "mounts": "its mounts: `volume`, `path`, `read_only`, and `key` of a single file",
    "files": "`spec.files` as a list: `path`, `volume`, `key` (null for a folder), `mode`, and `content`, `secret` or "
    "`configMap`",
    "host_aliases": "lines of /etc/hosts: `ip`, `hostnames`",
    "guard": "the Envoy of `spec.access`: `image`, `args`, `port`, `health` (path), `memory`, `cpu`, `config` (text), "
    "`config_key`, `folder`, `volume`, `keys` (files of ConfigMaps: `volume`, `configMap`, `key`, `folder`), `native` "
    "(whether it is a sidecar, which Kubernetes ends last); or null",
    "entry": "port of the pod that clients connect to: `mcp`, or the number of the guard's",
    "entry_port": "the same as a number",
    "writable": "folders in temporary storage, those of npx and uvx among them: `volume`, `path`, `size`, `memory`",
    "bridge": "the bridge that is copied in: `image`, `args`, `volume`, `path`, `size`; or null",
    "bundle": "what fetches the MCP bundle of its package: `command`, `env`, `mounts`, `memory`, `cpu`, and "
    "`volume`, `path`, `size` of its folder; or null",
    "probe": "check of its readiness: `command`, or `port` with `grpc` (a service), or with `path`, `https` and "
    "`headers`, or alone for a connection; or null",
    "liveness": "check that restarts it, in the same way, which its start is measured by; or null",
    "init_containers": "`spec.initContainers`, with `command`, `args`, `env` and `mounts` as those of the server",
    "sidecars": "`spec.sidecars`, in the same way",
    "pre_stop": "how it waits before it stops: `sleep`, `exec` (before 1.30), or null",
    "wait_command": "the program of `exec`",
    "service_port": "port of the Service that leads to the server",
    "more_ports": "`spec.service.ports` written out: `name`, `port`, `target`, `app_protocol`",
    "opened_ports": "the container's ports behind them, each once, without the server's own",
    "dns": "who answers DNS: `port`, with `namespace` and `podLabels`, or with `cidr`, or with all of them; `note`",
    "api_server": "where a NetworkPolicy opens the Kubernetes API: `cidr`, `port`",
    "exposed": "`spec.expose` written out: `hosts`, `paths`, and what no path leads to: `messages` (path of SSE, or "
    "null), `metadata` (paths of the guard); or null",
    "gateway": "the gateway that enforces `spec.access`: `name`, `url`, `metadata_paths`, `metadata` (JSON), "
    "`challenge` (of the 401), `supported` (scopes), `issuers` (`name`, `url`, `audiences`, `jwks`, `configMap`, "
    "`host`, `port`, `path`, `tls`), `scopes`, `groups`, `origins`, `cors`, `limit` (`requests`, `unit`), `claims` "
    "(`claim`, `header`), `removed` (headers), `forward`, and in CEL `foreign_origin`, `required`, `tools`; or null",
    "egress": "`spec.network.egress` written out (`hosts`: `name`, `port`, `wild`, `text`), or null where all is open",
    "metrics_port": "name of the port with the metrics: `mcp`, `metrics`, or null",
    "rate_window": "over how long alerts take rates, such as `300s`",
}

#: The first minor version with the ``sleep`` action by default (alpha in 1.29).
_SLEEPS_FROM = 30
#: The first minor version with sidecars: init containers that always restart and end last.
SIDECARS_FROM = 29
#: Minimum window of rates and quantiles, in seconds and in scrapes (one may be lost).
_RANGE, _SCRAPES = 300, 4
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def literal(text: str | Sequence[str]) -> Any:
    """Escapes what the kubelet expands: ``$(VAR)`` and ``$$``."""
    if not isinstance(text, str):
        return [literal(item) for item in text]
    return re.sub(r"\$(?=[$(])", "$$", text) if "$" in text else text


def _expanded(text: str, is_variable: Callable[[str], bool]) -> str:
    """Only variables that the container has are expanded."""
    if "$" not in text:
        return text
    return "".join(f"$({piece.name})" if piece.name else literal(piece.text) for piece in pieces(text, is_variable))


def _words(words: Sequence[str], container: Server | Container) -> list[str]:
    expanded = expanded_in(container, words=True)
    return [_expanded(word, expanded) for word in words]


def _env(env: Mapping[str, Any], container: Server | Container) -> dict[str, Any]:
    expanded = expanded_in(container)
    return {
        name: _expanded(value, expanded) if isinstance(value, str) else value for name, value in in_order(env).items()
    }


def server_values(server: Server, launch: Launch, options: Options) -> dict[str, Any]:
    """All names but those that differ between objects."""
    files = server_files(server)
    writable: list[dict[str, Any]] = [
        {
            "volume": own_name(f"writable-{i}", server),
            "path": folder.path,
            "size": folder.size,
            "memory": folder.in_memory,
        }
        for i, folder in enumerate(launch.writable)
    ]
    bridge: dict[str, Any] | None = launch.copy and {
        "image": launch.copy.image,
        "args": list(launch.copy.args),
        "volume": own_name(launch.copy.volume, server),
        "path": launch.copy.mount_path,
        "size": launch.copy.size,
    }
    fetch = bundle_fetch(server)
    bundle = fetch and _bundle(fetch, server, files)
    volumes = [volume for volume in server.storage if not volume.host_path]
    mounts = [
        *(mount(volume.name, volume.mount_path, read_only=volume.read_only) for volume in volumes),
        *(mount_of_file(file) for file in files if not (fetch and file["path"] == fetch.file.path)),
        *([mount(bundle["volume"], bundle["path"], read_only=True)] if bundle else ()),
        *([mount(bridge["volume"], bridge["path"], read_only=True)] if bridge else ()),
        *(mount(folder["volume"], folder["path"]) for folder in writable),
    ]
    document, aliases = document_values(server), server.network.host_aliases
    native = options.kubernetes_minor >= SIDECARS_FROM
    guard = pod_guard(server, lambda name: own_name(name, server), native=native)
    spec, targets = document["spec"], [port.target for port in server.service.ports]
    return {
        **document,
        "position": None,
        "role": None,
        "role_kind": "Role",
        "rules": None,
        "policy": None,
        "namespace": options.namespace_of(server),
        "server_namespace": options.namespace_of(server),
        "labels": object_labels(server),
        "mounts_token": server.mounts_token,
        "resource_name": server.resource_name,
        **names.object_names(server),
        "service_account": server.service_account.name,
        "pod_annotations": pod_annotations(server, guard["config"] if guard else "", files),
        "listens": server.listens,
        "protocol": server.transport.served,
        "sticky": server.most_pods > 1 and bool(server.transport.keeps_sessions),
        "recreate": not all(volume.shared for volume in server.storage),
        "kubernetes_minor": options.kubernetes_minor,
        "image": launch.image,
        "state": pins.BRIDGE_STATE.get(server.transport.bridge),
        "command": _words(launch.command, server),
        "args": _words(launch.args, server),
        "env": {
            **{name: literal(value) for name, value in launch.env if name not in server.env},
            **_env(spec["env"], server),
        },
        "mounts": mounts,
        "files": files,
        "writable": writable,
        "host_aliases": [
            {"ip": ip, "hostnames": [name for name, address in aliases.items() if address == ip]}
            for ip in dict.fromkeys(aliases.values())
            if ip != "host-gateway"
        ],
        "bridge": bridge,
        "bundle": bundle,
        "guard": guard,
        "entry": pins.GUARD_PORT if guard else "mcp",
        "entry_port": pins.GUARD_PORT if guard else server.transport.port,
        "probe": launch.probe and _probe(launch.probe, server),
        "liveness": launch.liveness and _probe(launch.liveness, server),
        "init_containers": _with_mounts(spec["initContainers"], server.init_containers, server, mounts),
        "sidecars": _with_mounts(spec["sidecars"], server.sidecars, server, mounts),
        "pre_stop": pre_stop(server, options),
        "wait_command": list(pins.wait_command(server.package.runtime, server.shutdown.pre_stop))
        if server.package
        else [],
        "service_port": server.service.port,
        "more_ports": [port._asdict() for port in server.service.ports],
        "opened_ports": list(dict.fromkeys(port for port in targets if port != server.transport.port)),
        "exposed": server.expose and _exposed(server, server.expose),
        "gateway": gateway.gateway_policy(server.gateway_access) if server.gateway_access else None,
        "dns": [answerer_values(answerer) for answerer in options.dns],
        "api_server": [answerer_values(answerer) for answerer in api_server(server, options)],
        "egress": _egress(server),
        "metrics_port": metrics_port(server),
        "rate_window": _rate_window(server),
    }


def _bundle(fetch: Fetch, server: Server, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    volume = own_name("mcp-bundle", server)
    needed = [file for file in files if file["path"] in (fetch.file.path, *fetch.files)]
    spec_env = document_values(server)["spec"]["env"]
    return {
        "command": literal(fetch.mounted),
        "env": _env({name: spec_env[name] for name in fetch.env}, server),
        "mounts": [*map(mount_of_file, needed), mount(volume, pins.BUNDLE_FOLDER)],
        "memory": list(pins.BUNDLE_MEMORY),
        "cpu": list(pins.BUNDLE_CPU),
        "volume": volume,
        "path": pins.BUNDLE_FOLDER,
        "size": fetch.size,
    }


def _exposed(server: Server, expose: Expose) -> dict[str, Any]:
    messages = server.transport.messages
    second = messages if messages and not expose.leads_to(messages) else None
    # Envoy Gateway has its own route for them.
    access = server.gateway_access or server.guard
    own = metadata_paths(access) if access and access.enforced_by != ENVOY else []
    metadata = [path for path in own if not expose.leads_to(path)]
    return {"hosts": list(expose.hosts), "paths": list(expose.paths), "messages": second, "metadata": metadata}


def _probe(probe: Probe, server: Server) -> dict[str, Any]:
    # By name if possible; gRPC needs a number, and behind a guard the port has no name.
    named = probe.port == server.transport.port and probe.grpc is None and server.guard is None
    port = "mcp" if named else probe.port
    values = {"path": probe.path, "https": probe.https, "headers": dict(probe.headers), "grpc": probe.grpc}
    return {**values, "command": list(probe.mounted or probe.command), "port": port}


#: The API server's port in most self-managed clusters; managed ones use 443.
_PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


def api_server(server: Server, options: Options) -> tuple[Answerer, ...]:
    """Addresses of the API, for a mounted token; empty if the spec lists address blocks itself."""
    egress = server.network.egress
    if not server.mounts_token or egress is None:
        return ()
    return options.api_server or (() if egress.cidrs else tuple(Answerer(6443, cidr=cidr) for cidr in _PRIVATE))


def answerer_values(answerer: Answerer) -> dict[str, JSON]:
    return {
        "port": answerer.port,
        "namespace": answerer.namespace,
        "podLabels": dict(answerer.pod_labels),
        "cidr": answerer.cidr,
        "note": answerer.note,
    }


def pod_annotations(server: Server, guard_config: str, files: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The spec's, scrape annotations, and a checksum that restarts pods when a file changes."""
    annotations, monitoring = {**server.annotations, **server.kind_annotations.get("Pod", {})}, server.monitoring
    if monitoring and monitoring.scrape == "annotations":
        annotations |= {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(monitoring.port),
            "prometheus.io/path": monitoring.path,
        }
    contents = {file["key"]: file["content"] for file in files if file["content"] is not None}
    if guard_config:
        annotations["mcpctl.io/guard-checksum"] = _checksum_of_guard(guard_config)
    if contents:
        text = json.dumps(contents, sort_keys=True, separators=(",", ":"))
        annotations["mcpctl.io/config-checksum"] = sha256(text.encode()).hexdigest()
    return annotations


@lru_cache(maxsize=256)  # most guards of a fleet have the same configuration
def _checksum_of_guard(config: str) -> str:
    return sha256(config.encode()).hexdigest()


def pre_stop(server: Server, options: Options) -> str | None:
    """None if it does not wait or cannot.

    Only images of packages have a known interpreter.
    """
    if not server.shutdown.pre_stop:
        return None
    if options.kubernetes_minor >= _SLEEPS_FROM:
        return "sleep"
    return "exec" if server.package else None


def metrics_port(server: Server) -> str | None:
    """The name of the metrics port, which may be that of MCP."""
    if server.monitoring is None:
        return None
    return "mcp" if server.monitoring.port == server.transport.port else "metrics"


def _rate_window(server: Server) -> str:
    interval = (server.monitoring.interval if server.monitoring else None) or ""
    number = interval.rstrip("msdh")
    seconds = int(number or 0) * _SECONDS[interval[len(number) :] or "s"]
    return f"{max(_RANGE, math.ceil(_SCRAPES * seconds))}s"


def _egress(server: Server) -> dict[str, JSON] | None:
    egress = server.network.egress
    return egress and {
        "hosts": [
            {
                "name": host.name,
                "port": host.port,
                "wild": host.name.startswith("*."),
                "text": f"{host.name}:{host.port}",
            }
            for host in dict.fromkeys((*egress.hosts, *opened_for_keys(server)))
        ],
        "cidrs": [
            {
                "cidr": block.cidr,
                "except": list(block.excepted),
                "ports": list(block.ports),
                "udpPorts": list(block.udp_ports),
            }
            for block in egress.cidrs
        ],
        "services": [
            {
                "name": service.name,
                "namespace": service.namespace,
                "namespaceLabels": None if service.namespace_labels is None else dict(service.namespace_labels),
                "podLabels": dict(service.pod_labels),
                "cidr": None,
                "ports": list(service.ports),
                "udpPorts": list(service.udp_ports),
            }
            for service in egress.services
        ],
    }


def _with_mounts(
    documents: Sequence[Mapping[str, Any]], containers: Sequence[Container], server: Server, mounts: Sequence[Any]
) -> list[dict[str, Any]]:
    """Containers mount volumes of the server, by name or by path."""
    if not containers:
        return []
    paths = {volume.name: volume.mount_path for volume in server.storage}
    by_path = {mount["path"]: mount for mount in mounts}
    result = []
    for document, container in zip(documents, containers, strict=True):
        shared = []
        for wanted in container.mounts:
            path = paths.get(wanted.source, wanted.source)
            if own := by_path.get(path):  # else it is of the machine, which is refused
                shared.append({**own, "path": wanted.path or path, "read_only": wanted.read_only or own["read_only"]})
        expanded = {
            "command": _words(container.command, container),
            "args": _words(container.args, container),
            "env": _env(document["env"], container),
        }
        result.append({**document, **expanded, "mounts": shared})
    return result
