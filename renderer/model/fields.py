"""The values of a spec's fields, with every default filled in.

None means that the spec says nothing. Times are in seconds; amounts of CPU and memory are Kubernetes quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model.compose import Publish
    from renderer.model.source import JSON


class SecretRef(NamedTuple):
    """One key; of files an empty one is all of them, as a folder."""

    secret: str
    key: str
    optional: bool = False


class ConfigMapRef(NamedTuple):
    """As a SecretRef."""

    config_map: str
    key: str
    optional: bool = False


class FieldRef(NamedTuple):
    """A field of the pod, or (``limits.memory``) of the container's own resources."""

    field: str


EnvValue: TypeAlias = str | SecretRef | ConfigMapRef | FieldRef


class EnvFrom(NamedTuple):
    kind: Literal["secret", "configMap"]
    name: str
    optional: bool
    prefix: str = ""


class File(NamedTuple):
    """A file, or the folder of a whole Secret or ConfigMap, at ``path``; ``mode`` is the permission bits (0o444)."""

    path: str
    source: str | SecretRef | ConfigMapRef
    mode: int = 0o444

    @property
    def is_folder(self) -> bool:
        return not isinstance(self.source, str) and not self.source.key


class Transport(NamedTuple):
    """What the server speaks, and the bridge that makes stdio reachable (``none`` otherwise).

    ``messages`` is where clients of sse send to, None where nobody knows.
    """

    type: Literal["stdio", "streamable-http", "sse"]
    bridge: Literal["mcp-proxy", "mcp-proxy-npm", "supergateway", "agentgateway", "none"]
    port: int
    path: str
    messages: str | None = None
    stateful: bool | None = None

    @property
    def served(self) -> str:
        """What clients speak to it: a bridge serves streamable HTTP, and the older SSE at its own path."""
        if self.type != "stdio":
            return self.type
        return "sse" if self.path == "/sse" and self.bridge in ("mcp-proxy", "agentgateway") else "streamable-http"

    @property
    def is_bridged_http(self) -> bool:
        """Whether a bridge serves it over streamable HTTP."""
        return self.type == "stdio" and self.bridge != "none" and self.served != "sse"

    @property
    def keeps_sessions(self) -> bool | None:
        """Whether a client must come back to the same pod; None where only the spec could say so."""
        if self.stateful is not None:
            return self.stateful
        if self.served == "sse":  # what a client sends belongs to a stream that is open in one pod
            return True
        return self.bridge in ("supergateway", "agentgateway") if self.type == "stdio" else None


class Amounts(NamedTuple):
    cpu: str | None
    memory: str | None
    ephemeral_storage: str | None = None


class Resources(NamedTuple):
    requests: Amounts
    limits: Amounts


class Storage(NamedTuple):
    """A volume of its own, or (``size`` None) a path of the machine or a claim that is there already."""

    name: str
    size: str | None
    host_path: str | None
    mount_path: str
    read_only: bool
    storage_class: str | None
    access_modes: tuple[str, ...]
    purpose: str
    existing_claim: str | None = None

    @property
    def shared(self) -> bool:
        """Whether pods on several nodes can mount it at once."""
        return self.host_path is not None or not {"ReadWriteMany", "ReadOnlyMany"}.isdisjoint(self.access_modes)


class Writable(NamedTuple):
    """A folder in temporary storage; ``size`` is a Kubernetes quantity of bytes.

    ``executable`` says that programs run from it: runtimes may mount such storage noexec by themselves.
    """

    path: str
    size: str
    executable: bool | None = None

    @property
    def in_memory(self) -> bool:
        """Whether it has to be: what programs share by it would be slow, or refused, on a disk."""
        return self.path == "/dev/shm"  # noqa: S108 - recognised, not used


class Security(NamedTuple):
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
    """A sidecar or init container."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, EnvValue]
    resources: Resources
    mounts: tuple[Mount, ...]
    env_from: tuple[EnvFrom, ...] = ()


class EgressHost(NamedTuple):
    """A host by name; a wildcard begins with ``*.``."""

    name: str
    port: int


class EgressCidr(NamedTuple):
    """An address block; no ports at all means every port."""

    cidr: str
    excepted: tuple[str, ...]
    ports: tuple[int, ...]
    udp_ports: tuple[int, ...] = ()


class EgressService(NamedTuple):
    """Pods in the cluster; without ``namespace`` and ``namespace_labels`` in the server's own.

    ``of_server``: those of another server of the run, whose ``namespace`` is None where it has no other than the run's.
    """

    name: str
    namespace: str | None
    pod_labels: Mapping[str, str]
    ports: tuple[int, ...]
    namespace_labels: Mapping[str, str] | None = None
    udp_ports: tuple[int, ...] = ()
    of_server: bool = False


class Egress(NamedTuple):
    """All that the server may connect to, in addition to DNS.

    ``servers`` are other servers by name, which ``resolve.link`` writes out as hosts, blocks and services.
    """

    hosts: tuple[EgressHost, ...]
    cidrs: tuple[EgressCidr, ...]
    services: tuple[EgressService, ...]
    servers: tuple[str, ...] = ()

    @property
    def forbidden(self) -> bool:
        """Whether nothing at all may be reached."""
        return not (self.hosts or self.cidrs or self.services)


class Peer(NamedTuple):
    """Who may connect: pods (by labels, in a namespace or in those with labels) or an address block."""

    pod_labels: Mapping[str, str] | None
    namespace: str | None
    cidr: str | None
    namespace_labels: Mapping[str, str] | None = None


class Network(NamedTuple):
    """``egress`` None is unrestricted; ``publish`` None: the machine does not publish the server's port."""

    egress: Egress | None
    ingress: tuple[Peer, ...]
    host_aliases: Mapping[str, str]
    publish: Publish | None


class ScalingStep(NamedTuple):
    """How fast the number of pods may change; times in seconds."""

    pods: int
    period: int
    stabilization: int


class Autoscaling(NamedTuple):
    """The number of pods follows their load; ``cpu`` and ``memory`` in percent, 0 where they do not count."""

    least: int
    most: int
    cpu: int
    memory: int
    up: ScalingStep
    down: ScalingStep


class Disruption(NamedTuple):
    """Exactly one of the two is set, to a number of pods or a percentage."""

    min_available: int | str | None
    max_unavailable: int | str | None


class Gateway(NamedTuple):
    """The Gateway of an HTTPRoute; ``namespace`` None is the server's own."""

    name: str
    namespace: str | None
    section: str | None


class Expose(NamedTuple):
    """The way in from outside of the cluster. ``peers`` None: the spec does not say who brings it."""

    type: Literal["Ingress", "HTTPRoute"]
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    strip_prefix: bool
    class_name: str | None
    annotations: Mapping[str, str]
    tls: bool
    tls_secret: str | None
    gateway: Gateway | None
    peers: tuple[Peer, ...] | None

    def leads_to(self, path: str) -> bool:
        """Whether the path is one of those exposed, or below one."""
        return any(f"{path.rstrip('/')}/".startswith(f"{prefix.rstrip('/')}/") for prefix in self.paths)


class Alert(NamedTuple):
    """An alert that the spec names; ``duration`` is how long it must hold before it fires."""

    kind: Literal["down", "sessions", "latency", "errors"]
    duration: str
    metric: str = ""
    threshold: float = 0
    quantile: float = 0


class Monitoring(NamedTuple):
    """Metrics and who scrapes them. ``peers`` None: the spec does not say."""

    port: int
    path: str
    scrape: Literal["ServiceMonitor", "annotations"]
    interval: str | None
    labels: Mapping[str, str]
    peers: tuple[Peer, ...] | None
    alerts: tuple[Alert, ...]


class Rollout(NamedTuple):
    """Pods, or a share of them in percent."""

    max_surge: int | str
    max_unavailable: int | str


class Shutdown(NamedTuple):
    """Seconds until it is killed, and how many of them it goes on serving."""

    grace: int
    pre_stop: int


class Patch(NamedTuple):
    """A patch of one rendered object: ``merge``, or else ``json``. ``position`` counts from 0 under spec.patches."""

    position: int
    target: str
    kind: str
    name: str | None
    merge: Mapping[str, JSON]
    json: tuple[Mapping[str, JSON], ...] = ()


class Acceptance(NamedTuple):
    """A finding that the spec accepts, by rule and place. ``until`` is never compared with the clock.

    ``digest`` is the beginning of the literal's SHA-256.
    """

    rule: str
    reason: str
    until: str | None
    path: str | None = None
    digest: str | None = None

    @property
    def explanation(self) -> str:
        """Reason and date."""
        return f"{self.reason} (until {self.until})" if self.until else self.reason
