"""Stops and removes what mcpctl manages: found by labels, listed, confirmed, and only what was listed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from renderer.errors import ApplyFailed, McpctlError, excerpt
from renderer.labels import REMADE_VOLUMES, SERVER_LABEL
from renderer.orchestrators.contract import MANAGED_LABEL, Change, Confirm, Progress, owner_value
from renderer.orchestrators.docker.client import CALL_SECONDS, Client, json_lines, known_name
from renderer.orchestrators.docker.containers import PROJECT_LABEL, Container, find, ours
from renderer.orchestrators.docker.projects import NETWORK, files_folder
from renderer.orchestrators.wait import Time, until

#: Seconds until the daemon has let go of the last container of a network.
_ENDPOINTS = 10.0
_NETWORK_LABEL = "com.docker.compose.network"


def end(client: Client, containers: Sequence[Container], doing: str) -> None:
    """Each with its own grace period."""
    running = [container for container in containers if container.status in ("running", "restarting", "paused")]
    if running:
        grace = max(container.grace for container in running)
        client.docker(doing, "stop", *(container.id for container in running), seconds=grace + CALL_SECONDS)


def stop(client: Client, containers: Sequence[Container], doing: str) -> None:
    """Containers and data stay; one-shots are removed, as they cannot go on."""
    end(client, containers, doing)
    remove(client, [container for container in containers if container.is_one_shot and not container.is_main], doing)


def remove(client: Client, containers: Sequence[Container], doing: str, *, data: bool = False) -> None:
    """With ``data`` the anonymous volumes of the image too."""
    if containers:
        flags = ["--force", *(["--volumes"] if data else [])]
        ids = [container.id for container in containers]
        done = client.tried("docker", "rm", *flags, *ids, doing=doing, seconds=120.0)
        if done.code and (failed := client.failed(done, doing)).kind != "gone":
            raise failed


def stale(client: Client, owner: str, keep: Sequence[str]) -> list[Container]:
    """Containers of this owner, in projects that it no longer has."""
    mine = owner_value(owner)
    if not mine:
        raise ApplyFailed("--prune needs --owner: without it, our projects look like those of others")
    containers = find(client, ours(owner=mine), "looking for what is no longer rendered")
    return [container for container in containers if container.project not in keep]


class Removal:
    """Asks first; then containers, networks, volumes."""

    def __init__(
        self, client: Client, tell: Progress, confirm: Confirm, *, dry: bool = False, times: Time | None = None
    ) -> None:
        self._client = client
        self._tell = tell
        self._confirm = confirm
        self._dry = dry
        self._times = times or Time()

    def run(self, containers: Sequence[Container], volumes: Sequence[str], *, data: bool) -> list[Change]:
        """Volumes with data go only with ``data``, and after a question of their own."""
        remade = [name for name in volumes if name.endswith(REMADE_VOLUMES)]
        volumes = [name for name in volumes if name not in remade]
        going = [*(f"container {container.name}" for container in containers), *(f"volume {name}" for name in remade)]
        precious = [f"volume {name}" for name in volumes]
        if self._dry:
            reason = "in a dry run: nothing was removed"
            return [Change(subject, "removed", reason) for subject in [*going, *precious * data]]
        if going and not self._confirm(going, False):
            return [Change(subject, "not tried", "not confirmed: kept") for subject in [*going, *precious]]
        may = data and bool(precious) and self._confirm(precious, True)
        changes = self._containers(containers, data=may)
        if any(change.outcome == "failed" for change in changes):
            kept = [*going[len(containers) :], *precious]
            return [*changes, *(Change(subject, "not tried", "its containers are still there") for subject in kept)]
        changes += [self._tried("volume", name) for name in remade]
        if not may:
            outcome, why = ("not tried", "not confirmed: kept") if data else ("unchanged", "kept, with its data")
            return [*changes, *(Change(subject, outcome, why) for subject in precious)]  # type: ignore[arg-type]
        return [*changes, *(self._tried("volume", name) for name in volumes)]

    def _containers(self, containers: Sequence[Container], *, data: bool) -> list[Change]:
        changes: list[Change] = []
        ordered = sorted(containers, key=lambda container: container.project)
        for project, grouped in groupby(ordered, key=lambda container: container.project):
            changes += self._project(project, list(grouped), data=data)
        # What was written for them to mount, and is in no tree.
        kept = files_folder(self._client.environ)
        for mount in (mount for container in containers for mount in container.mounts):
            source = Path(str(mount.get("Source", "")))
            if source.parent.parent == kept:
                shutil.rmtree(source.parent, ignore_errors=True)
        try:
            # Networks of the projects, and the shared one, if no container is left on them.
            projects = sorted({container.project for container in containers})
            names: list[str] = []
            for label in (*(f"{PROJECT_LABEL}={project}" for project in projects), f"{_NETWORK_LABEL}={NETWORK}"):
                args = ["network", "ls", f"--filter=label={label}", "--format={{.Name}}"]
                out = self._client.docker("looking for networks", *args)
                names += [name for name in out.split() if name not in names]
            for name in names:
                args = ["ps", "--all", f"--filter=network={known_name(name, 'a network')}", "--format={{.ID}}"]
                if not self._client.docker(f"asking who is on {excerpt(name)}", *args).strip():
                    changes.append(self._without(name))
            return changes
        except McpctlError as error:
            return [*changes, Change("networks", "failed", f"{error.message}; run the command again")]

    def _project(self, project: str, some: Sequence[Container], *, data: bool) -> list[Change]:
        doing = f"removing {excerpt(project)}"
        try:
            end(self._client, some, doing)
            remove(self._client, some, doing, data=data)
        except McpctlError as error:
            return [Change(f"container {container.name}", "failed", error.message) for container in some]
        except KeyboardInterrupt:
            self._tell(f"interrupted while {doing}: run the command again to continue")
            raise
        self._tell(f"{project}: {len(some)} containers removed")
        return [Change(f"container {container.name}", "removed") for container in some]

    def _without(self, network: str) -> Change:
        """A removed container may stay on the network for a moment."""
        last: list[Change] = []

        def look() -> Change | None:
            last.append(self._tried("network", network))
            return None if "active endpoints" in last[-1].message else last[-1]

        left = until(look, seconds=_ENDPOINTS, times=self._times)
        return left or last[-1]

    def _tried(self, kind: str, name: str) -> Change:
        known_name(name, "the name of something to remove")
        subject = f"{kind} {name}"
        try:
            self._client.docker(f"removing {subject}", kind, "rm", name)
        except McpctlError as error:
            return Change(subject, "failed", error.message)
        self._tell(f"{subject}: removed")
        return Change(subject, "removed")


def volumes_of(client: Client, key: str, value: str) -> list[str]:
    """Managed volumes with that label."""
    filters = [f"--filter=label={MANAGED_LABEL}=true", f"--filter=label={key}={value}"]
    doing = "looking for volumes"
    out = client.docker(doing, "volume", "ls", *filters, "--format={{json .}}")
    return sorted(str(volume["Name"]) for volume in json_lines(out.strip(), {"Name!": str}, doing))


def of_servers(client: Client, servers: Sequence[str]) -> tuple[list[Container], list[str]]:
    """In all projects."""
    containers: list[Container] = []
    volumes: list[str] = []
    for server in servers:
        known_name(server, "server")
        containers += find(client, ours(server=server), f"looking for {server}")
        volumes += volumes_of(client, SERVER_LABEL, server)
    return containers, volumes


def publishing(client: Client, port: str) -> str:
    """The containers of this daemon that publish that port; '' for none."""
    try:
        out = client.docker("asking who has the port", "ps", f"--filter=publish={port}", "--format={{.Names}}")
    except McpctlError:
        return ""
    return ", ".join(excerpt(name, 100) for name in out.split())
