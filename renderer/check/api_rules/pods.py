"""API rules of pods and pod templates beyond containers."""

from __future__ import annotations

from typing import Any

from renderer.check.api_rules.containers import container_faults, inside_faults
from renderer.check.api_rules.grammars import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    choice_fault,
    name_fault,
    quantity_faults,
    range_fault,
    refused,
    repeated,
)
from renderer.check.api_rules.metadata import NODE_OPERATORS, expression_faults, label_faults, selector_faults
from renderer.errors import DocumentPath, Fault
from renderer.manifest import CONTAINER_FIELDS, Json, entries, mapping, text
from renderer.wording import excerpt

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_TOLERATION_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_HIGHEST_ID = 2**31 - 1
_HIGHEST_MODE = 0o777
#: The field with the object name, by kind of volume.
_VOLUME_NAMES = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}


def pod_faults(pod: Json, path: DocumentPath, claims: tuple[str, ...] = ()) -> list[Fault]:
    """``claims``: volumes from a StatefulSet's volumeClaimTemplates."""
    spec, where = mapping(pod, "spec"), (*path, "spec")
    volumes = [*(text(volume, "name") for _, volume in entries(spec, "volumes")), *claims]
    faults = [] if spec.get("containers") else [refused(where, "containers", "must have at least one container")]
    if spec.get("ephemeralContainers"):
        message = "only a running pod gets ephemeral containers"
        faults.append(refused((*where, "ephemeralContainers"), "ephemeral-containers", message, "use a sidecar"))
    names = []
    for field in CONTAINER_FIELDS:
        for index, container in entries(spec, field):
            place = (*where, field, index)
            faults += container_faults(container, place, volumes)
            names.append(((*place, "name"), text(container, "name")))
    faults += repeated(names, "duplicate-container", "container name")
    faults += _volume_faults(spec, (*where, "volumes"))
    return faults + _own_faults(spec, where) + _placement_faults(spec, where)


def _own_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults = choice_fault(spec.get("restartPolicy"), _RESTART_POLICIES, (*path, "restartPolicy"))
    faults += choice_fault(spec.get("dnsPolicy"), _DNS_POLICIES, (*path, "dnsPolicy"))
    if spec.get("dnsPolicy") == "None" and not mapping(spec, "dnsConfig").get("nameservers"):
        hint = "add dnsConfig.nameservers"
        faults.append(refused((*path, "dnsPolicy"), "dns", "dnsPolicy None needs name servers", hint))
    for name, least in (("terminationGracePeriodSeconds", 0), ("activeDeadlineSeconds", 1)):
        faults += range_fault(spec.get(name), least, None, (*path, name), "number-range")
    security, where = mapping(spec, "securityContext"), (*path, "securityContext")
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        faults += range_fault(security.get(name), 0, _HIGHEST_ID, (*where, name), "number-range")
    account, where = spec.get("serviceAccountName"), (*path, "serviceAccountName")
    return faults + name_fault(DNS_SUBDOMAIN, account, where, "name", "service account")


def _volume_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults, names = [], []
    for index, volume in entries(spec, "volumes"):
        where = (*path, index)
        faults += name_fault(DNS_LABEL, volume.get("name"), (*where, "name"), "name", "volume name")
        names.append(((*where, "name"), text(volume, "name")))
        sources = [key for key in volume if key != "name"]
        if len(sources) > 1:
            message = f"volume {excerpt(volume.get('name'))} has {len(sources)} sources"
            faults.append(refused(where, "volume-source", message, "keep one of them"))
        for source in sources:
            faults += _source_faults(source, mapping(volume, source), (*where, source))
    return faults + repeated(names, "duplicate-volume", "volume name")


def _source_faults(kind: str, source: Json, path: DocumentPath) -> list[Fault]:
    faults = []
    if "sizeLimit" in source:
        faults += quantity_faults(source["sizeLimit"], (*path, "sizeLimit"))
    if kind in _VOLUME_NAMES:
        name = _VOLUME_NAMES[kind]
        faults += name_fault(DNS_SUBDOMAIN, source.get(name), (*path, name), "name", "name")
    faults += range_fault(source.get("defaultMode"), 0, _HIGHEST_MODE, (*path, "defaultMode"), "file-mode")
    for index, item in entries(source, "items"):
        where = (*path, "items", index)
        faults += inside_faults(item.get("path"), (*where, "path"), "item-path")
        faults += range_fault(item.get("mode"), 0, _HIGHEST_MODE, (*where, "mode"), "file-mode")
    return faults


def _placement_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults = label_faults(mapping(spec, "nodeSelector"), (*path, "nodeSelector"))
    for index, toleration in entries(spec, "tolerations"):
        place = (*path, "tolerations", index)
        faults += choice_fault(toleration.get("operator"), ("Exists", "Equal"), (*place, "operator"))
        faults += choice_fault(toleration.get("effect"), _TOLERATION_EFFECTS, (*place, "effect"))
        if toleration.get("operator") == "Exists" and toleration.get("value"):
            message = "operator Exists must have no value"
            faults.append(refused((*place, "value"), "selector-values", message))
    for index, spread in entries(spec, "topologySpreadConstraints"):
        where = (*path, "topologySpreadConstraints", index)
        allowed = ("DoNotSchedule", "ScheduleAnyway")
        faults += choice_fault(spread.get("whenUnsatisfiable"), allowed, (*where, "whenUnsatisfiable"))
        faults += range_fault(spread.get("maxSkew"), 1, None, (*where, "maxSkew"), "number-range")
        faults += selector_faults(mapping(spread, "labelSelector"), (*where, "labelSelector"))
    if "affinity" in spec:
        faults += _affinity_faults(mapping(spec, "affinity"), (*path, "affinity"))
    return faults


def _affinity_faults(affinity: Any, path: DocumentPath) -> list[Fault]:
    """Expressions at any depth; node affinity has two more operators."""
    faults: list[Fault] = []
    for key, value in affinity.items() if isinstance(affinity, dict) else enumerate(affinity):
        if not isinstance(value, dict | list):
            continue
        if isinstance(value, dict) and "matchExpressions" in value:
            operators = {"operators": NODE_OPERATORS} if "nodeAffinity" in path else {}
            faults += expression_faults(value, (*path, key), **operators)
        faults += _affinity_faults(value, (*path, key))
    return faults
