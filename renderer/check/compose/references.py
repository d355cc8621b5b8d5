"""References within a compose file, dependency cycles and mounts."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.check.compose.workload import Workload, source_of
from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.manifest import mapping, text
from renderer.wording import excerpt, suggestion

_DRIVE = r"[A-Za-z]:[\\/][^:]*"
_SHORT = pattern(rf"(?:({_DRIVE}|[^:]+):)?({_DRIVE}|[^:]+)(?::[^:]*)?")
#: A short-form source that is a host path.
_HOST_PATH = pattern(r"[./~\\]|[A-Za-z]:[\\/]")

#: Sources that docker compose copies into the container, which a read-only service does not allow.
_COPIED = {"configs": ("content", "environment"), "secrets": ("environment",)}


@dataclass(frozen=True, slots=True)
class Mount:
    """``volume``: the named top-level volume, or empty."""

    path: DocumentPath
    target: str
    volume: str = ""
    is_short: bool = False


def mounts(workload: Workload) -> Iterator[Mount]:
    """Entries of ``volumes`` in both forms."""
    for path, entry in workload.items("volumes"):
        if isinstance(entry, dict):
            volume = text(entry, "source") if entry.get("type") == "volume" else ""
            yield Mount(path, text(entry, "target"), volume)
        elif isinstance(entry, str) and (match := _SHORT.fullmatch(entry)):
            source = match[1] or ""
            yield Mount(path, match[2], "" if _HOST_PATH.match(source) else source, is_short=True)


def mount_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Two mounts on one path, and volumes taken for a Windows drive."""
    for workload in workloads:
        taken: dict[str, DocumentPath] = {}
        for mount in _all_mounts(workload):
            place = posixpath.normpath(mount.target)
            first = taken.setdefault(place, mount.path)
            if first is not mount.path:
                message = f"{excerpt(place)} is mounted twice, first by '{first[2]}'"
                yield Fault(mount.path, "compose/duplicate-mount", message, "remove one of the two")
            if len(mount.volume) == 1 and mount.is_short:
                message = f"docker compose reads '{mount.volume}:' as a drive of Windows, not as a volume"
                yield Fault(mount.path, "compose/drive-letter", message, "use the long form of a mount")


def read_only_faults(doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Configs and secrets that compose would copy into a read-only container."""
    for workload in workloads:
        for section in _COPIED if workload.body.get("read_only") is True else ():
            for path, grant in workload.items(section):
                source = mapping(mapping(doc, section), source_of(grant))
                if any(field in source for field in _COPIED[section]):
                    source_name = f"{section.removesuffix('s')} {excerpt(source_of(grant))}"
                    message = f"docker compose cannot copy {source_name} into a service that is read_only"
                    yield Fault(path, "compose/read-only-copy", message, "keep it in a file, under 'file'")


def _all_mounts(workload: Workload) -> Iterator[Mount]:
    yield from (mount for mount in mounts(workload) if mount.target)
    tmpfs = workload.body.get("tmpfs")
    single = [(workload.at("tmpfs"), tmpfs)] if isinstance(tmpfs, str) else []
    for path, entry in (*single, *workload.items("tmpfs")):
        if isinstance(entry, str):
            yield Mount(path, entry.partition(":")[0])
    for section, folder in (("configs", "/"), ("secrets", "/run/secrets")):
        for path, grant in workload.items(section):
            target = text(grant, "target") if isinstance(grant, dict) else ""
            if source_of(grant):
                yield Mount(path, posixpath.join(folder, target or source_of(grant)))


#: (section, name, path of the reference).
_Reference = tuple[str, str, DocumentPath]

#: Fields that may be ``service:NAME``.
_NAMESPACES = ("network_mode", "ipc", "pid")


def reference_faults(doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    if "include" in doc:
        return  # what the included files define cannot be seen from here
    for workload in workloads:
        for section, name, path in _references(workload):
            if not any(name in known for known in _known(doc, section, workload)):
                near = suggestion(name, [n for known in _known(doc, section, workload) for n in known])
                message = f"{excerpt(name)} is not defined under '{section}'{near}"
                kind = section.removesuffix("s")
                hint = f"define it under '{section}'"
                if section == "networks":
                    hint = "join a network of another project with spec.compose.networks"
                yield Fault(path, f"compose/undefined-{kind}", message, hint)


def health_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Disabled checks with a test, and services that wait for a disabled check."""
    checks = {workload.name: mapping(workload.body, "healthcheck") for workload in workloads}
    unchecked = {n for n, check in checks.items() if check.get("disable") is True or check.get("test") == ["NONE"]}
    for workload in workloads if unchecked else ():
        check = checks[workload.name]
        if check.get("disable") is True and check.get("test") not in (None, ["NONE"]):
            path, hint = workload.at("healthcheck", "test"), "set disable: false beside it, or use spec.health.command"
            yield Fault(path, "compose/disabled-check", "the test never runs: 'disable' is true", hint)
        for name, how in mapping(workload.body, "depends_on").items():
            if name in unchecked and isinstance(how, dict) and how.get("condition") == "service_healthy":
                message = f"waits for {excerpt(name)} to be healthy, whose health check is switched off"
                path = workload.at("depends_on", name, "condition")
                yield Fault(path, "compose/never-healthy", message, "wait for service_started")


def dependencies(workload: Workload) -> Iterator[tuple[DocumentPath, str]]:
    """Services that must start before this one."""
    yield from workload.named("depends_on")
    for path, link in workload.named("links"):
        yield path, link.partition(":")[0]
    for path, name in workload.named("volumes_from"):
        if not name.startswith("container:"):
            yield path, name.partition(":")[0]
    for field in _NAMESPACES:
        kind, _, name = text(workload.body, field).partition(":")
        if kind == "service":
            yield workload.at(field), name


def _known(doc: Mapping[str, Any], section: str, workload: Workload) -> list[Collection[str]]:
    if section == "networks":
        return [mapping(doc, section), ("default",)]  # compose makes it where nobody defines it
    if section == "services" and workload.section == "jobs":
        return [mapping(doc, section), mapping(doc, "jobs")]
    return [mapping(doc, section)]


def _references(workload: Workload) -> Iterator[_Reference]:
    for section in ("networks", "models"):
        yield from ((section, name, path) for path, name in workload.named(section))
    for section in ("configs", "secrets"):
        yield from ((section, source_of(g), path) for path, g in workload.items(section) if source_of(g))
    yield from (("volumes", m.volume, m.path) for m in mounts(workload) if m.volume)
    yield from (("services", name, path) for path, name in dependencies(workload))
    build = mapping(workload.body, "build")
    secrets = build.get("secrets")
    for index, grant in enumerate(secrets if isinstance(secrets, list) else ()):
        if source_of(grant):
            yield "secrets", source_of(grant), workload.at("build", "secrets", index)
    for name, context in mapping(build, "additional_contexts").items():
        if isinstance(context, str) and context.startswith("service:"):
            path = workload.at("build", "additional_contexts", name)
            yield "services", context.partition(":")[2], path
    yield from _extended(workload)


def _extended(workload: Workload) -> Iterator[_Reference]:
    base = workload.body.get("extends")
    if isinstance(base, str):
        yield "services", base, workload.at("extends")
    elif isinstance(base, dict) and "file" not in base and isinstance(base.get("service"), str):
        yield "services", base["service"], workload.at("extends", "service")


#: By service: its dependencies in file order, with the path of the first mention.
_Graph = dict[str, dict[str, DocumentPath]]


def cycle_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    graph: _Graph = {}
    for workload in workloads:
        needs = graph.setdefault(workload.name, {})
        for path, name in dependencies(workload):
            needs.setdefault(name, path)
    done: set[str] = set()
    for start in graph:
        if start not in done:
            yield from _cycles_from(start, graph, done)


def _cycles_from(start: str, graph: _Graph, done: set[str]) -> Iterator[Fault]:
    """Depth first without recursion: chains may be longer than Python's stack."""
    way, todo = {start: None}, [iter(graph[start].items())]
    while todo:
        name, path = next(todo[-1], ("", ()))
        if not path:
            todo.pop()
            done.add(way.popitem()[0])
        elif name in way:
            circle = " -> ".join([*[*way][[*way].index(name) :], name])
            message = f"services wait for one another: {circle}"
            yield Fault(path, "compose/cycle", message, "remove one of the dependencies")
        elif name in graph and name not in done:
            way[name] = None
            todo.append(iter(graph[name].items()))
