"""Names of containers: unique on the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.check.compose.workload import Workload
from renderer.check.shape import text
from renderer.errors import Fault
from renderer.wording import excerpt


def container_name_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """A fixed name that two services have, or several replicas of one."""
    owners: dict[str, str] = {}
    for workload in workloads:
        name = text(workload.body, "container_name")
        if not name:
            continue
        path, owner = workload.at("container_name"), owners.setdefault(name, workload.name)
        if owner != workload.name:
            message = f"{excerpt(name)} is the name of the container of service {excerpt(owner)} too"
            yield Fault(path, "compose/duplicate-container-name", message, "give each its own name")
        if workload.replicas() > 1:
            message = f"{workload.replicas()} replicas cannot have one container name"
            yield Fault(path, "compose/container-name-replicas", message, "leave 'container_name' out")
