"""The status of an instance from its containers, with what keeps it from running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renderer.errors import McpctlError, excerpt
from renderer.labels import DEFAULT_PATH, PATH_ANNOTATION, guard_note
from renderer.orchestrators.contract import (
    NAME_LABEL,
    Cause,
    InstanceState,
    InstanceStatus,
    Observation,
    Outlook,
    Replica,
)
from renderer.orchestrators.docker.client import Client, known_name
from renderer.orchestrators.docker.containers import Container, find, ours
from renderer.orchestrators.failures import NoSuchInstance, ended, loops, masked, with_log

_LOG_LINES = 5
_SHOWN = 300
_EVERY = ("", "0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_STATES: Mapping[str, InstanceState] = {
    "created": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "restarting": InstanceState.FAILED,
    "exited": InstanceState.STOPPED,
    "paused": InstanceState.STOPPED,
    "removing": InstanceState.STOPPED,
    "dead": InstanceState.FAILED,
}
#: By docker's state.
_PLAIN: Mapping[str, Cause] = {
    "created": Cause("has not been started: what it waits for has not ended, or the start was interrupted"),
    "paused": Cause("is paused: `docker unpause` lets it go on", "hopeless"),
    "dead": Cause("could not be removed completely: `docker rm` it", "hopeless"),
    "removing": Cause("is being removed"),
}


def look(client: Client, instance_id: str) -> list[Container]:
    """NoSuchInstance where there is none."""
    doing = f"looking for {excerpt(instance_id)}"
    containers = find(client, ours(instance=known_name(instance_id, "instance")), doing)
    if not containers:
        raise NoSuchInstance(f"no server runs as {instance_id} (docker at {client.host}); see `mcpctl list`")
    return containers


def observe(client: Client, instance_id: str) -> Observation:
    containers = look(client, instance_id)
    causes = {}
    for container in containers:
        cause = cause_of(container)
        recent = _last_code(client, container) if container.restarts and container.runs else None
        if cause and recent is not None:
            cause = cause._replace(text=f"{cause.text}; the last time it {ended(recent)}")
        if cause and (recent is not None or not container.runs) and container.status != "created":
            cause = cause._replace(text=with_log(cause.text, last_lines(client, container.id)))
        causes[container.id] = cause
    return observation(containers, causes, client.config.host or "")


def _last_code(client: Client, container: Container) -> int | None:
    """The exit code before the last restart: of a running container, only the daemon's events have it."""
    filters = [f"--filter=container={container.id}", "--filter=event=die"]
    form = "--format={{.Actor.Attributes.exitCode}}"
    try:
        out = client.docker("reading events", "events", "--since=1h", "--until=0s", *filters, form)
    except McpctlError:
        return None  # the code is an extra
    codes = [int(line) for line in out.split() if line.isdecimal()]
    return codes[-1] if codes else None


def last_lines(client: Client, container: str) -> list[str]:
    """Of the log; none where it cannot be read."""
    try:
        done = client.tried("docker", "logs", f"--tail={_LOG_LINES}", container, doing="reading the log")
    except McpctlError:
        return []
    lines = [line for line in (done.out + done.err).splitlines() if line.strip()] if done.code == 0 else []
    return [excerpt(masked(line, client.masks), 200) for line in lines[-_LOG_LINES:]]


def cause_of(container: Container) -> Cause | None:
    """None where nothing is wrong."""
    state = container.state
    how = ended(container.code, out_of_memory=bool(state.get("OOMKilled")))
    if error := str(state.get("Error") or ""):
        return Cause(f"cannot be started: {excerpt(error, _SHOWN)}", "starts" if container.runs else "hopeless")
    if state.get("Restarting"):
        # A server that had an hour between its restarts is restarted at once; the delay grows only in a loop.
        outlook: Outlook = "hopeless" if container.restarts >= 3 else "starts"
        return Cause(loops(container.restarts, how), outlook)
    if container.status == "exited":
        failed = container.code or not container.is_one_shot
        return Cause(how if container.is_one_shot else f"is stopped (it {how})", "hopeless") if failed else None
    if container.status != "running":
        return _PLAIN.get(container.status, Cause(f"is {excerpt(container.status, 40) or 'in no known state'}"))
    health: Mapping[str, Any] = container.state.get("Health") or {}
    if container.is_one_shot and not container.is_main:
        return Cause("has not ended yet")
    if health.get("Status") == "unhealthy":
        output = excerpt(str((health.get("Log") or [{}])[-1].get("Output") or "").strip(), _SHOWN)
        return Cause(f"runs, and its healthcheck fails{f': {output}' if output else ''}")
    if health.get("Status") == "starting":
        return Cause("runs, and its healthcheck has not passed yet")
    return Cause(f"was restarted {container.restarts} times") if container.restarts else None


def state_of(container: Container) -> InstanceState:
    if container.state.get("Error") and not container.runs:
        return InstanceState.FAILED
    if container.status == "exited" and container.is_one_shot:
        return InstanceState.FAILED if container.code else InstanceState.SUCCEEDED
    health = (container.state.get("Health") or {}).get("Status")
    if container.runs and health in ("starting", "unhealthy"):
        return InstanceState.PENDING if health == "starting" else InstanceState.FAILED
    return _STATES.get(container.status, InstanceState.UNKNOWN)


def observation(containers: Sequence[Container], causes: Mapping[str, Cause | None], host: str = "") -> Observation:
    """Of all containers of an instance. Sidecars count where they keep the server from working."""
    mains = [c for c in containers if c.is_main] or [c for c in containers if not c.is_one_shot]
    others = [c for c in containers if c not in mains]
    first, states = (mains or list(containers))[0], [state_of(container) for container in mains]
    good, sidecars = states.count(InstanceState.RUNNING), [state_of(container) for container in others]
    blocked = any(state in (InstanceState.FAILED, InstanceState.STOPPED) for state in sidecars)
    all_good = bool(mains) and good == len(mains)
    causing = [(container, cause) for container in (*others, *mains) if (cause := causes.get(container.id))]
    # Where all replicas run, a sidecar may still be the cause, and an old restart is none.
    causing.sort(
        key=lambda pair: (pair[1].outlook != "hopeless", pair[0].is_main and all_good, pair[0].status == "created")
    )
    worst = causing[0][1]._replace(text=f"{excerpt(causing[0][0].name, 100)} {causing[0][1].text}") if causing else None
    status = InstanceStatus(
        id=first.labels.get(NAME_LABEL, first.service),
        server=first.server,
        where=first.project,
        state=InstanceState.FAILED if InstanceState.FAILED in sidecars else _together(states),
        desired=len(mains),
        ready=0 if blocked else good,
        replicas=tuple(_replica(container, causes.get(container.id)) for container in mains),
        endpoint=endpoint(containers, host),
        reason=worst.text if worst else "",
        guard=next((note for each in containers if (note := guard_note(each.labels))), None),
    )
    return Observation(status, worst, bool(mains) and all(container.state.get("Health") for container in mains))


def _together(states: Sequence[InstanceState]) -> InstanceState:
    """Of several replicas: FAILED where one failed and none runs; else PENDING outweighs the rest."""
    if InstanceState.FAILED in states and InstanceState.RUNNING not in states:
        return InstanceState.FAILED
    order = (InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPED)
    return next((state for state in order if state in states), states[0] if states else InstanceState.UNKNOWN)


def _replica(container: Container, cause: Cause | None) -> Replica:
    begun = str(container.state.get("StartedAt") or "")
    return Replica(
        name=container.name,
        state=state_of(container),
        image=excerpt(container.image, 300),
        restarts=container.restarts,
        started="" if begun.startswith("0001-") else begun,
        reason=cause.text if cause else "",
    )


def endpoint(containers: Sequence[Container], host: str = "") -> str:
    """The URL of the first published port; '' for none."""
    path = next((c.labels[PATH_ANNOTATION] for c in containers if PATH_ANNOTATION in c.labels), DEFAULT_PATH)
    for container in sorted(containers, key=lambda container: not container.runs):
        for bindings in container.ports.values():
            for binding in bindings or ():
                address = str(binding.get("HostIp", ""))
                address = (host or "127.0.0.1") if address in _EVERY else address
                host_part = f"[{address}]" if ":" in address else address
                return excerpt(f"http://{host_part}:{binding.get('HostPort')}{path}", _SHOWN)
    return ""
