"""What starts, stops and watches servers: one Protocol for every runtime, and the values that it speaks in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from renderer.digests import sha256
from renderer.labels import GuardNote
from renderer.model import JSON, Rendered, Server

#: Told as it happens: one line for people. Never holds the value of a secret.
Progress = Callable[[str], None]


class DockerConfig(NamedTuple):
    """``host`` and ``port`` (TCP) instead of ``socket_path`` where they are set. All servers join ``network``."""

    socket_path: str = "/var/run/docker.sock"
    host: str | None = None
    port: int | None = None
    network: str = "mcpctl-network"


class KubernetesConfig(NamedTuple):
    """``kubeconfig`` and ``context`` None: what kubectl would take, which is looked up and shown, never assumed."""

    namespace: str = "mcpctl"
    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False


class OrchestratorConfig(NamedTuple):
    """Which runtime, and how it is reached. Made by ``settings`` from file, environment and command line."""

    type: str = "docker"
    docker: DockerConfig = DockerConfig()
    kubernetes: KubernetesConfig = KubernetesConfig()


class InstanceState(StrEnum):
    """What a runtime says of an instance, in the words of Kubernetes' pod phases, and of the MCP check.

    READY means that the server answered MCP; RUNNING only that the runtime believes in it. REMOTE is said of servers
    that no runtime knows, as somebody else runs them.
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
    """What a server said of itself: MCP ``server/discover`` or ``initialize``, then ``tools/list``.

    ``versions`` of the protocol that it speaks, oldest first; of those before 2026-07-28 a server names the newest.
    The name is empty where the server does not give one. ``more``: it has more tools than were counted.
    """

    server_name: str
    server_version: str
    versions: tuple[str, ...]
    tools: int
    more: bool = False


class Replica(NamedTuple):
    """One pod, or one container. ``started`` is the runtime's time stamp (RFC 3339), empty before the start."""

    name: str
    state: InstanceState
    image: str = ""
    restarts: int = 0
    started: str = ""
    reason: str = ""


class InstanceStatus(NamedTuple):
    """One server as it runs. ``reason`` is the last one in plain words, empty where all is well.

    ``id`` is what ``start_server`` returned: the name that all its objects carry, behind its namespace where that is
    not the configured one (``data/mcp-demo``). ``where`` is the namespace, or the compose project. ``endpoint`` is a
    URL or a name and port, empty where nothing can connect. ``guard``: what the guard in front of it must answer.
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
        """Of the first replica: they differ only while a new one rolls out."""
        return self.replicas[0].image if self.replicas else ""

    @property
    def restarts(self) -> int:
        """Of all replicas."""
        return sum(replica.restarts for replica in self.replicas)


#: What becomes of a cause. ``starts``: it passes while the server starts. ``elsewhere``: it passes when somebody does
#: something, as adding a node, a Secret or quota. ``hopeless``: it stays until the spec or the server changes.
Outlook = Literal["starts", "elsewhere", "hopeless"]
#: How much each weighs where several causes are known: what stays weighs more than what passes.
WEIGHTS: Mapping[Outlook, int] = {"starts": 0, "elsewhere": 1, "hopeless": 2}


class Cause(NamedTuple):
    """What keeps an instance from running or answering, in plain words."""

    text: str
    outlook: Outlook = "starts"


class Observation(NamedTuple):
    """An instance as it is seen at one time. ``checked``: a probe or healthcheck stands behind ``status.ready``."""

    status: InstanceStatus
    cause: Cause | None = None
    checked: bool = False


#: Asks a server that runs over MCP: READY, or with the cause why it does not answer.
Ask = Callable[[InstanceStatus], Observation]


class Wait(NamedTuple):
    """How servers are waited for. ``ask`` asks one that runs; None: what the runtime says is enough.

    ``fail_fast`` ends on causes that heal only elsewhere, too.
    """

    seconds: float
    tell: Progress
    ask: Ask | None = None
    fail_fast: bool = False


class LogOptions(NamedTuple):
    """``tail`` None: all lines. ``since`` is a duration (``10m``) or an RFC 3339 time, as kubectl and docker take it.

    ``previous``: of the container before the last restart, where the runtime keeps it.
    """

    tail: int | None = None
    follow: bool = False
    since: str = ""
    timestamps: bool = False
    previous: bool = False


class LogLine(NamedTuple):
    """One line, and the replica that wrote it."""

    replica: str
    text: str


class InstanceFilters(NamedTuple):
    """Empty: all that mcpctl manages. ``labels`` must all be equal."""

    servers: tuple[str, ...] = ()
    states: tuple[InstanceState, ...] = ()
    labels: Mapping[str, str] = {}


class InstancePage(NamedTuple):
    """``next`` asks for the page after this one; empty at the end."""

    instances: tuple[InstanceStatus, ...]
    next: str = ""


class ApplyOptions(NamedTuple):
    """How documents are applied. ``owner`` marks what this tree or project made: only that is ever pruned.

    ``env_files`` are files with the values of secrets for compose: server to path, ``""`` for every server.
    ``folder`` holds the documents of a tree by their paths; compose takes relative paths from there. Empty: they were
    rendered for this run, and the working folder counts. With ``adopt_namespace`` a namespace that was there before is
    managed like one that was created.
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


def owner_value(owner: str) -> str:
    """As a label can hold it: itself, or a digest."""
    if not owner or re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", owner):
        return owner
    return f"sha256-{sha256(owner.encode()).hexdigest()[:40]}"


class Change(NamedTuple):
    """What became of one object: ``subject`` is ``Deployment mcp-demo``."""

    subject: str
    outcome: Literal["created", "changed", "unchanged", "removed", "failed", "not tried"]
    message: str = ""


class Applied(NamedTuple):
    """What stands after an apply, object by object, in the order in which it was tried."""

    changes: tuple[Change, ...]

    @property
    def failed(self) -> bool:
        """Whether anything was refused."""
        return any(change.outcome == "failed" for change in self.changes)


#: Asked before anything is removed: the objects in words, and whether data or whole namespaces go with them.
Confirm = Callable[[Sequence[str], bool], bool]


class Orchestrator(Protocol):
    """A runtime. Implementations live in ``orchestrators/``, one line each in their registry.

    Every method may raise ApplyFailed (the runtime refused or is not there) and WaitTimedOut.
    """

    @property
    def name(self) -> str:
        """As in ``orchestrator.type``."""
        ...

    @property
    def target(self) -> str:
        """The target whose documents it takes."""
        ...

    def where(self) -> str:
        """What would be changed, for people: daemon and network, or context and namespace."""
        ...

    def start_server(self, server: Server, config: Mapping[str, JSON]) -> str:
        """Renders, checks and applies one server, and returns its instance id; does not wait for it.

        ``config``, all of it optional: kubernetesVersion, networkPolicyProvider, createNamespace, owner,
        forceConflicts, policy (rule to level), and for compose envFile.
        """
        ...

    def stop_server(self, instance_id: str) -> None:
        """Ends it gracefully and waits until it is gone; its data stays. ApplyFailed where there is none."""
        ...

    def resume_server(self, instance_id: str) -> None:
        """Starts what was stopped, as it was applied; does not wait. ApplyFailed where there is none."""
        ...

    def restart_server(self, instance_id: str) -> None:
        """Starts its processes again, as it was applied; does not wait. ApplyFailed where none runs."""
        ...

    def get_status(self, instance_id: str) -> InstanceStatus:
        """What the runtime says, without asking the server itself. ApplyFailed where there is none."""
        ...

    def get_statuses(self, instances: Sequence[str]) -> tuple[InstanceStatus, ...]:
        """Those of several, in their order, for little more than one costs."""
        ...

    def wait(self, instances: Sequence[str], wait: Wait) -> tuple[InstanceStatus, ...]:
        """Until the newest version of all runs (and answers), or is stopped because nothing is wanted.

        ApplyFailed when one cannot get there, with the cause; WaitTimedOut with what is missing.
        """
        ...

    def get_logs(self, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
        """Of all its replicas, in order within each; with ``follow`` it ends only when closed."""
        ...

    def list_instances(self, filters: InstanceFilters, page: str = "", size: int = 500) -> InstancePage:
        """Sorted by place and server; ``page`` is the ``next`` of the page before."""
        ...

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        """Hands rendered and checked documents to the runtime, and removes what its owner no longer has."""
        ...

    def delete(self, servers: Sequence[str], *, data: bool, tell: Progress, confirm: Confirm) -> Applied:
        """Removes the objects of these servers that are ours; volumes only with ``data``.

        No change at all: nothing of them is there. What stays is ``unchanged``, with the reason.
        """
        ...

    def reach(self, instance_id: str, ask: Callable[[str], Handshake]) -> Handshake:
        """Calls ``ask`` with a URL under which the server can be reached from here, for as long as the call takes."""
        ...
