"""The named volumes of a server: its storage, what npx and uvx download, a copied bridge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from renderer.launch import Launch
from renderer.model import JSON, Server, Writable
from renderer.targets.compose.amounts import tmpfs_size
from renderer.targets.compose.names import part_of


@dataclass(frozen=True, slots=True)
class Volume:
    """``target`` is where the server sees it; ``writable`` says that the server's user owns it."""

    key: str
    target: str
    note: str
    writable: bool = True

    @property
    def place(self) -> str:
        """Where the one-shot service that prepares it sees it: not where its own image keeps programs."""
        return f"/volumes/{self.key.partition('.')[2]}"

    def mount(self) -> dict[str, JSON]:
        """The server's mount. nocopy: what the image has there stays out of it, as in Kubernetes."""
        entry: dict[str, JSON] = {"type": "volume", "source": self.key, "target": self.target}
        return {**entry, "volume": {"nocopy": True}} if self.writable else {**entry, "read_only": True}


def volumes(server: Server, launch: Launch) -> tuple[Volume, ...]:
    """All volumes of one server, in the order in which they are mounted."""
    return tuple(_volumes(server, launch))


def _volumes(server: Server, launch: Launch) -> Iterator[Volume]:
    for storage in server.storage:
        yield Volume(part_of(server, storage.name), storage.mount_path, storage.purpose)
    for cache in launch.writable:
        if cache.executable and not caches_in_memory(server):
            yield Volume(part_of(server, "package.cache"), cache.path, "packages that npx and uvx downloaded")
    if launch.copy:
        key = part_of(server, "bridge.program")
        yield Volume(key, launch.copy.mount_path, "the bridge, copied out of its own image", writable=False)


def caches_in_memory(server: Server) -> bool:
    """Whether several containers would download into one volume at once, which npx does not survive."""
    return server.replicas > 1


def tmpfs(server: Server, launch: Launch) -> list[JSON]:
    """The folders in memory; an entry is ``path:options``."""
    kept = (w for w in launch.writable if not w.executable or caches_in_memory(server))
    return [_tmpfs_entry(server, writable) for writable in kept]


def _tmpfs_entry(server: Server, writable: Writable) -> str:
    security = server.security
    # Sticky and everybody's, as programs expect of the folders for temporary files.
    mode = "1777" if writable.path in ("/tmp", "/var/tmp") else "0700"  # noqa: S108
    options = f"uid={security.run_as_user},gid={security.run_as_group},mode={mode},size={tmpfs_size(writable.size)}"
    return f"{writable.path}:{options}{',exec' if writable.executable else ''}"
