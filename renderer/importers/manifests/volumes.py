"""Volumes of the pods and where the server has them: storage, files, folders that it may write to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.manifests.containers import Known, data_of
from renderer.importers.manifests.objects import entries, mapping
from renderer.importers.secrets import is_secret_text
from renderer.model import JSON

_CLOSED = "Pod Security 'restricted' refuses it, and a server does not get more than it needs: it is left out"
_STORAGE: DocumentPath = ("spec", "storage")


class Volume(NamedTuple):
    """One volume of the pods: where it stands, and one mount of it in the server's container."""

    path: DocumentPath
    data: Mapping[str, JSON]
    mount: DocumentPath
    mount_path: str
    sub_path: str
    read_only: bool

    @property
    def name(self) -> str:
        return plain_text(self.data.get("name"))


def read_volumes(reading: Reading, pod: DocumentPath, container: DocumentPath, known: Known) -> dict[str, str]:
    """Each volume that the server mounts; the names of volumes to what sidecars may mount them by."""
    shared: dict[str, str] = {}
    volumes = {reading.text(*path, "name"): path for path, _ in reading.items(*pod, "volumes")}
    for mount, item in reading.items(*container, "volumeMounts"):
        name = reading.text(*mount, "name")
        path = volumes.get(name)
        fields = item if isinstance(item, dict) else {}
        volume = Volume(
            path or (),
            reading.mapping(*path) if path else {"name": name},
            mount,
            reading.text(*mount, "mountPath").rstrip("/") or "/",
            reading.text(*mount, "subPath"),
            fields.get("readOnly") is True,
        )
        kind = next((key for key in volume.data if key in _READERS), "template" if path is None else "")
        read = _READERS.get(kind)
        if "subPathExpr" in fields or read is None:
            reading.lose(mount, "no field mounts a volume of this kind")
        elif source := read(reading, volume, known):
            shared.setdefault(name, source)
    for name, path in volumes.items():
        if name not in shared and not any(entry.source == (*reading.root, *path) for entry in reading.entries):
            reading.lose(path, "the server's container does not mount it")
    return shared


def _storage(reading: Reading, volume: Volume, fields: dict[str, JSON]) -> str:
    """An entry of ``spec.storage``; what a subPath names is mounted by a patch, which the spec shows."""
    existing = reading.document.get("spec", {})
    stored = entries(existing.get("storage")) if isinstance(existing, dict) else []
    base = re.sub(r"[^a-z0-9-]", "-", volume.name.lower()).strip("-")[:36] or "data"
    taken = {plain_text(item.get("name")) for item in stored}
    name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 99))) if n not in taken)
    read_only: dict[str, JSON] = {"readOnly": True} if volume.read_only else {}
    reading.map(volume.mount, (*_STORAGE, END), {"name": name, **fields, "mountPath": volume.mount_path, **read_only})
    if volume.sub_path:
        at = f"/spec/template/spec/containers/0/volumeMounts/{len(stored)}"
        operations: JSON = [
            {"op": "test", "path": f"{at}/name", "value": name},
            {"op": "add", "path": f"{at}/subPath", "value": volume.sub_path},
        ]
        workload = plain_text(reading.get("kind"))
        reading.map((*volume.mount, "subPath"), ("spec", "patches", END), {"kind": workload, "json": operations})
    return name


def _claim(reading: Reading, volume: Volume, known: Known) -> str:
    claim = plain_text(mapping(volume.data, "persistentVolumeClaim").get("claimName"))
    each = known.claims.get(claim)
    reading.note(volume.path, _STORAGE)
    if each is None:
        shared: dict[str, JSON] = {"accessModes": ["ReadWriteMany"]} if known.several else {}
        return _storage(reading, volume, {"existingClaim": claim, **shared})
    fields = claim_fields(each.spec)
    if "size" not in fields or _is_stored(reading, claim):
        modes = {key: value for key, value in fields.items() if key == "accessModes"}
        return _storage(reading, volume, {"existingClaim": claim, **modes})
    name = _storage(reading, volume, fields)
    if f"{known.resource_name}-{name}" != claim:
        reading.map((*volume.path, "persistentVolumeClaim", "claimName"), ("spec", "adopt", "claims", name), claim)
    return name


def _is_stored(reading: Reading, claim: str) -> bool:
    """Whether an entry of the storage has the claim already: it is mounted at several places."""
    spec = reading.document.get("spec", {})
    claims = mapping(spec, "adopt", "claims") if isinstance(spec, dict) else {}
    return claim in claims.values()


def claim_fields(spec: Mapping[str, JSON]) -> dict[str, JSON]:
    """Size, class and access modes of a claim as ``spec.storage`` has them."""
    size = plain_text(mapping(spec, "resources", "requests").get("storage"))
    modes = spec.get("accessModes")
    fields: dict[str, JSON] = {}
    if size:
        fields["size"] = size
    if isinstance(storage_class := spec.get("storageClassName"), str):
        fields["storageClass"] = storage_class
    if isinstance(modes, list) and modes and modes != ["ReadWriteOnce"]:
        fields["accessModes"] = modes
    return fields


def _template(reading: Reading, volume: Volume, known: Known) -> str:
    """A mount of one of a StatefulSet's volumeClaimTemplates."""
    del known
    for path, item in reading.items("spec", "volumeClaimTemplates"):
        data = item if isinstance(item, dict) else {}
        if mapping(data, "metadata").get("name") == volume.name:
            name = _storage(reading, volume, claim_fields(mapping(data, "spec")))
            reading.note((*path, "spec"), _STORAGE)
            reading.note((*path, "metadata", "name"), _STORAGE)
            if labels := reading.mapping(*path, "metadata", "labels"):
                reading.map((*path, "metadata", "labels"), ("spec", "adopt", "claimLabels"), dict(labels))
            if reading.mapping(*path, "metadata", "annotations"):
                reading.lose(
                    (*path, "metadata", "annotations"),
                    "a claim template of mcpctl has no annotations, and an "
                    "API server takes no other one: delete the StatefulSet with --cascade=orphan first",
                )
            for key in ("apiVersion", "kind", "status"):
                reading.lose((*path, key), "the default of Kubernetes", harmless=True)
            return name
    reading.lose(volume.mount, f"no volume of the pods is called '{volume.name}'")
    return ""


def _empty(reading: Reading, volume: Volume, known: Known) -> str:
    del known
    size = plain_text(mapping(volume.data, "emptyDir").get("sizeLimit"))
    value: JSON = {"path": volume.mount_path, "size": size} if size else volume.mount_path
    in_memory = mapping(volume.data, "emptyDir").get("medium") == "Memory" and volume.mount_path != "/dev/shm"  # noqa: S108
    message = "on the disk of the node, not in memory" if in_memory else ""
    reading.note(volume.path, ("spec", "security", "writablePaths"), message)
    if not size:
        reading.leave(volume.path, ("spec", "security", "writablePaths"), "64Mi, where there was no limit of its size")
    reading.map(volume.mount, ("spec", "security", "writablePaths", END), value)
    return volume.mount_path


def _files(reading: Reading, volume: Volume, known: Known) -> str:
    """A ConfigMap: files with their content where it is imported too, else the references."""
    source = mapping(volume.data, "configMap")
    name = plain_text(source.get("name"))
    contents = data_of(known, name)
    keys = _keys(source, volume, list(contents))
    reading.note(volume.path, ("spec", "files"))
    if not contents or any(is_secret_text(contents.get(key, "")) for key in keys):
        if contents:
            reading.leave(
                volume.path,
                ("spec", "files"),
                f"ConfigMap {name} seems to hold a secret: it stays, and is "
                "mounted as it is; a Secret is the place for it",
            )
        return _references(reading, volume, keys, {"configMap": name})
    for key, path in keys.items():
        if key in contents:
            reading.map(volume.mount, ("spec", "files", path), {"content": contents[key], **_mode(source)})
    return ""


def _secret(reading: Reading, volume: Volume, known: Known) -> str:
    del known
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
    """Keys to the paths at which the container has them as files."""
    items = {plain_text(item.get("key")): plain_text(item.get("path")) for item in entries(source.get("items"))}
    paths = items or {key: key for key in all_keys}
    if volume.sub_path:
        key = next((key for key, path in paths.items() if path == volume.sub_path), volume.sub_path)
        return {key: volume.mount_path}
    return {key: f"{volume.mount_path.rstrip('/')}/{path}" for key, path in paths.items()}


def _mode(source: Mapping[str, JSON]) -> dict[str, JSON]:
    """The permission bits; the default of Kubernetes is that everybody may read."""
    mode = source.get("defaultMode")
    return {"mode": f"0{mode & 0o555:03o}"} if isinstance(mode, int) and mode != 0o644 else {}


def _of_the_machine(reading: Reading, volume: Volume, known: Known) -> str:
    del known
    path = plain_text(mapping(volume.data, "hostPath").get("path"))
    reading.lose(volume.path, f"hostPath {path}: {_CLOSED}; copy the data into a volume, or use existingClaim")
    reading.lose(volume.mount, f"hostPath {path} is left out")
    return ""


def _other(reading: Reading, volume: Volume, known: Known) -> str:
    """Projected sources one by one; a token of the account is ``serviceAccount.automountToken``."""
    for number, source in enumerate(entries(mapping(volume.data, "projected").get("sources"))):
        path = (*volume.path, "projected", "sources", number)
        for kind, read, key in (("secret", _secret, "secretName"), ("configMap", _files, "name")):
            if inner := mapping(source, kind):
                renamed = {**inner, key: inner.get("name")}
                read(reading, volume._replace(path=path, data={"name": volume.name, kind: renamed}), known)
                break
        else:
            reading.lose(path, "no field mounts it")
    reading.note(volume.mount, None)
    return ""


_READERS: Mapping[str, Callable[[Reading, Volume, Known], str]] = {
    "persistentVolumeClaim": _claim,
    "emptyDir": _empty,
    "configMap": _files,
    "secret": _secret,
    "hostPath": _of_the_machine,
    "projected": _other,
    "template": _template,
}
