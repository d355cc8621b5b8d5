"""The values that the stages hand to one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from renderer.errors import DocumentPath, Fault, Place, Problem, dotted
from renderer.images import AS_WRITTEN, Images

#: Plain data: what YAML and JSON can say alike.
JSON: TypeAlias = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None


class Marks(NamedTuple):
    """Where a value stands in its text; lines and columns count from 1.

    A list item, and the root of a document, is its own key. ``file`` is empty for the document's own:
    what an environment has put in stands elsewhere.
    """

    key_line: int
    key_column: int
    line: int
    column: int
    children: dict[str, Marks] | list[Marks] | None = None
    file: str = ""


def position(marks: Marks | None, path: DocumentPath, at_key: bool = False) -> tuple[int, int]:
    """Line and column of what ``path`` names; of its key when asked. (0, 0) when no marks were kept.

    A path that leads to nothing (a field that is missing) gets the place of the nearest ancestor's key.
    """
    if marks is None:
        return 0, 0
    found, missing = nearest(marks, path)
    return (found.key_line, found.key_column) if at_key or missing else (found.line, found.column)


def nearest(marks: Marks, path: DocumentPath) -> tuple[Marks, bool]:
    """The marks of what ``path`` names; those of its nearest ancestor, and True, where it is missing."""
    for step in path:
        child = _child(marks.children, step)
        if child is None:
            return marks, True
        marks = child
    return marks, False


def _child(children: dict[str, Marks] | list[Marks] | None, step: str | int) -> Marks | None:
    if isinstance(step, str):
        return children.get(step) if isinstance(children, dict) else None
    inside = isinstance(children, list) and 0 <= step < len(children)
    return children[step] if inside and isinstance(children, list) else None


class Source(NamedTuple):
    """One document as it was loaded. ``document`` counts from 1 within the file; ``line`` is where it starts.

    ``file`` is the path as the user gave it, with ``/`` and with control characters escaped: fit to be shown.
    """

    file: str
    document: int
    line: int
    data: dict[str, JSON]
    marks: Marks | None = None

    def place(self, path: DocumentPath, at_key: bool = False) -> Place:
        """Where in the file ``path`` stands, or its nearest ancestor."""
        line, column = position(self.marks, path, at_key)
        file = nearest(self.marks, path)[0].file if self.marks else ""
        return Place(file or self.file, line or self.line, column)

    def problem(self, fault: Fault) -> Problem:
        """The Fault (its path counts from the document's root) with its place in the file."""
        return Problem(
            place=self.place(fault.path, fault.at_key),
            path=dotted(fault.path),
            rule=fault.rule,
            message=fault.message,
            hint=fault.hint,
            severity=fault.severity,
        )


# ---------------------------------------------------------------------------------------------
# The frozen Server: what the targets take. Made by resolve.py alone, from validated data.


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
        node: JSON = self.source.data
        for step in path:
            if not isinstance(node, dict) or step not in node:
                return False
            node = node[step]
        return True

    def problem(self, fault: Fault) -> Problem:
        """The Fault (its path counts from the spec's root) with its place in the spec's file."""
        return self.source.problem(fault)


# ---------------------------------------------------------------------------------------------
# What comes out.


#: Who enforces network rules in a cluster: what is rendered depends on what that one understands.
NetworkPolicyProvider: TypeAlias = Literal["kubernetes", "cilium", "none"]


#: A level of the Pod Security Standards that a Namespace asks for.
PodSecurityLevel: TypeAlias = Literal["restricted", "baseline"]


class NamespaceRules(NamedTuple):
    """What holds in the namespace. ``version`` None is that of the cluster; ``quota`` and ``limits`` as rendered."""

    enforce: PodSecurityLevel = "restricted"
    warn: PodSecurityLevel = "restricted"
    version: str | None = None
    quota: Mapping[str, str] | None = None
    limits: Mapping[str, Mapping[str, str]] | None = None


class Options(NamedTuple):
    """What a run is told beside the specs. ``kubernetes_version`` is ``major.minor``."""

    namespace: str
    kubernetes_version: str
    create_namespace: bool = True
    one_stream: bool = False
    network_policy_provider: NetworkPolicyProvider = "kubernetes"
    namespace_rules: NamespaceRules = NamespaceRules()
    #: Whether objects say in which order Argo CD applies them.
    sync_waves: bool = False


class Rendered(NamedTuple):
    """One YAML document: its path below the target's folder and its text.

    ``template`` and ``context`` are kept to find the template's line for a fault in the text;
    ``subject`` says in words for whom it was made (``server github``); ``identity`` is what no two
    documents of a run may share (kind, name and namespace of a Kubernetes object); ``changes`` are the paths that
    patches changed, each with the place of the patch: a fault there is the patch's.
    """

    path: str
    text: str
    template: str
    context: Mapping[str, Any]
    subject: str
    identity: tuple[str, ...] = ()
    changes: tuple[tuple[DocumentPath, Place], ...] = ()
