"""Names that stand for something else in the file: networks, volumes, configs, secrets, models, services."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from renderer.check.compose.mounts import mounts
from renderer.check.compose.workload import Workload, source_of
from renderer.check.shape import mapping, text
from renderer.errors import DocumentPath, Fault
from renderer.wording import excerpt, suggestion

#: Section of the file, name in it, place of the reference.
_Reference = tuple[str, str, DocumentPath]

#: Fields that can join a namespace of another service, as ``service:NAME``.
_NAMESPACES = ("network_mode", "ipc", "pid")


def reference_faults(doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """References to what the file does not define."""
    if "include" in doc:
        return  # what the included files define cannot be seen from here
    for workload in workloads:
        for section, name, path in _references(workload):
            if not any(name in known for known in _known(doc, section, workload)):
                near = suggestion(name, [n for known in _known(doc, section, workload) for n in known])
                message = f"{excerpt(name)} is not defined under '{section}'{near}"
                kind = section.removesuffix("s")
                yield Fault(path, f"compose/undefined-{kind}", message, f"define it under '{section}'")


def health_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Services that wait for the health of one whose check is switched off: they would never start."""
    unchecked = {w.name for w in workloads if _has_no_check(w)}
    for workload in workloads if unchecked else ():
        for name, how in mapping(workload.body, "depends_on").items():
            if name in unchecked and isinstance(how, dict) and how.get("condition") == "service_healthy":
                message = f"waits for {excerpt(name)} to be healthy, whose health check is switched off"
                path = workload.at("depends_on", name, "condition")
                yield Fault(path, "compose/never-healthy", message, "wait for service_started")


def dependencies(workload: Workload) -> Iterator[tuple[DocumentPath, str]]:
    """The services that must run before this one, each with the place that says so."""
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
    yield from _build_references(workload)
    yield from _extended(workload)


def _build_references(workload: Workload) -> Iterator[_Reference]:
    build = mapping(workload.body, "build")
    secrets = build.get("secrets")
    for index, grant in enumerate(secrets if isinstance(secrets, list) else ()):
        if source_of(grant):
            yield "secrets", source_of(grant), workload.at("build", "secrets", index)
    for name, context in mapping(build, "additional_contexts").items():
        if isinstance(context, str) and context.startswith("service:"):
            path = workload.at("build", "additional_contexts", name)
            yield "services", context.partition(":")[2], path


def _extended(workload: Workload) -> Iterator[_Reference]:
    base = workload.body.get("extends")
    if isinstance(base, str):
        yield "services", base, workload.at("extends")
    elif isinstance(base, dict) and "file" not in base and isinstance(base.get("service"), str):
        yield "services", base["service"], workload.at("extends", "service")


def _has_no_check(workload: Workload) -> bool:
    check = mapping(workload.body, "healthcheck")
    return check.get("disable") is True or check.get("test") == ["NONE"]
