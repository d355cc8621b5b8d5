"""``docker compose up`` for one project after the other, and the outcome of each service."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut, excerpt, noting
from renderer.labels import ADOPT_NOTE, SERVER_LABEL
from renderer.orchestrators.contract import ApplyOptions, Change, Progress, owner_value
from renderer.orchestrators.docker import removal
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.docker.containers import HASH_LABEL, PROJECT_LABEL, Container, find
from renderer.orchestrators.docker.projects import Project, arguments, write_files
from renderer.orchestrators.docker.status import last_lines
from renderer.orchestrators.failures import Refused, with_log

Outcome = Literal["created", "changed", "unchanged", "not tried"]
#: Kinds of failure after which nothing else can work either.
_HOPELESS = ("down", "permission")


class Application:
    """One run over all projects, which are independent: after a failure the others go on."""

    def __init__(self, client: Client, options: ApplyOptions, tell: Progress) -> None:
        self._client = client
        self._options = options
        self._tell = tell
        self._before: list[Container] = []

    def run(self, projects: Sequence[Project]) -> list[Change]:
        """Each service's outcome. Raises only what ends a whole run (Ctrl-C), after printing what was applied."""
        changes: list[Change] = []
        for place, project in enumerate(projects):
            later = [project.name for project in projects[place + 1 :]]
            self._before = []
            try:
                with noting(partial(_standing, projects, place)):
                    changes += self._tried(project)
            except KeyboardInterrupt:
                made = f"interrupted in {project.name}, which may be applied in part"
                self._tell(f"{made}; not tried: {', '.join(later) or 'none'}; run the command again to continue")
                raise
            except McpctlError as error:
                changes += self._after_failure(project, error)
                if isinstance(error, WaitTimedOut) or (isinstance(error, Refused) and error.kind in _HOPELESS):
                    return changes + [Change(f"project {name}", "not tried") for name in later]
        return changes

    def _tried(self, project: Project) -> list[Change]:
        self._before = before = self._containers(project)
        self._refuse_foreign(project, before)
        dry = self._options.dry_run != "none"
        self._client.masks.update(project.secrets(self._client.environ))
        if not dry:
            write_files(project, in_tree=bool(self._options.folder))
        planned = self._planned(project, before) if dry else {}
        removed = self._without_orphans(project, before, dry=dry)
        if self._options.dry_run != "client":
            self._tell(f"{project.name}: docker compose up")
            self._composed(project, "up", "--detach", flags=["--dry-run"] if dry else [])
        if dry:
            client = self._options.dry_run == "client"
            how = "compared on this machine; the daemon was not asked" if client else "docker compose --dry-run"
            return [*(Change(f"service {name}", outcome, how) for name, outcome in planned.items()), *removed]
        changes = _outcomes(project, before, self._containers(project))
        for change in changes:
            self._tell(f"{project.name}: {change.subject}: {change.outcome}")
        return [*changes, *removed]

    def _containers(self, project: Project) -> list[Container]:
        return find(self._client, {PROJECT_LABEL: project.name}, f"looking for {project.name}")

    def _refuse_foreign(self, project: Project, there: Sequence[Container]) -> None:
        """What another tree or project applied is not taken over in silence: both would prune it."""
        mine, advice = owner_value(self._options.owner), "take it over with --force-conflicts"
        for container in there if not self._options.force_conflicts else ():
            labels = project.services.get(container.service)
            if not container.managed and labels is not None and ADOPT_NOTE not in labels:
                name = excerpt(container.name, 100)
                raise ApplyFailed(f"the container {name} is not managed by mcpctl; rename the server, or {advice}")
            if mine and container.owner not in ("", mine):
                whose = f"belongs to '{excerpt(container.owner, 63)}', not to '{mine}'"
                raise ApplyFailed(f"the project {whose}; apply it from there, or {advice}")

    def _without_orphans(self, project: Project, before: Sequence[Container], *, dry: bool) -> list[Change]:
        """Before the rest: an orphan may hold the port that is needed. Others' containers stay.

        Several servers may have been adopted from one project: the orphans of one are not those of another.
        """
        servers = {labels.get(SERVER_LABEL) for labels in project.services.values()}
        orphans = [c for c in before if c.service not in project.services]
        orphans = [c for c in orphans if not c.managed or c.labels.get(SERVER_LABEL) in servers]
        owner = owner_value(self._options.owner)
        mine = [container for container in orphans if container.managed and owner and container.owner == owner]
        for container in orphans:
            if container not in mine:
                name = excerpt(container.name, 100)
                self._tell(
                    f"{project.name}: the container {name} belongs to no service, and mcpctl does not manage it: kept"
                )
        if mine and not dry:
            doing = f"removing what {project.name} no longer has"
            removal.end(self._client, mine, doing)
            removal.remove(self._client, mine, doing)
        reason = "its service is gone from the spec"
        return [Change(f"container {container.name}", "removed", reason) for container in mine]

    def _planned(self, project: Project, before: Sequence[Container]) -> dict[str, Outcome]:
        """By compose's own hashes: nothing is changed."""
        out, doing = self._composed(project, "config", "--hash=*"), f"comparing {project.name}"
        hashes = dict(line.split() for line in out.splitlines() if len(line.split()) == 2)
        if set(hashes) != set(project.services):
            raise ApplyFailed(f"{doing}: compose's answer is not a list of services ({excerpt(out, 80)})")
        planned: dict[str, Outcome] = {}
        for name, value in hashes.items():
            # What is stopped would be started: no hash says that.
            there = {
                container.labels.get(HASH_LABEL, "") if container.runs or container.is_one_shot else ""
                for container in before
                if container.service == name
            }
            planned[name] = "created" if not there else "unchanged" if there == {value} else "changed"
        return planned

    def _composed(self, project: Project, *command: str, flags: Sequence[str] = ()) -> str:
        """The checked text goes to stdin."""
        doing = f"docker compose {command[0]} of {project.name}"
        with arguments(project) as named:
            argv = (*self._client.compose(), "--progress=json", *flags, *named, *command)
            done = self._client.tried(*argv, doing=doing, seconds=self._options.seconds, stdin=project.text.encode())
        if done.code:
            raise self._explained(self._client.failed(done, doing), project)
        return done.out

    def _explained(self, refused: Refused, project: Project) -> Refused:
        """With what only the project, or the daemon, knows of the failure."""
        if refused.kind == "variable":
            return Refused(project.missing(self._client.environ), kind="variable", about=refused.about)
        if refused.kind == "port":
            holder = removal.publishing(self._client, refused.about)
            proxy = "" if holder or self._client.config.host else proxy_of(refused.about)
            owner = f"the container {holder}" if holder else "a program of the machine, not a container,"
            if proxy:
                advice = "end it, or restart the daemon"
                owner = f"a docker-proxy that a killed daemon left (process {proxy}: {advice})"
            refused.message += f"; {owner} uses it"
        if refused.kind == "oneshot":
            failed = next((c for c in self._containers(project) if c.service == refused.about), None)
            refused.message = with_log(refused.message, last_lines(self._client, failed.id) if failed else [])
        return refused

    def _after_failure(self, project: Project, error: McpctlError) -> list[Change]:
        failed = Change(f"project {project.name}", "failed", error.message)
        try:
            now = self._containers(project)
        except McpctlError:
            unknown = "what was applied is unknown; see mcpctl status once the daemon answers"
            return [failed._replace(message=f"{error.message}; {unknown}")]
        changes = _outcomes(project, self._before, now)
        stands = [change for change in changes if change.outcome != "not tried"]
        return [*stands, failed, *(change for change in changes if change not in stands)]


def _standing(projects: Sequence[Project], place: int) -> str:
    before = ", ".join(project.name for project in projects[:place])
    done = f"{place} of {len(projects)} projects were applied{f' ({before})' if before else ''}"
    return f"{done}, and {projects[place].name} may be applied in part; run the command again to continue"


def _outcomes(project: Project, before: Sequence[Container], after: Sequence[Container]) -> list[Change]:
    """From the containers: compose's output is for people."""
    changes = []
    for name in project.services:
        old = {container.id: container for container in before if container.service == name}
        new = {container.id: container for container in after if container.service == name}
        outcome: Outcome
        if not new or all(container.status == "created" for container in new.values()):
            outcome, message = "not tried", "not started"
        elif set(old) != set(new):
            outcome, message = "changed" if old else "created", ""
        elif any(not old[id_].runs and new[id_].runs and not new[id_].is_one_shot for id_ in new):
            outcome, message = "changed", "started again"
        else:
            outcome, message = "unchanged", ""
        changes.append(Change(f"service {name}", outcome, message))
    return changes


def proxy_of(port: str, processes: Path = Path("/proc")) -> str:
    """The id of a ``docker-proxy`` that publishes the port, left by a daemon that was killed; '' for none."""
    for file in processes.glob("[0-9]*/cmdline"):
        try:
            program, *words = os.fsdecode(file.read_bytes()).split("\0")
        except OSError:  # ended meanwhile
            continue
        if os.path.basename(program) == "docker-proxy" and ("-host-port", port) in pairwise(words):
            return file.parent.name
    return ""
