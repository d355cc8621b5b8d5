"""Who may reach whom: policies as sets of peers and ports, of all policies that select the same pods together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from itertools import product
from typing import Any, NamedTuple

from renderer.diff.consequences.values import TEMPLATES, Consequence, Name, at, items, mapping, mappings
from renderer.diff.objects import Object

POLICIES = ("NetworkPolicy", "CiliumNetworkPolicy")
_DIRECTIONS: tuple[tuple[Name, str, str], ...] = (("egress", "Egress", "to"), ("ingress", "Ingress", "from"))
_NAMESPACE = "k8s:io.kubernetes.pod.namespace"


class Peer(NamedTuple):
    """``kind`` is any, block, host, pods or other; ``excepted`` are blocks inside of a block."""

    kind: str
    name: str
    excepted: tuple[str, ...] = ()


class Port(NamedTuple):
    """``first`` is a number, a name, or * for all of them."""

    protocol: str
    first: str
    last: str = ""


Way = tuple[Peer, Port]
ANY = Peer("any", "everything")
ALL = Port("*", "*")
Subject = tuple[str, str]


def network_rules(old: Sequence[Object], new: Sequence[Object]) -> Iterator[Consequence]:
    """Of all objects of a server, before and now."""
    for name, kind, word in _DIRECTIONS:
        before, now = _ways(old, kind, word), _ways(new, kind, word)
        # Pods that no policy selects reach everything, if there were any pods.
        unrestricted = {(ANY, ALL)} if _has_pods(old) else set()
        for subject, ways in sorted(now.items()):
            yield from _wider(name, before.get(subject, unrestricted), ways)
        for ways in _freed(before, now, new):
            yield from _wider(name, ways, {(ANY, ALL)})
        if _has_pods(new) and not before and not now and not _has_pods(old):
            yield Consequence(name, f"nothing restricts {name}")


def _freed(
    before: Mapping[Subject, set[Way]], now: Mapping[Subject, set[Way]], new: Sequence[Object]
) -> Iterator[set[Way]]:
    """What pods were allowed that no policy restricts in this direction any more."""
    selected = {(one.namespace, _selected(one)) for one in new if one.kind in POLICIES}
    for subject, ways in sorted(before.items()):
        if subject not in now and (subject in selected or (_has_pods(new) and not now)):
            yield ways


def _selected(policy: Object) -> str:
    spec = mapping(at(policy.data, "spec"))
    return _selector(spec.get("podSelector", spec.get("endpointSelector")))


def _has_pods(objects: Iterable[Object]) -> bool:
    return any(one.kind in TEMPLATES or one.kind == "Pod" for one in objects)


def _wider(name: Name, before: set[Way], now: set[Way]) -> Iterator[Consequence]:
    for way in sorted(way for way in now if not any(covers(old, way) for old in before)):
        yield Consequence(name, told(way))


def told(way: Way) -> str:
    """In words."""
    peer, port = way
    excepted = f" except {', '.join(peer.excepted[:3])}{'…' if len(peer.excepted) > 3 else ''}" if peer.excepted else ""
    number = f"{port.first}-{port.last}" if port.last else port.first
    on = "every port" if port == ALL else f"{port.protocol} {number}"
    return f"{peer.name}{excepted}, {on}"


def covers(old: Way, new: Way) -> bool:
    """Whether the old way lets through all that the new one does."""
    return _covers_peer(old[0], new[0]) and _covers_port(old[1], new[1])


def _covers_port(old: Port, new: Port) -> bool:
    if old.protocol not in ("*", new.protocol):
        return False
    if old.first == "*" or old == new:
        return True
    numbers = (old.first, old.last or old.first, new.first, new.last or new.first)
    if not all(number.isdecimal() for number in numbers):
        return False
    return int(numbers[0]) <= int(numbers[2]) and int(numbers[3]) <= int(numbers[1])


def _covers_peer(old: Peer, new: Peer) -> bool:
    if old == new or old.kind == "any":
        return True
    if old.kind == "block" and new.kind == "host":
        return old.name == "0.0.0.0/0" and not new.name.endswith(".local")
    if old.kind == "host" and new.kind == "host":
        return old.name.startswith("*.") and new.name.endswith(old.name[1:])
    return old.kind == new.kind == "block" and _covers_block(old, new)


def _covers_block(old: Peer, new: Peer) -> bool:
    try:
        inner, outer = ip_network(new.name, strict=False), ip_network(old.name, strict=False)
        excepted = [ip_network(name, strict=False) for name in old.excepted]
        open_no_more = [ip_network(name, strict=False) for name in new.excepted]
    except ValueError:
        return False
    if not _within(inner, outer):
        return False
    reached = [hole for hole in excepted if hole.version == inner.version and hole.overlaps(inner)]
    return all(any(_within(hole, kept) for kept in open_no_more) for hole in reached)


def _within(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))


# ---------------------------------------------------------------------------------------------
# Policies read.


def _ways(objects: Iterable[Object], kind: str, word: str) -> dict[Subject, set[Way]]:
    """What may pass in one direction, by whom the policies select; who is not there may do everything."""
    found: dict[Subject, set[Way]] = {}
    for one in objects:
        spec = mapping(at(one.data, "spec"))
        if one.kind == "NetworkPolicy" and kind in (items(spec.get("policyTypes")) or ["Ingress", "Egress"]):
            ways = _of_kubernetes(mappings(spec.get(kind.lower())), word)
            found.setdefault((one.namespace, _selector(spec.get("podSelector"))), set()).update(ways)
        elif one.kind == "CiliumNetworkPolicy" and kind.lower() in spec:
            ways = _of_cilium(mappings(spec.get(kind.lower())), word)
            found.setdefault((one.namespace, _selector(spec.get("endpointSelector"))), set()).update(ways)
    return found


def _selector(value: Any) -> str:
    return json.dumps(value or {}, sort_keys=True)


def _of_kubernetes(rules: Iterable[Mapping[str, Any]], word: str) -> Iterator[Way]:
    for rule in rules:
        peers = [_peer(peer) for peer in mappings(rule.get(word))] or [ANY]
        ports = [_port(port) for port in mappings(rule.get("ports"))] or [ALL]
        yield from product(peers, ports)


def _peer(peer: Mapping[str, Any]) -> Peer:
    block = peer.get("ipBlock")
    if isinstance(block, dict):
        return Peer("block", str(block.get("cidr")), tuple(sorted(map(str, items(block.get("except"))))))
    return _pods(at(peer, "namespaceSelector", "matchLabels"), at(peer, "podSelector", "matchLabels"), peer)


def _pods(namespace: Any, labels: Any, whole: Mapping[str, Any]) -> Peer:
    known = {"namespaceSelector", "podSelector"}
    expressions = any("matchExpressions" in mapping(whole.get(name)) for name in known)
    if expressions or not (namespace or labels):
        return Peer("other", json.dumps(whole, sort_keys=True))
    words = [f"pods {_labels(labels)}" if labels else "all pods"]
    words += [f"of namespace {_labels(namespace)}"] if namespace else []
    return Peer("pods", " ".join(words))


def _labels(labels: Any) -> str:
    pairs = sorted(f"{key}={value}" for key, value in mapping(labels).items())
    return ",".join(pairs).removeprefix("kubernetes.io/metadata.name=")


def _port(port: Mapping[str, Any]) -> Port:
    last = port.get("endPort")
    first = str(port["port"]) if port.get("port") is not None else "*"
    return Port(str(port.get("protocol", "TCP")), first, "" if last is None else str(last))


def _of_cilium(rules: Iterable[Mapping[str, Any]], word: str) -> Iterator[Way]:
    for rule in rules:
        peers = list(_cilium_peers(rule, word))
        if not peers and not any(key.startswith((word, f"{word}P")) for key in rule):
            continue  # an empty rule lets nothing through: it only turns default deny on
        ports = [_port(port) for each in mappings(rule.get("toPorts")) for port in mappings(each.get("ports"))]
        yield from product(peers or [ANY], ports or [ALL])


def _cilium_peers(rule: Mapping[str, Any], word: str) -> Iterator[Peer]:
    for entity in items(rule.get(f"{word}Entities")):
        yield ANY if entity == "all" else Peer("other", f"entity {entity}")
    for block in items(rule.get(f"{word}CIDR")):
        yield Peer("block", str(block))
    for block in mappings(rule.get(f"{word}CIDRSet")):
        yield Peer("block", str(block.get("cidr")), tuple(sorted(map(str, items(block.get("except"))))))
    for host in mappings(rule.get("toFQDNs")) if word == "to" else ():
        yield Peer("host", str(host.get("matchName", host.get("matchPattern"))))
    for endpoint in mappings(rule.get(f"{word}Endpoints")):
        labels = dict(mapping(endpoint.get("matchLabels")))
        namespace = labels.pop(_NAMESPACE, None)
        yield _pods({"kubernetes.io/metadata.name": namespace} if namespace else None, labels, endpoint)
