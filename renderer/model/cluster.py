"""What a server is to its cluster: the account of its pods with its rights, and its Service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class AccessRule(NamedTuple):
    """One rule of a Role or ClusterRole; no resource names mean every object."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    resource_names: tuple[str, ...]
    verbs: tuple[str, ...]


class ServiceAccount(NamedTuple):
    """``cluster_roles`` are names of existing ones; ``rules`` hold in the server's namespace."""

    create: bool
    name: str
    annotations: Mapping[str, str]
    automount: bool
    rules: tuple[AccessRule, ...] = ()
    cluster_rules: tuple[AccessRule, ...] = ()
    cluster_roles: tuple[str, ...] = ()

    @property
    def has_rights(self) -> bool:
        return bool(self.rules or self.cluster_rules or self.cluster_roles)


class ServicePort(NamedTuple):
    """A port of the Service, and the container's behind it."""

    name: str
    port: int
    target: int
    app_protocol: str | None


class Service(NamedTuple):
    """``port`` leads to that of the transport, ``ports`` are further ones."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"]
    port: int
    node_port: int | None
    source_ranges: tuple[str, ...]
    app_protocol: str
    annotations: Mapping[str, str]
    ports: tuple[ServicePort, ...]
