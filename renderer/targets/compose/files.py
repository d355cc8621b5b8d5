"""Files that compose mounts, and those written next to the compose file."""

from __future__ import annotations

import re

from renderer.guard import CONFIG, FOLDER, guard_config, key_files
from renderer.model import JSON, Access, SecretRef, Server
from renderer.targets.compose.names import Need, origin, owner, part_of


class Files:
    """Top-level entries, mounts and files of one server.

    ``texts``: contents by path in the project's folder. ``needed``: paths that users fill. Owner and mode are those on
    the machine: compose ignores them in mounts.
    """

    def __init__(self, server: Server, inline: bool) -> None:
        self.configs: dict[str, dict[str, JSON]] = {}
        self.secrets: dict[str, dict[str, JSON]] = {}
        self.config_mounts: list[dict[str, JSON]] = []
        self.secret_mounts: list[dict[str, JSON]] = []
        self.texts: dict[str, str] = {}
        self.needed: list[Need] = []
        self.guard_mounts: list[dict[str, JSON]] = []
        self.guard_is_copied = inline
        names: set[str] = set()
        for file in server.mounted_files:
            ref = file.source
            if isinstance(ref, str):
                name = _file_name(file.path, names)
                names.add(name)
                key = part_of(server, name)
                content, place = (ref, None) if inline else (None, f"./files/{name}")
                self.configs[key] = {"key": key, "content": content, "file": place}
                self.config_mounts.append({"key": key, "path": file.path})
                if not inline:
                    self.texts[f"files/{name}"] = ref
                continue
            # Unique, as neither object names nor our own keys contain '_'.
            key = f"{owner(ref)}_{ref.key}"
            is_secret = isinstance(ref, SecretRef)
            place = f"./{'secrets' if is_secret else 'configs'}/{owner(ref)}/{ref.key}".rstrip("/")
            (self.secrets if is_secret else self.configs)[key] = {"key": key, "content": None, "file": place}
            (self.secret_mounts if is_secret else self.config_mounts).append({"key": key, "path": file.path})
            self.needed.append(Need(place, f"{origin(ref)}, readable by user {server.security.run_as_user}"))
        #: Whether compose copies text into the container, which is impossible with a read-only root.
        self.are_copied = any(source["content"] is not None for source in self.configs.values())
        if server.guard:
            self._add_guard(server, server.guard, inline, _file_name(CONFIG, names))

    def _add_guard(self, server: Server, access: Access, inline: bool, name: str) -> None:
        """Envoy's configuration, and keys of issuers from ConfigMaps."""
        key = part_of(server, f"guard.{name}")
        config = guard_config(server, access, part_of(server, "server"), server.transport.port)
        self.configs[key] = {
            "key": key,
            "content": config if inline else None,
            "file": None if inline else f"./files/{name}",
        }
        self.guard_mounts.append({"key": key, "path": f"{FOLDER}/{CONFIG}"})
        if not inline:
            self.texts[f"files/{name}"] = config
        for path, ref in key_files(access).items():
            key = f"{owner(ref)}_{ref.key}"
            self.configs[key] = {"key": key, "content": None, "file": f"./configs/{owner(ref)}/{ref.key}"}
            self.guard_mounts.append({"key": key, "path": path})
            meaning = f"{origin(ref)}, readable by user {server.security.run_as_user}"
            self.needed.append(Need(f"./configs/{owner(ref)}/{ref.key}", meaning))


def _file_name(path: str, taken: set[str]) -> str:
    """The base name, extended or numbered to be unique, also on case-insensitive disks."""
    # No hidden files: they are easily overlooked, and our temporary files begin with a dot.
    steps = [re.sub("[^-.a-z0-9]", "-", step.lower()).lstrip(".") or "file" for step in path.strip("/").split("/")]
    names = ["-".join(steps[-n:])[-200:] for n in range(1, len(steps) + 1)]
    counted = [f"{names[-1]}.{n}" for n in range(2, len(taken) + 3)]
    return next(name for name in [*names, *counted] if name not in taken)
