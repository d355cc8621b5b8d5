"""What an API server refuses in a Service."""

from __future__ import annotations

from renderer.check.api_rules.containers import PROTOCOLS
from renderer.check.api_rules.forms import (
    DNS_LABEL,
    choice_fault,
    name_fault,
    port_fault,
    range_fault,
    refused,
    repeated,
)
from renderer.check.api_rules.metadata import label_faults
from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, entries, mapping, text

_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_OPEN_TYPES = ("NodePort", "LoadBalancer")
_POLICIES = ("Cluster", "Local")


def service_faults(doc: Json) -> list[Fault]:
    """Faults of one Service."""
    spec = mapping(doc, "spec")
    faults = choice_fault(spec.get("type"), _TYPES, ("spec", "type"))
    faults += choice_fault(spec.get("sessionAffinity"), ("None", "ClientIP"), ("spec", "sessionAffinity"))
    for name in ("externalTrafficPolicy", "internalTrafficPolicy"):
        faults += choice_fault(spec.get(name), _POLICIES, ("spec", name))
    faults += label_faults(mapping(spec, "selector"), ("spec", "selector"))
    return faults + _type_faults(spec) + _port_faults(spec, ("spec", "ports"))


def _type_faults(spec: Json) -> list[Fault]:
    kind, headless = text(spec, "type"), spec.get("clusterIP") == "None"
    faults = []
    if kind == "ExternalName" and not text(spec, "externalName"):
        faults.append(refused(("spec", "externalName"), "service-type", "type ExternalName needs externalName"))
    if kind in _OPEN_TYPES and headless:
        message = f"a Service of type {kind} must have an address of its own"
        faults.append(refused(("spec", "clusterIP"), "service-type", message, "remove clusterIP: None"))
    if kind != "ExternalName" and not headless and not spec.get("ports"):
        faults.append(refused(("spec", "ports"), "service-ports", "must have at least one port"))
    return faults


def _port_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults, names, numbers = [], [], []
    ports = list(entries(spec, "ports"))
    for index, port in ports:
        where = (*path, index)
        name, protocol = text(port, "name"), text(port, "protocol") or "TCP"
        if name:
            faults += name_fault(DNS_LABEL, name, (*where, "name"), "port-name", "port name")
            names.append(((*where, "name"), name))
        elif len(ports) > 1:
            faults.append(refused((*where, "name"), "port-name", "each of several ports needs a name"))
        if isinstance(port.get("port"), int):
            numbers.append(((*where, "port"), (port["port"], protocol)))
        faults += _number_faults(port, where)
    faults += repeated(names, "duplicate-port-name", "port name")
    return faults + repeated(numbers, "duplicate-port", "port")


def _number_faults(port: Json, path: DocumentPath) -> list[Fault]:
    faults = choice_fault(port.get("protocol"), PROTOCOLS, (*path, "protocol"))
    faults += range_fault(port.get("port"), 1, 65_535, (*path, "port"), "port-range")
    faults += range_fault(port.get("nodePort"), 0, 65_535, (*path, "nodePort"), "port-range")
    return faults + port_fault(port.get("targetPort"), (*path, "targetPort"))
