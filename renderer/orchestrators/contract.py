"""The Protocol of every runtime, and its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from renderer.digests import sha256
from renderer.labels import GuardNote
from renderer.model import JSON, Rendered, Server

#: Prints one line. Never holds the value of a secret.
Progress = Callable[[str], None]


class DockerConfig(NamedTuple):
    """``host`` and ``port`` (TCP), where set, replace ``socket_path``. All servers join ``network``."""

    socket_path: str = "/var/run/docker.sock"
    host: str | None = None
    port: int | None = None
    network: str = "mcpctl-network"


class KubernetesConfig(NamedTuple):
    """``kubeconfig`` and ``context`` None: kubectl's defaults, which are looked up and printed."""

    namespace: str = "mcpctl"
    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False


class OrchestratorConfig(NamedTuple):
    type: str = "docker"
    docker: DockerConfig = DockerConfig()
    kubernetes: KubernetesConfig = KubernetesConfig()


class InstanceState(StrEnum):
    """Kubernetes' pod phases, and the result of the MCP check.

    READY: the server answered MCP. RUNNING: the runtime says that it runs. REMOTE: a server that somebody else runs.
    """

    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    REMOTE = "remote"


class Handshake(NamedTuple):
    """The answers to MCP ``server/discover`` or ``initialize``, and to ``tools/list``.

    ``versions`` of the protocol, oldest first; of those before 2026-07-28 a server names only the newest. The name may
    be empty. ``more``: it has more tools than were counted.
    """

    server_name: str
    server_version: str
    versions: tuple[str, ...]
    tools: int
    more: bool = False


class Replica(NamedTuple):
    """One pod, or one container. ``started`` is an RFC 3339 time, empty before the start."""

    name: str
    state: InstanceState
    image: str = ""
    restarts: int = 0
    started: str = ""
    reason: str = ""


class InstanceStatus(NamedTuple):
    """One server as it runs. ``reason`` is empty where all is well.

    ``id`` is the name of all its objects, with its namespace in front where that is not the configured one
    (``data/mcp-demo``). ``where`` is the namespace, or the compose project. ``endpoint`` is a URL or a name and port,
    empty where nothing can connect. ``guard``: what the guard in front of it must answer.
    """

    id: str
    server: str
    where: str
    state: InstanceState
    desired: int
    ready: int
    replicas: tuple[Replica, ...] = ()
    endpoint: str = ""
    reason: str = ""
    handshake: Handshake | None = None
    guard: GuardNote | None = None

    @property
    def image(self) -> str:
        """Of the first replica: they differ only during a rollout."""
        return self.replicas[0].image if self.replicas else ""

    @property
    def restarts(self) -> int:
        return sum(replica.restarts for replica in self.replicas)


#: How a cause ends. ``starts``: while the server starts. ``elsewhere``: when somebody adds a node, a Secret or quota.
#: ``hopeless``: only when the spec or the server changes.
Outlook = Literal["starts", "elsewhere", "hopeless"]
#: How much each weighs where several causes are known: what stays weighs more than what passes.
WEIGHTS: Mapping[Outlook, int] = {"starts": 0, "elsewhere": 1, "hopeless": 2}


class Cause(NamedTuple):
    text: str
    outlook: Outlook = "starts"


class Observation(NamedTuple):
    """An instance at one time. ``checked``: ``status.ready`` counts only what passed a probe or healthcheck."""

    status: InstanceStatus
    cause: Cause | None = None
    checked: bool = False


#: Asks a server that runs over MCP: READY, or with the cause why it does not answer.
Ask = Callable[[InstanceStatus], Observation]


class Wait(NamedTuple):
    """``ask`` asks a running server over MCP; None: the state of the runtime is enough.

    ``fail_fast`` also ends on causes with the outlook ``elsewhere``.
    """

    seconds: float
    tell: Progress
    ask: Ask | None = None
    fail_fast: bool = False


class LogOptions(NamedTuple):
    """``tail`` None: all lines. ``since`` is a duration (``10m``) or an RFC 3339 time.

    ``previous``: of the container before the last restart.
    """

    tail: int | None = None
    follow: bool = False
    since: str = ""
    timestamps: bool = False
    previous: bool = False


class LogLine(NamedTuple):
    replica: str
    text: str


class InstanceFilters(NamedTuple):
    """Empty: all that mcpctl manages. ``labels`` must all match."""

    servers: tuple[str, ...] = ()
    states: tuple[InstanceState, ...] = ()
    labels: Mapping[str, str] = {}


class InstancePage(NamedTuple):
    """``next`` asks for the following page; empty at the end."""

    instances: tuple[InstanceStatus, ...]
    next: str = ""


class ApplyOptions(NamedTuple):
    """``owner`` marks what this tree or project applied: only that is ever pruned.

    ``env_files`` are files with the values of secrets for compose: server to path, ``""`` for every server. ``folder``
    is the tree that holds the documents, from which compose counts relative paths; empty: they were rendered for this
    run, and the working folder counts. ``adopt_namespace``: manage a namespace that mcpctl did not create.
    """

    owner: str
    dry_run: Literal["none", "client", "server"] = "none"
    force_conflicts: bool = False
    prune: bool = False
    seconds: float = 300.0
    env_files: Mapping[str, str] = {}
    folder: str = ""
    adopt_namespace: bool = False
    #: Namespaces other than the configured one that servers of the run lie in.
    namespaces: tuple[str, ...] = ()


MANAGED_LABEL = "mcpctl.io/managed"
#: Whose an object is: the tree or project that it was applied from. Only that one prunes it.
OWNER_LABEL = "mcpctl.io/owner"
NAME_LABEL = "app.kubernetes.io/name"


def owner_value(owner: str) -> str:
    """As a label can hold it: unchanged, or a digest."""
    if not owner or re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", owner):
        return owner
    return f"sha256-{sha256(owner.encode()).hexdigest()[:40]}"


class Change(NamedTuple):
    """The outcome of one object; ``subject`` is ``Deployment mcp-demo``."""

    subject: str
    outcome: Literal["created", "changed", "unchanged", "removed", "failed", "not tried"]
    message: str = ""


class Applied(NamedTuple):
    """In the order of application."""

    changes: tuple[Change, ...]

    @property
    def failed(self) -> bool:
        return any(change.outcome == "failed" for change in self.changes)


#: Asked before anything is removed: the objects, and whether data or whole namespaces go with them.
Confirm = Callable[[Sequence[str], bool], bool]


class Orchestrator(Protocol):
    """A runtime. Every method may raise ApplyFailed (the runtime refused or is not there) and WaitTimedOut."""

    @property
    def name(self) -> str:
        """The value of ``orchestrator.type``."""
        ...

    @property
    def target(self) -> str:
        """Whose documents it takes."""
        ...

    def where(self) -> str:
        """For example context and namespace."""
        ...

    def start_server(self, server: Server, config: Mapping[str, JSON]) -> str:
        """Renders, checks and applies one server, without waiting for it; returns its instance id.

        ``config``, all of it optional: kubernetesVersion, networkPolicyProvider, createNamespace, owner,
        forceConflicts, policy (rule to level), and for compose envFile.
        """
        ...

    def stop_server(self, instance_id: str) -> None:
        """Waits until it has ended; its data stays. ApplyFailed where there is none."""
        ...

    def resume_server(self, instance_id: str) -> None:
        """Starts what was stopped, without waiting. ApplyFailed where there is none."""
        ...

    def restart_server(self, instance_id: str) -> None:
        """Starts its processes again, without waiting. ApplyFailed where none runs."""
        ...

    def get_status(self, instance_id: str) -> InstanceStatus:
        """What the runtime says; the server is not asked. ApplyFailed where there is none."""
        ...

    def get_statuses(self, instances: Sequence[str]) -> tuple[InstanceStatus, ...]:
        """In the order of ``instances``, with few calls."""
        ...

    def wait(self, instances: Sequence[str], wait: Wait) -> tuple[InstanceStatus, ...]:
        """Until the newest version of all runs (and answers), or is stopped because nothing is wanted.

        ApplyFailed with the cause when one cannot get there; WaitTimedOut with what is missing.
        """
        ...

    def get_logs(self, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
        """Of all replicas, in order within each; with ``follow`` it ends only when closed."""
        ...

    def list_instances(self, filters: InstanceFilters, page: str = "", size: int = 500) -> InstancePage:
        """Sorted by place and server; ``page`` is the ``next`` of the page before."""
        ...

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        """Prunes what its owner no longer has."""
        ...

    def delete(self, servers: Sequence[str], *, data: bool, tell: Progress, confirm: Confirm) -> Applied:
        """Removes the objects of these servers that mcpctl manages; volumes only with ``data``.

        No change: there is none. What stays is ``unchanged``, with the reason.
        """
        ...

    def reach(self, instance_id: str, ask: Callable[[str], Handshake]) -> Handshake:
        """Calls ``ask`` with a URL that reaches the server from here for as long as the call takes."""
        ...
