"""How a server is scaled, exposed and watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from renderer.model.network import Peer


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
    """How many pods may go at once; exactly one is set, to a number or a percentage."""

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
    host: str
    path: str
    class_name: str | None
    annotations: Mapping[str, str]
    tls_secret: str | None
    gateway: Gateway | None
    peers: tuple[Peer, ...] | None


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
