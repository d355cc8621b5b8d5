"""The orchestrator ``docker``: docker compose, with one daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from renderer.errors import ApplyFailed
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
    OrchestratorConfig,
    Progress,
)
from renderer.orchestrators.docker import logs, removal, rollout
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.docker.containers import PROJECT_LABEL
from renderer.orchestrators.docker.listing import page_of
from renderer.orchestrators.docker.rollout import Time
from renderer.orchestrators.docker.status import Watcher, endpoint

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Docker:
    """One daemon, and one network that all servers share. ``waits`` is how waiting is done."""

    name = "docker"
    target = "compose"

    def __init__(self, client: Client, *, waits: Time | None = None) -> None:
        self._client = client
        self._watcher = Watcher(client)
        self._waits = waits or Time()

    def where(self) -> str:
        """Daemon and network."""
        return f"daemon at {self._client.host}, network {self._client.network}"

    def start_server(self, server: Server, config: Mapping[str, JSON]) -> str:
        """Rendered, checked and applied by itself."""
        from renderer.orchestrators.starting import start  # status and logs need neither templates nor schemas
        from renderer.pins import NAMESPACE

        return start(self, server, NAMESPACE, config)

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        """Project after project; then prunes, if nothing failed."""
        from renderer.orchestrators.docker.apply import Application, network_note
        from renderer.orchestrators.docker.projects import projects

        found = projects(documents, options, self._client.network, self._client.environ)
        tries = f"dry run ({options.dry_run}) of " if options.dry_run != "none" else ""
        tell(f"{tries}{len(found)} project{'s' * (len(found) != 1)} for the {self.where()}")
        if note := network_note(found, self._client.network):
            tell(note)
        changes = Application(self._client, options, tell).run(found)
        if Applied(tuple(changes)).failed:
            tell(_stands(changes))
            return Applied(tuple(changes))
        if options.prune:
            changes += self._pruned([project.name for project in found], options, tell, confirm)
        return Applied(tuple(changes))

    def _pruned(self, keep: Sequence[str], options: ApplyOptions, tell: Progress, confirm: Confirm) -> list[Change]:
        stale = removal.stale(self._client, options.owner, keep)
        projects = sorted({one.project for one in stale})
        volumes = [name for p in projects for name in removal.volumes_of(self._client, PROJECT_LABEL, p)]
        removing = removal.Removal(self._client, tell, confirm, dry=options.dry_run != "none", waits=self._waits)
        return removing.run(stale, volumes, data=True)

    def stop_server(self, instance_id: str) -> None:
        """Ends its containers, each within its own grace; they and their data stay, one-shots do not."""
        removal.stop(self._client, self._watcher.look(instance_id), f"stopping {instance_id}")

    def get_status(self, instance_id: str) -> InstanceStatus:
        """``ready`` counts the replicas that run, and whose healthcheck, where there is one, has passed."""
        return self._watcher.find(instance_id).status

    def wait(self, instances: Sequence[str], *, seconds: float, tell: Progress) -> tuple[InstanceStatus, ...]:
        """Until all run, and go on running."""
        return rollout.wait(self._watcher.find, instances, seconds=seconds, tell=tell, waits=self._waits)

    def get_logs(self, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
        """Of the server's own containers, not of those beside it."""
        found = self._watcher.look(instance_id)
        return logs.read(self._client, [one for one in found if one.is_main] or found, options)

    def list_instances(self, filters: InstanceFilters, page: str = "", size: int = 500) -> InstancePage:
        """By project, then by instance."""
        return page_of(self._client, filters, page, size)

    def delete(self, servers: Sequence[str], *, data: bool, tell: Progress, confirm: Confirm) -> Applied:
        """Containers, and networks that nobody is on any more; volumes of data only with ``data``. Images stay."""
        tell(f"from the {self.where()}")
        containers, volumes = removal.of_servers(self._client, servers)
        if not containers and not volumes:
            tell(f"nothing of ours is there of {', '.join(servers)}")
            return Applied(())
        return Applied(
            tuple(removal.Removal(self._client, tell, confirm, waits=self._waits).run(containers, volumes, data=data))
        )

    def reach(self, instance_id: str, ask: Callable[[str], Handshake]) -> Handshake:
        """Through the published port."""
        return ask(self._url(instance_id))

    def _url(self, instance_id: str) -> str:
        containers = self._watcher.look(instance_id)
        host = self._client.config.host or ""
        url = endpoint(containers, host)
        if not url and not any(one.runs for one in containers):
            raise ApplyFailed(f"{instance_id} cannot be reached: it does not run")
        if not url:
            raise ApplyFailed(
                f"{instance_id} cannot be reached from here: it publishes no port (a stdio server without a bridge "
                "speaks over `docker attach` alone)"
            )
        if host and host not in _LOOPBACK and url.startswith(("http://127.", "http://[::1]")):
            raise ApplyFailed(
                f"{instance_id} cannot be reached from here: its port is published on {_address(url)} of {host} "
                "alone; set network.publish.address, or forward the port with ssh"
            )
        return url


def _address(url: str) -> str:
    """The host and port of a URL."""
    return url.removeprefix("http://").partition("/")[0]


def create(config: OrchestratorConfig) -> Docker:
    """Asks nothing of any daemon yet."""
    return Docker(Client(config.docker))


def _stands(changes: Sequence[Change]) -> str:
    """What is so after a failure, and what to do."""
    applied = [one.what for one in changes if one.outcome in ("created", "changed", "unchanged")]
    rest = [one.what for one in changes if one.outcome == "not tried"]
    text = f"what stands: {', '.join(applied) or 'nothing new that is known of'}"
    text += f"; not tried: {', '.join(rest)}" if rest else ""
    return f"{text}; see to the reason and run the same again: what is applied stays as it is"
