"""The small services beside a server: what Kubernetes has built in and compose has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from renderer import pins
from renderer.labels import object_labels
from renderer.launch import Copy, Launch
from renderer.model import JSON, Server
from renderer.targets.compose.names import NETWORK, has_gateway, part_of
from renderer.targets.compose.references import literal
from renderer.targets.compose.service import endpoint, ports
from renderer.targets.compose.volumes import Volume

COMPLETED: JSON = {"condition": "service_completed_successfully"}


def gateway(server: Server) -> dict[str, Any] | None:
    """Forwards connections to a server whose own network leads nowhere."""
    if not has_gateway(server):
        return None
    port = str(server.transport.port)
    return {
        "key": part_of(server, "gateway"),
        "image": server.images.of(pins.BUSYBOX),
        "command": ["nc", "-ll", "-p", port, "-e", "nc", part_of(server, "server"), port],
        "user": f"{server.security.run_as_user}:{server.security.run_as_group}",
        "ports": ports(server, fixed=True),
        "endpoint": endpoint(server),
        # Other containers find the server under the name that it would have without a gateway.
        "networks": {NETWORK: {"aliases": [server.resource_name]}, part_of(server, "internal"): {}},
        "labels": object_labels(server, "gateway"),
    }


def prepare(server: Server, launch: Launch, volumes: Sequence[Volume]) -> dict[str, Any] | None:
    """Gives new volumes, which are root's, to the server's user; removes an old bridge."""
    if not volumes:
        return None
    owned = [volume.place for volume in volumes if volume.writable]
    chown = [f"{server.security.run_as_user}:{server.security.fs_group}", *owned] if owned else []
    old = [f"{v.place}/{_program(launch.copy)}" for v in volumes if not v.writable and launch.copy]
    return {
        "key": part_of(server, "prepare"),
        "image": server.images.of(pins.BUSYBOX),
        "command": _prepare_command(chown, old),
        "capabilities": ["CHOWN"] if chown else [],
        "removes_bridge": bool(old),
        "mounts": [{"type": "volume", "source": v.key, "target": v.place} for v in volumes],
        "labels": object_labels(server, "prepare"),
    }


def _prepare_command(chown: list[str], old: list[str]) -> list[str]:
    if not old:
        return ["chown", *chown]
    if not chown:
        return ["rm", "-f", *old]
    # The shell's text is fixed: paths reach it as parameters.
    return ["sh", "-ec", literal('rm -f "$0"; chown "$@"'), *old, *chown]


def _program(copy: Copy) -> str:
    return copy.args[-1].rpartition("/")[2]


def bridge(server: Server, launch: Launch) -> dict[str, Any] | None:
    """Copies a static bridge out of its own image into a volume, where the server's container runs it."""
    if launch.copy is None:
        return None
    mount: JSON = {"type": "volume", "source": part_of(server, "bridge.program"), "target": launch.copy.mount_path}
    return {
        "key": part_of(server, "bridge"),
        "image": launch.copy.image,
        "command": list(launch.copy.args),
        "depends_on": {part_of(server, "prepare"): COMPLETED},
        "mounts": [mount],
        "labels": object_labels(server, "bridge"),
    }
