"""A runtime kept in memory, which stands where the docker one would; faults on demand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from renderer.errors import ApplyFailed
from renderer.model import JSON, Rendered, Server
from renderer.orchestrators.contract import (
    Applied,
    ApplyOptions,
    Cause,
    Change,
    Confirm,
    Handshake,
    InstanceFilters,
    InstancePage,
    InstanceState,
    InstanceStatus,
    LogLine,
    LogOptions,
    Observation,
    OrchestratorConfig,
    Progress,
    Replica,
    Wait,
)
from renderer.orchestrators.wait import Time, wait_for

SHAKE = Handshake("demo-server", "1.2", ("2025-06-18",), 3)


def instance(name: str, **changes: Any) -> InstanceStatus:
    """A server that runs."""
    replica = Replica(f"mcp-{name}-1", InstanceState.RUNNING, f"example.com/{name}:1", 2, "2026-01-31T12:00:00Z")
    status = InstanceStatus(
        f"mcp-{name}", name, "here", InstanceState.RUNNING, 1, 1, (replica,), f"http://127.0.0.1:1/{name}"
    )
    return status._replace(**changes)


@dataclass
class FakeRuntime:
    """Does at once what it is told. ``fail`` is raised by the method of that name."""

    name: str = "docker"
    target: str = "compose"
    config: OrchestratorConfig = field(default_factory=OrchestratorConfig)
    instances: dict[str, InstanceStatus] = field(default_factory=dict)
    fail: dict[str, BaseException] = field(default_factory=dict)
    lines: list[LogLine] = field(default_factory=list)
    stale: list[tuple[str, bool]] = field(default_factory=list)
    changes: list[Change] | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    closed: bool = False
    url: str = "http://127.0.0.1:1/mcp"
    cause: Cause | None = None
    times: Time = field(default_factory=Time)

    def _called(self, method: str, what: Any = None) -> None:
        self.calls.append((method, what))
        if method in self.fail:
            raise self.fail[method]

    def named(self, method: str) -> list[Any]:
        return [what for called, what in self.calls if called == method]

    def where(self) -> str:
        self._called("where")
        return "the fake daemon"

    def start_server(self, server: Server, config: Mapping[str, JSON]) -> str:
        self._called("start_server", (server.name, dict(config)))
        self.instances[server.resource_name] = instance(server.name)
        return server.resource_name

    def stop_server(self, instance_id: str) -> None:
        self._called("stop_server", instance_id)

    def restart_server(self, instance_id: str) -> None:
        self._called("restart_server", instance_id)

    def resume_server(self, instance_id: str) -> None:
        self._called("resume_server", instance_id)

    def get_status(self, instance_id: str) -> InstanceStatus:
        self._called("get_status", instance_id)
        if instance_id not in self.instances:
            raise ApplyFailed(f"no {instance_id}")
        return self.instances[instance_id]

    def get_statuses(self, instances: Sequence[str]) -> tuple[InstanceStatus, ...]:
        return tuple(self.get_status(instance) for instance in instances)

    def wait(self, instances: Sequence[str], wait: Wait) -> tuple[InstanceStatus, ...]:
        self._called("wait", (tuple(instances), wait.seconds))
        seen = {name: Observation(self.instances[name], self.cause, True) for name in instances}
        return wait_for(lambda ids: {name: seen[name] for name in ids}, instances, wait, self.times)

    def get_logs(self, instance_id: str, options: LogOptions) -> Iterator[LogLine]:
        self._called("get_logs", (instance_id, options))
        try:
            yield from self.lines
            if "following" in self.fail:
                raise self.fail["following"]
        finally:
            self.closed = True

    def list_instances(self, filters: InstanceFilters, page: str = "", size: int = 500) -> InstancePage:
        self._called("list_instances", (filters, page, size))
        wanted = [
            one
            for one in self.instances.values()
            if (not filters.servers or one.server in filters.servers)
            and (not filters.states or one.state in filters.states)
        ]
        start = int(page or 0)
        end = start + size
        return InstancePage(tuple(wanted[start:end]), str(end) if end < len(wanted) else "")

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        self._called("apply", (documents, options))
        if self.changes is not None:
            return Applied(tuple(self.changes))
        names = [document.path.partition("/")[0] for document in documents if document.path.endswith("compose.yaml")]
        if options.dry_run == "none":
            self.instances |= {f"mcp-{name}": instance(name) for name in names}
        changes = [Change(f"Project mcp-{name}", "created") for name in names]
        for what, data in self.stale if options.prune else []:
            gone = confirm([what], data)
            changes.append(Change(what, "removed") if gone else Change(what, "not tried", "kept: not confirmed"))
        tell(f"{len(changes)} done")
        return Applied(tuple(changes))

    def delete(self, servers: Sequence[str], *, data: bool, tell: Progress, confirm: Confirm) -> Applied:
        self._called("delete", (tuple(servers), data))
        if self.changes is not None:
            return Applied(tuple(self.changes))
        found = [one for one in self.instances.values() if one.server in servers]
        if not found or not confirm([f"Container {one.id}" for one in found], False):
            return Applied(tuple(Change(f"Container {one.id}", "not tried", "kept: not confirmed") for one in found))
        changes = [Change(f"Container {self.instances.pop(one.id).id}", "removed") for one in found]
        return Applied((*changes, Change("Volume data", "unchanged", "kept, with its data: add --delete-data")))

    def reach(self, instance_id: str, ask: Callable[[str], Handshake]) -> Handshake:
        self._called("reach", instance_id)
        return ask(self.url)


def module(fake: FakeRuntime) -> ModuleType:
    """What stands in ``sys.modules`` for the runtime."""

    def create(config: OrchestratorConfig) -> FakeRuntime:
        fake.config = config
        return fake

    found = ModuleType(f"renderer.orchestrators.{fake.name}")
    found.create = create  # type: ignore[attr-defined]
    return found


def _endless() -> Iterator[LogLine]:
    number = 0
    while True:
        number += 1
        yield LogLine("demo-1", f"line {number}")


class _Silent:
    """Says a line, and nothing more; tells on stderr that it was closed."""

    def __init__(self) -> None:
        self._first = [LogLine("demo-1", "first")]

    def __iter__(self) -> _Silent:
        return self

    def __next__(self) -> LogLine:
        import time

        if self._first:
            return self._first.pop()
        time.sleep(60)
        raise AssertionError("nobody ended it")

    def close(self) -> None:
        sys.stderr.write("closed\n")
        sys.stderr.flush()


def _program() -> None:
    """``python -m tests.cli.fake_runtime MODE ARGUMENTS…``: mcpctl as a program of its own over such a runtime."""
    from renderer.__main__ import run

    mode = sys.argv.pop(1)
    fake = FakeRuntime(instances={"mcp-demo": instance("demo")})
    if mode == "endless":
        fake.get_logs = lambda *_: _endless()  # type: ignore[method-assign]
    elif mode == "silent":
        fake.get_logs = lambda *_: _Silent()  # type: ignore[method-assign]
    elif mode == "many":
        fake.instances = {f"mcp-{i}": instance(str(i)) for i in range(5000)}
    sys.modules["renderer.orchestrators.docker"] = module(fake)
    os.environ.pop("DOCKER_HOST", None)
    run()


if __name__ == "__main__":
    _program()
