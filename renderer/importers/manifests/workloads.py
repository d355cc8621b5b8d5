"""The workload: names, pods, and the server's container."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text, with_values
from renderer.importers.images import set_image
from renderer.importers.manifests.containers import Known, read_env, read_probes, read_resources, read_words
from renderer.importers.manifests.objects import (
    Gathering,
    Object,
    lose_defaults,
    pod_spec,
    read_annotations,
    read_labels,
    template_path,
)
from renderer.importers.manifests.pods import CONTAINER_DEFAULTS, pre_stop, read_pod, read_security, workload_strategy
from renderer.importers.manifests.servers import AS_PACKAGE, ATTACHED, Transport, selector_of, set_path
from renderer.importers.manifests.volumes import read_volumes
from renderer.importers.naming import name_of
from renderer.manifest import at, mappings
from renderer.model import JSON
from renderer.pins import system_namespace

_SCRAPE = "prometheus.io/"
#: Of the container.
_IDLE = {
    ("tty", "stdin", "stdinOnce"): "of no use to a server on a port",
    ("terminationMessagePath", "terminationMessagePolicy"): "no field sets it",
}
_REPLACED = "an API server takes no other selector: the {0} must be deleted (kubectl delete --cascade=orphan) before"


def read_workload(
    gathering: Gathering, server: Object, number: int, transport: Transport, near: Sequence[Object]
) -> None:
    reading = gathering.first
    replicas = server.spec.get("replicas")
    scaled = (at(each.spec, "scaleTargetRef", "name") for each in near if each.kind == "HorizontalPodAutoscaler")
    known = Known(
        name_of(server.name),
        gathering.resource_name,
        {each.name: each for each in near if each.kind == "ConfigMap"},
        {each.name: each for each in near if each.kind == "PersistentVolumeClaim"},
        is_replicated=(isinstance(replicas, int) and replicas > 1) or server.name in scaled,
    )
    template = template_path(server)
    pod: DocumentPath = (*template, "spec")
    container: DocumentPath = (*pod, "containers", number)
    _names(reading, server, known)
    reading.map(("kind",), ("spec", "workload"), server.kind)
    if server.kind != "Pod":
        workload_strategy(reading, server.kind)
    _selector(reading, server, template)
    _image(reading, container, transport)
    _transport(reading, container, transport)
    read_env(reading, container, ("spec",), known)
    read_resources(reading, container, ("spec",))
    read_security(reading, pod, container)
    if transport.port:
        read_probes(reading, container, transport.port, dict(transport.named))
    pre_stop(reading, container)
    shared = read_volumes(reading, pod, container, known)
    lose_defaults(reading, container, CONTAINER_DEFAULTS)
    reading.note((*container, "name"), None, "the server's container is called mcp-server")
    reading.carry_text((*container, "workingDir"), ("spec", "workingDir"))
    for keys, why in _IDLE.items():
        reading.lose_all([key for key in keys if reading.get(*container, key)], why, container)
    read_pod(reading, pod, server.kind)
    for path, item in reading.items(*pod, "initContainers"):
        native = at(item, "restartPolicy") == "Always"
        _container(reading, path, "sidecars" if native else "initContainers", known, shared)
    for path, _ in reading.items(*pod, "containers"):
        if path[-1] != number:
            _container(reading, path, "sidecars", known, shared)
    _used(gathering, known, server)


def _names(reading: Reading, server: Object, known: Known) -> None:
    reading.note(("metadata", "name"), ("metadata", "name"))
    if known.resource_name == server.name:
        reading.map(("metadata", "name"), ("spec", "resourceName"), server.name)
    else:
        reading.map(("metadata", "name"), ("spec", "adopt", "names", server.kind), server.name)
    namespace, path = server.namespace, ("metadata", "namespace")
    if namespace and system_namespace(namespace):
        question = f"apply it with --namespace {namespace} --no-create-namespace, or move it to a namespace of its own"
        reading.leave(path, ("spec", "namespace"), question)
    elif namespace:
        reading.map(path, ("spec", "namespace"), namespace)
    annotations: DocumentPath = ("metadata", "annotations")
    own: DocumentPath = annotations if server.kind == "Pod" else ("spec", "annotations", server.kind)
    read_annotations(reading, annotations, own)
    label = "app.kubernetes.io/managed-by"
    if manager := server.labels.get(label):
        advice = "take it out there without deleting the objects, or the two will fight over it"
        reading.leave(("metadata", "labels", label), ("spec", "adopt"), f"{manager} installed it: {advice}")


def _selector(reading: Reading, server: Object, template: DocumentPath) -> None:
    """The selector, and labels that others may select by."""
    selector = selector_of(server)
    labels: JSON = {**selector}
    if server.kind != "Pod":
        if selector:
            reading.map(("spec", "selector"), ("spec", "adopt", "selector"), labels)
        else:
            reading.lose(("spec", "selector"), _REPLACED.format(server.kind))
        reading.carry_text(("spec", "serviceName"), ("spec", "adopt", "serviceName"))
    elif selector:
        reading.map(("metadata", "labels"), ("spec", "adopt", "selector"), labels)
        reading.leave((), ("spec", "adopt"), "a Pod cannot change: delete it, and apply the spec")
    read_labels(reading, ("metadata", "labels"), selector if server.kind == "Pod" else ())
    if server.kind != "Pod":
        read_labels(reading, (*template, "metadata", "labels"), selector)
        _pod_annotations(reading, (*template, "metadata", "annotations"))
    reading.lose_all(["creationTimestamp", "name", "namespace"], "of no use in a template", (*template, "metadata"))


def _pod_annotations(reading: Reading, path: DocumentPath) -> None:
    """Prometheus' scrape annotations become ``monitoring``."""
    annotations = reading.mapping(*path)
    port = plain_text(annotations.get(f"{_SCRAPE}port"))
    scraped = plain_text(annotations.get(f"{_SCRAPE}scrape")) == "true" and port.isdigit()
    for key, value in annotations.items():
        if key.startswith(_SCRAPE) and scraped:
            fields: dict[str, JSON] = {"port": int(port), "path": plain_text(value)}
            field = fields.get(key.removeprefix(_SCRAPE))
            if field is not None:
                reading.map((*path, key), ("spec", "monitoring", key.removeprefix(_SCRAPE)), field)
            else:
                reading.map((*path, key), ("spec", "monitoring", "scrape"), "annotations")
        elif key.startswith("checksum/"):
            reading.lose((*path, key), "mcpctl restarts pods itself when a file changes", harmless=True)
    if scraped:
        reading.default(("spec", "monitoring", "from"), [], "network.ingress.from says who may connect")
    read_annotations(reading, path, ("spec", "annotations", "Pod"))


def _image(reading: Reading, container: DocumentPath, transport: Transport) -> None:
    """The image, or the package that a bridge starts at an exact version."""
    image = reading.text(*container, "image")
    if start := transport.start:
        fields = start.package.fields
        reading.map((*container, "image"), ("spec", "package"), fields, "what runs in the image is a package")
        reading.note((*container, "command"), ("spec", "package"))
        reading.map((*container, "args"), ("spec", "args"), list(start.args))
        if start.program:
            reading.map((*container, "command"), ("spec", "command"), [start.program])
    elif not image:
        reading.refuse(container, "import/image", "the container has no image", "build what kustomize patches first")
    else:
        set_image(reading, (*container, "image"), image)
        wrapper = transport.wrapper
        if wrapper and wrapper.bridge == "mcp-proxy":
            words: list[JSON] = [*wrapper.inner]
            reading.map((*container, "command"), ("spec", "command"), words[:1], "what mcp-proxy starts")
            reading.map((*container, "args"), ("spec", "args"), words[1:])
        else:
            read_words(reading, container, ("spec",))
    if policy := reading.text(*container, "imagePullPolicy"):
        usual = "IfNotPresent" if ":" in image.rpartition("/")[2] and not image.endswith(":latest") else "Always"
        if policy == usual:
            reading.note((*container, "imagePullPolicy"), ("spec", "imagePullPolicy"), "as Kubernetes assumes")
        else:
            reading.map((*container, "imagePullPolicy"), ("spec", "imagePullPolicy"), policy)


def _transport(reading: Reading, container: DocumentPath, transport: Transport) -> None:
    target: DocumentPath = ("spec", "transport")
    wrapper = transport.wrapper
    if not transport.port:
        reading.decide((), target, {"type": "stdio", "bridge": "none"}, ATTACHED)
        reading.note((*container, "stdin"), target)
        return
    if wrapper and (transport.start or wrapper.bridge == "mcp-proxy"):
        value: dict[str, JSON] = {"type": "stdio", "bridge": wrapper.bridge}
        reading.default(target, value, f"{wrapper.bridge} makes it reachable")
        if wrapper.loss:
            reading.lose((*container, "args" if reading.get(*container, "args") else "command"), wrapper.loss)
    else:
        reading.default((*target, "type"), transport.type, "what listens on a port speaks HTTP")
        if wrapper:
            reading.leave((*container, "args"), target, AS_PACKAGE)
    for path, _ in reading.items(*container, "ports"):
        if reading.get(*path, "containerPort") == transport.port:
            reading.map(path, (*target, "port"), transport.port)
        else:
            reading.note(path, ("spec", "service", "ports"))
    if not mappings(reading.get(*container, "ports")):
        reading.default((*target, "port"), transport.port, "from its arguments or environment variables")
    set_path(reading, transport.path, "from its arguments or environment variables", sse=transport.type == "sse")


# ---------------------------------------------------------------------------------------------
# Further containers, and what the pods refer to.


def _container(reading: Reading, path: DocumentPath, field: str, known: Known, shared: dict[str, str]) -> None:
    """A sidecar or init container, under the security context of the server."""
    target: DocumentPath = ("spec", field, len(mappings(reading.spec.get(field))))
    reading.map((*path, "name"), (*target, "name"), reading.text(*path, "name"))
    reading.map((*path, "image"), (*target, "image"), reading.text(*path, "image"))
    read_words(reading, path, target)
    read_env(reading, path, target, known)
    read_resources(reading, path, target)
    for mount, item in reading.items(*path, "volumeMounts"):
        source = shared.get(reading.text(*mount, "name"))
        if source is None or at(item, "subPath"):
            reading.lose(mount, "a container mounts what the server's own container mounts as a whole")
            continue
        where = reading.text(*mount, "mountPath")
        fields = with_values({"source": source, "path": where, "readOnly": bool(at(item, "readOnly"))})
        reading.map(mount, (*target, "mounts", END), fields)
    lose_defaults(reading, path, CONTAINER_DEFAULTS)
    reading.lose_all(["imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"], "no field", path)
    reading.lose_all(["ports", "restartPolicy"], "of no use: the containers of a pod share their ports", path)
    if reading.mapping(*path, "securityContext"):
        reading.note((*path, "securityContext"), ("spec", "security"), "that of the server holds for it too")


def _used(gathering: Gathering, known: Known, server: Object) -> None:
    """Reports the ConfigMaps and claims that were copied into the spec."""
    text = repr((pod_spec(server), server.spec.get("volumeClaimTemplates")))
    for each in known.claims.values():
        if f"'claimName': '{each.name}'" in text:
            reading = gathering.add(each)
            reading.note(("spec",), ("spec", "storage"))
            reading.note(("metadata",), ("spec", "adopt", "claims"))
    for each in known.config_maps.values():
        if f"'name': '{each.name}'" in text:
            reading = gathering.add(each)
            reading.note(("data",), ("spec",), "files and variables of the spec")
            why = f"{each.words} is used by nothing once the new pods run: delete it then"
            reading.lose(("metadata",), why, harmless=True)
            reading.note(("binaryData",), ("spec", "files"))
