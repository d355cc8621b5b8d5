"""Exposure by patches and users' templates: open egress and ingress, ways past the guard, foreign data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from renderer.errors import DocumentPath, Fault
from renderer.manifest import CONTAINER_FIELDS, Json, at, entries, items, kind_of, mapping, pod_of, text, texts
from renderer.wording import excerpt

#: Fields with peers of a rule, and the path of the address or entity in a peer.
_DESTINATIONS: Mapping[str, tuple[str, ...]] = {
    "to": ("ipBlock", "cidr"),
    "from": ("ipBlock", "cidr"),
    "fromCIDR": (),
    "fromCIDRSet": ("cidr",),
    "fromEntities": (),
    "toCIDR": (),
    "toCIDRSet": ("cidr",),
    "toEntities": (),
    "toEndpoints": (),
    "toFQDNs": ("matchPattern",),
    "toServices": (),
}
_ANYWHERE = ("0.0.0.0/0", "::/0", "all", "world", "world-ipv4", "world-ipv6", "*", "**")


_BOTH = ("Ingress", "Egress")


def open_ways(data: Json, restricted: Collection[str] = _BOTH) -> Iterator[Fault]:
    """Egress to every address and ingress from everywhere. ``restricted``: directions that a policy must restrict."""
    spec = mapping(data, "spec")
    if kind_of(data) == "NetworkPolicy" and "Egress" in {*restricted} - {*texts(spec, "policyTypes")}:
        yield open_egress(("spec", "policyTypes"))
    is_policy = kind_of(data) == "NetworkPolicy" or text(data, "kind") == "CiliumNetworkPolicy"
    for i, rule in entries(spec, "egress") if is_policy else ():
        peers = [peer for field in _DESTINATIONS for peer in _peers(rule, field)]
        if not (_DESTINATIONS.keys() & rule.keys()) or any(peer in _ANYWHERE for peer in peers):
            yield open_egress(("spec", "egress", i))
    yield from _open_ingress(data, spec, restricted)
    if kind_of(data) == "Service":
        if spec.get("type") == "ExternalName":
            message = f"the Service leads clients to {excerpt(text(spec, 'externalName'))}, and not to the server"
            yield _everybody(("spec", "type"), message, "remove it")
        for field in ("type", "externalIPs"):
            ranges = field == "type" and spec.get("type") == "LoadBalancer" and spec.get("loadBalancerSourceRanges")
            if spec.get(field) not in (None, [], "ClusterIP", "ExternalName") and not ranges:
                message = "the Service is open to every network that reaches the cluster's nodes, without TLS"
                yield _everybody(("spec", field), message, "use 'expose'")


def _everybody(path: DocumentPath, message: str, advice: str) -> Fault:
    return Fault(path, "policy/published-everywhere", message, f"{advice}, or accept this with the reason")


def _open_ingress(data: Json, spec: Json, restricted: Collection[str]) -> Iterator[Fault]:
    kind, advice = text(data, "kind"), "name who may connect under network.ingress"
    if kind_of(data) == "NetworkPolicy" and "Ingress" in {*restricted} - {*texts(spec, "policyTypes")}:
        yield _everybody(("spec", "policyTypes"), "nothing restricts who may connect", advice)
    sources = ("from", "fromCIDR", "fromCIDRSet", "fromEntities") if "NetworkPolicy" in kind else ()
    for i, rule in entries(spec, "ingress") if sources else ():
        # For Cilium a rule without a source allows nothing.
        anybody = kind_of(data) == "NetworkPolicy" and not rule.get("from")
        if anybody or any(peer in _ANYWHERE for field in sources for peer in _peers(rule, field)):
            yield _everybody(("spec", "ingress", i), "everybody may connect", advice)
    if kind_of(data) == "Ingress":
        nameless = [("spec", "rules", i) for i, rule in entries(spec, "rules") if not rule.get("host")]
        for path in [*nameless, *([("spec", "defaultBackend")] if spec.get("defaultBackend") else [])]:
            message = "it matches every host name of its controller, also those of others"
            yield _everybody(path, message, "name the host")
    if kind == "HTTPRoute" and not spec.get("hostnames"):
        message = "it matches every host name of its Gateway, also those of others"
        yield _everybody(("spec", "hostnames"), message, "name the host")


def _peers(rule: Json, field: str) -> list[Any]:
    """Without those that have exceptions."""
    return [
        at(peer, *_DESTINATIONS[field])
        for peer in items(rule.get(field))
        if not (at(peer, "except") or at(peer, "ipBlock", "except"))
    ]


#: Fields by which a claim gets existing data, with words for messages.
_TAKEN = {
    "dataSource": "begins as a copy of other data",
    "dataSourceRef": "begins as a copy of other data",
    "volumeName": "takes a PersistentVolume by its name, with what is on it",
    "selector": "takes a PersistentVolume that is there, with what is on it",
}


def foreign_claims(data: Json, own: Collection[str] | None) -> Iterator[Fault]:
    """Claims that bind or copy foreign data.

    ``own``: claims of the spec; None for a tree that was read.
    """
    path, pod = pod_of(data) or ((), {})
    volumes = [((*path, "spec", "volumes", i), volume) for i, volume in entries(mapping(pod, "spec"), "volumes")]
    claims: list[tuple[DocumentPath, Json]] = [((), data)] if kind_of(data) == "PersistentVolumeClaim" else []
    for i, claim in entries(mapping(data, "spec"), "volumeClaimTemplates"):
        claims.append((("spec", "volumeClaimTemplates", i), claim))
    for where, volume in volumes:
        claim = mapping(mapping(volume, "ephemeral"), "volumeClaimTemplate")
        claims.append(((*where, "ephemeral", "volumeClaimTemplate"), claim))
    for where, claim in claims:
        for field, how in _TAKEN.items():
            if mapping(claim, "spec").get(field) not in (None, ""):
                yield _foreign(f"the claim {how}", (*where, "spec", field))
    for where, volume in volumes:
        name = text(mapping(volume, "persistentVolumeClaim"), "claimName")
        if name and own is not None and name not in own:
            yield _foreign(f"claim {excerpt(name)} is not one of the server's", (*where, "persistentVolumeClaim"))


def _foreign(message: str, path: DocumentPath) -> Fault:
    hint = "remove it, name the claim under storage (existingClaim), or accept this with the reason"
    return Fault(path, "policy/data-of-others", f"{message}: the data may be that of another server", hint)


def open_egress(path: DocumentPath) -> Fault:
    hint = "list what it needs under network.egress, or accept this with the reason"
    return Fault(path, "policy/unrestricted-egress", "the server may connect to every address", hint)


def guard_bypasses(data: Json, context: Mapping[str, Any]) -> Iterator[Fault]:
    """Ways to the server that bypass the guard, and a changed guard."""
    guard, port = context.get("guard"), at(context, "spec", "transport", "port")
    if not guard or context.get("policy"):
        return
    # On loopback only the guard reaches the port, whatever policies allow.
    loopback = context["args"][:2] if context["args"][1:2] == ["127.0.0.1"] else []
    if template := pod_of(data):
        for path, message in _changed_guard(mapping(template[1], "spec"), guard["args"], loopback):
            yield _passed((*template[0], "spec", *path), message)
    config = mapping(data, "data").get(key := guard["config_key"])
    if kind_of(data) == "ConfigMap" and config not in (None, guard["config"]):
        yield _passed(("data", key), "the configuration of the guard differs from spec.access")
    for path in _ways_to(port, data, policies=not loopback):
        yield _passed(("spec", *path), f"this leads to port {port}, the server itself, past its guard")


def _changed_guard(pod: Json, args: list[str], loopback: list[str]) -> Iterator[tuple[DocumentPath, str]]:
    containers = [((field, i), each) for field in CONTAINER_FIELDS for i, each in entries(pod, field)]
    if all(each.get("name") != "guard" for _, each in containers):
        yield ("initContainers",), "the pod has no guard"
    if pod.get("hostNetwork") is True and not loopback:
        yield ("hostNetwork",), "NetworkPolicies do not apply there: who reaches the machine bypasses the guard"
    for path, each in containers:
        if each.get("name") == "guard" and ("command" in each or each.get("args") != args):
            yield path, "the guard has another command or other arguments, so spec.access may not be enforced"
        if each.get("name") == "mcp-server" and items(each.get("args"))[: len(loopback)] != loopback:
            yield (*path, "args"), "the server no longer listens on loopback, where its guard alone reaches it"


def _ways_to(port: int, data: Json, *, policies: bool) -> Iterator[DocumentPath]:
    spec = mapping(data, "spec")
    for i, entry in entries(spec, "ports") if kind_of(data) == "Service" else ():
        field = "targetPort" if "targetPort" in entry else "port"
        if str(entry.get(field)) == str(port):
            yield ("ports", i, field)
    for i, rule in entries(spec, "ingress") if policies and "NetworkPolicy" in text(data, "kind") else ():
        ports = [each for outer in (rule, *items(rule.get("toPorts"))) for _, each in entries(outer, "ports")]
        if not ports or any(_includes(each, port) for each in ports):
            yield ("ingress", i)


def _includes(entry: Json, port: Any) -> bool:
    """Whether the port or range of a policy includes the port; a name counts as all ports."""
    first = entry.get("port", 0)
    last = entry.get("endPort", first if "port" in entry else port)
    return all(str(n).isdigit() for n in (first, last)) and int(first) <= port <= int(last)


def service_guard_bypasses(service: Json, own: Collection[str], path: DocumentPath) -> Iterator[Fault]:
    """For compose; ``own``: networks that the spec has."""
    if service.get("ports"):
        yield _passed((*path, "ports"), "the ports are the server's own, past its guard")
    for name in service.get("networks") or ["default"]:
        if name not in own and service.get("network_mode") is None:
            message = f"every container on {excerpt(str(name))} may connect to the server itself, past its guard"
            yield _passed((*path, "networks"), message)


def _passed(path: DocumentPath, message: str) -> Fault:
    return Fault(path, "policy/guard-passed", message, "remove it, or accept this with the reason")
