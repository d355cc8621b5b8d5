"""Who may reach a server, and what it may reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class EgressHost(NamedTuple):
    """A host by name; a wildcard begins with ``*.``."""

    name: str
    port: int


class EgressCidr(NamedTuple):
    """An address block; no ports means every port."""

    cidr: str
    excepted: tuple[str, ...]
    ports: tuple[int, ...]


class EgressService(NamedTuple):
    """Pods in the cluster; ``namespace`` None is the server's own."""

    name: str
    namespace: str | None
    pod_labels: Mapping[str, str]
    ports: tuple[int, ...]


class Egress(NamedTuple):
    """All that the server may connect to, beside DNS."""

    hosts: tuple[EgressHost, ...]
    cidrs: tuple[EgressCidr, ...]
    services: tuple[EgressService, ...]

    @property
    def forbidden(self) -> bool:
        """Whether nothing at all may be reached."""
        return not (self.hosts or self.cidrs or self.services)


class Peer(NamedTuple):
    """Who may connect: pods (by labels, in a namespace) or an address block."""

    pod_labels: Mapping[str, str] | None
    namespace: str | None
    cidr: str | None


class Publish(NamedTuple):
    """Where compose publishes the port on the machine."""

    address: str
    port: int


class Network(NamedTuple):
    """``egress`` None is unrestricted."""

    egress: Egress | None
    ingress: tuple[Peer, ...]
    publish: Publish
