"""An index of the objects of a run, and rules of objects that refer to others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias, cast

from renderer.check.api_rules.grammars import refused
from renderer.check.api_rules.metadata import label_pairs, matches
from renderer.errors import DocumentPath, Fault, Severity
from renderer.kinds import KINDS
from renderer.manifest import CONTAINER_FIELDS, Identity, Json, entries, kind_of, labels, mapping, pod_of, text
from renderer.namedtuples import NamedTuple
from renderer.wording import did_you_mean, either, excerpt

#: The server that an object belongs to; selecting no pod of it is a mistake.
SERVER_LABEL = "mcpctl.io/server"
#: Labels by which later commands find our objects.
OURS = (SERVER_LABEL, "mcpctl.io/managed")

#: Faults with the index of their document.
Placed = Iterator[tuple[int, Fault]]


class Object(NamedTuple):
    """A document and what others refer to it by."""

    position: int
    kind: str
    namespace: str
    name: str
    doc: Json
    #: Path and pod template, if it has pods.
    pod: tuple[DocumentPath, Json] | None


class Pods(NamedTuple):
    """What selectors see of a pod or pod template."""

    owner: Object
    labels: Mapping[str, str]
    spec: Json


class Index:
    """All objects. Pods are found by one label of the selector, so the cost stays linear."""

    def __init__(self) -> None:
        self.objects: list[Object] = []
        self.pods: list[Pods] = []
        self.by_label: dict[tuple[str, str, str], list[Pods]] = {}
        self.services: dict[str, list[str]] = {}
        self.named: dict[tuple[str, str, str], Object] = {}

    def selected(self, namespace: str, selector: Json) -> list[Pods]:
        groups = [self.by_label.get((namespace, k, v), []) for k, v in label_pairs(selector).items()]
        candidates = min(groups, key=len) if groups else self.pods
        return [p for p in candidates if p.owner.namespace == namespace and matches(selector, p.labels)]


def read(docs: Sequence[Json]) -> Index:
    index = Index()
    for position, doc in enumerate(docs):
        about = mapping(doc, "metadata")
        pod = pod_of(doc)
        item = Object(position, kind_of(doc), text(about, "namespace"), text(about, "name"), doc, pod)
        index.objects.append(item)
        index.named.setdefault((item.kind, item.namespace, item.name), item)
        if text(doc, "kind") == "ExternalSecret":  # its operator makes a Secret
            made = text(mapping(mapping(doc, "spec"), "target"), "name") or item.name
            index.named.setdefault(("Secret", item.namespace, made), item)
        if item.kind == "Service":
            index.services.setdefault(item.namespace, []).append(item.name)
        if pod is not None:
            pod_labels = labels(mapping(mapping(pod[1], "metadata"), "labels"))
            pods = Pods(item, pod_labels, mapping(pod[1], "spec"))
            index.pods.append(pods)
            for key, value in pod_labels.items():
                index.by_label.setdefault((item.namespace, key, value), []).append(pods)
    return index


def selects_nothing(item: Object, index: Index, path: DocumentPath) -> Placed:
    """A fault only if there are pods of the same server: others may exist elsewhere."""
    server = mapping(mapping(item.doc, "metadata"), "labels").get(SERVER_LABEL)
    own = index.by_label.get((item.namespace, SERVER_LABEL, str(server)), [])
    if own:
        message = f"selects no pod, not even those of {own[0].owner.kind} {excerpt(own[0].owner.name)}"
        yield item.position, refused(path, "selects-nothing", message, "use labels that the pod template has")


def selects_others(item: Object, selected: Sequence[Pods]) -> Placed:
    """Pods of another server would get its traffic or be kept by its budget."""
    server = mapping(mapping(item.doc, "metadata"), "labels").get(SERVER_LABEL)
    others = [pods for pods in selected if pods.labels.get(SERVER_LABEL, server) != server]
    if server and others:
        message = f"selects pods of server {excerpt(others[0].labels[SERVER_LABEL])} too"
        yield item.position, refused(("spec", "selector"), "selects-others", message, f"add the label {SERVER_LABEL}")


# ---------------------------------------------------------------------------------------------
# References by name. A step that ends with [] is a list.

_VOLUMES = "volumes[]"
_ENV = tuple(f"{field}[].{{}}" for field in CONTAINER_FIELDS)
#: Paths of names in a pod, and the kinds that they refer to.
_POD_NAMES: Mapping[str, str] = {
    "serviceAccountName": "ServiceAccount",
    "serviceAccount": "ServiceAccount",
    "imagePullSecrets[].name": "Secret",
    f"{_VOLUMES}.configMap.name": "ConfigMap",
    f"{_VOLUMES}.secret.secretName": "Secret",
    f"{_VOLUMES}.persistentVolumeClaim.claimName": "PersistentVolumeClaim",
    f"{_VOLUMES}.projected.sources[].configMap.name": "ConfigMap",
    f"{_VOLUMES}.projected.sources[].secret.name": "Secret",
    f"{_VOLUMES}.csi.nodePublishSecretRef.name": "Secret",
    **{where.format("env[].valueFrom.configMapKeyRef.name"): "ConfigMap" for where in _ENV},
    **{where.format("env[].valueFrom.secretKeyRef.name"): "Secret" for where in _ENV},
    **{where.format("envFrom[].configMapRef.name"): "ConfigMap" for where in _ENV},
    **{where.format("envFrom[].secretRef.name"): "Secret" for where in _ENV},
}
#: The same for other objects by kind; a ``kind`` next to the name has precedence.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "ServiceAccount": {"imagePullSecrets[].name": "Secret", "secrets[].name": "Secret"},
    "RoleBinding": {"roleRef.name": "Role", "subjects[].name": "ServiceAccount"},
    "ClusterRoleBinding": {"roleRef.name": "ClusterRole", "subjects[].name": "ServiceAccount"},
    "Ingress": {"spec.tls[].secretName": "Secret"},
    "HTTPRoute": {"spec.parentRefs[].name": "Gateway"},
    "ExternalSecret": {"spec.secretStoreRef.name": "SecretStore"},
}
#: By (field, whether it is a list): the subtree, or the kind that the name refers to.
_Tree: TypeAlias = "dict[tuple[str, bool], _Tree | str]"


def _tree(names: Mapping[str, str]) -> _Tree:
    """Merges common prefixes of the paths, so that absent fields are looked up once."""
    tree: _Tree = {}
    for path, kind in names.items():
        node, (*steps, field) = tree, path.split(".")
        for step in steps:
            node = cast("_Tree", node.setdefault((step.removesuffix("[]"), step.endswith("[]")), {}))
        node[field, False] = kind
    return tree


_POD_TREE, _TREES = _tree(_POD_NAMES), {kind: _tree(names) for kind, names in _NAMES.items()}
#: Objects that every namespace has.
_ALWAYS = (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"))


def unknown_names(item: Object, index: Index, outside: Collection[Identity]) -> Placed:
    """Required references to objects neither rendered nor ``outside``: pods would wait for them forever."""
    kind = text(item.doc, "kind")
    holders = [_holders(item.doc, _TREES[kind], ())] if kind in _TREES else []
    if item.pod:
        holders.append(_holders(mapping(item.pod[1], "spec"), _POD_TREE, (*item.pod[0], "spec")))
    for path, holder, default in chain(*holders):
        name, wanted = text(holder, str(path[-1])), text(holder, "kind") or default
        namespace = text(holder, "namespace") or item.namespace
        if wanted in KINDS and not KINDS[wanted].namespaced:
            namespace = ""
        identity: Identity = (wanted, namespace, name)
        there = identity in index.named or identity in outside or (wanted, name) in _ALWAYS
        if name and not there and holder.get("optional") is not True:
            known = [n for k, space, n in index.named if (k, space) == (wanted, namespace)]
            fault = _missing(wanted, name, known, path, "unknown-reference")
            yield item.position, fault._replace(hint=fault.hint or _NAME_IT)


_NAME_IT = "name it in a field of the spec, which makes it a prerequisite"


def _holders(parent: Json, tree: _Tree, path: DocumentPath) -> Iterator[tuple[DocumentPath, Json, str]]:
    """For each reference its path, the mapping that holds it, and its kind."""
    for (step, is_list), below in tree.items():
        if step not in parent:
            continue
        if isinstance(below, str):
            yield (*path, step), parent, below
        elif not is_list:
            yield from _holders(mapping(parent, step), below, (*path, step))
        else:
            for i, entry in entries(parent, step):
                yield from _holders(entry, below, (*path, step, i))


# ---------------------------------------------------------------------------------------------
# Other references.


def _autoscaler(item: Object, index: Index) -> Placed:
    target = mapping(mapping(item.doc, "spec"), "scaleTargetRef")
    kind, name = text(target, "kind"), text(target, "name")
    where: DocumentPath = ("spec", "scaleTargetRef", "name")
    scaled = index.named.get((kind, item.namespace, name))
    if scaled is None:
        known = [n for k, namespace, n in index.named if (k, namespace) == (kind, item.namespace)]
        yield item.position, _missing(kind, name, known, where, "unknown-scale-target")
        return
    if "replicas" in mapping(scaled.doc, "spec"):
        message = f"HorizontalPodAutoscaler {excerpt(item.name)} decides the number too"
        fault = refused(("spec", "replicas"), "replicas-autoscaled", message, "remove replicas", at_key=True)
        yield scaled.position, fault
    # Utilization is relative to requests: without one the autoscaler does nothing.
    path, pod = scaled.pod or ((), {})
    measured = [mapping(metric, "resource") for _, metric in entries(mapping(item.doc, "spec"), "metrics")]
    shares = [text(each, "name") for each in measured if text(mapping(each, "target"), "type") == "Utilization"]
    scaler = f"HorizontalPodAutoscaler {excerpt(item.name)}"
    for name in shares:
        for i, container in entries(mapping(pod, "spec"), "containers"):
            resources = mapping(container, "resources")
            # A missing request defaults to the limit.
            if name not in mapping(resources, "requests") and name not in mapping(resources, "limits"):
                who = f"container {excerpt(text(container, 'name'))}"
                message = f"{who} requests no {name}, and {scaler} scales by a share of that"
                hint = f"request some {name}, unless a LimitRange of the namespace fills it in"
                place = (*path, "spec", "containers", i)
                yield (
                    scaled.position,
                    refused(place, "autoscaled-without-request", message, hint)._replace(severity=Severity.WARNING),
                )


def _missing(kind: str, name: str, known: list[str], path: DocumentPath, rule: str) -> Fault:
    near = did_you_mean(name, known)
    hint = f"did you mean {excerpt(near)}?" if near else ""
    return refused(path, rule, f"no {excerpt(kind)} of this set is called {excerpt(name)}", hint)


def _budget(item: Object, index: Index) -> Placed:
    selector = mapping(mapping(item.doc, "spec"), "selector")
    selected = index.selected(item.namespace, selector)
    if not (selector.get("matchLabels") or selector.get("matchExpressions")):
        message = "selects every pod of the namespace, those of others too"
        yield item.position, refused(("spec", "selector"), "selects-others", message, f"add the label {SERVER_LABEL}")
    elif not selected:
        yield from selects_nothing(item, index, ("spec", "selector"))
    else:
        yield from selects_others(item, selected)


def _ingress(item: Object, index: Index) -> Placed:
    spec = mapping(item.doc, "spec")
    backends: list[tuple[Json, DocumentPath]] = [(mapping(spec, "defaultBackend"), ("spec", "defaultBackend"))]
    for i, rule in entries(spec, "rules"):
        for j, path in entries(mapping(rule, "http"), "paths"):
            backends.append((mapping(path, "backend"), ("spec", "rules", i, "http", "paths", j, "backend")))
    for parent, above in backends:
        if backend := mapping(parent, "service"):
            port, where = mapping(backend, "port"), (*above, "service")
            wanted = port.get("name") or port.get("number")
            field = "name" if "name" in port else "number"
            for fault in _backend_faults(backend, wanted, item, index, where, ("port", field)):
                yield item.position, fault


def _route(item: Object, index: Index) -> Placed:
    for i, rule in entries(mapping(item.doc, "spec"), "rules"):
        for j, backend in entries(rule, "backendRefs"):
            where = ("spec", "rules", i, "backendRefs", j)
            # Other namespaces are not ours, and custom backends have no ports.
            if text(backend, "namespace") in ("", item.namespace) and backend.get("kind", "Service") == "Service":
                for fault in _backend_faults(backend, backend.get("port"), item, index, where, ("port",)):
                    yield item.position, fault


def _backend_faults(
    backend: Json, port: Any, item: Object, index: Index, path: DocumentPath, port_path: DocumentPath
) -> Iterator[Fault]:
    """The Service must exist and have the port, by name or number."""
    name = text(backend, "name")
    service = index.named.get(("Service", item.namespace, name))
    if service is None:
        known = index.services.get(item.namespace, [])
        yield _missing("Service", name, known, (*path, "name"), "unknown-service")
        return
    ports = [entry for _, entry in entries(mapping(service.doc, "spec"), "ports")]
    field = "name" if isinstance(port, str) else "port"
    known_ports = [entry[field] for entry in ports if field in entry]
    if port not in known_ports:
        message = f"Service {excerpt(name)} has no port {excerpt(port)}"
        hint = f"its ports are {either([excerpt(known) for known in known_ports])}" if known_ports else ""
        yield refused((*path, *port_path), "unknown-port", message, hint)


def _monitor(item: Object, index: Index) -> Placed:
    if text(item.doc, "apiVersion").partition("/")[0] != "monitoring.coreos.com":
        return
    spec = mapping(item.doc, "spec")
    if any(mapping(spec, "namespaceSelector").get(key) for key in ("any", "matchNames")):
        return
    selected = [
        service
        for name in index.services.get(item.namespace, ())
        if (service := index.named.get(("Service", item.namespace, name)))
        and matches(mapping(spec, "selector"), labels(mapping(mapping(service.doc, "metadata"), "labels")))
    ]
    if not selected:
        message = "selects no Service of this set, so nothing would be scraped"
        hint = "use labels that the Service has"
        yield item.position, refused(("spec", "selector"), "selects-nothing", message, hint)
        return
    names = [text(p, "name") for service in selected for _, p in entries(mapping(service.doc, "spec"), "ports")]
    for i, endpoint in entries(spec, "endpoints"):
        port = text(endpoint, "port")
        if port and port not in names:
            message = f"no selected Service has a port called {excerpt(port)}"
            hint = f"its ports are {either([excerpt(name) for name in names])}"
            yield item.position, refused(("spec", "endpoints", i, "port"), "unknown-port", message, hint)


#: Checks of references by kind.
REFERRING: Mapping[str, Callable[[Object, Index], Placed]] = {
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "Ingress": _ingress,
    "HTTPRoute": _route,
    "ServiceMonitor": _monitor,
}
