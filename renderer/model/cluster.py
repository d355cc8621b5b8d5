"""What a server has in a cluster alone: account, rights, Service, places of its pods, sandbox, external secrets;
and what it keeps of an installation that it takes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from renderer.namedtuples import NamedTuple


class Adopt(NamedTuple):
    """Empty where nothing is taken over. ``selector`` is that of the workload, ``names`` are by kind.

    ``claims`` and ``volumes`` (of Docker) are by the names of the spec's storage.
    """

    selector: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    claims: Mapping[str, str] = {}
    service_name: str | None = None
    claim_labels: Mapping[str, str] = {}
    project: str | None = None
    container_name: str | None = None
    volumes: Mapping[str, str] = {}

    def name(self, kind: str, default: str) -> str:
        """The name of the server's object of that kind."""
        return self.names.get(kind, default)


if TYPE_CHECKING:
    from renderer.model.fields import Amounts


class AccessRule(NamedTuple):
    """One rule of a Role or ClusterRole; no resource names mean every object."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    resource_names: tuple[str, ...]
    verbs: tuple[str, ...]
    #: Paths of the API server, instead of resources.
    urls: tuple[str, ...] = ()


class NamespaceRights(NamedTuple):
    """Rights in one other namespace: rules of a Role there, and existing ClusterRoles that are bound there alone."""

    namespace: str
    rules: tuple[AccessRule, ...]
    cluster_roles: tuple[str, ...]


class ServiceAccount(NamedTuple):
    """``cluster_roles`` are names of existing ones; ``rules`` hold in the server's namespace."""

    create: bool
    name: str
    annotations: Mapping[str, str]
    automount: bool
    rules: tuple[AccessRule, ...] = ()
    cluster_rules: tuple[AccessRule, ...] = ()
    cluster_roles: tuple[str, ...] = ()
    elsewhere: tuple[NamespaceRights, ...] = ()

    @property
    def has_rights(self) -> bool:
        return bool(self.rules or self.cluster_rules or self.cluster_roles or self.elsewhere)


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


class Toleration(NamedTuple):
    key: str | None
    operator: str
    value: str | None
    effect: str | None
    seconds: int | None


class TopologySpread(NamedTuple):
    topology_key: str
    max_skew: int
    when_unsatisfiable: str


class Scheduling(NamedTuple):
    node_selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]
    anti_affinity: Literal["none", "preferred", "required"]
    topology_spread: tuple[TopologySpread, ...]
    priority_class: str | None


class Gpu(NamedTuple):
    """NVIDIA GPUs; ``product`` None is any."""

    product: str | None
    number: int


class RuntimeClass(NamedTuple):
    """How a container runtime isolates pods; ``handler`` is its name on the nodes."""

    name: str
    handler: str
    create: bool


class Sandbox(NamedTuple):
    """The second namespace, in which the server itself starts pods.

    ``requests`` and ``limits`` are sums over the namespace; ``least``, ``default_request``, ``default`` and ``most``
    hold for one container, ``pod_most`` for those of a pod together. No ``cidrs`` means every public address.
    """

    namespace: str
    create: bool
    runtime_class: RuntimeClass | None
    pods: int
    requests: Amounts
    limits: Amounts
    least: Amounts
    default_request: Amounts
    default: Amounts
    most: Amounts
    pod_most: Amounts
    ports: tuple[int, ...]
    cidrs: tuple[str, ...]


class RemoteKey(NamedTuple):
    """One key of a Secret, and where it is in a store of secrets."""

    key: str
    remote_key: str
    property: str | None


class ExternalSecret(NamedTuple):
    name: str
    store: str
    store_kind: Literal["SecretStore", "ClusterSecretStore"]
    refresh: str
    keys: tuple[RemoteKey, ...]
    #: Keys of the Secret to Go templates; empty: the values as they are.
    template: Mapping[str, str]
    type: str | None

    @property
    def made_keys(self) -> list[str]:
        """The keys of the Secret that is made."""
        return list(self.template) or [key.key for key in self.keys]


class Answerer(NamedTuple):
    """Who answers DNS, or where the API server does: pods (by labels, in a namespace) or an address.

    With both, pods ask the address, and Cilium knows the pods behind it.
    """

    port: int
    namespace: str | None = None
    pod_labels: Mapping[str, str] = {}
    cidr: str | None = None
    note: str = ""


KUBE_DNS = Answerer(53, "kube-system", {"k8s-app": "kube-dns"})
NODE_LOCAL = Answerer(
    53,
    "kube-system",
    {"k8s-app": "node-local-dns"},
    "169.254.20.10/32",
    "Where nodes keep a DNS cache of their own (NodeLocal DNSCache), pods ask that one.",
)
#: Who answers DNS in clusters that many have, by the names that an environment gives them.
DNS: Mapping[str, Answerer] = {
    "kube-dns": KUBE_DNS,
    "node-local": NODE_LOCAL,
    "openshift": Answerer(5353, "openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"}),
    "gke": Answerer(53, cidr="169.254.169.254/32", note="Cloud DNS of GKE, at the address of the metadata server."),
}
