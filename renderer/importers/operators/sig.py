"""MCPServer of the MCP Lifecycle Operator of Kubernetes' SIGs, of mcp.x-k8s.io/v1alpha1 and v1beta1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.images import set_image
from renderer.importers.manifests.containers import read_env, read_resources
from renderer.importers.manifests.objects import read_annotations, read_labels
from renderer.importers.manifests.pods import read_security
from renderer.importers.manifests.probes import read_probes
from renderer.importers.operators.resource import Resource
from renderer.importers.variables import literal
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
    """Writes the spec of an MCPServer."""
    reading = resource.reading
    resource.read_metadata()
    _image(reading)
    reading.default(("spec", "transport", "type"), "streamable-http", "the operator runs servers that speak HTTP")
    port = reading.get(*_CONFIG, "port")
    reading.map((*_CONFIG, "port"), ("spec", "transport", "port"), port)
    if reading.text(*_CONFIG, "path"):
        reading.map((*_CONFIG, "path"), ("spec", "transport", "path"), reading.text(*_CONFIG, "path"))
    for path, item in reading.items(*_CONFIG, "arguments"):
        reading.map(path, ("spec", "args", END), _argument(reading, plain_text(item)))
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
    resource.lose(_LOST)
    resource.start(reading.text(*_IMAGE, "ref"), stdio=False)


def _image(reading: Reading) -> None:
    set_image(reading, (*_IMAGE, "ref"), reading.text(*_IMAGE, "ref"))
    reading.note(("spec", "source", "type"), ("spec", "image"))
    if policy := reading.text(*_IMAGE, "pullPolicy"):
        reading.map((*_IMAGE, "pullPolicy"), ("spec", "imagePullPolicy"), policy)
    for path, _ in reading.items(*_IMAGE, "imagePullSecrets"):
        reading.map(path, ("spec", "imagePullSecrets", END), reading.text(*path, "name"))


def _argument(reading: Reading, text: str) -> str:
    """A reference to a variable that the container has stays one."""
    names = {reading.text(*path, "name") for path, _ in reading.items(*_CONFIG, "env")}
    return text if any(f"$({name})" in text for name in names) else literal(text)


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
    if reading.get(*_RUNTIME, "replicas") is not None:
        reading.map((*_RUNTIME, "replicas"), ("spec", "replicas"), reading.get(*_RUNTIME, "replicas"))
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
    if reading.get(*_NETWORK, "dnsEgressPeer") is not None:
        reading.lose((*_NETWORK, "dnsEgressPeer"), "who answers DNS is said by the environment", harmless=True)


def _peers(item: JSON) -> Iterator[dict[str, JSON]]:
    """A peer of a NetworkPolicy as one of a spec; nothing where its selector is more than labels."""
    if not isinstance(item, dict):
        return
    if isinstance(block := item.get("ipBlock"), dict):
        yield {"cidr": block.get("cidr")}
        return
    labels = {key: _labels(item.get(key)) for key in ("podSelector", "namespaceSelector") if key in item}
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


def _labels(selector: JSON) -> Mapping[str, JSON]:
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    return labels if isinstance(labels, dict) else {}
