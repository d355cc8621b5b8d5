"""Who may reach whom: all policies that select the same pods, as sets of peers and ports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from renderer.diff.consequences.table import Consequence, Name
from renderer.kinds import POD_TEMPLATES
from renderer.manifest import as_mapping, at, containers, items, mappings, pod_spec, pod_template

if TYPE_CHECKING:
    from renderer.diff.objects import Object

POLICIES = ("NetworkPolicy", "CiliumNetworkPolicy")
_DIRECTIONS: tuple[tuple[Name, str, str], ...] = (("egress", "Egress", "to"), ("ingress", "Ingress", "from"))
_NAMESPACE = "io.kubernetes.pod.namespace"
#: Prefix of the labels of the pods' namespace.
_LABELS_OF = "io.cilium.k8s.namespace.labels."
_OF, _SAME = "of namespace ", "of the same namespace"


class Peer(NamedTuple):
    """``kind`` is any, block, host, pods or other; ``excepted`` are blocks inside of a block.

    ``labels`` are what pods must have, those of their namespace with ``_OF`` in front.
    """

    kind: str
    name: str
    excepted: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


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
    for name, kind, word in _DIRECTIONS:
        before, now = _ways(old, kind, word), _ways(new, kind, word)
        yield from _of_pods(name, (before, now), _pods_in(old), _pods_in(new))
        # Pods that no policy selects reach everything, if there were any pods; those that a namespace's own policies
        # select are not among these objects.
        unrestricted = {(ANY, ALL)} if _has_pods(old) or not _has_pods(new) else set()
        here = [*_pods_in(old).values(), *_pods_in(new).values()]
        elsewhere = {policy for policy in {*before, *now} if not any(selects(policy, pods) for pods in here)}
        for subject, ways in sorted(now.items()):
            if subject in elsewhere:
                yield from _wider(name, before.get(subject, unrestricted), ways)
        held = {policy: before[policy] for policy in before if policy in elsewhere}
        for ways in _freed(held, now, new, had_pods=_has_pods(old)):
            yield from _wider(name, ways, {(ANY, ALL)})
        # Deny rules of Cilium override all others.
        denied = _ways(new, kind, word, "Deny")
        for subject, ways in sorted(_ways(old, kind, word, "Deny").items()):
            yield from _wider(name, denied.get(subject, set()), ways, ", is no longer refused")
        if _has_pods(new) and not before and not now and not _has_pods(old):
            yield Consequence(name, f"nothing restricts {name}")


class Pods(NamedTuple):
    namespace: str
    labels: tuple[tuple[str, str], ...]


def _pods_in(objects: Iterable[Object]) -> dict[tuple[str, str], Pods]:
    """By kind and name of the workload."""
    pods = {}
    for item in objects:
        if item.kind in POD_TEMPLATES:
            labels = as_mapping(at(pod_template(item.kind, item.data), "metadata", "labels"))
            pairs = tuple(sorted((str(key), str(value)) for key, value in labels.items()))
            pods[item.kind, item.name] = Pods(item.namespace, pairs)
    return pods


def _of_pods(
    name: Name,
    ways: tuple[Mapping[Subject, set[Way]], Mapping[Subject, set[Way]]],
    old: Mapping[tuple[str, str], Pods],
    new: Mapping[tuple[str, str], Pods],
) -> Iterator[Consequence]:
    """A policy that is removed, or a label on either side, may leave pods without a policy."""
    before, now = ways
    for identity, pods in sorted(new.items()):
        was = old.get(identity) or next((same for same in old.values() if same == pods), None)
        restricted = any(selects(subject, pods) for subject in now)
        restricted |= was is not None and any(selects(subject, was) for subject in before)
        if restricted or (was is None and (before or now)):
            yield from _wider(name, _open_to(was, before) if was else set(), _open_to(pods, now))


def _open_to(pods: Pods, ways: Mapping[Subject, set[Way]]) -> set[Way]:
    """All that the policies allow together; everything where none selects the pods."""
    selecting = [ways[subject] for subject in ways if selects(subject, pods)]
    return set().union(*selecting) if selecting else {(ANY, ALL)}


def selects(subject: Subject, pods: Pods) -> bool:
    """``subject``: namespace and selector of policies."""
    namespace, text = subject
    selector, labels = json.loads(text), dict(pods.labels)
    wanted = {_bare(key): str(value) for key, value in as_mapping(as_mapping(selector).get("matchLabels")).items()}
    wanted.pop(_NAMESPACE, None)
    holds = all(labels.get(key) == value for key, value in wanted.items())
    return (
        namespace == pods.namespace
        and holds
        and all(_holds(expression, labels) for expression in _expressions(selector))
    )


def _expressions(selector: Any) -> list[dict[str, Any]]:
    return mappings(as_mapping(selector).get("matchExpressions"))


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = _bare(expression.get("key")), [str(value) for value in items(expression.get("values"))]
    operator = expression.get("operator")
    if operator in ("In", "NotIn"):
        return (labels.get(key) in values) is (operator == "In")
    return (key in labels) is (operator == "Exists")


def _bare(key: object) -> str:
    """Cilium prefixes a label with its source."""
    return str(key).removeprefix("k8s:").removeprefix("any:")


def _freed(
    before: Mapping[Subject, set[Way]], now: Mapping[Subject, set[Way]], new: Sequence[Object], *, had_pods: bool
) -> Iterator[set[Way]]:
    """What was allowed to pods that no policy restricts in this direction any more."""
    specs = [(item.namespace, as_mapping(at(item.data, "spec"))) for item in new if item.kind in POLICIES]
    selected = {(home, _selector(spec.get("podSelector", spec.get("endpointSelector")))) for home, spec in specs}
    for subject, ways in sorted(before.items()):
        if subject not in now and (subject in selected or (not now and (_has_pods(new) or not had_pods))):
            yield ways


def _has_pods(objects: Iterable[Object]) -> bool:
    return any(item.kind in POD_TEMPLATES for item in objects)


def _wider(name: Name, before: set[Way], now: set[Way], suffix: str = "") -> Iterator[Consequence]:
    for way in sorted(way for way in now if not any(covers(old, way) for old in before)):
        yield Consequence(name, f"{in_words(way)}{suffix}")


def in_words(way: Way) -> str:
    peer, port = way
    excepted = f" except {', '.join(peer.excepted[:3])}{'…' if len(peer.excepted) > 3 else ''}" if peer.excepted else ""
    number = f"{port.first}-{port.last}" if port.last else port.first
    on = "every port" if port == ALL else f"{port.protocol} {number}"
    return f"{peer.name}{excepted}, {on}"


def covers(old: Way, new: Way) -> bool:
    """Whether the old way allows all that the new one does."""
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
    if old.kind == new.kind == "pods":
        return set(old.labels) <= set(new.labels)
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
# Labels by which others select pods.


def label_rules(
    old: Sequence[Object], new: Sequence[Object], others: Callable[[], Sequence[Object]]
) -> Iterator[Consequence]:
    """Pods that get labels by which policies or Services of other servers select them."""
    before = _pods_in(old)
    for identity, pods in sorted(_pods_in(new).items()):
        was = before.get(identity)
        for other in others() if was != pods else ():
            for home, selector, words in _selecting(other):
                if _names_pods(home, selector, pods) and not (was and _names_pods(home, selector, was)):
                    labels = _labels(as_mapping(selector).get("matchLabels"))
                    server = at(other.data, "metadata", "labels", "mcpctl.io/server") or other.name
                    yield Consequence("labels", f"{identity[1]}: {words} {server} by {labels or 'its selector'}")


def _selecting(other: Object) -> Iterator[tuple[str, Any, str]]:
    """Selectors of pods, with their namespace (empty: any), and the effect on the pods selected."""
    spec, home = as_mapping(at(other.data, "spec")), other.namespace
    if other.kind == "Service":
        yield home, {"matchLabels": spec.get("selector")}, "gets what is sent to Service"
    elif other.kind in POLICIES:
        for rule in mappings(spec.get("ingress")):
            for peer in mappings(rule.get("from")):
                named = at(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") or ""
                yield named if "namespaceSelector" in peer else home, peer.get("podSelector"), "may reach the pods of"
            for peer in mappings(rule.get("fromEndpoints")):
                yield *_endpoint(peer, home), "may reach the pods of"
        yield home, spec.get("podSelector", spec.get("endpointSelector")), "is held to the policy"


def _endpoint(peer: Mapping[str, Any], home: str) -> tuple[str, dict[str, Any]]:
    """A selector of Cilium: the namespace that its labels name (by default its own), and the labels of pods."""
    labels = {_bare(key): value for key, value in as_mapping(peer.get("matchLabels")).items()}
    own = {key: value for key, value in labels.items() if not key.startswith((_NAMESPACE, _LABELS_OF))}
    wanted = [item for item in _expressions(peer) if not _bare(item.get("key")).startswith((_NAMESPACE, _LABELS_OF))]
    named = labels.get(_NAMESPACE) or (home if own == labels and wanted == _expressions(peer) else "")
    return str(named), {"matchLabels": own, "matchExpressions": wanted}


def _names_pods(home: str, selector: Any, pods: Pods) -> bool:
    """Whether it selects them by a label, and not because it selects everything."""
    named = as_mapping(selector).get("matchLabels") or _expressions(selector)
    return bool(named) and selects((home or pods.namespace, json.dumps(selector, sort_keys=True)), pods)


# ---------------------------------------------------------------------------------------------
# Reading policies.


def _ways(objects: Iterable[Object], kind: str, word: str, verdict: str = "") -> dict[Subject, set[Way]]:
    """What may pass in one direction, by selector; with the verdict Deny what may not. Without a selector:
    everything.
    """
    by_subject: dict[Subject, set[Way]] = {}
    objects = list(objects)
    names = _port_names(objects)
    for item in objects:
        spec, field = as_mapping(at(item.data, "spec")), f"{kind.lower()}{verdict}"
        # The API server fills in Egress only where there is a rule for it.
        types = items(spec.get("policyTypes")) or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        if item.kind == "NetworkPolicy" and kind in types and not verdict:
            ways = _of_kubernetes(mappings(spec.get(field)), word, names)
            by_subject.setdefault((item.namespace, _selector(spec.get("podSelector"))), set()).update(ways)
        elif item.kind == "CiliumNetworkPolicy" and _is_closed(spec, kind, verdict):
            ways = _of_cilium(mappings(spec.get(field)), word, names)
            by_subject.setdefault((item.namespace, _selector(spec.get("endpointSelector"))), set()).update(ways)
    return by_subject


def _is_closed(spec: Mapping[str, Any], kind: str, verdict: str) -> bool:
    """Whether a policy of Cilium denies all else in a direction."""
    field = kind.lower()
    if verdict:
        return f"{field}{verdict}" in spec
    return (field in spec or f"{field}Deny" in spec) and at(spec, "enableDefaultDeny", field) is not False


def _selector(value: Any) -> str:
    return json.dumps(value or {}, sort_keys=True)


def _port_names(objects: Iterable[Object]) -> dict[str, str]:
    """The number of each named port, where all containers agree on it."""
    numbers: dict[str, str] = {}
    for item in objects:
        for container in containers(pod_spec(item.kind, item.data)).values():
            for port in mappings(container.get("ports")):
                name, number = str(port.get("name")), str(port.get("containerPort"))
                numbers[name] = number if numbers.get(name, number) == number else name
    return numbers


def _of_kubernetes(rules: Iterable[Mapping[str, Any]], word: str, names: Mapping[str, str]) -> Iterator[Way]:
    for rule in rules:
        peers = [_peer(peer) for peer in mappings(rule.get(word))] or [ANY]
        ports = [_port(port, names) for port in mappings(rule.get("ports"))] or [ALL]
        yield from product(peers, ports)


def _peer(peer: Mapping[str, Any]) -> Peer:
    block = peer.get("ipBlock")
    if isinstance(block, dict):
        return Peer("block", str(block.get("cidr")), tuple(sorted(map(str, items(block.get("except"))))))
    namespace = at(peer, "namespaceSelector", "matchLabels") if "namespaceSelector" in peer else None
    everywhere = "namespaceSelector" in peer and not namespace
    expressions = _expressions(peer.get("namespaceSelector")) or _expressions(peer.get("podSelector"))
    if expressions:
        return Peer("other", json.dumps(peer, sort_keys=True))
    return _pods(namespace, at(peer, "podSelector", "matchLabels"), everywhere=everywhere)


def _pods(namespace: Any, labels: Any, *, everywhere: bool) -> Peer:
    """Pods with these labels, in namespaces with those; without any of them, in the policy's own or in all."""
    words = [f"pods {_labels(labels)}" if labels else "all pods"]
    words += [f"{_OF}{_labels(namespace)}"] if namespace else ["of all namespaces"] if everywhere else []
    wanted = [f"{key}={value}" for key, value in as_mapping(labels).items()]
    wanted += [f"{_OF}{key}={value}" for key, value in as_mapping(namespace).items()]
    wanted += [] if namespace or everywhere else [_SAME]
    return Peer("pods", " ".join(words), (), tuple(sorted(wanted)))


def _labels(labels: Any) -> str:
    pairs = sorted(f"{key}={value}" for key, value in as_mapping(labels).items())
    return ",".join(pairs).removeprefix("kubernetes.io/metadata.name=")


def _port(port: Mapping[str, Any], names: Mapping[str, str]) -> Port:
    last = port.get("endPort")
    first = str(port["port"]) if port.get("port") is not None else "*"
    return Port(str(port.get("protocol", "TCP")), names.get(first, first), "" if last is None else str(last))


def _of_cilium(rules: Iterable[Mapping[str, Any]], word: str, names: Mapping[str, str]) -> Iterator[Way]:
    for rule in rules:
        peers = list(_cilium_peers(rule, word))
        if not peers and not any(key.startswith((word, f"{word}P")) for key in rule):
            continue  # an empty rule allows nothing: it only turns default deny on
        ports = [_port(port, names) for each in mappings(rule.get("toPorts")) for port in mappings(each.get("ports"))]
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
        yield _endpoints(endpoint)


def _endpoints(endpoint: Mapping[str, Any]) -> Peer:
    expressions = [(_bare(expression.get("key")), expression.get("operator")) for expression in _expressions(endpoint)]
    everywhere = expressions == [(_NAMESPACE, "Exists")]
    if expressions and not everywhere:
        return Peer("other", json.dumps(endpoint, sort_keys=True))
    labels = {_bare(key): value for key, value in as_mapping(endpoint.get("matchLabels")).items()}
    name = labels.pop(_NAMESPACE, None)
    namespace = {key.removeprefix(_LABELS_OF): labels.pop(key) for key in [*labels] if key.startswith(_LABELS_OF)}
    namespace |= {"kubernetes.io/metadata.name": name} if name else {}
    return _pods(namespace or None, labels, everywhere=everywhere)
