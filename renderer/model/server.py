"""The frozen Server: what the targets take. Made by resolve alone, from validated data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from renderer.errors import Fault, Problem
from renderer.images import AS_WRITTEN, Images
from renderer.model.container import (
    ConfigMapRef,
    Container,
    EnvFrom,
    File,
    Health,
    Package,
    Resources,
    SecretRef,
    Security,
    Storage,
    Transport,
)
from renderer.model.network import Network
from renderer.model.operations import Autoscaling, Disruption, Expose, Monitoring
from renderer.model.pod import ExternalSecret, Gpu, Rollout, Sandbox, Scheduling, ServiceAccount, Shutdown
from renderer.model.source import JSON, Source


class Patch(NamedTuple):
    """A patch of one rendered object: ``merge``, or else ``json``. ``position`` counts from 0 under spec.patches."""

    position: int
    target: str
    kind: str
    name: str | None
    merge: Mapping[str, JSON]
    json: tuple[Mapping[str, JSON], ...] = ()


class Acceptance(NamedTuple):
    """A policy rule that the spec accepts. ``until`` is told and never compared: output knows no clock."""

    rule: str
    reason: str
    until: str | None

    @property
    def told(self) -> str:
        """Reason and date."""
        return f"{self.reason} (until {self.until})" if self.until else self.reason


class Server(NamedTuple):
    """One MCP server with every default filled in. Exactly one of image and package is set."""

    source: Source
    name: str
    resource_name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    description: str
    image: str | None
    package: Package | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    transport: Transport
    env: Mapping[str, str | SecretRef | ConfigMapRef]
    env_from: tuple[EnvFrom, ...]
    files: tuple[File, ...]
    resources: Resources
    replicas: int
    autoscaling: Autoscaling | None
    disruption: Disruption | None
    expose: Expose | None
    monitoring: Monitoring | None
    storage: tuple[Storage, ...]
    network: Network
    health: Health
    security: Security
    workload: Literal["Deployment", "StatefulSet", "Pod"]
    service_account: ServiceAccount
    scheduling: Scheduling
    gpu: Gpu | None
    runtime_class: str | None
    image_pull_secrets: tuple[str, ...]
    rollout: Rollout
    shutdown: Shutdown
    sidecars: tuple[Container, ...]
    init_containers: tuple[Container, ...]
    patches: tuple[Patch, ...]
    accepted: tuple[Acceptance, ...]
    sandbox: Sandbox | None
    external_secrets: tuple[ExternalSecret, ...]
    #: What the environment puts in the place of images that mcpctl pins itself; the spec's own are replaced already.
    images: Images = AS_WRITTEN

    @property
    def fewest_pods(self) -> int:
        """How many pods there are when there is least to do."""
        return self.autoscaling.least if self.autoscaling else self.replicas

    @property
    def most_pods(self) -> int:
        """How many pods there are when there is most to do."""
        return self.autoscaling.most if self.autoscaling else self.replicas

    @property
    def listens(self) -> bool:
        """Whether anything can connect to it: all but a stdio server without a bridge."""
        return self.transport.type != "stdio" or self.transport.bridge != "none"

    def given(self, *path: str) -> bool:
        """Whether the spec itself says something at ``path`` (and not a default)."""
        return self.source.given(*path)

    def problem(self, fault: Fault) -> Problem:
        """The Fault (its path counts from the spec's root) with its place in the spec's file."""
        return self.source.problem(fault)
