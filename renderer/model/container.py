"""What a container is made of: image, variables, files, resources, probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class SecretRef(NamedTuple):
    """One key of a Secret. The value is never seen by us."""

    secret: str
    key: str
    optional: bool = False


class ConfigMapRef(NamedTuple):
    """One key of a ConfigMap that somebody else keeps."""

    config_map: str
    key: str
    optional: bool = False


class EnvFrom(NamedTuple):
    """All keys of one Secret or ConfigMap as environment variables."""

    kind: Literal["secret", "configMap"]
    name: str
    optional: bool


class File(NamedTuple):
    """A file mounted at ``path``; ``mode`` is the permission bits (0o444)."""

    path: str
    source: str | SecretRef | ConfigMapRef
    mode: int = 0o444


class Package(NamedTuple):
    """A published package at one exact version, run in a base image. (An oci package is an image.)"""

    registry: Literal["npm", "pypi"]
    name: str
    version: str
    base_image: str | None


class Transport(NamedTuple):
    """What the server speaks, and the bridge that makes stdio reachable (``none`` otherwise)."""

    type: Literal["stdio", "streamable-http", "sse"]
    bridge: Literal["mcp-proxy", "supergateway", "agentgateway", "none"]
    port: int
    path: str

    @property
    def served(self) -> str:
        """What clients speak to it: a bridge serves streamable HTTP, and the older SSE at its own path."""
        if self.type != "stdio":
            return self.type
        return "sse" if self.path == "/sse" and self.bridge != "supergateway" else "streamable-http"


class Amounts(NamedTuple):
    """CPU and memory as Kubernetes quantities; None where nothing is said."""

    cpu: str | None
    memory: str | None


class Resources(NamedTuple):
    """What is reserved and what is never exceeded."""

    requests: Amounts
    limits: Amounts


class Storage(NamedTuple):
    """A volume that outlives the container."""

    name: str
    size: str
    mount_path: str
    storage_class: str | None
    access_modes: tuple[str, ...]
    purpose: str

    @property
    def shared(self) -> bool:
        """Whether pods on several nodes can mount it at once."""
        return not {"ReadWriteMany", "ReadOnlyMany"}.isdisjoint(self.access_modes)


class Writable(NamedTuple):
    """A folder in temporary storage; ``size`` is a Kubernetes quantity of bytes.

    ``executable`` says that programs run from it: runtimes mount such storage noexec by themselves.
    """

    path: str
    size: str
    executable: bool = False


class Health(NamedTuple):
    """What the spec says of health checks; times in seconds."""

    enabled: bool
    path: str | None
    port: int | None
    command: tuple[str, ...]
    tcp: bool
    mcp: bool
    period: int
    timeout: int
    failure_threshold: int
    startup: int


class Security(NamedTuple):
    """Identity and file system of the container."""

    run_as_user: int
    run_as_group: int
    fs_group: int
    read_only_root: bool
    writable: tuple[Writable, ...]


class Mount(NamedTuple):
    """What a container shares with the server: a volume by name, or anything by path; ``path`` None is the same."""

    source: str
    path: str | None
    read_only: bool


class Container(NamedTuple):
    """A container beside the server, or before it."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str | SecretRef | ConfigMapRef]
    resources: Resources
    mounts: tuple[Mount, ...]
