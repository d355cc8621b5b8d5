"""Existing claims and volumes that others may use, and what mounts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from renderer.diff.consequences.table import Consequence
from renderer.diff.objects import COMPOSE
from renderer.manifest import as_mapping, at, containers, items, mappings, pod_spec

if TYPE_CHECKING:
    from renderer.diff.objects import Object

#: Labels of the workload and of what it mounts, to whether it may write.
_Mounts = Mapping[tuple[str, str], bool]


def data_rules(old: Sequence[Object], new: Sequence[Object]) -> Iterator[Consequence]:
    made = {(item.namespace, item.name) for item in (*old, *new) if item.kind == "PersistentVolumeClaim"}
    before, now = ({**_claims(objects, made), **_volumes(objects)} for objects in (old, new))
    for (owner, volume), writes in now.items():
        if (owner, volume) not in before:
            how = "may read and change" if writes else "may read"
            yield Consequence("data", f"{owner} {how} {volume}, which exists already")
        elif writes and not before[owner, volume]:
            yield Consequence("data", f"{owner} may change {volume}, which it could only read")


def _claims(objects: Sequence[Object], made: set[tuple[str, str]]) -> _Mounts:
    """Those that are not rendered."""
    claims: dict[tuple[str, str], bool] = {}
    for item in objects:
        spec = pod_spec(item.kind, as_mapping(item.data))
        mounts = [mount for each in containers(spec).values() for mount in mappings(each.get("volumeMounts"))]
        for volume in mappings(spec.get("volumes")):
            source = as_mapping(volume.get("persistentVolumeClaim"))
            name = str(source.get("claimName", ""))
            if name and (item.namespace, name) not in made:
                writes = any(m.get("name") == volume.get("name") and not m.get("readOnly") for m in mounts)
                claims[item.label, f"claim {name}"] = writes and not source.get("readOnly")
    return claims


def _volumes(objects: Sequence[Object]) -> _Mounts:
    """Those that compose does not create."""
    parts = [item for item in objects if item.group == COMPOSE]
    known = {p.name: at(p.data, "name") or p.name for p in parts if p.kind == "volume" and at(p.data, "external")}
    volumes: dict[tuple[str, str], bool] = {}
    for part in parts:
        for mount in items(at(part.data, "volumes")) if part.kind == "service" else ():
            if isinstance(mount, dict):
                source, read_only = str(mount.get("source")), bool(mount.get("read_only"))
            else:
                source, _, rest = str(mount).partition(":")
                read_only = "ro" in rest.rpartition(":")[2].split(",")
            if source in known:
                volumes[part.label, f"volume {known[source]}"] = not read_only
    return volumes
