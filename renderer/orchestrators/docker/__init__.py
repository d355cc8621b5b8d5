"""The orchestrator ``docker``: docker compose, with one daemon."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from renderer.errors import ApplyFailed, UsageMistake
from renderer.labels import SERVER_LABEL
from renderer.model import JSON, NAMESPACE, Rendered, Server
from renderer.orchestrators.contract import (
    NAME_LABEL,
    Applied,
    ApplyOptions,
    Confirm,
    Handshake,
    InstanceFilters,
    InstancePage,
    InstanceState,
    InstanceStatus,
    LogLine,
    LogOptions,
    OrchestratorConfig,
    Progress,
    Wait,
)
from renderer.orchestrators.docker import removal
from renderer.orchestrators.docker.client import CALL_SECONDS, Client
from renderer.orchestrators.docker.containers import NUMBER_LABEL, PROJECT_LABEL, Container, inspected, ours
from renderer.orchestrators.docker.status import cause_of, endpoint, look, observation, observe
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.wait import Time, wait_for

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Instances inspected in one call.
_AT_ONCE = 50
_LABEL = '{{{{.Label "{0}"}}}}'
_FORM = "\t".join(["{{.ID}}", *(_LABEL.format(name) for name in (PROJECT_LABEL, NAME_LABEL, SERVER_LABEL))])
_LINE = re.compile(r"([0-9a-f]{12,64})\t([\w.-]+)\t([\w.-]+)\t([\w.-]*)")
#: ``web-1  | text`` in a log. Compose pads the names, and clears the line before it says that a container ended.
_PREFIX = re.compile(r"^([\w.-]+-\d+) +\| ?(.*)$", re.DOTALL)
_CLEARED = "\x1b[K"


class Docker:
    """One daemon, and one network that all servers share."""

    name = "docker"
    target = "compose"

    def __init__(self, client: Client, *, times: Time | None = None) -> None:
        self._client = client
        self._times = times or Time()

    def where(self) -> str:
        return f"daemon at {self._client.host}, network {self._client.network}"

    def start_server(self, server: Server, config: Mapping[str, JSON]) -> str:
        from renderer.orchestrators.starting import start  # 150 ms: status and logs need neither templates nor schemas

        return start(self, server, NAMESPACE, config)

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        """Prunes only if nothing failed."""
        # 20 ms: the YAML reader, which status does not need
        from renderer.orchestrators.docker.apply import Application
        from renderer.orchestrators.docker.projects import NETWORK, projects

        wanted = projects(documents, options, self._client.network, self._client.environ)
        tries = f"dry run ({options.dry_run}) of " if options.dry_run != "none" else ""
        if tries or len(wanted) > 1:
            tell(f"{tries}{len(wanted)} project{'s' * (len(wanted) != 1)}")
        if wanted and self._client.network != NETWORK:
            tell(f"the network {NETWORK} of the files is called {self._client.network} here (docker.network)")
        changes = Application(self._client, options, tell).run(wanted)
        if options.prune and not Applied(tuple(changes)).failed:
            stale = removal.stale(self._client, options.owner, [project.name for project in wanted])
            owned = sorted({container.project for container in stale})
            volumes = [name for key in owned for name in removal.volumes_of(self._client, PROJECT_LABEL, key)]
            removing = self._removal(tell, confirm, dry=options.dry_run != "none")
            changes += removing.run(stale, volumes, data=True)
        return Applied(tuple(changes))

    def _removal(self, tell: Progress, confirm: Confirm, *, dry: bool = False) -> removal.Removal:
        return removal.Removal(self._client, tell, confirm, dry=dry, times=self._times)

    def stop_server(self, instance_id: str) -> None:
        """Each container within its own grace period; one-shots are removed."""
        removal.stop(self._client, look(self._client, instance_id), f"stopping {instance_id}")

    def resume_server(self, instance_id: str) -> None:
        """Not its one-shots: stop removed them, and the volumes that they prepared are still there."""
        containers = sorted(look(self._client, instance_id), key=lambda container: container.is_main)
        self._client.docker(f"starting {instance_id}", "start", *(container.id for container in containers))

    def restart_server(self, instance_id: str) -> None:
        """The server last. Mounted files are read again, variables are not."""
        containers = [
            container for container in look(self._client, instance_id) if container.is_main or not container.is_one_shot
        ]
        if not any(container.runs or container.status == "restarting" for container in containers):
            raise ApplyFailed(f"{instance_id} is stopped; mcpctl start it")
        ordered = sorted(containers, key=lambda container: container.is_main)
        grace = max(container.grace for container in ordered) * len(ordered)
        doing = f"restarting {instance_id}"
        self._client.docker(doing, "restart", *(container.id for container in ordered), seconds=grace + CALL_SECONDS)

    def get_status(self, instance_id: str) -> InstanceStatus:
        """``ready`` counts the replicas that run, and whose healthcheck, if any, has passed."""
        return observe(self._client, instance_id).status

    def get_statuses(self, instances: Sequence[str]) -> tuple[InstanceStatus, ...]:
        return tuple(self.get_status(instance) for instance in instances)

    def wait(self, instances: Sequence[str], wait: Wait) -> tuple[InstanceStatus, ...]:
        """Not with ``up --wait``, which fails on containers that end on purpose."""
        return wait_for(lambda ids: {name: observe(self._client, name) for name in ids}, instances, wait, self._times)

    def get_logs(self, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
        """Of the server's own containers: one compose, whose prefix names the replica."""
        if options.previous:
            raise UsageMistake("docker keeps one log over all restarts of a container: leave --previous out")
        containers = look(self._client, instance_id)
        mains = [container for container in containers if container.is_main] or containers
        args = [f"--project-name={mains[0].project}", "logs", "--no-color"]
        args += [f"--tail={options.tail}"] if options.tail is not None else []
        args += [f"--since={options.since}"] if options.since else []
        args += ["--timestamps"] * options.timestamps + ["--follow"] * options.follow
        # The services are found by their labels: neither file nor variables are needed.
        argv = [*args, "--", *sorted({container.service for container in mains})]
        return self._lines(mains, argv, follow=options.follow)

    def _lines(self, containers: Sequence[Container], argv: Sequence[str], *, follow: bool) -> Iterator[LogLine]:
        """Closing it ends the program; it raises where the daemon ends."""
        names = {f"{c.service}-{c.labels.get(NUMBER_LABEL)}": c.name for c in containers}
        last, project = containers[0].name, containers[0].project
        with self._client.background(*self._client.compose(), *argv) as running:
            while not running.over:
                for line in running.lines(3600.0):
                    text = line.removeprefix(_CLEARED)
                    if match := _PREFIX.match(text):
                        last, text = names.get(match[1], f"{project}-{match[1]}"), match[2]
                    yield LogLine(last, text)
            done = running.end()
        if done.code:
            raise self._client.failed(done, f"reading the log of {containers[0].service}")
        # When the daemon dies, compose exits with 0.
        if follow and not self._client.answers():
            text = f"reading the log of {containers[0].service}: the Docker daemon at {self._client.host}"
            raise Refused(f"{text} does not answer any more", kind="down")

    def list_instances(self, filters: InstanceFilters, page: str = "", size: int = 500) -> InstancePage:
        """One cheap call names all of them; only those of the page are inspected."""
        doing, known = "listing instances", dict[tuple[str, str], list[str]]()
        args = [f"--filter=label={key}={value}" for key, value in {**ours(), **filters.labels}.items()]
        out = self._client.docker(doing, "ps", "--all", "--no-trunc", *args, f"--format={_FORM}")
        # A line of another form has labels that mcpctl did not set.
        for match in filter(None, map(_LINE.fullmatch, out.split("\n"))):
            container, project, instance, server = match.groups()
            if not filters.servers or server in filters.servers:
                known.setdefault((project, instance), []).append(container)
        after = tuple(page.split("/", 1)) if page else ("", "")
        keys, statuses = [key for key in sorted(known) if key > after], list[InstanceStatus]()
        for start in range(0, len(keys), _AT_ONCE):
            some, there = keys[start : start + _AT_ONCE], dict[tuple[str, str], list[Container]]()
            for seen in inspected(self._client, [id_ for key in some for id_ in known[key]], doing):
                there.setdefault((seen.project, seen.labels.get(NAME_LABEL, "")), []).append(seen)
            for key in filter(there.__contains__, some):
                causes = {container.id: cause_of(container) for container in there[key]}
                status = observation(there[key], causes, self._client.config.host or "").status
                if status.state in (filters.states or InstanceState):
                    statuses.append(status)
                if len(statuses) == size:
                    return InstancePage(tuple(statuses), "/".join(key) if key != keys[-1] else "")
        return InstancePage(tuple(statuses))

    def delete(self, servers: Sequence[str], *, data: bool, tell: Progress, confirm: Confirm) -> Applied:
        """Images stay."""
        containers, volumes = removal.of_servers(self._client, servers)
        if not containers and not volumes:
            tell(f"mcpctl manages nothing of {', '.join(servers)}")
            return Applied(())
        return Applied(tuple(self._removal(tell, confirm).run(containers, volumes, data=data)))

    def reach(self, instance_id: str, ask: Callable[[str], Handshake]) -> Handshake:
        containers, host = look(self._client, instance_id), self._client.config.host or ""
        url, problem = endpoint(containers, host), f"{instance_id} cannot be reached"
        if not url and not any(container.runs for container in containers):
            raise ApplyFailed(f"{problem}: it does not run")
        if not url:
            raise ApplyFailed(
                f"{problem} from here: it publishes no port (network.publish is false, or it is a stdio server without "
                "a bridge, which speaks over `docker attach` alone)"
            )
        if host and host not in _LOOPBACK and url.startswith(("http://127.", "http://[::1]")):
            address = url.removeprefix("http://").partition("/")[0]
            raise ApplyFailed(
                f"{problem} from here: its port is published on {address} of {host} alone; set "
                "network.publish.address, or forward the port with ssh"
            )
        return ask(url)


def create(config: OrchestratorConfig) -> Docker:
    return Docker(Client(config.docker))
