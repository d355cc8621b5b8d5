"""Volumes of the pods as storage, files and writable folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text, with_values
from renderer.importers.manifests.containers import Known, data_of
from renderer.importers.manifests.objects import mapping
from renderer.importers.permissions import STORAGE, set_writable
from renderer.importers.variables import is_secret_text
from renderer.manifest import as_mapping, at, mappings
from renderer.model import JSON

_CLOSED = "Pod Security 'restricted' refuses it, and a server does not get more than it needs: it is left out"
_NO_ANNOTATIONS = (
    "a claim template of mcpctl has no annotations, and an API server takes no other one: delete the StatefulSet with "
    "--cascade=orphan first"
)


class Volume(NamedTuple):
    """A volume and one mount of it in the server's container."""

    path: DocumentPath
    data: Mapping[str, JSON]
    mount: DocumentPath
    mount_path: str
    sub_path: str
    read_only: bool
    known: Known

    @property
    def name(self) -> str:
        return plain_text(self.data.get("name"))


def read_volumes(reading: Reading, pod: DocumentPath, container: DocumentPath, known: Known) -> dict[str, str]:
    """Returns, by volume, the name by which sidecars may mount it."""
    shared: dict[str, str] = {}
    volumes = {reading.text(*path, "name"): path for path, _ in reading.items(*pod, "volumes")}
    for mount, item in reading.items(*container, "volumeMounts"):
        name = reading.text(*mount, "name")
        path = volumes.get(name)
        fields = as_mapping(item)
        volume = Volume(
            path or (),
            reading.mapping(*path) if path else {"name": name},
            mount,
            reading.text(*mount, "mountPath").rstrip("/") or "/",
            reading.text(*mount, "subPath"),
            fields.get("readOnly") is True,
            known,
        )
        kind = next((key for key in volume.data if key in _READERS), "template" if path is None else "")
        read = _READERS.get(kind)
        if "subPathExpr" in fields or read is None:
            reading.lose(mount, "no field mounts a volume of this kind")
        elif source := read(reading, volume):
            shared.setdefault(name, source)
    for name, path in volumes.items():
        if name not in shared and not reading.has_entry(path):
            reading.lose(path, "the server's container does not mount it")
    return shared


def _storage(reading: Reading, volume: Volume, fields: dict[str, JSON]) -> str:
    """Adds to ``spec.storage``; a subPath becomes a patch."""
    stored = mappings(reading.spec.get("storage"))
    base = re.sub(r"[^a-z0-9-]", "-", volume.name.lower()).strip("-")[:36] or "data"
    taken = {plain_text(item.get("name")) for item in stored}
    name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 99))) if n not in taken)
    mount = with_values({"mountPath": volume.mount_path, "readOnly": volume.read_only})
    reading.map(volume.mount, (*STORAGE, END), {"name": name, **fields, **mount})
    if volume.sub_path:
        at = f"/spec/template/spec/containers/0/volumeMounts/{len(stored)}"
        operations: JSON = [
            {"op": "test", "path": f"{at}/name", "value": name},
            {"op": "add", "path": f"{at}/subPath", "value": volume.sub_path},
        ]
        workload = plain_text(reading.get("kind"))
        reading.map((*volume.mount, "subPath"), ("spec", "patches", END), {"kind": workload, "json": operations})
    return name


def _claim(reading: Reading, volume: Volume) -> str:
    claim = plain_text(at(volume.data, "persistentVolumeClaim", "claimName"))
    each = volume.known.claims.get(claim)
    reading.note(volume.path, STORAGE)
    if each is None:
        shared: dict[str, JSON] = {"accessModes": ["ReadWriteMany"]} if volume.known.is_replicated else {}
        return _storage(reading, volume, {"existingClaim": claim, **shared})
    fields = claim_fields(each.spec)
    # A claim may be mounted at several places.
    if "size" not in fields or claim in mapping(reading.spec, "adopt", "claims").values():
        modes = {key: value for key, value in fields.items() if key == "accessModes"}
        return _storage(reading, volume, {"existingClaim": claim, **modes})
    name = _storage(reading, volume, fields)
    if f"{volume.known.resource_name}-{name}" != claim:
        reading.map((*volume.path, "persistentVolumeClaim", "claimName"), ("spec", "adopt", "claims", name), claim)
    return name


def claim_fields(spec: Mapping[str, JSON]) -> dict[str, JSON]:
    """Size, class and access modes as ``spec.storage`` has them."""
    size = plain_text(at(spec, "resources", "requests", "storage"))
    modes = spec.get("accessModes")
    fields: dict[str, JSON] = {}
    if size:
        fields["size"] = size
    if isinstance(storage_class := spec.get("storageClassName"), str):
        fields["storageClass"] = storage_class
    if isinstance(modes, list) and modes and modes != ["ReadWriteOnce"]:
        fields["accessModes"] = modes
    return fields


def _template(reading: Reading, volume: Volume) -> str:
    for path, item in reading.items("spec", "volumeClaimTemplates"):
        if at(item, "metadata", "name") == volume.name:
            name = _storage(reading, volume, claim_fields(mapping(item, "spec")))
            reading.note((*path, "spec"), STORAGE)
            reading.note((*path, "metadata", "name"), STORAGE)
            if labels := reading.mapping(*path, "metadata", "labels"):
                reading.map((*path, "metadata", "labels"), ("spec", "adopt", "claimLabels"), dict(labels))
            if reading.mapping(*path, "metadata", "annotations"):
                reading.lose((*path, "metadata", "annotations"), _NO_ANNOTATIONS)
            for key in ("apiVersion", "kind", "status"):
                reading.lose((*path, key), "the default of Kubernetes", harmless=True)
            return name
    reading.lose(volume.mount, f"no volume of the pods is called '{volume.name}'")
    return ""


def _empty(reading: Reading, volume: Volume) -> str:
    size = plain_text(mapping(volume.data, "emptyDir").get("sizeLimit"))
    in_memory = mapping(volume.data, "emptyDir").get("medium") == "Memory" and volume.mount_path != "/dev/shm"  # noqa: S108
    message = "on the disk of the node, not in memory" if in_memory else ""
    reading.note(volume.path, ("spec", "security", "writablePaths"), message)
    if not size:
        reading.leave(volume.path, ("spec", "security", "writablePaths"), "64Mi, where there was no limit of its size")
    set_writable(reading, volume.mount, volume.mount_path, size)
    return volume.mount_path


def _files(reading: Reading, volume: Volume) -> str:
    """A ConfigMap: its content if imported and not secret, else references."""
    source = mapping(volume.data, "configMap")
    name = plain_text(source.get("name"))
    contents = data_of(volume.known, name)
    keys = _keys(source, volume, list(contents))
    reading.note(volume.path, ("spec", "files"))
    if not contents or any(is_secret_text(contents.get(key, "")) for key in keys):
        if contents:
            stays = "it stays, and is mounted as it is; a Secret is the place for it"
            reading.leave(volume.path, ("spec", "files"), f"ConfigMap {name} seems to hold a secret: {stays}")
        return _references(reading, volume, keys, {"configMap": name})
    for key, path in keys.items():
        if key in contents:
            reading.map(volume.mount, ("spec", "files", path), {"content": contents[key], **_mode(source)})
    return ""


def _secret(reading: Reading, volume: Volume) -> str:
    source = mapping(volume.data, "secret")
    reading.note(volume.path, ("spec", "files"))
    return _references(reading, volume, _keys(source, volume, []), {"secret": plain_text(source.get("secretName"))})


def _references(reading: Reading, volume: Volume, keys: Mapping[str, str], reference: dict[str, JSON]) -> str:
    source = mapping(volume.data, "secret") or mapping(volume.data, "configMap")
    mode = _mode(source)
    if volume.sub_path or source.get("items"):
        for key, path in keys.items():
            reading.map(volume.mount, ("spec", "files", path), {**reference, "key": key, **mode})
    else:
        reading.map(volume.mount, ("spec", "files", volume.mount_path), {**reference, **mode})
    return ""


def _keys(source: Mapping[str, JSON], volume: Volume, all_keys: list[str]) -> dict[str, str]:
    """Keys to the paths of their files in the container."""
    named = {plain_text(item.get("key")): plain_text(item.get("path")) for item in mappings(source.get("items"))}
    paths = named or {key: key for key in all_keys}
    if volume.sub_path:
        key = next((key for key, path in paths.items() if path == volume.sub_path), volume.sub_path)
        return {key: volume.mount_path}
    return {key: f"{volume.mount_path.rstrip('/')}/{path}" for key, path in paths.items()}


def _mode(source: Mapping[str, JSON]) -> dict[str, JSON]:
    """The mode unless it is the default, 0644."""
    mode = source.get("defaultMode")
    return {"mode": f"0{mode & 0o555:03o}"} if isinstance(mode, int) and mode != 0o644 else {}


def _of_the_machine(reading: Reading, volume: Volume) -> str:
    path = plain_text(at(volume.data, "hostPath", "path"))
    reading.lose(volume.path, f"hostPath {path}: {_CLOSED}; copy the data into a volume, or use existingClaim")
    reading.lose(volume.mount, f"hostPath {path} is left out")
    return ""


def _other(reading: Reading, volume: Volume) -> str:
    """Projected sources; for tokens see ``serviceAccount.automountToken``."""
    for number, source in enumerate(mappings(mapping(volume.data, "projected").get("sources"))):
        path = (*volume.path, "projected", "sources", number)
        for kind, read, key in (("secret", _secret, "secretName"), ("configMap", _files, "name")):
            if inner := mapping(source, kind):
                renamed = {**inner, key: inner.get("name")}
                read(reading, volume._replace(path=path, data={"name": volume.name, kind: renamed}))
                break
        else:
            reading.lose(path, "no field mounts it")
    reading.note(volume.mount, None)
    return ""


_READERS: Mapping[str, Callable[[Reading, Volume], str]] = {
    "persistentVolumeClaim": _claim,
    "emptyDir": _empty,
    "configMap": _files,
    "secret": _secret,
    "hostPath": _of_the_machine,
    "projected": _other,
    "template": _template,
}
