"""Ways out to every address, and ways in for everybody, that a patch or a template of the user opens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, at, entries, items, kind_of, mapping, text, texts
from renderer.wording import excerpt

#: Where rules of egress say to whom, and what in it is an address or an entity.
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


def opened(data: Json, restricted: Collection[str] = _BOTH) -> Iterator[Fault]:
    """Ways out to every address, and ways in from outside; of a policy, in the directions that it is to restrict."""
    spec = mapping(data, "spec")
    if kind_of(data) == "NetworkPolicy" and "Egress" in {*restricted} - {*texts(spec, "policyTypes")}:
        yield open_egress(("spec", "policyTypes"))
    peers = [
        (i, rule, [peer for field in _DESTINATIONS for peer in _peers(rule, field)])
        for i, rule in entries(spec, "egress")
    ]
    if kind_of(data) == "NetworkPolicy" or text(data, "kind") == "CiliumNetworkPolicy":
        for i, rule, to in peers:
            if not (_DESTINATIONS.keys() & rule.keys()) or any(peer in _ANYWHERE for peer in to):
                yield open_egress(("spec", "egress", i))
    yield from _open_ingress(data, spec, restricted)
    if kind_of(data) == "Service":
        yield from _open_service(spec)


def _open_service(spec: Json) -> Iterator[Fault]:
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
    """Policies that let everybody in, and ways in for every host name of their controller."""
    kind, advice = text(data, "kind"), "name who may connect under network.ingress"
    if kind_of(data) == "NetworkPolicy" and "Ingress" in {*restricted} - {*texts(spec, "policyTypes")}:
        yield _everybody(("spec", "policyTypes"), "nothing restricts who may connect", advice)
    sources = ("from", "fromCIDR", "fromCIDRSet", "fromEntities") if "NetworkPolicy" in kind else ()
    for i, rule in entries(spec, "ingress") if sources else ():
        # To Cilium a rule without a source opens nothing.
        anybody = kind_of(data) == "NetworkPolicy" and not rule.get("from")
        if anybody or any(peer in _ANYWHERE for field in sources for peer in _peers(rule, field)):
            yield _everybody(("spec", "ingress", i), "everybody may connect", advice)
    if kind_of(data) == "Ingress":
        nameless = [("spec", "rules", i) for i, rule in entries(spec, "rules") if not rule.get("host")]
        for path in [*nameless, *([("spec", "defaultBackend")] if spec.get("defaultBackend") else [])]:
            yield _everybody(
                path, "it answers for every host name of its controller, those of others too", "name the host"
            )
    if kind == "HTTPRoute" and not spec.get("hostnames"):
        message = "it answers for every host name of its Gateway, those of others too"
        yield _everybody(("spec", "hostnames"), message, "name the host")


def _peers(rule: Json, field: str) -> list[Any]:
    """Those that a rule names without exceptions."""
    return [
        at(peer, *_DESTINATIONS[field])
        for peer in items(rule.get(field))
        if not (at(peer, "except") or at(peer, "ipBlock", "except"))
    ]


def open_egress(path: DocumentPath) -> Fault:
    hint = "list what it needs under network.egress, or accept this with the reason"
    return Fault(path, "policy/unrestricted-egress", "the server may connect to every address", hint)
