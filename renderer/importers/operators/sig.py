"""MCPServer of the MCP Lifecycle Operator of Kubernetes' SIGs, of mcp.x-k8s.io/v1alpha1 and v1beta1."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.images import set_image
from renderer.importers.manifests.containers import read_env, read_resources
from renderer.importers.manifests.objects import read_annotations, read_labels
from renderer.importers.manifests.pods import read_security
from renderer.importers.manifests.probes import read_probes
from renderer.importers.operators.resource import Resource
from renderer.importers.variables import literal
from renderer.manifest import as_mapping, at
from renderer.model import JSON

_IMAGE: DocumentPath = ("spec", "source", "containerImage")
_CONFIG: DocumentPath = ("spec", "config")
_RUNTIME: DocumentPath = ("spec", "runtime")
_NETWORK: DocumentPath = ("spec", "network")
_NAMESPACE = "kubernetes.io/metadata.name"
_LOST = {
    "gateway": "write spec.expose",
    "transport": "how the operator asks the server; mcpctl asks without TLS",
}


def read_server(resource: Resource) -> None:
    reading = resource.reading
    resource.read_metadata()
    set_image(reading, (*_IMAGE, "ref"), reading.text(*_IMAGE, "ref"))
    reading.note(("spec", "source", "type"), ("spec", "image"))
    reading.carry_text((*_IMAGE, "pullPolicy"), ("spec", "imagePullPolicy"))
    for path, _ in reading.items(*_IMAGE, "imagePullSecrets"):
        reading.map(path, ("spec", "imagePullSecrets", END), reading.text(*path, "name"))
    reading.default(("spec", "transport", "type"), "streamable-http", "the operator runs servers that speak HTTP")
    port = reading.get(*_CONFIG, "port")
    reading.map((*_CONFIG, "port"), ("spec", "transport", "port"), port)
    reading.carry_text((*_CONFIG, "path"), ("spec", "transport", "path"))
    names = {reading.text(*path, "name") for path, _ in reading.items(*_CONFIG, "env")}
    for path, item in reading.items(*_CONFIG, "arguments"):
        word = plain_text(item)  # a reference to a variable that the container has stays one
        is_reference = any(f"$({name})" in word for name in names)
        reading.map(path, ("spec", "args", END), word if is_reference else literal(word))
    read_env(reading, _CONFIG, ("spec",), resource.known)
    for path, _ in reading.items(*_CONFIG, "storage"):
        _mount(reading, path)
    _runtime(resource, port if isinstance(port, int) else 8080)
    _network(reading)
    read_labels(reading, ("spec", "extraLabels"))
    read_annotations(reading, ("spec", "extraAnnotations"), ("metadata", "annotations"))
    if reading.get("spec", "mcp", "stateless") is not None:
        stateful = reading.get("spec", "mcp", "stateless") is not True
        reading.map(("spec", "mcp", "stateless"), ("spec", "transport", "stateful"), stateful)
    reading.lose_each(_LOST, ("spec",))
    resource.start(reading.text(*_IMAGE, "ref"), stdio=False)


def _mount(reading: Reading, path: DocumentPath) -> None:
    where = reading.text(*path, "path")
    kind = reading.text(*path, "source", "type")
    source: DocumentPath = (*path, "source", kind[:1].lower() + kind[1:])
    if kind == "EmptyDir":
        size = reading.text(*source, "sizeLimit")
        folder: JSON = {"path": where, "size": size} if size else where
        reading.map(path, ("spec", "security", "writablePaths", END), folder)
        return
    name = reading.text(*source, "name") or reading.text(*source, "secretName")
    reference: dict[str, JSON] = {"configMap" if kind == "ConfigMap" else "secret": name}
    items = list(reading.items(*source, "items"))
    if kind not in ("ConfigMap", "Secret"):
        reading.lose(path, "no field mounts a volume of this kind")
    elif not items:
        reading.map(path, ("spec", "files", where), reference)
    for item, _ in items:
        file = f"{where.rstrip('/')}/{reading.text(*item, 'path')}"
        reading.map(path, ("spec", "files", file), {**reference, "key": reading.text(*item, "key")})


def _runtime(resource: Resource, port: int) -> None:
    reading = resource.reading
    reading.carry((*_RUNTIME, "replicas"), ("spec", "replicas"))
    read_resources(reading, _RUNTIME, ("spec",))
    resource.read_account((*_RUNTIME, "security", "serviceAccountName"))
    if reading.mapping(*_RUNTIME, "security", "securityContext"):
        read_security(reading, ("spec",), (*_RUNTIME, "security"))
    resource.read_ids((*_RUNTIME, "security", "podSecurityContext"), (*_RUNTIME, "security"))
    read_probes(reading, (*_RUNTIME, "health"), port, {})


def _network(reading: Reading) -> None:
    for path, item in reading.items(*_NETWORK, "ingressFrom"):
        for peer in _peers(item):
            reading.map(path, ("spec", "network", "ingress", "from", END), peer)
    ports = [reading.get(*path, "port") for path, _ in reading.items(*_NETWORK, "egressPorts")]
    for path, _ in reading.items(*_NETWORK, "egressPorts"):
        reading.note(path, ("spec", "network", "egress"))
    for path, item in reading.items(*_NETWORK, "egressTo"):
        block = item.get("ipBlock") if isinstance(item, dict) else None
        if isinstance(block, dict):
            whole: dict[str, JSON] = {"cidr": block.get("cidr"), **({"ports": list(ports)} if ports else {})}
            whole |= {"except": block["except"]} if block.get("except") else {}
            reading.map(path, ("spec", "network", "egress", "cidrs", END), whole)
            continue
        for peer in _peers(item):
            labels = peer.pop("podLabels", {})
            name = next(iter(labels.values()), "pods") if isinstance(labels, dict) else "pods"
            service: JSON = {"name": name, "podLabels": labels, **peer, "ports": list(ports)}
            reading.map(path, ("spec", "network", "egress", "services", END), service)
    reading.lose_all(["dnsEgressPeer"], "who answers DNS is said by the environment", _NETWORK)


def _peers(item: JSON) -> Iterator[dict[str, JSON]]:
    """A peer of a NetworkPolicy as one of a spec; nothing where its selector is more than labels."""
    if not isinstance(item, dict):
        return
    if isinstance(block := item.get("ipBlock"), dict):
        yield {"cidr": block.get("cidr")}
        return
    labels = {
        key: as_mapping(at(item, key, "matchLabels")) for key in ("podSelector", "namespaceSelector") if key in item
    }
    peer: dict[str, JSON] = {}
    if "podSelector" in labels:
        peer["podLabels"] = dict(labels["podSelector"])
    namespace = labels.get("namespaceSelector")
    if namespace is not None and set(namespace) == {_NAMESPACE}:
        peer["namespace"] = namespace[_NAMESPACE]
    elif namespace is not None:
        peer["namespaceLabels"] = dict(namespace)
    if peer:
        yield peer
