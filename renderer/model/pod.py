"""Where and how the pods of a server run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from renderer.model.container import Amounts


class ServiceAccount(NamedTuple):
    """The identity of the pods in the cluster."""

    create: bool
    name: str
    annotations: Mapping[str, str]
    automount: bool


class Toleration(NamedTuple):
    """A taint that does not keep the pods away; None where nothing is said."""

    key: str | None
    operator: str
    value: str | None
    effect: str | None
    seconds: int | None


class TopologySpread(NamedTuple):
    """How evenly the pods spread over the values of one node label."""

    topology_key: str
    max_skew: int
    when_unsatisfiable: str


class Scheduling(NamedTuple):
    """On which nodes the pods run."""

    node_selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]
    anti_affinity: Literal["none", "preferred", "required"]
    topology_spread: tuple[TopologySpread, ...]
    priority_class: str | None


class Gpu(NamedTuple):
    """NVIDIA GPUs; ``product`` None is any."""

    product: str | None
    number: int


class Rollout(NamedTuple):
    """Pods, or a share of them in percent."""

    max_surge: int | str
    max_unavailable: int | str


class Shutdown(NamedTuple):
    """Seconds until it is killed, and how many of them it goes on serving."""

    grace: int
    pre_stop: int


class RuntimeClass(NamedTuple):
    """How a container runtime isolates pods; ``handler`` is its name on the nodes."""

    name: str
    handler: str
    create: bool


class Sandbox(NamedTuple):
    """The second namespace, in which the server itself starts pods.

    ``requests`` and ``limits`` are sums over the namespace; ``default_request``, ``default`` and
    ``most`` hold for one container. No ``cidrs`` means every public address.
    """

    namespace: str
    create: bool
    runtime_class: RuntimeClass | None
    pods: int
    requests: Amounts
    limits: Amounts
    default_request: Amounts
    default: Amounts
    most: Amounts
    ports: tuple[int, ...]
    cidrs: tuple[str, ...]


class RemoteKey(NamedTuple):
    """One key of a Secret, and where it is in a store of secrets."""

    key: str
    remote_key: str
    property: str | None


class ExternalSecret(NamedTuple):
    """A Secret that an operator makes from a store."""

    name: str
    store: str
    store_kind: Literal["SecretStore", "ClusterSecretStore"]
    refresh: str
    keys: tuple[RemoteKey, ...]
