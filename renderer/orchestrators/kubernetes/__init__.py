"""The orchestrator ``kubernetes``: kubectl, in one namespace of one cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.kinds import KINDS
from renderer.labels import SERVER_LABEL
from renderer.manifest import annotations_of, labels_of
from renderer.model import JSON, Rendered, Server
from renderer.orchestrators.contract import (
    Applied,
    ApplyOptions,
    Change,
    Confirm,
    Handshake,
    InstanceFilters,
    InstancePage,
    InstanceStatus,
    LogLine,
    LogOptions,
    Observation,
    OrchestratorConfig,
    Progress,
    Wait,
)
from renderer.orchestrators.failures import NoSuchInstance
from renderer.orchestrators.kubernetes import logs, removal
from renderer.orchestrators.kubernetes.apply import MANAGER, Application
from renderer.orchestrators.kubernetes.client import Kubectl, known_name
from renderer.orchestrators.kubernetes.listing import page_of, refuse_missing_namespace
from renderer.orchestrators.kubernetes.objects import REPLICAS, Object, objects
from renderer.orchestrators.kubernetes.port_forward import forwarded
from renderer.orchestrators.kubernetes.status import Snapshot, Watcher, desired
from renderer.orchestrators.wait import Time, until, wait_for

#: Seconds between two looks of a wait, once it has lasted a while: each starts a kubectl.
LONGEST_PAUSE = 3.0
#: Looks of a wait of which one asks for events.
EVENTS_EVERY = 3
#: Seconds that a stop may take beyond what the pods themselves ask for.
STOP_SECONDS = 60.0


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Kubernetes:
    """One namespace. ``now`` is the time of day for ``mcpctl.io/created-at``."""

    name = "kubernetes"
    target = "kubernetes"

    def __init__(self, kubectl: Kubectl, *, now: Callable[[], str] = _now, waits: Time | None = None) -> None:
        self._kubectl = kubectl
        self._watcher = Watcher(kubectl)
        self._now = now
        self._waits = waits or Time()

    def where(self) -> str:
        return str(self._kubectl.place)

    def start_server(self, server: Server, config: Mapping[str, JSON]) -> str:
        from renderer.orchestrators.starting import start  # 70 ms: status and logs need neither templates nor schemas

        return start(self, server, self._kubectl.namespace, config)

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        """Prunes only if nothing failed."""
        rendered = objects(documents, self._kubectl.namespace, options.namespaces)
        others = sorted({each.namespace for each in rendered} - {"", self._kubectl.namespace})
        wide = sum(each.namespace == "" for each in rendered)
        tries = f"dry run ({options.dry_run}) of " if options.dry_run != "none" else ""
        text = f"{tries}{len(rendered)} objects to {self.where()}"
        text += f"; {wide} of them for the whole cluster" if wide else ""
        tell(text + (f"; and into namespace{'s' * (len(others) > 1)} {', '.join(others)}" if others else ""))
        changes = Application(self._kubectl, options, tell, self._now()).run(rendered) if rendered else []
        applied = Applied(tuple(changes))
        if applied.failed:
            return applied
        if options.dry_run != "client":
            changes += self._woken(rendered, options, tell)
        if options.prune:
            keep = frozenset(each.identity for each in rendered)
            stale = removal.stale(self._kubectl, options.owner, keep, tell)
            dry, seconds = options.dry_run != "none", options.seconds
            changes += removal.remove(self._kubectl, stale, tell, confirm, seconds, self._waits, dry=dry)
        return Applied(tuple(changes))

    def _woken(self, rendered: Sequence[Object], options: ApplyOptions, tell: Progress) -> list[Change]:
        """An autoscaler ignores a workload that was scaled to 0: whoever applies it wants it to run."""
        changes = []
        for each in rendered:
            if each.kind != "HorizontalPodAutoscaler" or options.dry_run != "none":
                continue
            name, least = each.data["spec"]["scaleTargetRef"]["name"], int(each.data["spec"].get("minReplicas", 1))
            seen = self._watcher.look(f"{each.namespace}/{name}")
            if seen.kind != "Pod" and desired(seen.workload) == 0:
                self._scale(seen, least)
                changes.append(Change(f"{seen.kind} {name}", "changed", f"started again with {least} pods"))
                tell(f"{seen.kind} {name}: started again with {least} pods")
        return changes

    def _scale(self, seen: Snapshot, count: int) -> None:
        """Notes the present number, for ``resume_server``."""
        resource, before = f"{KINDS[seen.kind].resource}/{seen.name}", desired(seen.workload)
        notes: JSON = {REPLICAS: str(before) if before and not count else None}
        patch = json.dumps({"metadata": {"annotations": notes}, "spec": {"replicas": count}})
        args = ["patch", resource, "--type=merge", f"--field-manager={MANAGER}", f"--patch={patch}", "--output=name"]
        self._kubectl.call(f"scaling {seen.name} to {count}", *args, namespace=seen.namespace)

    def stop_server(self, instance_id: str) -> None:
        """Scales to 0, which an autoscaler respects; deletes a Pod, which cannot be scaled."""
        seen = self._watcher.look(instance_id)
        grace = max((int(pod["spec"].get("terminationGracePeriodSeconds") or 30) for pod in seen.pods), default=0)
        if seen.kind == "Pod":
            args = ["delete", f"pods/{seen.name}", "--wait=false", "--output=name"]
            self._kubectl.call(f"stopping {instance_id}", *args, namespace=seen.namespace)
        else:
            self._scale(seen, 0)

        def has_ended() -> bool | None:
            try:
                return None if self._watcher.look(instance_id).pods else True
            except NoSuchInstance:
                return True

        if not until(has_ended, seconds=grace + STOP_SECONDS, times=self._waits):
            raise WaitTimedOut(f"{instance_id} is scaled to 0, but its pods have not ended in time; they may still end")

    def resume_server(self, instance_id: str) -> None:
        """To the number of pods before the stop."""
        seen = self._watcher.look(instance_id)
        if seen.kind != "Pod" and desired(seen.workload) == 0:
            before = annotations_of(seen.workload).get(REPLICAS, "")
            self._scale(seen, int(before) if before.isdecimal() and len(before) < 5 else 1)

    def restart_server(self, instance_id: str) -> None:
        """A rollout of the same version: new pods read their Secrets, and start before the old ones end."""
        seen = self._watcher.look(instance_id)
        if seen.kind == "Pod":
            advice = "mcpctl stop it, and mcpctl apply its spec"
            raise ApplyFailed(f"{instance_id} is a single Pod, which cannot be restarted in place; {advice}")
        if not desired(seen.workload):
            raise ApplyFailed(f"{instance_id} is stopped; mcpctl start it")
        resource = f"{KINDS[seen.kind].resource}/{seen.name}"
        args = ["rollout", "restart", resource, f"--field-manager={MANAGER}", "--output=name"]
        self._kubectl.call(f"restarting {instance_id}", *args, namespace=seen.namespace)

    def get_status(self, instance_id: str) -> InstanceStatus:
        """``ready`` counts the pods of the newest version only."""
        return self.get_statuses([instance_id])[0]

    def get_statuses(self, instances: Sequence[str]) -> tuple[InstanceStatus, ...]:
        """One call for all of them, and one for events where something is wrong."""
        seen = self._watcher.observe(instances) if instances else {}
        return tuple(seen[name].status for name in instances)

    def wait(self, instances: Sequence[str], wait: Wait) -> tuple[InstanceStatus, ...]:
        """By generations and counts of the newest version, not by kubectl's texts."""
        looks = count()

        def observe(ids: Sequence[str]) -> Mapping[str, Observation]:
            return self._watcher.observe(ids, fresh_events=next(looks) % EVENTS_EVERY == 0)

        return wait_for(observe, instances, wait, self._waits, longest=LONGEST_PAUSE)

    def get_logs(self, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
        """Pod after pod, or with ``follow`` all at once."""
        if options.follow:
            return logs.Follower(self._kubectl, self._watcher, instance_id, options, self._waits.clock).lines()
        return logs.now(self._kubectl, self._watcher, instance_id, options)

    def list_instances(self, filters: InstanceFilters, page: str = "", size: int = 500) -> InstancePage:
        """Deployments, then StatefulSets, then single Pods, each by name: the API server's order."""
        return page_of(self._kubectl, filters, page, size)

    def delete(self, servers: Sequence[str], *, data: bool, tell: Progress, confirm: Confirm) -> Applied:
        """Namespaces only after their own question; volumes only with ``data``, after theirs."""
        for server in servers:
            known_name(server, "server")
        tell(f"from {self.where()}")
        existing = removal.of_servers(self._kubectl, servers, tell)
        missing = sorted(set(servers) - {labels_of(each)[SERVER_LABEL] for each in existing})
        if not existing:
            refuse_missing_namespace(self._kubectl)
        if missing:
            tell(f"mcpctl manages nothing of {', '.join(missing)}")
        kept = [each for each in existing if each["kind"] == "PersistentVolumeClaim" and not data]
        going = [each for each in existing if each not in kept]
        changes = removal.remove(self._kubectl, going, tell, confirm, ApplyOptions("").seconds, self._waits)
        changes += removal.kept_sandboxes(self._kubectl, existing)
        claims = [f"PersistentVolumeClaim {each['metadata']['name']}" for each in kept]
        return Applied((*changes, *(Change(claim, "unchanged", "kept, with its data") for claim in claims)))

    def reach(self, instance_id: str, ask: Callable[[str], Handshake]) -> Handshake:
        # A wait or a status has looked a moment ago.
        seen = self._watcher.snapshots.pop(instance_id, None) or self._watcher.look(instance_id)
        with forwarded(self._kubectl, seen, self._waits.clock) as url:
            return ask(url)


def create(config: OrchestratorConfig) -> Kubernetes:
    return Kubernetes(Kubectl(config.kubernetes))
