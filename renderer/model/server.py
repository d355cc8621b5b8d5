"""The frozen Server, what a run is asked for, and what it renders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from renderer.errors import DocumentPath, Fault, Place, Problem
from renderer.images import AS_WRITTEN, Images
from renderer.model.access import Access
from renderer.model.cluster import (
    KUBE_DNS,
    NODE_LOCAL,
    Adopt,
    Answerer,
    ExternalSecret,
    Gpu,
    Sandbox,
    Scheduling,
    Service,
    ServiceAccount,
)
from renderer.model.compose import Compose
from renderer.model.fields import (
    Acceptance,
    Autoscaling,
    Container,
    Disruption,
    EnvFrom,
    EnvValue,
    Expose,
    File,
    Monitoring,
    Network,
    Patch,
    Resources,
    Rollout,
    Security,
    Shutdown,
    Storage,
    Transport,
)
from renderer.model.health import Health
from renderer.model.package import Package
from renderer.model.remote import Remote
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model.source import Source


#: What the guard of a bridge does without 'access'.
_OF_BRIDGES = Access(log=False)


class Server(NamedTuple):
    """One MCP server with every default filled in. Exactly one of image, package and remote is set."""

    source: Source
    #: The source's data with defaults filled in, for templates alone.
    data: Mapping[str, Any]
    name: str
    #: Where its objects lie in a cluster; None is the namespace of the run.
    namespace: str | None
    resource_name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    #: Those of objects of one kind, by kind; Pod is for the pods.
    kind_annotations: Mapping[str, Mapping[str, str]]
    description: str
    image: str | None
    package: Package | None
    #: Set of a server that somebody else runs: nothing of the rest is rendered then.
    remote: Remote | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    working_dir: str | None
    transport: Transport
    env: Mapping[str, EnvValue]
    env_from: tuple[EnvFrom, ...]
    files: tuple[File, ...]
    resources: Resources
    replicas: int
    autoscaling: Autoscaling | None
    disruption: Disruption | None
    service: Service
    #: 'none' says on purpose that everybody may call it; None is silence.
    access: Access | Literal["none"] | None
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
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None
    image_pull_secrets: tuple[str, ...]
    rollout: Rollout
    shutdown: Shutdown
    sidecars: tuple[Container, ...]
    init_containers: tuple[Container, ...]
    patches: tuple[Patch, ...]
    accepted: tuple[Acceptance, ...]
    sandbox: Sandbox | None
    external_secrets: tuple[ExternalSecret, ...]
    compose: Compose
    #: None: nothing that runs already is taken over.
    adopt: Adopt | None = None
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
    def further_containers(self) -> list[tuple[DocumentPath, Container]]:
        """Init containers and sidecars, each with its path."""
        lists = (("initContainers", self.init_containers), ("sidecars", self.sidecars))
        return [(("spec", field, i), container) for field, many in lists for i, container in enumerate(many)]

    @property
    def mounted_files(self) -> tuple[File, ...]:
        """The spec's, and the lock of its package."""
        return self.files + (self.package.lock.files if self.package and self.package.lock else ())

    def object_name(self, kind: str, default: str = "") -> str:
        """The name of its object of that kind."""
        return (self.adopt or Adopt()).name(kind, default or self.resource_name)

    def claim_name(self, volume: Storage) -> str:
        """The PersistentVolumeClaim of a volume, but for those of a StatefulSet."""
        own = (self.adopt or Adopt()).claims.get(volume.name)
        return volume.existing_claim or own or f"{self.resource_name}-{volume.name}"

    @property
    def mounts_token(self) -> bool:
        """Whether it uses the Kubernetes API."""
        return self.service_account.automount or self.sandbox is not None

    @property
    def other_namespaces(self) -> tuple[str, ...]:
        """Those besides the run's in which objects of it lie, without a sandbox, which has its own label."""
        account = [rights.namespace for rights in self.service_account.elsewhere]
        return tuple(dict.fromkeys([*([self.namespace] if self.namespace else []), *account]))

    @property
    def listens(self) -> bool:
        """Whether anything can connect to it: all but a stdio server without a bridge."""
        return self.transport.type != "stdio" or self.transport.bridge != "none"

    @property
    def guard(self) -> Access | None:
        """What an Envoy beside it enforces; None where there is none."""
        if isinstance(self.access, Access):
            return self.access if self.access.enforced_by == "envoy" else None
        # No bridge checks the origin of a web page, as the MCP specification asks. One of them even invites every page:
        # there no 'none' counts.
        is_asked = self.transport.bridge == "mcp-proxy-npm" or self.access != "none"
        return _OF_BRIDGES if is_asked and self.transport.is_bridged_http else None

    @property
    def gateway_access(self) -> Access | None:
        """What a gateway in front of it enforces; None where none does."""
        return self.access if isinstance(self.access, Access) and self.access.enforced_by != "envoy" else None

    def sets(self, *path: str) -> bool:
        """Whether the spec itself sets ``path`` (and not a default)."""
        return self.source.sets(*path)

    def problem(self, fault: Fault) -> Problem:
        """The Fault (its path counts from the spec's root) with its place in the spec's file."""
        return self.source.problem(fault)

    @property
    def complete(self) -> bool:
        """Whether the whole spec is sound. Nothing is rendered of a server that is not."""
        return True

    def faults(self, checks: Iterable[Check]) -> Iterator[Fault]:
        """What the checks find."""
        return (fault for check in checks for fault in check(self))

    def faults_of_values(self, checks: Iterable[Check]) -> Iterator[Fault]:
        """The same of checks that judge each value by itself."""
        return self.faults(checks)

    def doubts(self, attribute: str) -> bool:  # noqa: ARG002 - a partial server has doubts
        """Whether a faulty field decides the attribute."""
        return False


Check: TypeAlias = Callable[[Server], Iterable[Fault]]


class PartialServer(Server):
    """What the sound part of a spec with faults describes, for checks that depend on nothing else.

    A check that reads what a faulty field decides finds nothing; of checks that judge each value by itself only the
    faulty values are left out.
    """

    faulty: frozenset[DocumentPath]
    _doubtful: frozenset[str]
    _read: set[str]

    @classmethod
    def of(cls, server: Server, faulty: frozenset[DocumentPath]) -> PartialServer:
        """``faulty`` are the paths of what was taken out of the spec, or replaced."""
        partial = cls._make(server)
        partial.faulty, partial._read = faulty, set()
        partial._doubtful = frozenset(attribute for path in faulty for attribute in _decided_by(path))
        return partial

    @property
    def complete(self) -> bool:
        return False

    def __getattribute__(self, name: str) -> Any:
        if name in Server._fields:
            object.__getattribute__(self, "_read").add(name)
        return super().__getattribute__(name)

    def sets(self, *path: str) -> bool:
        self._read.update(_decided_by(path))
        return super().sets(*path)

    def faults(self, checks: Iterable[Check]) -> Iterator[Fault]:
        for check in checks:
            self._read.clear()
            faults = list(check(self))
            if self._doubtful.isdisjoint(self._read):
                yield from faults

    def faults_of_values(self, checks: Iterable[Check]) -> Iterator[Fault]:
        for fault in (fault for check in checks for fault in check(self)):
            if not any(fault.path[: len(path)] == path for path in self.faulty):
                yield fault

    def doubts(self, attribute: str) -> bool:
        return attribute in self._doubtful


def _decided_by(path: DocumentPath) -> Iterable[str]:
    """The attributes of a server that a field of the spec decides."""
    field = str(path[1]) if len(path) > 1 else ""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in field)
    return _DECIDES.get(field, (name,))


_DECIDES = {
    "name": ("name", "resource_name", "service_account"),
    "resourceName": ("resource_name", "service_account"),
    "size": ("resources",),
    # Whether it is a package, and of which registry, decides the bridge.
    **dict.fromkeys(("image", "package", "remote"), ("image", "package", "remote", "transport")),
    "accept": ("accepted",),
}


#: Who enforces network rules in a cluster, which decides what is rendered.
NetworkPolicyProvider: TypeAlias = Literal["kubernetes", "cilium", "none"]

#: A level of the Pod Security Standards that a Namespace asks for.
PodSecurityLevel: TypeAlias = Literal["restricted", "baseline"]


#: Namespace unless an option or an environment names another; ours by its name.
NAMESPACE = "mcpctl"


class NamespaceRules(NamedTuple):
    """What holds in the namespace. ``version`` None is that of the cluster; ``quota`` and ``limits`` as rendered."""

    enforce: PodSecurityLevel = "restricted"
    warn: PodSecurityLevel = "restricted"
    version: str | None = None
    quota: Mapping[str, str] | None = None
    limits: Mapping[str, Mapping[str, str]] | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    @property
    def bounds_pods(self) -> bool:
        """Whether the API server may refuse a pod for its resources."""
        return bool(self.quota or self.limits)


class Options(NamedTuple):
    """What a run renders for, besides the specs. ``kubernetes_version`` is ``major.minor``.

    ``create_namespace`` None: nobody says whether the namespace is ours. ``namespace_typed``: it holds for each server.
    """

    namespace: str
    kubernetes_version: str
    create_namespace: bool | None = None
    one_stream: bool = False
    network_policy_provider: NetworkPolicyProvider = "kubernetes"
    namespace_rules: NamespaceRules = NamespaceRules()
    #: Who answers DNS; and the API server, of which () is unknown.
    dns: tuple[Answerer, ...] = (KUBE_DNS, NODE_LOCAL)
    api_server: tuple[Answerer, ...] = ()
    #: Names that Flux replaces where they stand as ``${NAME}``.
    placeholders: tuple[str, ...] = ()
    #: Whether objects say in which order Argo CD applies them.
    sync_waves: bool = False
    #: Whether a tree has ``kustomization.yaml`` files, one a server and one that lists the servers.
    kustomization: bool = False
    namespace_typed: bool = False
    #: Further namespaces that servers may name; None: any.
    other_namespaces: tuple[str, ...] | None = None
    #: Whether a server of the run may lie in its namespace.
    inhabited: bool = True

    @property
    def owns_namespace(self) -> bool:
        """Whether the namespace is ours: only then the Namespace, and what governs everything in it, is rendered."""
        if self.create_namespace is None:
            return self.inhabited and self.namespace == NAMESPACE
        return self.create_namespace

    def namespace_of(self, server: Server) -> str:
        return server.namespace or self.namespace

    @property
    def kubernetes_minor(self) -> int:
        """35 of 1.35."""
        return int(self.kubernetes_version.partition(".")[2])


class Rendered(NamedTuple):
    """One YAML document: its path below the target's folder and its text.

    ``template`` and ``context`` are kept to find the template's line for a fault in the text;
    ``subject`` says in words for whom it was made (``server github``); ``identity`` is what no two
    documents of a run may share (kind, name and namespace of a Kubernetes object); ``changes`` are the paths that
    patches changed, each with the place of the patch: a fault there is the patch's. ``outside`` are the objects (kind,
    namespace, name) that it may refer to though nobody renders them; None: nobody knows.
    """

    path: str
    text: str
    template: str
    context: Mapping[str, Any]
    subject: str
    identity: tuple[str, ...] = ()
    changes: tuple[tuple[DocumentPath, Place], ...] = ()
    outside: frozenset[tuple[str, str, str]] | None = None
