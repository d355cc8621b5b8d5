"""The identity of a server's pods in the cluster, and its rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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
