"""Volumes, temporary folders, secrets and configs of a service."""

from __future__ import annotations

import re
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.compose.values import Project, filled, listed
from renderer.importers.docker_flags import set_temporary
from renderer.importers.draft import END, Reading, plain_text, with_values
from renderer.importers.permissions import SIZE, STORAGE, set_writable, split_volume, volume_name
from renderer.importers.variables import is_secret_text
from renderer.model import JSON

_SOCKET = re.compile(r".*\.sock(et)?$")


class Mount(NamedTuple):
    """An entry of ``volumes``, in short or long form."""

    kind: str
    source: str
    target: str
    read_only: bool


def _mount_of(item: JSON) -> Mount:
    if isinstance(item, dict):
        source, target = (filled(plain_text(item.get(key))) or "" for key in ("source", "target"))
        return Mount(plain_text(item.get("type")) or "volume", source, target, item.get("read_only") is True)
    source, target, read_only = split_volume(filled(plain_text(item)) or "")
    is_path = source.startswith((".", "~")) or "/" in source or "\\" in source
    kind = "bind" if is_path else "volume" if source else "anonymous"
    return Mount(kind, source, target, read_only)


def read_mounts(reading: Reading, project: Project, server: str) -> None:
    for path, item in reading.items("volumes"):
        _volume(reading, path, _mount_of(item), project)
    for source, item in listed(reading, "tmpfs"):
        set_temporary(reading, source, plain_text(item))
    for path, item in reading.items("secrets"):
        name, target = _grant(item)
        where = target if target.startswith("/") else f"/run/secrets/{target or name}"
        key = re.sub(r"[^-._A-Za-z0-9]", "-", name)
        question = f"set the key {key} of the Secret {server} to the content of the secret {name}"
        reading.decide(path, ("spec", "files", where), {"secret": server, "key": key}, question)
    for path, item in reading.items("configs"):
        name, target = _grant(item)
        content = plain_text(project.section("configs", name).get("content"))
        if content and not is_secret_text(content):
            reading.map(path, ("spec", "files", target or f"/{name}"), {"content": filled(content) or content})
        else:
            reading.lose(path, f"the content of the config {name} is in a file: write it under 'files'")


def _grant(item: JSON) -> tuple[str, str]:
    """Name and target of a secret or config."""
    if isinstance(item, dict):
        return plain_text(item.get("source")), plain_text(item.get("target"))
    return plain_text(item), ""


def _volume(reading: Reading, path: DocumentPath, mount: Mount, project: Project) -> None:
    if mount.kind in ("tmpfs", "anonymous"):
        set_writable(reading, path, mount.target.rstrip("/"))
    elif mount.kind == "volume" and mount.source:
        name = volume_name(mount.source)
        where = mount.target.rstrip("/")
        fields = with_values({"name": name, "size": SIZE, "mountPath": where, "readOnly": mount.read_only})
        reading.map(path, (*STORAGE, END), fields, f"{SIZE} in a cluster: a volume of Docker has no size")
        if full := project.full_name("volumes", mount.source):
            target = ("spec", "adopt", "compose", "volumes", name)
            reading.default(target, full, "the volume that is there, with its data")
        else:
            reading.leave(path, ("spec", "adopt", "compose", "volumes"), f"the name of the volume {mount.source}")
    elif _SOCKET.fullmatch(mount.source):
        reading.lose(path, f"{mount.source}: whoever has the socket is root of the machine; it is left out")
    else:
        advice = "copy a folder into a volume; write a file under 'files', with its content or from a Secret"
        reading.lose(path, f"{mount.source or mount.kind} is a path of the machine, and is left out: {advice}")
