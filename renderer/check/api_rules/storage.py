"""API rules of ConfigMaps, Secrets and PersistentVolumeClaims. Messages never contain values."""

from __future__ import annotations

import base64

from renderer.check.api_rules.grammars import (
    DATA_KEY,
    DNS_SUBDOMAIN,
    choice_fault,
    grammar_error,
    name_fault,
    once_if_valid,
    quantity_faults,
    refused,
)
from renderer.check.api_rules.metadata import selector_faults
from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, mapping, text, texts
from renderer.wording import excerpt

_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_DATA_FIELDS = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}
_ENCODED_FIELDS = {("ConfigMap", "binaryData"), ("Secret", "data")}
#: Most bytes of the values of a ConfigMap or Secret together.
_DATA_BYTES = 1024 * 1024
_NEEDED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/basic-auth": (),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def data_faults(doc: Json) -> list[Fault]:
    """Keys and size."""
    kind = text(doc, "kind")
    faults, size, first = [], 0, ""
    for field in _DATA_FIELDS[kind]:
        for key, value in mapping(doc, field).items():
            faults += _key_faults(doc, key, field, first)
            if isinstance(value, str):
                faults += _encoding_faults(value, (field, key)) if (kind, field) in _ENCODED_FIELDS else []
                size += len(value) if value.isascii() else len(value.encode(errors="replace"))
        first = field
    if size > _DATA_BYTES:
        message = f"the values have {size} bytes together, more than {_DATA_BYTES}"
        faults.append(refused(("data",), "data-size", message, "split it, or put it on a volume"))
    if kind == "Secret":
        keys, secret_type = {**mapping(doc, "data"), **mapping(doc, "stringData")}, text(doc, "type")
        for key in _NEEDED_KEYS.get(secret_type, ()):
            if key not in keys:
                message = f"a Secret of type {excerpt(secret_type)} needs the key {excerpt(key)}"
                faults.append(refused(("data",), "secret-keys", message))
    return faults


def _key_faults(doc: Json, key: str, field: str, before: str) -> list[Fault]:
    if wrong := grammar_error(DATA_KEY, key):
        return [refused((field, key), "data-key", f"key {excerpt(key)} {wrong}", at_key=True)]
    # In a Secret, stringData overwrites data.
    if field == "binaryData" and key in mapping(doc, before):
        message = f"key {excerpt(key)} is in {before} as well"
        return [refused((field, key), "data-key", message, "remove one of the two", at_key=True)]
    return []


def _encoding_faults(value: str, path: DocumentPath) -> list[Fault]:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return [refused(path, "base64", "the value is not base64", "encode it, or put it under stringData")]
    return []


def claim_faults(claim: Json, path: DocumentPath = ()) -> list[Fault]:
    """Of a PersistentVolumeClaim or a template of one."""
    return _claimed_faults(mapping(claim, "spec"), (*path, "spec"))


@once_if_valid
def _claimed_faults(spec: Json, where: DocumentPath) -> list[Fault]:
    modes = texts(spec, "accessModes")
    faults = [] if modes else [refused((*where, "accessModes"), "access-modes", "must name an access mode")]
    for index, mode in enumerate(modes):
        faults += choice_fault(mode, _ACCESS_MODES, (*where, "accessModes", index))
    faults += choice_fault(spec.get("volumeMode"), ("Filesystem", "Block"), (*where, "volumeMode"))
    if spec.get("storageClassName"):
        name = spec["storageClassName"]
        faults += name_fault(DNS_SUBDOMAIN, name, (*where, "storageClassName"), "name", "storage class")
    requests, place = mapping(mapping(spec, "resources"), "requests"), (*where, "resources", "requests")
    if requests.get("storage") is None:
        faults.append(refused(place, "storage-request", "must request storage", "add storage: 1Gi"))
    faults += quantity_faults(requests.get("storage"), (*place, "storage"), least=1)
    return faults + selector_faults(mapping(spec, "selector"), (*where, "selector"))
