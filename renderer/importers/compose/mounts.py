"""Volumes, temporary folders, secrets and configs of a service."""

from __future__ import annotations

import re
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.compose.values import Project, filled, listed, quantity
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.variables import is_secret_text
from renderer.model import JSON

_SIZE = "1Gi"
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
    parts = (filled(plain_text(item)) or "").split(":")
    if len(parts) == 1:
        return Mount("anonymous", "", parts[0], False)
    source, target, options = parts[0], parts[1], parts[2] if len(parts) > 2 else ""
    is_path = source.startswith((".", "/", "~")) or "/" in source or not source
    return Mount("bind" if is_path else "volume", source, target, "ro" in options.split(","))


def read_mounts(reading: Reading, project: Project, server: str) -> None:
    for path, item in reading.items("volumes"):
        _volume(reading, path, _mount_of(item), project)
    for source, item in listed(reading, "tmpfs"):
        folder, _, options = plain_text(item).partition(":")
        sizes = (quantity(option.partition("=")[2]) for option in options.split(",") if option.startswith("size="))
        _writable(reading, source, folder, next(sizes, None))
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


def _writable(reading: Reading, source: DocumentPath, folder: str, size: str | None) -> None:
    value: JSON = {"path": folder.rstrip("/"), "size": size} if size else folder.rstrip("/")
    reading.map(source, ("spec", "security", "writablePaths", END), value)


def _volume(reading: Reading, path: DocumentPath, mount: Mount, project: Project) -> None:
    if mount.kind in ("tmpfs", "anonymous"):
        _writable(reading, path, mount.target, None)
    elif mount.kind == "volume" and mount.source:
        name = re.sub(r"[^a-z0-9-]", "-", mount.source.lower()).strip("-")[:40] or "data"
        fields: dict[str, JSON] = {"name": name, "size": _SIZE, "mountPath": mount.target.rstrip("/")}
        fields |= {"readOnly": True} if mount.read_only else {}
        reading.map(path, ("spec", "storage", END), fields, f"{_SIZE} in a cluster: a volume of Docker has no size")
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
