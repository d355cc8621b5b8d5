"""Mounted files and their volumes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from renderer.bundle import bundle_fetch
from renderer.launch import check_file
from renderer.model import JSON, File, SecretRef, Server


def mounted_files(server: Server) -> tuple[File, ...]:
    """Those of the spec, the package lock, the bundle fetcher and the probe program."""
    started = bundle_fetch(server)
    return (*server.mounted_files, *(file for file in [started and started.file, check_file(server)] if file))


def server_files(server: Server) -> list[dict[str, Any]]:
    """Each file is mounted by itself, so that it hides nothing in the image; contents are in one ConfigMap.

    ``key`` None: a folder.
    """
    files, keys = [], set[str]()
    for i, file in enumerate(mounted_files(server)):
        source: dict[str, JSON] = {"content": None, "secret": None, "configMap": None}
        if isinstance(file.source, str):
            key, volume = _key(file.path, keys), "files"
            keys.add(key)
            source["content"] = file.source
        elif isinstance(file.source, SecretRef):
            key, volume, source["secret"] = file.source.key, f"file-{i}", file.source.secret
        else:
            key, volume, source["configMap"] = file.source.key, f"file-{i}", file.source.config_map
        place = {"path": file.path, "volume": own_name(volume, server), "key": key or None, "mode": file.mode}
        files.append({**place, **source})
    return files


def _key(path: str, taken: Iterable[str]) -> str:
    """The base name, extended or numbered to be unique."""
    steps = re.sub(r"[^-._A-Za-z0-9/]", "-", path.strip("/")).split("/")

    def names() -> Iterator[str]:
        name = ""
        for n in range(1, len(steps) + 1):
            name = "_".join(steps[-n:])[-240:]
            # API servers refuse keys that begin with two dots, which kubelets use themselves.
            name = f"_{name}" if name.startswith("..") else name
            yield name
        yield from (f"{name}.{n}" for n in itertools.count(2))

    return next(name for name in names() if name not in taken)


def own_name(name: str, server: Server) -> str:
    """A volume name that the spec does not use."""
    taken = {volume.name for volume in server.storage}
    while name in taken:
        name += "-mcpctl"
    return name


def mount(volume: str, path: str, *, read_only: bool = False, key: str | None = None) -> dict[str, JSON]:
    return {"volume": volume, "path": path, "read_only": read_only, "key": key}


def mount_of_file(file: Mapping[str, Any]) -> dict[str, JSON]:
    return mount(file["volume"], file["path"], read_only=True, key=file["key"])
