"""Service, Ingress, HTTPRoute, NetworkPolicy and ServiceMonitor of a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text, with_values
from renderer.importers.images import accept
from renderer.importers.manifests.objects import (
    STAYS,
    Gathering,
    Object,
    lose_defaults,
    mapping,
    read_annotations,
    texts,
)
from renderer.manifest import as_mapping, items, mappings
from renderer.model import JSON

_INGRESS_CLASS = "kubernetes.io/ingress.class"
_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort", "selector")
_SERVICE_DEFAULTS: dict[str, JSON] = {
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
    "externalTrafficPolicy": "Cluster",
    "allocateLoadBalancerNodePorts": True,
    "type": "ClusterIP",
}
_NO_ACCESS = "who may call it: everybody who reaches it, as today; write issuers of tokens here"
#: Everybody in the cluster.
EVERYBODY: JSON = {"namespaceLabels": {}}


def read_service(each: Object, into: Gathering) -> None:
    reading = into.adopt(each)
    read_annotations(reading, ("metadata", "annotations"), ("spec", "service", "annotations"))
    lose_defaults(reading, ("spec",), _SERVICE_DEFAULTS)
    reading.lose_all(_ALLOCATED, "stays as it is", ("spec",))
    reading.note(("spec", "selector"), ("spec", "adopt", "selector"))
    kind = reading.text("spec", "type")
    if kind in ("NodePort", "LoadBalancer"):
        question = "whether it must be reached from outside so"
        reading.decide(("spec", "type"), ("spec", "service", "type"), kind, question)
        accept(reading, "policy/published-everywhere", "spec.service.type")
    elif kind == "ExternalName":
        reading.lose(("spec", "type"), "a Service of mcpctl leads to the server's pods")
    if reading.text("spec", "sessionAffinity") == "ClientIP":
        reading.note(("spec", "sessionAffinity"), ("spec", "transport", "stateful"), "follows from the transport")
    if ranges := reading.get("spec", "loadBalancerSourceRanges"):
        reading.map(("spec", "loadBalancerSourceRanges"), ("spec", "service", "sourceRanges"), ranges)
    has_own = False
    for path, item in reading.items("spec", "ports"):
        target = into.target_port(as_mapping(item))
        if not has_own and target == into.port:
            has_own = True
            _own_port(reading, path, target)
        else:
            _further_port(reading, path, as_mapping(item), target)


def _own_port(reading: Reading, path: DocumentPath, port: int) -> None:
    number = reading.get(*path, "port")
    if number != port:
        reading.map((*path, "port"), ("spec", "service", "port"), number)
    else:
        reading.note((*path, "port"), ("spec", "transport", "port"))
    reading.note((*path, "targetPort"), ("spec", "transport", "port"))
    if name := reading.text(*path, "name"):
        why = f"the port is called mcp: who names the port {name}, names mcp now"
        reading.lose((*path, "name"), why, harmless=name == "mcp")
    if reading.get(*path, "nodePort"):
        reading.map((*path, "nodePort"), ("spec", "service", "nodePort"), reading.get(*path, "nodePort"))
    reading.carry_text((*path, "appProtocol"), ("spec", "service", "appProtocol"))
    reading.note((*path, "protocol"), None)


def _further_port(reading: Reading, path: DocumentPath, item: Mapping[str, JSON], target: int) -> None:
    number = item.get("port")
    if target == number == mapping(reading.document, "spec", "monitoring").get("port"):
        reading.note(path, ("spec", "monitoring", "port"))
        return
    if plain_text(item.get("protocol")) not in ("", "TCP") or not target or not isinstance(number, int):
        reading.lose(path, "a further port is one of TCP, and leads to one of the container")
        return
    name = plain_text(item.get("name")) or f"port-{number}"
    further = {"targetPort": None if target == number else target, "appProtocol": item.get("appProtocol")}
    reading.map(path, ("spec", "service", "ports", END), {"name": name, "port": number, **with_values(further)})


# ---------------------------------------------------------------------------------------------
# Ways in from outside.


def leads_to(each: Object, services: Sequence[str]) -> bool:
    """Whether a backend of the Ingress or HTTPRoute is one of the Services."""
    text = repr(each.spec.get("rules") or each.spec.get("defaultBackend"))
    return any(f"'name': '{name}'" in text for name in services)


def read_ingress(each: Object, into: Gathering, services: Sequence[str]) -> None:
    reading = into.adopt(each)
    reading.map(("kind",), ("spec", "expose", "type"), "Ingress")
    annotations: DocumentPath = ("metadata", "annotations")
    reading.carry((*annotations, _INGRESS_CLASS), ("spec", "expose", "className"))
    reading.carry_text(("spec", "ingressClassName"), ("spec", "expose", "className"))
    read_annotations(reading, annotations, ("spec", "expose", "annotations"))
    hosts, paths = _ingress_paths(reading, services)
    _exposed(reading, ("spec", "rules"), hosts, paths)
    for path, _ in reading.items("spec", "tls"):
        secret = reading.text(*path, "secretName")
        reading.map(path, ("spec", "expose", "tls"), {"secret": secret} if secret else {})


def _ingress_paths(reading: Reading, services: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hosts and paths whose backend is the server."""
    hosts: list[str] = []
    paths: list[str] = []
    for rule, _ in reading.items("spec", "rules"):
        for path, item in reading.items(*rule, "http", "paths"):
            backend = mapping(item, "backend", "service")
            if plain_text(backend.get("name")) not in services:
                reading.lose(path, f"leads to another Service: {STAYS}, and an Ingress of mcpctl has the server alone")
                continue
            hosts.append(reading.text(*rule, "host"))
            paths.append(plain_text(as_mapping(item).get("path")) or "/")
            reading.note(path, ("spec", "expose", "paths"))
        reading.note((*rule, "host"), ("spec", "expose", "hosts"))
    return hosts, paths


def _exposed(reading: Reading, source: DocumentPath, hosts: Sequence[str], paths: Sequence[str]) -> None:
    """Writes hosts and paths; access stays open, as today."""
    for field, values in (("host", filter(None, hosts)), ("path", map(_prefix, paths))):
        each_once: list[JSON] = list(dict.fromkeys(values))
        if field == "host" and not each_once:
            reading.lose(source, "an Ingress or HTTPRoute of a spec needs a host")
            reading.spec.pop("expose", None)
            return
        if len(each_once) > 1:
            reading.map(source, ("spec", "expose", f"{field}s"), each_once)
        elif each_once != ["/"]:
            reading.map(source, ("spec", "expose", field), each_once[0])
    reading.default(("spec", "expose", "from"), [], "network.ingress.from says who may connect")
    reading.decide((), ("spec", "access"), "none", _NO_ACCESS)


def _prefix(path: str) -> str:
    """The path without a final slash and without nginx's patterns."""
    plain = path.partition("(")[0].rstrip("/*") or "/"
    return plain if plain.startswith("/") else f"/{plain}"


def read_route(each: Object, into: Gathering, services: Sequence[str]) -> None:
    reading = into.adopt(each)
    reading.map(("kind",), ("spec", "expose", "type"), "HTTPRoute")
    read_annotations(reading, ("metadata", "annotations"), ("spec", "expose", "annotations"))
    for number, (path, item) in enumerate(reading.items("spec", "parentRefs")):
        names = ("name", "namespace", "sectionName")
        if number:
            reading.lose(path, "a route has one Gateway")
        else:
            gateway = {key: value for key, value in as_mapping(item).items() if key in names}
            reading.map(path, ("spec", "expose", "gateway"), gateway)
    hosts = [reading.text(*path) for path, _ in reading.items("spec", "hostnames")]
    paths: list[str] = []
    for rule, item in reading.items("spec", "rules"):
        refs = [plain_text(ref.get("name")) for ref in mappings(as_mapping(item).get("backendRefs"))]
        if not set(refs) & set(services):
            reading.lose(rule, f"leads to another Service: {STAYS}")
            continue
        paths += _matched(reading, rule)
        for filter_, value in reading.items(*rule, "filters"):
            cut = mapping(value, "urlRewrite", "path")
            if cut.get("replacePrefixMatch") == "/":
                reading.map(filter_, ("spec", "expose", "stripPrefix"), True)
            else:
                reading.lose(filter_, "no field filters requests; a patch of the HTTPRoute can")
        reading.note((*rule, "backendRefs"), ("spec", "service"))
        reading.note((*rule, "timeouts"), ("spec", "expose"), "none, as streams stay open for long")
    reading.note(("spec", "hostnames"), ("spec", "expose", "hosts"))
    _exposed(reading, ("spec", "hostnames"), hosts, paths or ["/"])


def _matched(reading: Reading, rule: DocumentPath) -> Iterator[str]:
    for match, item in reading.items(*rule, "matches"):
        path = mapping(item, "path")
        if plain_text(path.get("type")) in ("", "PathPrefix", "Exact") and set(as_mapping(item)) <= {"path"}:
            reading.note(match, ("spec", "expose", "paths"))
            yield plain_text(path.get("value")) or "/"
        else:
            reading.lose(match, "a spec matches hosts and path prefixes alone")


def read_monitor(each: Object, into: Gathering, ports: Mapping[str, int]) -> None:
    """``ports``: the container's ports by the names of the Service's."""
    reading = into.adopt(each)
    reading.note(("spec", "selector"), None, "selects the Service")
    reading.note(("spec", "namespaceSelector"), None)
    for key, value in reading.mapping("metadata", "labels").items():
        if not key.startswith(("app.kubernetes.io/", "helm.sh/", "mcpctl.io/")):
            reading.map(("metadata", "labels", key), ("spec", "monitoring", "labels", key), value)
    for number, (path, item) in enumerate(reading.items("spec", "endpoints")):
        fields = as_mapping(item)
        port = ports.get(plain_text(fields.get("port"))) or ports.get(plain_text(fields.get("targetPort")))
        if number or not port:
            reading.lose(path, "one endpoint with metrics, at a port of the Service")
            continue
        reading.map((*path, "port"), ("spec", "monitoring", "port"), port)
        for key in ("path", "interval"):
            if fields.get(key):
                reading.map((*path, key), ("spec", "monitoring", key), fields[key])
    reading.default(("spec", "monitoring", "from"), [], "network.ingress.from says who may connect")


# ---------------------------------------------------------------------------------------------
# NetworkPolicies.


def read_policies(policies: Sequence[Object], into: Gathering) -> None:
    """The union of the policies. A direction that none restricts stays open until a person decides."""
    directions: set[str] = set()
    for each in policies:
        types = {plain_text(name) for name in items(each.spec.get("policyTypes"))}
        directions |= types or {"Ingress", *(["Egress"] if "egress" in each.spec else [])}
    if "Ingress" not in directions:
        question = "who may connect: nothing restricts it today, so everybody in the cluster may"
        into.first.decide((), ("spec", "network", "ingress", "from"), [EVERYBODY], question)
    else:
        into.first.default(("spec", "network", "ingress", "from"), [], "the NetworkPolicy names who may connect")
    if "Egress" not in directions:
        into.first.leave((), ("spec", "network", "egress"), "what it may connect to: nothing restricts it today")
    else:
        into.first.default(("spec", "network", "egress"), {}, "the NetworkPolicy names what it may connect to")
    for number, each in enumerate(policies):
        if number:
            reading = into.add(each)
            stays = f"{each.words} stays in force beside it until you delete it"
            why = f"what it allows is in the one policy of the spec; {stays}"
            reading.lose(("metadata", "name"), why, harmless=True)
        else:
            reading = into.adopt(each, f"{into.resource_name}-netpol")
        reading.note(("spec", "podSelector"), ("spec", "adopt", "selector"))
        reading.note(("spec", "policyTypes"), ("spec", "network"))
        for path, _ in reading.items("spec", "ingress"):
            _ingress_rule(reading, path, into)
        for path, _ in reading.items("spec", "egress"):
            egress_rule(reading, path, (*path, "ports"), (*path, "to"))


def _ingress_rule(reading: Reading, rule: DocumentPath, into: Gathering) -> None:
    ports = [into.target_port({"port": item.get("port")}) for item in mappings(reading.get(*rule, "ports"))]
    if ports and into.port not in ports:
        reading.lose(rule, "allows other ports than that of MCP; a spec would allow that one too")
        return
    reading.note((*rule, "ports"), ("spec", "transport", "port"))
    if not list(reading.items(*rule, "from")):
        reading.map(rule, ("spec", "network", "ingress", "from", END), EVERYBODY, "everybody in the cluster")
    admitted(reading, (*rule, "from"))


def admitted(reading: Reading, peers: DocumentPath) -> None:
    """Adds each peer that a field can express as narrowly."""
    for path, item in reading.items(*peers):
        for value in _peer(reading, path, as_mapping(item)):
            if "except" in value:
                reading.lose(path, "a CIDR block has no exceptions here, and without them more would be allowed")
            else:
                reading.map(path, ("spec", "network", "ingress", "from", END), value)


def _peer(reading: Reading, path: DocumentPath, peer: Mapping[str, JSON]) -> Iterator[dict[str, JSON]]:
    """A peer as a field; empty and reported as lost if a field would allow more."""
    block = mapping(peer, "ipBlock")
    pods, spaces = peer.get("podSelector"), peer.get("namespaceSelector")
    if any(as_mapping(each).get("matchExpressions") for each in (pods, spaces)):
        reading.lose(path, "a spec has no matchExpressions, and without them more would be allowed")
    elif block:
        yield with_values({"cidr": block.get("cidr"), "except": block.get("except")})
    else:
        value: dict[str, JSON] = {}
        if isinstance(spaces, dict):
            labels = texts(mapping(spaces, "matchLabels"))
            name = labels.get("kubernetes.io/metadata.name")
            value |= {"namespace": name} if name and len(labels) == 1 else {"namespaceLabels": {**labels}}
        if (labels := texts(mapping(pods, "matchLabels"))) or not value:
            value["podLabels"] = {**labels}
        yield value


def egress_rule(reading: Reading, rule: DocumentPath, ports_at: DocumentPath, peers_at: DocumentPath) -> None:
    """Blocks of addresses and pods; DNS is always open."""
    ports: dict[str, list[int]] = {"ports": [], "udpPorts": []}
    for item in mappings(reading.get(*ports_at)):
        number = item.get("port")
        if not isinstance(number, int) or item.get("endPort"):
            reading.lose(rule, "a spec has no named ports and no ranges of ports: the rule is left out")
            return
        ports["udpPorts" if item.get("protocol") == "UDP" else "ports"].append(number)
    if {*ports["ports"], *ports["udpPorts"]} == {53}:
        reading.note(rule, ("spec", "network", "egress"), "DNS is always open")
        return
    own: dict[str, Any] = {key: value for key, value in ports.items() if value}
    peers = list(reading.items(*peers_at))
    if not peers:
        value: JSON = {"cidr": "0.0.0.0/0", **own}
        reading.map(rule, ("spec", "network", "egress", "cidrs", END), value)
    for path, peer in peers:
        for reached in _peer(reading, path, as_mapping(peer)):
            is_block = "cidr" in reached
            named: dict[str, JSON] = {} if is_block else {"name": service_name(reached)}
            target = ("spec", "network", "egress", "cidrs" if is_block else "services", END)
            reading.map(path, target, {**named, **reached, **own})
    if own:
        reading.note(ports_at, ("spec", "network", "egress"))


def service_name(peer: Mapping[str, JSON]) -> str:
    """The pods' name for the comment in the policy."""
    labels = texts(mapping(peer, "podLabels"))
    keys = ("app.kubernetes.io/name", "app", "k8s-app", "name")
    own = next((labels[key] for key in keys if key in labels), plain_text(peer.get("namespace")) or "pods")
    return "".join(c if c.isalnum() else "-" for c in own.lower()).strip("-") or "pods"
