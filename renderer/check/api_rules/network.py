"""API rules of Services, Ingresses and NetworkPolicies."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from renderer.check.api_rules.containers import PROTOCOLS
from renderer.check.api_rules.grammars import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    choice_fault,
    name_fault,
    once_if_valid,
    port_fault,
    range_fault,
    refused,
    repeated,
)
from renderer.check.api_rules.metadata import label_faults, selector_faults
from renderer.errors import DocumentPath, Fault, Severity
from renderer.manifest import Json, entries, mapping, text, texts
from renderer.wording import excerpt

_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_OPEN_TYPES = ("NodePort", "LoadBalancer")
_POLICIES = ("Cluster", "Local")
_PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")
_DIRECTIONS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


def service_faults(doc: Json) -> list[Fault]:
    spec = mapping(doc, "spec")
    faults = choice_fault(spec.get("type"), _TYPES, ("spec", "type"))
    faults += choice_fault(spec.get("sessionAffinity"), ("None", "ClientIP"), ("spec", "sessionAffinity"))
    for name in ("externalTrafficPolicy", "internalTrafficPolicy"):
        faults += choice_fault(spec.get(name), _POLICIES, ("spec", name))
    faults += label_faults(mapping(spec, "selector"), ("spec", "selector"))
    kind, headless = text(spec, "type"), spec.get("clusterIP") == "None"
    if kind == "ExternalName" and not text(spec, "externalName"):
        faults.append(refused(("spec", "externalName"), "service-type", "type ExternalName needs externalName"))
    if kind in _OPEN_TYPES and headless:
        message = f"a Service of type {kind} must have an address of its own"
        faults.append(refused(("spec", "clusterIP"), "service-type", message, "remove clusterIP: None"))
    if kind != "ExternalName" and not headless and not spec.get("ports"):
        faults.append(refused(("spec", "ports"), "service-ports", "must have at least one port"))
    return faults + _service_port_faults(spec)


def _service_port_faults(spec: Json) -> list[Fault]:
    path: DocumentPath = ("spec", "ports")
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
        faults += choice_fault(port.get("protocol"), PROTOCOLS, (*where, "protocol"))
        faults += range_fault(port.get("port"), 1, 65_535, (*where, "port"), "port-range")
        faults += range_fault(port.get("nodePort"), 0, 65_535, (*where, "nodePort"), "port-range")
        faults += port_fault(port.get("targetPort"), (*where, "targetPort"))
    faults += repeated(names, "duplicate-port-name", "port name")
    return faults + repeated(numbers, "duplicate-port", "port")


def ingress_faults(doc: Json) -> list[Fault]:
    spec = mapping(doc, "spec")
    name = spec.get("ingressClassName")
    faults = name_fault(DNS_SUBDOMAIN, name, ("spec", "ingressClassName"), "name", "ingress class")
    if not spec.get("rules") and not spec.get("defaultBackend"):
        faults.append(refused(("spec",), "ingress-rules", "needs rules, or a defaultBackend"))
    for i, rule in entries(spec, "rules"):
        # A wildcard may be the first label.
        if host := text(rule, "host").removeprefix("*."):
            faults += name_fault(DNS_SUBDOMAIN, host, ("spec", "rules", i, "host"), "host", "host")
        for j, path in entries(mapping(rule, "http"), "paths"):
            where = ("spec", "rules", i, "http", "paths", j)
            faults += choice_fault(path.get("pathType"), _PATH_TYPES, (*where, "pathType"))
            address = text(path, "path")
            if path.get("pathType") in ("Exact", "Prefix") and not address.startswith("/"):
                faults.append(refused((*where, "path"), "path", f"path {excerpt(address)} must begin with '/'"))
    return faults


def network_policy_faults(doc: Json) -> list[Fault]:
    spec = mapping(doc, "spec")
    faults = selector_faults(mapping(spec, "podSelector"), ("spec", "podSelector"))
    types = texts(spec, "policyTypes")
    for index, value in enumerate(types):
        faults += choice_fault(value, _DIRECTIONS, ("spec", "policyTypes", index))
    for direction, (field, peers) in _DIRECTIONS.items():
        if field in spec and types and direction not in types:
            message = f"policyTypes does not name {excerpt(direction)}, so these rules have no effect"
            faults.append(refused(("spec", field), "policy-types", message, f"add {direction} to policyTypes"))
        for index, rule in entries(spec, field):
            faults += _rule_faults(rule, ("spec", field, index), peers)
    return faults


@once_if_valid
def _rule_faults(rule: Json, path: DocumentPath, peers: str) -> list[Fault]:
    faults = []
    for position, peer in entries(rule, peers):
        faults += _peer_faults(peer, (*path, peers, position))
    for position, port in entries(rule, "ports"):
        faults += _port_faults(port, (*path, "ports", position))
    return faults


def _peer_faults(peer: Json, path: DocumentPath) -> list[Fault]:
    faults = []
    if not peer:
        message = "an empty peer is refused; leave the list out to allow all"
        faults.append(refused(path, "network-peer", message))
    if "ipBlock" in peer:
        if len(peer) > 1:
            faults.append(refused(path, "network-peer", "ipBlock goes with no selector in one entry"))
        block, block_path = mapping(peer, "ipBlock"), (*path, "ipBlock")
        network, cidr_faults = _network(block.get("cidr"), (*block_path, "cidr"))
        faults += cidr_faults
        for index, value in enumerate(texts(block, "except")):
            where = (*block_path, "except", index)
            hole, hole_faults = _network(value, where)
            faults += hole_faults
            inside = (
                network and hole and network != hole and hole.version == network.version and hole.subnet_of(network)
            )
            if network and hole and not inside:
                message = f"{excerpt(value)} must lie inside {excerpt(block['cidr'])} and be smaller"
                faults.append(refused(where, "cidr", message))
    for name in ("podSelector", "namespaceSelector"):
        faults += selector_faults(mapping(peer, name), (*path, name))
    return faults


def _network(value: Any, path: DocumentPath) -> tuple[Any, list[Fault]]:
    """The network of a CIDR, or None. Host bits are a warning, as API servers accept them."""
    if not isinstance(value, str):
        return None, []
    network = _parsed(value)
    if network is None:
        return None, [refused(path, "cidr", f"{excerpt(value)} is not a CIDR", "write it as 10.0.0.0/8")]
    if str(network.network_address) != value.partition("/")[0].lower():
        message = f"{excerpt(value)} has host bits set"
        return network, [Fault(path, "api/cidr", message, f"write {network}", Severity.WARNING)]
    return network, []


@lru_cache(maxsize=1024)
def _parsed(value: str) -> Any:
    try:
        return ipaddress.ip_network(value, strict=False) if "/" in value else None
    except ValueError:
        return None


def _port_faults(port: Json, path: DocumentPath) -> list[Fault]:
    first, last = port.get("port"), port.get("endPort")
    faults = port_fault(first, (*path, "port"))
    faults += choice_fault(port.get("protocol"), PROTOCOLS, (*path, "protocol"))
    if last is None:
        return faults
    faults += range_fault(last, 1, 65_535, (*path, "endPort"), "port-range")
    if not isinstance(first, int):
        message = "endPort needs port to be a number"
        faults.append(refused((*path, "endPort"), "port-range", message))
    elif isinstance(last, int) and last < first:
        message = f"endPort {excerpt(last)} must not be below port {excerpt(first)}"
        faults.append(refused((*path, "endPort"), "port-range", message))
    return faults
