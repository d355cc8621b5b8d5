"""Parts that every container of a pod is made of, and the containers beside and before the server's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renderer.model import JSON, ConfigMapRef, Container, Mount, Resources, SecretRef, Server

Json = dict[str, JSON]


def literal(text: str) -> str:
    """Text that the kubelet leaves alone: it expands ``$(VAR)`` and reads ``$$`` as ``$``."""
    return re.sub(r"\$(?=[$(])", "$$", text)


def env_entries(variables: Iterable[tuple[str, str | SecretRef | ConfigMapRef]]) -> list[Json]:
    """``env`` of a container, in the order given."""
    return [{"name": name, **_env_value(value)} for name, value in variables]


def _env_value(value: str | SecretRef | ConfigMapRef) -> Json:
    if isinstance(value, str):
        return {"value": literal(value)}
    name = value.secret if isinstance(value, SecretRef) else value.config_map
    reference: Json = {"name": name, "key": value.key}
    if value.optional:
        reference["optional"] = True
    return {"valueFrom": {"secretKeyRef" if isinstance(value, SecretRef) else "configMapKeyRef": reference}}


def resource_amounts(resources: Resources) -> dict[str, Json]:
    """``resources`` of a container."""
    parts = {"requests": resources.requests, "limits": resources.limits}
    return {
        part: {name: value for name, value in (("cpu", amounts.cpu), ("memory", amounts.memory)) if value}
        for part, amounts in parts.items()
    }


def others(containers: Iterable[Container], server: Server, mounts: Sequence[Mapping[str, JSON]]) -> list[Any]:
    """Sidecars or init containers; ``mounts`` are the server's own, of which they share some."""
    return [
        {
            "name": container.name,
            "image": container.image,
            "command": [literal(text) for text in container.command],
            "args": [literal(text) for text in container.args],
            "env": env_entries(container.env.items()),
            "resources": resource_amounts(container.resources),
            "mounts": [_shared(mount, server, mounts) for mount in container.mounts],
        }
        for container in containers
    ]


def _shared(mount: Mount, server: Server, mounts: Sequence[Mapping[str, JSON]]) -> Json:
    """The server's own mount, where this container wants to see it."""
    named = {volume.name: volume.mount_path for volume in server.storage}
    place = named.get(mount.source, mount.source)
    shared = dict(next(one for one in mounts if one["mountPath"] == place))
    shared["mountPath"] = mount.path or place
    return {**shared, "readOnly": True} if mount.read_only else shared
