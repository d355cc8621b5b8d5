"""From the containers of an instance to its status. Pure, but for ``Watcher``, which fetches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.command import Done
from renderer.errors import ApplyFailed, McpctlError, excerpt
from renderer.orchestrators.contract import InstanceState, InstanceStatus, Replica
from renderer.orchestrators.docker.client import Client, known_name
from renderer.orchestrators.docker.containers import PATH_LABEL, Container, find, ours
from renderer.orchestrators.docker.faults import masked

_LOG_LINES = 5
#: Restarts after which nobody believes in the next one.
HOPELESS_RESTARTS = 3
_SHOWN = 300
_EVERY = ("", "0.0.0.0", "::")  # noqa: S104 - recognised, not bound


class NoSuchInstance(ApplyFailed):
    """Nothing of ours has that name."""


class Reason(NamedTuple):
    """``hopeless``: it will not heal by waiting. ``logs``: whether its last lines tell more."""

    text: str
    hopeless: bool = False
    logs: bool = False


class Found(NamedTuple):
    """A status, whether waiting can help, and whether a healthcheck vouches for it."""

    status: InstanceStatus
    hopeless: bool
    checked: bool


class Watcher:
    """Looks at instances of one daemon."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def look(self, instance_id: str) -> list[Container]:
        """Raises NoSuchInstance."""
        doing = f"looking for {excerpt(instance_id)}"
        found = find(self._client, ours(instance=known_name(instance_id, "instance")), doing)
        if not found:
            raise NoSuchInstance(f"no server runs as {instance_id} (docker at {self._client.host}); see `mcpctl list`")
        return found

    def find(self, instance_id: str) -> Found:
        """Its status, with the last lines of what ended."""
        containers = self.look(instance_id)
        reasons = {one.id: self._with_log(one, reason_of(one)) for one in containers}
        return status_of(containers, reasons, self._client.config.host or "")

    def _with_log(self, one: Container, reason: Reason | None) -> Reason | None:
        if not reason or not reason.logs:
            return reason
        lines = last_lines(self._client, one.id)
        return reason._replace(text=f"{reason.text}; its last lines: {lines}") if lines else reason


def last_lines(client: Client, container: str) -> str:
    """Of its log, on one line; '' where there are none, or none can be had."""
    try:
        doing = "reading the log"
        done: Done = client.tried("docker", "logs", f"--tail={_LOG_LINES}", container, doing=doing)
    except McpctlError:
        return ""
    lines = [line for line in (done.out + done.err).splitlines() if line.strip()] if done.code == 0 else []
    return " | ".join(excerpt(masked(line, client.masks), 200) for line in lines[-_LOG_LINES:])


def reason_of(one: Container) -> Reason | None:
    """What is wrong with a container; None where nothing is."""
    if error := str(one.state.get("Error") or ""):
        return Reason(f"cannot be started: {excerpt(error, _SHOWN)}", hopeless=not one.runs)
    if one.state.get("Restarting"):
        ended = f"ends as soon as it has started ({one.restarts} restarts); the last time it {_ended(one)}"
        return Reason(ended, hopeless=one.restarts >= HOPELESS_RESTARTS, logs=True)
    if one.status in _PLAIN:
        return _PLAIN[one.status]
    return _WHY.get(one.status, _unknown)(one)


def _created(one: Container) -> Reason | None:
    waits = "is made, and has not been started"
    return Reason(
        waits if one.is_one_shot else f"{waits}: what it waits for has not ended, or the start was interrupted"
    )


def _running(one: Container) -> Reason | None:
    if one.is_one_shot and not one.is_main:
        return Reason("has not ended yet")
    health: Mapping[str, Any] = one.state.get("Health") or {}
    if health.get("Status") == "starting":
        return Reason("runs, and its healthcheck has not passed yet")
    if health.get("Status") == "unhealthy":
        log = health.get("Log") or [{}]
        said = excerpt(str(log[-1].get("Output") or "").strip(), _SHOWN)
        return Reason(f"runs, and its healthcheck fails{f': {said}' if said else ''}")
    if one.restarts:
        return Reason(f"was started again {one.restarts} times")
    return None


def _exited(one: Container) -> Reason | None:
    if one.is_one_shot:
        return Reason(_ended(one), hopeless=True, logs=True) if one.code else None
    return Reason(f"is stopped (it {_ended(one)})", hopeless=True)


def _unknown(one: Container) -> Reason | None:
    return Reason(f"is {excerpt(one.status, 40) or 'in no known state'}")


def _ended(one: Container) -> str:
    if one.state.get("OOMKilled"):
        return "took more memory than its limit and was killed: give it more with spec.size or resources"
    meaning = {126: ", its program may not be run", 127: ", its program was not found", 137: ", killed"}.get(
        one.code, ""
    )
    return f"ended with exit code {one.code}{meaning}"


_WHY: Mapping[str, Callable[[Container], Reason | None]] = {
    "created": _created,
    "running": _running,
    "exited": _exited,
}
_PLAIN: Mapping[str, Reason] = {
    "paused": Reason("is paused: `docker unpause` lets it go on", hopeless=True),
    "dead": Reason("could not be removed completely: `docker rm` it", hopeless=True),
    "removing": Reason("is being removed"),
}


def state_of(one: Container) -> InstanceState:
    """Docker's state in our words; a container that dies again and again has failed."""
    if one.state.get("Error") and not one.runs:
        return InstanceState.FAILED
    if one.status == "exited" and one.is_one_shot:
        return InstanceState.FAILED if one.code else InstanceState.SUCCEEDED
    health = (one.state.get("Health") or {}).get("Status")
    if one.runs and health in ("starting", "unhealthy"):
        return InstanceState.PENDING if health == "starting" else InstanceState.FAILED
    return _STATES.get(one.status, InstanceState.UNKNOWN)


_STATES: Mapping[str, InstanceState] = {
    "created": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "restarting": InstanceState.FAILED,
    "exited": InstanceState.STOPPED,
    "paused": InstanceState.STOPPED,
    "removing": InstanceState.STOPPED,
    "dead": InstanceState.FAILED,
}


def status_of(containers: Sequence[Container], reasons: Mapping[str, Reason | None], host: str = "") -> Found:
    """What the containers say all together. Those beside the server count where they keep it from working."""
    mains = [one for one in containers if one.is_main] or [one for one in containers if not one.is_one_shot]
    beside = [one for one in containers if one not in mains]
    first, good = (mains or list(containers))[0], [one for one in mains if state_of(one) is InstanceState.RUNNING]
    worst = _problem([*beside, *mains], reasons, all_good=bool(mains) and len(good) == len(mains))
    status = InstanceStatus(
        id=first.labels.get("app.kubernetes.io/name", first.service),
        server=first.server,
        where=first.project,
        state=_state(mains, beside),
        desired=len(mains),
        ready=len(good) if not _failed(beside) else 0,
        replicas=tuple(_replica(one, reasons.get(one.id)) for one in mains),
        endpoint=endpoint(containers, host),
        reason=worst.text if worst else "",
    )
    return Found(status, bool(worst and worst.hopeless), bool(mains) and all(one.state.get("Health") for one in mains))


def _failed(beside: Sequence[Container]) -> bool:
    return any(state_of(one) in (InstanceState.FAILED, InstanceState.STOPPED) for one in beside)


def _state(mains: Sequence[Container], beside: Sequence[Container]) -> InstanceState:
    states = [state_of(one) for one in mains]
    if InstanceState.FAILED in map(state_of, beside):
        return InstanceState.FAILED
    for state in (InstanceState.FAILED, InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPED):
        if state in states and (state is not InstanceState.FAILED or InstanceState.RUNNING not in states):
            return state
    return states[0] if states else InstanceState.UNKNOWN


def _problem(containers: Sequence[Container], reasons: Mapping[str, Reason | None], *, all_good: bool) -> Reason | None:
    told = [(one, reason) for one in containers if (reason := reasons.get(one.id))]
    # Where all runs, what is beside it still can be in the way; an old restart is no problem.
    told.sort(key=lambda pair: (not pair[1].hopeless, pair[0].is_main and all_good, pair[0].status == "created"))
    if not told:
        return None
    one, reason = told[0]
    return reason._replace(text=f"{excerpt(one.name, 100)} {reason.text}")


def _replica(one: Container, reason: Reason | None) -> Replica:
    begun = str(one.state.get("StartedAt") or "")
    return Replica(
        name=one.name,
        state=state_of(one),
        image=excerpt(one.image, 300),
        restarts=one.restarts,
        started="" if begun.startswith("0001-") else begun,
        reason=reason.text if reason else "",
    )


def endpoint(containers: Sequence[Container], host: str = "") -> str:
    """The URL of the first published port; '' where nothing is published, or nothing runs."""
    path = next((one.labels[PATH_LABEL] for one in containers if PATH_LABEL in one.labels), "")
    for one in sorted(containers, key=lambda one: not one.runs):
        for bindings in one.ports.values():
            for binding in bindings or ():
                address = str(binding.get("HostIp", ""))
                address = (host or "127.0.0.1") if address in _EVERY else address
                shown = f"[{address}]" if ":" in address else address
                return excerpt(f"http://{shown}:{binding.get('HostPort')}{path}", _SHOWN)
    return ""
