"""From a Server to the plain data that the Kubernetes templates read."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from renderer.labels import object_labels
from renderer.launch import Launch, Probe
from renderer.model import (
    JSON,
    ConfigMapRef,
    EnvFrom,
    File,
    Options,
    SecretRef,
    Server,
    Storage,
)
from renderer.targets.kubernetes.cilium import cilium_view
from renderer.targets.kubernetes.containers import env_entries, literal, others, resource_amounts
from renderer.targets.kubernetes.network import (
    egress_rules,
    exposed_to,
    hosts_not_enforced,
    ingress_peers,
    scraped_by,
)
from renderer.targets.kubernetes.operations import metrics_port, operations_view, scrape_annotations
from renderer.targets.kubernetes.pod import gpu_resources, pod_view
from renderer.targets.kubernetes.sandbox import sandbox_view

#: Seconds between the checks of a start: short, so that a ready server serves at once.
STARTUP_PERIOD = 5


def view(server: Server, launch: Launch, options: Options) -> dict[str, Any]:
    """Everything that any template of one server reads; plain data only."""
    files = FileMounts(server)
    return {
        "resource_name": server.resource_name,
        "namespace": options.namespace,
        "labels": object_labels(server),
        "selector": selector(server),
        "annotations": dict(server.annotations),
        "pod_annotations": _pod_annotations(server, files.data),
        "service_account": server.service_account.name,
        # An autoscaler counts the pods; a number here would be fought over.
        "replicas": None if server.autoscaling else server.replicas,
        "recreate": not all(volume.shared for volume in server.storage),
        "protocol": server.transport.served,
        "port": server.transport.port,
        "path": server.transport.path,
        "sticky": server.most_pods > 1,
        "ingress": ingress_peers(server),
        "exposed_to": exposed_to(server),
        "scraped_by": scraped_by(server),
        "egress": egress_rules(server),
        "hosts_not_enforced": hosts_not_enforced(server),
        "network_policy_provider": options.network_policy_provider,
        "cilium": cilium_view(server) if options.network_policy_provider == "cilium" else None,
        "config_data": files.data,
        "storage": [_volume(server, volume) for volume in server.storage],
        "sandbox": sandbox_view(server, options),
        **pod_view(server, selector(server), options),
        **operations_view(server, options),
        **_container(server, launch, files),
    }


def selector(server: Server) -> dict[str, str]:
    """What selects the pods. A Deployment's selector can never change, so it is only the name."""
    return {"mcpctl.io/server": server.name}


def _pod_annotations(server: Server, config_data: dict[str, str]) -> dict[str, str]:
    own = {**server.annotations, **scrape_annotations(server)}
    if not config_data:
        return own
    text = json.dumps(config_data, sort_keys=True, separators=(",", ":"))
    return {**own, "mcpctl.io/config-checksum": hashlib.sha256(text.encode()).hexdigest()}


def _volume(server: Server, volume: Storage) -> dict[str, JSON]:
    return {
        "name": volume.name,
        "claim": f"{server.resource_name}-{volume.name}",
        "size": volume.size,
        "storage_class": volume.storage_class,
        "access_modes": list(volume.access_modes),
        "annotations": {**server.annotations, "mcpctl.io/purpose": volume.purpose},
    }


def _container(server: Server, launch: Launch, files: FileMounts) -> dict[str, Any]:
    security, mounts = server.security, _mounts(server, launch, files)
    return {
        "image": launch.image,
        "command": [literal(text) for text in launch.command],
        "args": [literal(text) for text in launch.args],
        "stdin": launch.stdin,
        "downloads": server.package is not None,
        "ports": _ports(server),
        "env": _env(server, launch),
        "env_from": [_env_from(item) for item in server.env_from],
        "probe": _probe(server, launch.probe),
        "resources": _resources(server),
        "security": {
            "run_as_user": security.run_as_user,
            "run_as_group": security.run_as_group,
            "fs_group": security.fs_group,
            "read_only_root": security.read_only_root,
        },
        "bridge_copy": _bridge_copy(server, launch),
        "sidecars": others(server.sidecars, server, mounts),
        "init_containers": others(server.init_containers, server, mounts),
        "mounts": mounts,
        "volumes": _volumes(server, launch, files),
    }


def _ports(server: Server) -> list[dict[str, JSON]]:
    if not server.listens:
        return []
    ports: list[dict[str, JSON]] = [{"name": "mcp", "containerPort": server.transport.port, "protocol": "TCP"}]
    if server.monitoring and metrics_port(server) == "metrics":
        ports.append({"name": "metrics", "containerPort": server.monitoring.port, "protocol": "TCP"})
    return ports


def _env(server: Server, launch: Launch) -> list[dict[str, JSON]]:
    own = [(name, value) for name, value in launch.env if name not in server.env]
    return env_entries([*own, *server.env.items()])


def _env_from(item: EnvFrom) -> dict[str, JSON]:
    reference: dict[str, JSON] = {"name": item.name}
    if item.optional:
        reference["optional"] = True
    return {"secretRef" if item.kind == "secret" else "configMapRef": reference}


def _probe(server: Server, probe: Probe | None) -> dict[str, JSON] | None:
    if probe is None:
        return None
    health = server.health
    return {
        "action": _action(server, probe),
        "period": health.period,
        "timeout": health.timeout,
        "failures": health.failure_threshold,
        "liveness_failures": 2 * health.failure_threshold,
        "startup_period": STARTUP_PERIOD,
        # At least one attempt, and enough of them to fill the time that a start may take.
        "startup_failures": max(1, -(-health.startup // STARTUP_PERIOD)),
    }


def _action(server: Server, probe: Probe) -> dict[str, JSON]:
    if probe.command:
        return {"exec": {"command": [literal(text) for text in probe.command]}}
    port: JSON = "mcp" if probe.port == server.transport.port else probe.port
    if probe.path is None:
        return {"tcpSocket": {"port": port}}
    return {"httpGet": {"path": probe.path, "port": port}}


def _resources(server: Server) -> dict[str, dict[str, JSON]]:
    gpus = gpu_resources(server)
    return {part: {**amounts, **gpus} for part, amounts in resource_amounts(server.resources).items()}


def _bridge_copy(server: Server, launch: Launch) -> dict[str, JSON] | None:
    copy = launch.copy
    if copy is None:
        return None
    volume = _own_name(copy.volume, server)
    return {"image": copy.image, "args": list(copy.args), "volume": volume, "mount_path": copy.mount_path}


def _mounts(server: Server, launch: Launch, files: FileMounts) -> list[dict[str, JSON]]:
    mounts: list[dict[str, JSON]] = [{"name": v.name, "mountPath": v.mount_path} for v in server.storage]
    mounts += files.mounts
    if launch.copy:
        name = _own_name(launch.copy.volume, server)
        mounts.append({"name": name, "mountPath": launch.copy.mount_path, "readOnly": True})
    mounts += [{"name": _own_name(f"writable-{i}", server), "mountPath": w.path} for i, w in enumerate(launch.writable)]
    return mounts


def _volumes(server: Server, launch: Launch, files: FileMounts) -> list[dict[str, JSON]]:
    volumes: list[dict[str, JSON]] = []
    if server.workload != "StatefulSet":
        volumes += [
            {"name": v.name, "persistentVolumeClaim": {"claimName": f"{server.resource_name}-{v.name}"}}
            for v in server.storage
        ]
    volumes += files.volumes
    if launch.copy:
        volumes.append({"name": _own_name(launch.copy.volume, server), "emptyDir": {"sizeLimit": launch.copy.size}})
    volumes += [
        {"name": _own_name(f"writable-{i}", server), "emptyDir": {"sizeLimit": w.size}}
        for i, w in enumerate(launch.writable)
    ]
    return volumes


def _own_name(name: str, server: Server) -> str:
    """A name for a volume of ours that no volume of the spec has."""
    taken = {volume.name for volume in server.storage}
    while name in taken:
        name += "-mcpctl"
    return name


class FileMounts:
    """The volumes and mounts of a server's files: one ConfigMap of ours, and what they refer to.

    Each file is mounted alone (subPath), so that it does not hide its neighbours in the image.
    """

    def __init__(self, server: Server) -> None:
        self.data: dict[str, str] = {}
        self.mounts: list[dict[str, JSON]] = []
        self.volumes: list[dict[str, JSON]] = []
        items: list[JSON] = []
        for i, file in enumerate(server.files):
            if isinstance(file.source, str):
                key = self._key(file.path)
                self.data[key] = file.source
                items.append({"key": key, "path": key, "mode": file.mode})
                self._mount(_own_name("files", server), file.path, key)
            else:
                self._refer(_own_name(f"file-{i}", server), file, file.source)
        if items:
            name = f"{server.resource_name}-files"
            self.volumes.insert(0, {"name": _own_name("files", server), "configMap": {"name": name, "items": items}})

    def _refer(self, volume: str, file: File, source: SecretRef | ConfigMapRef) -> None:
        items: list[JSON] = [{"key": source.key, "path": source.key, "mode": file.mode}]
        if isinstance(source, SecretRef):
            self.volumes.append({"name": volume, "secret": {"secretName": source.secret, "items": items}})
        else:
            self.volumes.append({"name": volume, "configMap": {"name": source.config_map, "items": items}})
        self._mount(volume, file.path, source.key)

    def _mount(self, volume: str, path: str, key: str) -> None:
        self.mounts.append({"name": volume, "mountPath": path, "subPath": key, "readOnly": True})

    def _key(self, path: str) -> str:
        """The ConfigMap's key: the file's own name, made longer or counted where two are alike."""
        steps = [re.sub(r"[^-._A-Za-z0-9]", "-", step) for step in path.strip("/").split("/")]
        # An API server refuses keys that begin with two dots: kubelets keep their own files under such names.
        names = [re.sub(r"^\.\.", "_..", "_".join(steps[-n:])[-240:]) for n in range(1, len(steps) + 1)]
        counted = [f"{names[-1]}.{n}" for n in range(2, len(self.data) + 3)]
        return next(name for name in [*names, *counted] if name not in self.data)
