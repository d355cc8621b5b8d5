"""The status of an instance from its objects, which ``Watcher`` fetches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.errors import McpctlError, excerpt
from renderer.labels import DEFAULT_PATH, PATH_ANNOTATION, SERVER_LABEL, guard_note
from renderer.manifest import annotations_of, labels_of
from renderer.orchestrators.contract import (
    MANAGED_LABEL,
    NAME_LABEL,
    WEIGHTS,
    Cause,
    InstanceState,
    InstanceStatus,
    Observation,
    Replica,
)
from renderer.orchestrators.failures import NoSuchInstance, with_log
from renderer.orchestrators.kubernetes.client import Data, Kubectl, known_name
from renderer.orchestrators.kubernetes.reasons import (
    REPEATED,
    Reason,
    has_ready_condition,
    of_claims,
    of_pod,
    of_workload,
)

#: On the ReplicaSets of a Deployment: the highest is the newest version.
_REVISION = "deployment.kubernetes.io/revision"
_TYPES = (
    "deployments.apps,statefulsets.apps,pods,replicasets.apps,services,persistentvolumeclaims,"
    "horizontalpodautoscalers.autoscaling"
)
#: Pods whose events and logs are read: of a thousand that fail, three tell why.
_ASKED = 3
_LOG_LINES = 5
#: What the kubelet writes in place of a log that it has lost.
NO_LOG = ("unable to retrieve container logs", "failed to try resolving symlinks", "rpc error:")
#: Names in one selector: an address of 8 KiB is refused by proxies.
_NAMES_AT_ONCE = 60
_WARNINGS = "--field-selector=type=Warning"

#: Phases of pods, as in seeds/000.
PHASES: Mapping[str, InstanceState] = {
    "Pending": InstanceState.PENDING,
    "Running": InstanceState.RUNNING,
    "Succeeded": InstanceState.SUCCEEDED,
    "Failed": InstanceState.FAILED,
}


class Snapshot(NamedTuple):
    workload: Data
    pods: tuple[Data, ...] = ()
    sets: tuple[Data, ...] = ()
    services: tuple[Data, ...] = ()
    claims: tuple[Data, ...] = ()
    autoscalers: tuple[Data, ...] = ()

    @property
    def desired(self) -> int:
        """At least the minimum of an autoscaler, which takes a moment to set it."""
        wanted = desired(self.workload)
        return max([wanted, *(int(a["spec"].get("minReplicas") or 1) for a in self.autoscalers)]) if wanted else 0

    @property
    def kind(self) -> str:
        return str(self.workload["kind"])

    @property
    def namespace(self) -> str:
        return str(self.workload["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        return str(self.workload["metadata"]["name"])


def snapshot(objects: Sequence[Data]) -> Snapshot | None:
    """None without a workload."""
    by_kind: dict[str, list[Data]] = {}
    for data in objects:
        by_kind.setdefault(str(data.get("kind")), []).append(data)
    alone = [pod for pod in by_kind.get("Pod", []) if not pod["metadata"].get("ownerReferences")]
    workloads = [*by_kind.get("Deployment", []), *by_kind.get("StatefulSet", []), *alone]
    if not workloads:
        return None
    workload = workloads[0]
    pods = [workload] if workload["kind"] == "Pod" else [pod for pod in by_kind.get("Pod", []) if pod not in alone]
    kinds = ("ReplicaSet", "Service", "PersistentVolumeClaim", "HorizontalPodAutoscaler")
    rest = (tuple(by_kind.get(kind, [])) for kind in kinds)
    return Snapshot(workload, tuple(sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))), *rest)


def place_of(instance_id: str, home: str) -> tuple[str, str]:
    """Namespace and name; an id outside of ``home`` begins with the namespace: ``data/mcp-demo``."""
    namespace, _, name = instance_id.rpartition("/")
    return known_name(namespace or home, "namespace"), known_name(name, "instance")


class Watcher:
    """Observes all instances of a namespace at once: one call for their objects, one for events."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._events: dict[tuple[str, str, str], list[Data]] = {}
        #: How often each event had happened when it was first read.
        self._counts: dict[str, int] | None = None
        #: As the last ``observe`` saw them.
        self.snapshots: dict[str, Snapshot] = {}

    def look(self, instance_id: str) -> Snapshot:
        """Raises NoSuchInstance."""
        return self._look([instance_id])[instance_id]

    def _look(self, ids: Sequence[str]) -> dict[str, Snapshot]:
        home = self._kubectl.namespace
        objects: dict[tuple[str, str], list[Data]] = {place_of(instance, home): [] for instance in ids}
        for namespace in dict.fromkeys(namespace for namespace, _ in objects):
            everybody = [name for place, name in objects if place == namespace]
            for start in range(0, len(everybody), _NAMES_AT_ONCE):
                names = everybody[start : start + _NAMES_AT_ONCE]
                doing = f"looking for {', '.join(names[:3])}{', …' * (len(names) > 3)}"
                selector = f"{MANAGED_LABEL}=true,{NAME_LABEL} in ({','.join(names)})"
                args = ["get", _TYPES, f"--selector={selector}", "--output=json"]
                for data in self._kubectl.items(doing, *args, namespace=namespace):
                    objects.get((namespace, labels_of(data).get(NAME_LABEL, "")), []).append(data)
        self._add_renamed_pods(objects)
        snapshots = {}
        for instance in ids:
            seen = snapshot(objects[place_of(instance, home)])
            if seen is None:
                raise NoSuchInstance(f"no server runs as {instance} ({self._kubectl.place}); see `mcpctl list`")
            snapshots[instance] = seen
        return snapshots

    def _add_renamed_pods(self, objects: Mapping[tuple[str, str], list[Data]]) -> None:
        """Pods of an adopted installation with other names: its selector cannot change."""
        renamed: dict[tuple[str, str], list[Data]] = {}
        for (namespace, name), listed in objects.items():
            for data in listed:
                labels = labels_of(data.get("spec", {}).get("template", {}))
                if labels.get(NAME_LABEL, name) != name:
                    renamed[namespace, labels_of(data).get(SERVER_LABEL, "")] = listed
        for namespace in dict.fromkeys(namespace for namespace, _ in renamed):
            servers = ",".join(server for place, server in renamed if place == namespace)
            args = ["get", "pods", f"--selector={MANAGED_LABEL}=true,{SERVER_LABEL} in ({servers})", "--output=json"]
            for pod in self._kubectl.items("looking for pods", *args, namespace=namespace):
                renamed.get((namespace, labels_of(pod).get(SERVER_LABEL, "")), []).append(pod)

    def observe(self, ids: Sequence[str], *, fresh_events: bool = True) -> dict[str, Observation]:
        """With causes from events and logs where something is wrong. Without ``fresh_events`` the last ones count: they
        change seldom, and cost a call.
        """
        seen = self._look(ids)
        self.snapshots |= seen
        unwell = {name: [pod for pod in each.pods if not is_ready(pod)][:_ASKED] for name, each in seen.items()}
        short = [name for name, each in seen.items() if len(each.pods) < each.desired]
        if (any(unwell.values()) or short) and fresh_events:
            self._events = self._read_events({each.namespace for each in seen.values()})
        observations = {}
        for name, each in seen.items():
            reasons = {pod["metadata"]["name"]: of_pod(pod) for pod in each.pods}
            for pod in unwell[name]:
                reasons[pod["metadata"]["name"]] = self._with_log(pod, of_pod(pod, self._about(pod)))
            events = self._about(each.workload) if name in short else []
            observations[name] = status_of(each, reasons, events, self._kubectl.namespace)
        return observations

    def _read_events(self, namespaces: Iterable[str]) -> dict[tuple[str, str, str], list[Data]]:
        """Warnings by kind, name and uid of their objects."""
        args, items = ["get", "events", _WARNINGS, "--output=json"], list[Data]()
        try:
            for namespace in sorted(namespaces):
                items += self._kubectl.items("reading events", *args, namespace=namespace)
        except McpctlError:
            # Whoever may not read events still gets a status.
            return {}
        events: dict[tuple[str, str, str], list[Data]] = {}
        counts = {str(event["metadata"]["name"]): int(event.get("count") or 1) for event in items}
        before = counts if self._counts is None else self._counts
        self._counts = counts | before
        for event in items:
            name = str(event["metadata"]["name"])
            event[REPEATED] = counts[name] > before.get(name, 0)
            about = event.get("involvedObject") or {}
            key = str(about.get("kind")), str(about.get("name")), str(about.get("uid") or "")
            events.setdefault(key, []).append(event)
        return events

    def _about(self, data: Data) -> list[Data]:
        # A pod of a StatefulSet has the name, and for an hour the events, of the one before it.
        meta = data["metadata"]
        return self._events.get((str(data["kind"]), str(meta["name"]), str(meta.get("uid") or "")), [])

    def _with_log(self, pod: Data, reason: Reason | None) -> Reason | None:
        if not reason or not reason.log_of:
            return reason
        name, container = pod["metadata"]["name"], f"--container={reason.log_of}"
        for which in (["--previous"], []):
            args = ["logs", name, container, f"--tail={_LOG_LINES}", "--limit-bytes=4096", *which]
            try:
                done = self._kubectl.call("reading the log", *args, namespace=pod["metadata"].get("namespace", ""))
            except McpctlError:
                continue
            if done.out.startswith(NO_LOG):
                return reason._replace(text=f"{reason.text}; the kubelet has no log of it")
            if done.out.strip():
                lines = [excerpt(line, 200) for line in done.out.strip().splitlines()[-_LOG_LINES:]]
                return reason._replace(text=with_log(reason.text, lines))
        return reason


def status_of(seen: Snapshot, reasons: Mapping[str, Reason | None], events: Sequence[Data], home: str) -> Observation:
    namespace = seen.namespace or home
    wanted, good = seen.desired, ready(seen)
    newest = newest_pods(seen)
    # The first replica gives the image of the whole: of the newest version, ready if one is, and the youngest, as a
    # list does not know versions.
    pods = sorted(seen.pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    pods.sort(key=lambda pod: (pod not in newest, not is_ready(pod)))
    replicas = tuple(_replica(pod, reasons.get(pod["metadata"]["name"])) for pod in pods)
    problem = _problem(seen, reasons, events, good, wanted)
    status = InstanceStatus(
        id=seen.name if namespace == home else f"{namespace}/{seen.name}",
        server=labels_of(seen.workload).get(SERVER_LABEL, ""),
        where=namespace,
        state=_state(seen, replicas, good, wanted, problem),
        desired=wanted,
        ready=good,
        replicas=replicas,
        endpoint=_endpoint(seen.services, namespace),
        reason=problem.text if problem else "",
        guard=next((note for each in seen.services if (note := guard_note(annotations_of(each)))), None),
    )
    return Observation(status, Cause(problem.text, problem.outlook) if problem else None, checked=True)


def desired(workload: Data) -> int:
    return 1 if workload["kind"] == "Pod" else int(workload.get("spec", {}).get("replicas", 1))


def ready(seen: Snapshot) -> int:
    """Pods of the newest version that are ready, by the workload's own books: never those of the version before.

    At least so many: as long as old pods are there, they are taken for ready.
    """
    if seen.kind == "Pod":
        return int(is_ready(seen.workload))
    if not _observed(seen):
        return 0
    # Pods of a StatefulSet that are to stay as they were: below its partition, or all until somebody deletes them.
    strategy = seen.workload.get("spec", {}).get("updateStrategy") or {}
    staying = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    staying = desired(seen.workload) if strategy.get("type") == "OnDelete" else staying
    status = seen.workload.get("status") or {}
    old = int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0) - staying
    return max(0, int(status.get("readyReplicas") or 0) - max(0, old))


def _observed(seen: Snapshot) -> bool:
    """Whether the controller has seen the last apply: until then its counts are about the version before."""
    if seen.kind == "Pod":
        return True
    status, meta = seen.workload.get("status") or {}, seen.workload["metadata"]
    return int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)


def newest_pods(seen: Snapshot) -> tuple[Data, ...]:
    """Of the newest version; all where versions are unknown."""
    if seen.kind == "StatefulSet":
        label, value = "controller-revision-hash", (seen.workload.get("status") or {}).get("updateRevision")
    else:
        newest = _newest(seen.sets)
        label, value = "pod-template-hash", labels_of(newest[0]).get("pod-template-hash") if newest else None
    return tuple(pod for pod in seen.pods if labels_of(pod).get(label) == value) if value else seen.pods


def is_ready(pod: Data) -> bool:
    """A terminating pod is not."""
    return not pod["metadata"].get("deletionTimestamp") and has_ready_condition(pod.get("status") or {})


def _state(
    seen: Snapshot, replicas: Sequence[Replica], good: int, wanted: int, problem: Reason | None
) -> InstanceState:
    newest = {str(pod["metadata"]["name"]) for pod in newest_pods(seen)}
    states = {replica.state for replica in replicas if replica.name in newest}
    states = states or {replica.state for replica in replicas}
    if wanted == 0:
        return InstanceState.STOPPED
    if good >= wanted or any(is_ready(pod) for pod in seen.pods):
        return InstanceState.RUNNING
    if InstanceState.FAILED in states or (problem and problem.hopeless):
        return InstanceState.FAILED
    if states and states <= {InstanceState.SUCCEEDED}:
        return InstanceState.SUCCEEDED
    if states and states <= {InstanceState.UNKNOWN}:
        return InstanceState.UNKNOWN
    return InstanceState.PENDING


def _replica(pod: Data, reason: Reason | None) -> Replica:
    status = pod.get("status") or {}
    state = PHASES.get(str(status.get("phase")), InstanceState.UNKNOWN)
    main = main_container(pod)
    statuses = status.get("containerStatuses") or []
    containers = [container for container in statuses if container.get("name") == main.get("name")]
    waiting = {str((container.get("state") or {}).get("waiting", {}).get("reason")) for container in containers}
    # The phase stays Running while a container dies again and again.
    if "CrashLoopBackOff" in waiting or (reason and reason.hopeless):
        state = InstanceState.FAILED
    return Replica(
        name=str(pod["metadata"]["name"]),
        state=state,
        image=excerpt(str(main.get("image", "")), 300),
        restarts=sum(int(container.get("restartCount") or 0) for container in containers),
        started=str(status.get("startTime") or ""),
        reason=reason.text if reason else "",
    )


def main_container(pod: Data) -> Mapping[str, Any]:
    """The server's own, which is rendered first; injected sidecars may come before it."""
    containers: list[Mapping[str, Any]] = pod.get("spec", {}).get("containers") or [{}]
    return next((container for container in containers if container.get("name") == "mcp-server"), containers[0])


def _problem(
    seen: Snapshot, reasons: Mapping[str, Reason | None], events: Sequence[Data], good: int, wanted: int
) -> Reason | None:
    if wanted == 0:
        return Reason(f"is stopping: {len(seen.pods)} pods end") if seen.pods else None
    if good >= wanted:
        return None
    causes = _causes(seen, reasons, events)
    first = next(causes, None) or Reason("its pods are being created or started")
    worst = max((first, *causes), key=lambda reason: WEIGHTS[reason.outlook])
    return first._replace(outlook=worst.outlook)


def _causes(seen: Snapshot, reasons: Mapping[str, Reason | None], events: Sequence[Data]) -> Iterator[Reason]:
    """The most telling first: a pod that cannot start, then what has no pod yet.

    Of the newest version alone: the fault of the one before may just have been fixed.
    """
    if not _observed(seen):
        return
    causes = [reasons.get(pod["metadata"]["name"]) for pod in newest_pods(seen)]
    lasting = [reason for reason in causes if reason and reason.text != "is ending"]
    # A pod that only is not ready yet says less than one that cannot start.
    yield from sorted(lasting, key=lambda reason: (not reason.hopeless, reason.text.startswith("runs, and")))
    for other in (of_workload(seen.workload, _newest(seen.sets), events), of_claims(seen.claims)):
        if other:
            yield other


def _newest(sets: Sequence[Data]) -> list[Data]:
    """The ReplicaSet of the newest version: those before keep their conditions, and for a while their pods."""
    revisions = [annotations_of(replica_set).get(_REVISION, "") for replica_set in sets]
    numbers = [int(text) if text.isdecimal() else 0 for text in revisions]
    return [sets[numbers.index(max(numbers))]] if sets else []


def _endpoint(services: Sequence[Data], namespace: str) -> str:
    for service in services:
        for port in service.get("spec", {}).get("ports") or []:
            if port.get("name") == "mcp":
                path = annotations_of(service).get(PATH_ANNOTATION, DEFAULT_PATH)
                return excerpt(f"http://{service['metadata']['name']}.{namespace}.svc:{port.get('port')}{path}", 300)
    return ""
