"""MCPServer of the MCP Lifecycle Operator (Kubernetes SIGs), mcp.x-k8s.io/v1alpha1 and v1beta1."""

from __future__ import annotations

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.images import set_image
from renderer.importers.manifests.containers import read_env, read_probes, read_resources
from renderer.importers.manifests.network import admitted, egress_rule
from renderer.importers.manifests.objects import read_annotations, read_labels
from renderer.importers.manifests.pods import read_security
from renderer.importers.operators.resource import Resource
from renderer.importers.permissions import set_writable
from renderer.importers.variables import literal
from renderer.model import JSON

_IMAGE: DocumentPath = ("spec", "source", "containerImage")
_CONFIG: DocumentPath = ("spec", "config")
_RUNTIME: DocumentPath = ("spec", "runtime")
_SECURITY: DocumentPath = (*_RUNTIME, "security")
_NETWORK: DocumentPath = ("spec", "network")
_LOST = {"gateway": "write spec.expose", "transport": "how the operator asks the server; mcpctl asks without TLS"}


def read_server(resource: Resource) -> None:
    reading = resource.reading
    resource.read_metadata()
    set_image(reading, (*_IMAGE, "ref"), reading.text(*_IMAGE, "ref"))
    reading.note(("spec", "source", "type"), ("spec", "image"))
    reading.carry_text((*_IMAGE, "pullPolicy"), ("spec", "imagePullPolicy"))
    reading.carry_names((*_IMAGE, "imagePullSecrets"), ("spec", "imagePullSecrets"))
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
    reading.carry((*_RUNTIME, "replicas"), ("spec", "replicas"))
    read_resources(reading, _RUNTIME, ("spec",))
    resource.read_account((*_SECURITY, "serviceAccountName"))
    if reading.mapping(*_SECURITY, "securityContext"):
        read_security(reading, ("spec",), _SECURITY)
    resource.read_ids((*_SECURITY, "podSecurityContext"), _SECURITY)
    read_probes(reading, (*_RUNTIME, "health"), port if isinstance(port, int) else 8080, {})
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
        set_writable(reading, path, where, reading.text(*source, "sizeLimit"))
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


def _network(reading: Reading) -> None:
    if reading.get(*_NETWORK, "ingressFrom"):
        reading.default(("spec", "network", "ingress", "from"), [], "the resource names who may connect")
    admitted(reading, (*_NETWORK, "ingressFrom"))
    ports, peers = (*_NETWORK, "egressPorts"), (*_NETWORK, "egressTo")
    if reading.get(*ports) or reading.get(*peers):
        reading.default(("spec", "network", "egress"), {}, "the resource names what it may connect to")
        egress_rule(reading, peers if reading.get(*peers) else ports, ports, peers)
    reading.lose_all(["dnsEgressPeer"], "who answers DNS is said by the environment", _NETWORK)
