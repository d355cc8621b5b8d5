"""What lies where in a container's file system."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.check.compose.workload import Workload, source_of
from renderer.check.shape import mapping, text
from renderer.errors import DocumentPath, Fault
from renderer.wording import excerpt

_DRIVE = r"[A-Za-z]:[\\/][^:]*"
_SHORT = re.compile(rf"(?:({_DRIVE}|[^:]+):)?({_DRIVE}|[^:]+)(?::[^:]*)?")
#: How a source of the short form begins that is a path of the host.
_HOST_PATH = re.compile(r"[./~\\]|[A-Za-z]:[\\/]")

#: What a read-only service can be given only as a file: docker compose copies the rest into the container.
_COPIED = {"configs": ("content", "environment"), "secrets": ("environment",)}


@dataclass(frozen=True, slots=True)
class Mount:
    """A place in the container. ``volume`` is the top-level volume on it, if it is one with a name."""

    path: DocumentPath
    target: str
    volume: str = ""
    is_short: bool = False


def mounts(workload: Workload) -> Iterator[Mount]:
    """The entries of ``volumes``, in both forms."""
    for path, entry in workload.items("volumes"):
        if isinstance(entry, dict):
            volume = text(entry, "source") if entry.get("type") == "volume" else ""
            yield Mount(path, text(entry, "target"), volume)
        elif isinstance(entry, str) and (match := _SHORT.fullmatch(entry)):
            source = match[1] or ""
            yield Mount(path, match[2], "" if _HOST_PATH.match(source) else source, is_short=True)


def mount_faults(_doc: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[Fault]:
    """Two things at one place of a container, and volumes that are taken for a drive of Windows."""
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
    """Configs and secrets that docker compose would copy into a container that cannot be written."""
    for workload in workloads:
        for section in _COPIED if workload.body.get("read_only") is True else ():
            for path, grant in workload.items(section):
                source = mapping(mapping(doc, section), source_of(grant))
                if any(field in source for field in _COPIED[section]):
                    what = f"{section.removesuffix('s')} {excerpt(source_of(grant))}"
                    message = f"docker compose cannot copy {what} into a service that is read_only"
                    yield Fault(path, "compose/read-only-copy", message, "keep it in a file, under 'file'")


def _all_mounts(workload: Workload) -> Iterator[Mount]:
    yield from (mount for mount in mounts(workload) if mount.target)
    yield from _tmpfs(workload)
    for section, folder in (("configs", "/"), ("secrets", "/run/secrets")):
        for path, grant in workload.items(section):
            target = text(grant, "target") if isinstance(grant, dict) else ""
            if source_of(grant):
                yield Mount(path, posixpath.join(folder, target or source_of(grant)))


def _tmpfs(workload: Workload) -> Iterator[Mount]:
    single = workload.body.get("tmpfs")
    if isinstance(single, str):
        yield Mount(workload.at("tmpfs"), single.partition(":")[0])
    for path, entry in workload.items("tmpfs"):
        if isinstance(entry, str):
            yield Mount(path, entry.partition(":")[0])
