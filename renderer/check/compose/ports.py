"""Host ports and container names, which are unique on a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.check.compose.workload import Workload, is_small
from renderer.errors import DocumentPath, Fault, Severity
from renderer.later import pattern
from renderer.manifest import mapping, text
from renderer.wording import excerpt

_RANGE = pattern(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
#: Wildcard addresses, and a character that all addresses of the family contain.
_ANY = {"": "", "0.0.0.0": ".", "::": ":"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class _Published:
    """Host ports ``low`` to ``high``. ``pool``: any free one of them."""

    workload: Workload
    path: DocumentPath
    address: str
    protocol: str
    low: int
    high: int
    pool: bool

    def clashes_with(self, other: _Published) -> bool:
        return (
            self.protocol == other.protocol
            and self.low <= other.high
            and other.low <= self.high
            and (_covers(self.address, other.address) or _covers(other.address, self.address))
        )

    def __str__(self) -> str:
        ports = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return f"{ports}/{self.protocol}" + (f" of {self.address}" if self.address else "")


def port_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Ports published twice, or by more replicas than ports."""
    published = [p for workload in workloads for p in _published(workload)]
    for port in published:
        if port.workload.replicas() > (port.high - port.low + 1 if port.pool else 1):
            message = f"{port.workload.replicas()} replicas cannot share host port {port}"
            yield Fault(port.path, "compose/replicas-share-port", message, "publish a range with a port for each")
    yield from _clashes([port for port in published if not port.pool])


def unreachable_port_faults(doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Ports that compose silently does not publish."""
    for workload in (workload for workload in workloads if workload.body.get("ports")):
        mode = workload.body.get("network_mode")
        networks = [mapping(mapping(doc, "networks"), name) for _, name in workload.named("networks")]
        internal = networks and all(network.get("internal") is True for network in networks)
        reason = "all of its networks are internal" if internal else ""
        if reason := f"its network_mode is '{mode}'" if mode in ("none", "host") else reason:
            message = f"docker compose publishes no port of this service, because {reason}"
            hint = "reach it through a forwarder on a second network, or leave 'ports' out"
            yield Fault(workload.at("ports"), "compose/unpublished-port", message, hint, Severity.WARNING)


def _clashes(ports: list[_Published]) -> Iterator[Fault]:
    """In ascending order, so that each is compared with the few open ones."""
    opened: list[_Published] = []
    for port in sorted(ports, key=lambda p: (p.protocol, p.low)):
        opened = [o for o in opened if o.protocol == port.protocol and o.high >= port.low]
        first = next((o for o in opened if o.clashes_with(port)), None)
        if first is None:
            opened.append(port)
        else:
            same = first.workload.name == port.workload.name
            owner = "it" if same else f"service {excerpt(first.workload.name)}"
            message = (
                f"service {excerpt(port.workload.name)} publishes host port {port}, which {owner} publishes already"
            )
            yield Fault(port.path, "compose/duplicate-port", message, "publish another port of the host")


def _covers(address: str, other: str) -> bool:
    return address == other or (address in _ANY and _ANY[address] in (other or ".:"))


def _published(workload: Workload) -> Iterator[_Published]:
    for path, port in workload.items("ports"):
        if isinstance(port, dict):
            target, published = _digits(port.get("target")), _digits(port.get("published"))
            address, protocol = text(port, "host_ip"), text(port, "protocol")
        elif isinstance(port, str) and ":" in port:
            mapped, _, protocol = port.partition("/")
            host, _, target = mapped.rpartition(":")
            address, _, published = host.rpartition(":")
        else:
            continue
        wanted, inside = _RANGE.fullmatch(published), _RANGE.fullmatch(target)
        if wanted and inside and wanted[1] != "0":
            low, high = int(wanted[1]), int(wanted[2] or wanted[1])
            pool = bool(wanted[2]) and not inside[2]
            yield _Published(workload, path, address.strip("[]"), protocol or "tcp", low, high, pool)


def _digits(value: object) -> str:
    return str(value) if isinstance(value, str) or is_small(value) else ""


def container_name_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
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
