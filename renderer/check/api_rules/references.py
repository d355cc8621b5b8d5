"""What names other objects of the set: autoscalers, budgets, the ways in, and what Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from renderer.check.api_rules.forms import refused
from renderer.check.api_rules.index import Found, Index, Object, selects_nothing
from renderer.check.api_rules.metadata import matches
from renderer.check.shape import Json, entries, labels, mapping, pod_of, text
from renderer.errors import DocumentPath, Fault, Severity
from renderer.wording import did_you_mean, either, excerpt


def _autoscaler(item: Object, index: Index) -> Found:
    target = mapping(mapping(item.doc, "spec"), "scaleTargetRef")
    kind, name = text(target, "kind"), text(target, "name")
    where: DocumentPath = ("spec", "scaleTargetRef", "name")
    found = index.named.get((kind, item.namespace, name))
    if found is None:
        known = [n for k, namespace, n in index.named if (k, namespace) == (kind, item.namespace)]
        yield item.position, _missing(kind, name, known, where, "unknown-scale-target")
        return
    if "replicas" in mapping(found.doc, "spec"):
        message = f"HorizontalPodAutoscaler {excerpt(item.name)} decides the number too"
        fault = refused(("spec", "replicas"), "replicas-autoscaled", message, "remove replicas", at_key=True)
        yield found.position, fault
    yield from _unmeasured(item, found)


def _unmeasured(item: Object, found: Object) -> Found:
    """Percentages are of what pods request: where one container requests nothing, the autoscaler does nothing."""
    path, pod = pod_of(found.doc) or ((), {})
    for _, metric in entries(mapping(item.doc, "spec"), "metrics"):
        measured = mapping(metric, "resource")
        if text(mapping(measured, "target"), "type") == "Utilization":
            for i, container in entries(mapping(pod, "spec"), "containers"):
                if not _requests(container, text(measured, "name")):
                    where = (*path, "spec", "containers", i)
                    yield found.position, _requests_nothing(container, text(measured, "name"), item, where)


def _requests(container: Json, name: str) -> bool:
    """Where there is no request, the limit is one."""
    resources = mapping(container, "resources")
    return name in mapping(resources, "requests") or name in mapping(resources, "limits")


def _requests_nothing(container: Json, name: str, item: Object, path: DocumentPath) -> Fault:
    who = f"container {excerpt(text(container, 'name'))}"
    message = f"{who} requests no {name}, and HorizontalPodAutoscaler {excerpt(item.name)} scales by a share of that"
    hint = f"request some {name}, unless a LimitRange of the namespace fills it in"
    return refused(path, "autoscaled-without-request", message, hint)._replace(severity=Severity.WARNING)


def _missing(kind: str, name: str, known: list[str], path: DocumentPath, rule: str) -> Fault:
    near = did_you_mean(name, known)
    hint = f"did you mean {excerpt(near)}?" if near else ""
    return refused(path, rule, f"no {excerpt(kind)} of this set is called {excerpt(name)}", hint)


def _budget(item: Object, index: Index) -> Found:
    selector = mapping(mapping(item.doc, "spec"), "selector")
    if not index.selected(item.namespace, selector):
        yield from selects_nothing(item, index, ("spec", "selector"))


def _ingress(item: Object, index: Index) -> Found:
    spec = mapping(item.doc, "spec")
    backends: list[tuple[Json, DocumentPath]] = [
        (mapping(mapping(spec, "defaultBackend"), "service"), ("spec", "defaultBackend", "service"))
    ]
    for i, rule in entries(spec, "rules"):
        for j, path in entries(mapping(rule, "http"), "paths"):
            place = ("spec", "rules", i, "http", "paths", j, "backend", "service")
            backends.append((mapping(mapping(path, "backend"), "service"), place))
    for backend, where in backends:
        if backend:
            port = mapping(backend, "port")
            wanted = port.get("name") or port.get("number")
            field = "name" if "name" in port else "number"
            for fault in _backend_faults(backend, wanted, item, index, where, ("port", field)):
                yield item.position, fault


def _route(item: Object, index: Index) -> Found:
    for i, rule in entries(mapping(item.doc, "spec"), "rules"):
        for j, backend in entries(rule, "backendRefs"):
            where = ("spec", "rules", i, "backendRefs", j)
            # What lies in another namespace is somebody else's.
            if text(backend, "namespace") in ("", item.namespace):
                for fault in _backend_faults(backend, backend.get("port"), item, index, where, ("port",)):
                    yield item.position, fault


def _backend_faults(
    backend: Json, port: Any, item: Object, index: Index, path: DocumentPath, port_path: DocumentPath
) -> Iterator[Fault]:
    """The Service is in the set, and has the port, by name or by number."""
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


def _monitor(item: Object, index: Index) -> Found:
    """A monitor whose selector finds no Service, or no port, would silently scrape nothing."""
    if text(item.doc, "apiVersion").partition("/")[0] != "monitoring.coreos.com":
        return
    spec = mapping(item.doc, "spec")
    if any(mapping(spec, "namespaceSelector").get(key) for key in ("any", "matchNames")):
        return
    selected = _selected_services(item, index, mapping(spec, "selector"))
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


def _selected_services(item: Object, index: Index, selector: Json) -> list[Object]:
    return [
        found
        for name in index.services.get(item.namespace, ())
        if (found := index.named.get(("Service", item.namespace, name)))
        and matches(selector, labels(mapping(mapping(found.doc, "metadata"), "labels")))
    ]


#: What names other objects, by kind: each yields positions and Faults.
REFERRING: Mapping[str, Callable[[Object, Index], Found]] = {
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "Ingress": _ingress,
    "HTTPRoute": _route,
    "ServiceMonitor": _monitor,
}
