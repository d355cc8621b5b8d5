"""``docker compose up`` for one project after the other, and what became of each service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut, excerpt
from renderer.orchestrators.contract import ApplyOptions, Change, Progress
from renderer.orchestrators.docker import removal
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.docker.containers import HASH_LABEL, PROJECT_LABEL, Container, find
from renderer.orchestrators.docker.faults import Refused
from renderer.orchestrators.docker.projects import NETWORK, Project, arguments, env_values, owner_value, write_files
from renderer.orchestrators.docker.proxies import proxy_of
from renderer.orchestrators.docker.status import last_lines

Outcome = Literal["created", "changed", "unchanged", "not tried"]
#: Kinds of failure after which nothing else can work either.
_HOPELESS = ("down", "permission")


class Application:
    """One run over all projects: one that fails does not hold up the others, which do not need it."""

    def __init__(self, client: Client, options: ApplyOptions, tell: Progress) -> None:
        self._client = client
        self._options = options
        self._tell = tell
        self._before: list[Container] = []

    def run(self, projects: Sequence[Project]) -> list[Change]:
        """Each service's outcome. Raises only what ends a whole run (Ctrl-C), after telling what stands."""
        changes: list[Change] = []
        for place, project in enumerate(projects):
            self._before = []
            try:
                changes += self._tried(project)
            except KeyboardInterrupt:
                rest = ", ".join(one.name for one in projects[place + 1 :]) or "none"
                self._tell(
                    f"interrupted in {project.name}: what it made stands; not tried: {rest}; the same again goes on"
                )
                raise
            except McpctlError as error:
                self._tell(f"{project.name}: failed: {error.message}")
                changes += [*self._after_failure(project, error)]
                if isinstance(error, WaitTimedOut) or (isinstance(error, Refused) and error.kind in _HOPELESS):
                    return changes + [Change(f"project {one.name}", "not tried") for one in projects[place + 1 :]]
        return changes

    def _tried(self, project: Project) -> list[Change]:
        self._before = before = self._containers(project)
        self._refuse_foreign(project, before)
        dry = self._options.dry_run != "none"
        self._client.masks.update(project.values(self._client.environ).values())
        self._client.masks.update(_secrets_of_files(project))
        if not dry:
            write_files(project, in_tree=bool(self._options.folder))
        planned = self._planned(project, before) if dry else {}
        removed = self._without_orphans(project, before, dry=dry)
        if self._options.dry_run == "client":
            return [*_planned_changes(planned, "compared on this machine; the daemon was not told to try"), *removed]
        self._tell(f"{project.name}: docker compose up")
        self._up(project, dry=dry)
        if dry:
            return [*_planned_changes(planned, "docker compose tried it without doing it"), *removed]
        changes = _outcomes(project, before, self._containers(project))
        for change in changes:
            self._tell(f"{project.name}: {change.what}: {change.outcome}")
        return [*changes, *removed]

    def _containers(self, project: Project) -> list[Container]:
        return find(self._client, {PROJECT_LABEL: project.name}, f"looking for {project.name}")

    def _refuse_foreign(self, project: Project, there: Sequence[Container]) -> None:
        """What another tree or project applied is not taken over in silence: its prune and ours would fight."""
        if self._options.force_conflicts:
            return
        for one in there:
            if not one.managed and one.service in project.services:
                raise ApplyFailed(
                    f"{project.name}: the container {excerpt(one.name, 100)} is not managed by mcpctl: somebody else's "
                    "project has that name; rename the server, or take it over with --force-conflicts"
                )
            mine = owner_value(self._options.owner)
            if mine and one.owner not in ("", mine):
                raise ApplyFailed(
                    f"{project.name} belongs to '{excerpt(one.owner, 63)}', not to '{mine}': apply it from there, or "
                    "take it over with --force-conflicts"
                )

    def _without_orphans(self, project: Project, before: Sequence[Container], *, dry: bool) -> list[Change]:
        """Before the rest: an orphan may have the port that is needed."""
        mine, others = removal.orphans(before, project.services, self._options.owner)
        for one in others:
            self._tell(f"{project.name}: the container {excerpt(one.name, 100)} belongs to no service; not ours: kept")
        if mine and not dry:
            doing = f"removing what {project.name} no longer has"
            removal.end(self._client, mine, doing)
            removal.remove(self._client, mine, doing)
        return [Change(f"container {one.name}", "removed", "its service is gone from the spec") for one in mine]

    def _planned(self, project: Project, before: Sequence[Container]) -> dict[str, Outcome]:
        """By the hashes that compose itself goes by: nothing is touched."""
        doing = f"comparing {project.name}"
        with arguments(project) as named:
            argv = (*self._client.compose(), *named, "config", "--hash=*")
            done = self._client.tried(*argv, doing=doing, stdin=project.text.encode())
        if done.code:
            raise self._failed(self._client.failed(done, doing), project)
        hashes = dict(line.split() for line in done.out.splitlines() if len(line.split()) == 2)
        if set(hashes) != set(project.services):
            raise ApplyFailed(f"{doing}: compose's answer is no list of services ({excerpt(done.out, 80)})")
        there: dict[str, set[str]] = {}
        for one in before:
            # What is stopped would be started: no hash says that.
            awake = one.runs or one.is_one_shot
            there.setdefault(one.service, set()).add(one.labels.get(HASH_LABEL, "") if awake else "")
        return {name: _compared(there.get(name), value) for name, value in hashes.items()}

    def _up(self, project: Project, *, dry: bool) -> None:
        doing = f"docker compose up of {project.name}"
        with arguments(project) as named:
            flags = ["--progress=json", *(["--dry-run"] if dry else [])]
            argv = (*self._client.compose(), *flags, *named, "up", "--detach")
            done = self._client.tried(*argv, doing=doing, seconds=self._options.seconds, stdin=project.text.encode())
        if done.code:
            raise self._failed(self._client.failed(done, doing), project)

    def _failed(self, refused: Refused, project: Project) -> Refused:
        """With what only the project, or the daemon, knows of it."""
        more = ""
        if refused.kind == "variable":
            return Refused(f"{project.name}: {self._missing(project)}", "variable", refused.about)
        if refused.kind == "port":
            holder = removal.publishing(self._client, refused.about)
            more = f"; {f'the container {holder}' if holder else self._program(refused.about)} has it"
        if refused.kind == "oneshot":
            one = next((c for c in self._containers(project) if c.service == refused.about), None)
            lines = last_lines(self._client, one.id) if one else ""
            more = f"; its last lines: {lines}" if lines else ""
        return Refused(refused.message + more, refused.kind, refused.about)

    def _program(self, port: str) -> str:
        proxy = "" if self._client.config.host else proxy_of(port)
        if not proxy:
            return "a program of the machine, not a container,"
        return f"a docker-proxy that a killed daemon left (process {proxy}: end it, or restart the daemon once more)"

    def _missing(self, project: Project) -> str:
        """All variables at once: compose tells the first."""
        given = project.values(self._client.environ)
        missing = [f"{name} ({what})" for name, what in project.variables.items() if what and name not in given]
        where = project.env_file or str(project.folder / ".env")
        return (
            f"nothing was applied: it needs {', '.join(missing) or 'a variable'}; set it in the environment, or in "
            f"{excerpt(where, 300)}"
        )

    def _after_failure(self, project: Project, error: McpctlError) -> list[Change]:
        failed = Change(f"project {project.name}", "failed", error.message)
        try:
            now = self._containers(project)
        except McpctlError:
            unknown = "what it had made by then cannot be told now: mcpctl status can, once the daemon answers"
            self._tell(f"{project.name}: {unknown}")
            return [failed._replace(message=f"{error.message}; {unknown}")]
        stands = [one for one in _outcomes(project, self._before, now) if one.outcome != "not tried"]
        named = {one.what for one in stands}
        rest = [
            Change(_what(name), "not tried", "not started") for name in project.services if _what(name) not in named
        ]
        return [*stands, failed, *rest]


def _what(service: str) -> str:
    return f"service {service}"


def _planned_changes(planned: Mapping[str, Outcome], how: str) -> list[Change]:
    return [Change(_what(name), outcome, how) for name, outcome in planned.items()]


def _compared(there: set[str] | None, wanted: str) -> Outcome:
    if not there:
        return "created"
    return "unchanged" if there == {wanted} else "changed"


def _outcomes(project: Project, before: Sequence[Container], after: Sequence[Container]) -> list[Change]:
    """By the containers themselves: compose's words are for people."""
    changes = []
    for name in project.services:
        old = {one.id: one for one in before if one.service == name}
        new = {one.id: one for one in after if one.service == name}
        outcome, message = _outcome(old, new)
        changes.append(Change(_what(name), outcome, message))
    return changes


def _outcome(old: Mapping[str, Container], new: Mapping[str, Container]) -> tuple[Outcome, str]:
    if not new or all(one.status == "created" for one in new.values()):
        return "not tried", "not started"
    if not old:
        return "created", ""
    if set(old) != set(new):
        return "changed", ""
    asleep = any(not old[id_].runs and new[id_].runs and not new[id_].is_one_shot for id_ in new)
    return ("changed", "started again") if asleep else ("unchanged", "")


def _secrets_of_files(project: Project) -> set[str]:
    """Values that stand in files of variables beside the project: to hide them, should a message have one."""
    found: set[str] = set()
    for path in (project.folder / "env" / "secrets").glob("*.env"):
        found |= set(env_values(path).values())
    return found


def network_note(projects: Sequence[Project], network: str) -> str:
    """What is told when another network than the rendered one is configured."""
    if network == NETWORK or not projects:
        return ""
    return f"the network {NETWORK} of the files is called {network} here (docker.network)"
