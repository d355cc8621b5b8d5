"""What an API server refuses in autoscalers, budgets and Ingresses by themselves."""

from __future__ import annotations

from renderer.check.api_rules.forms import DNS_SUBDOMAIN, choice_fault, name_fault, range_fault, refused
from renderer.check.api_rules.metadata import selector_faults
from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, entries, mapping, text
from renderer.wording import excerpt

_PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")


def autoscaler_faults(doc: Json) -> list[Fault]:
    """Faults of one HorizontalPodAutoscaler."""
    spec = mapping(doc, "spec")
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    faults = range_fault(least, 1, None, ("spec", "minReplicas"), "scale-bounds")
    if isinstance(least, int) and isinstance(most, int) and most < max(least, 1):
        message = f"maxReplicas {excerpt(most)} must not be below minReplicas {excerpt(least)}"
        faults.append(refused(("spec", "maxReplicas"), "scale-bounds", message))
    return faults


def budget_faults(doc: Json) -> list[Fault]:
    """Faults of one PodDisruptionBudget."""
    spec = mapping(doc, "spec")
    faults = selector_faults(mapping(spec, "selector"), ("spec", "selector"))
    given = [name for name in ("minAvailable", "maxUnavailable") if name in spec]
    if len(given) == 2:
        faults.append(refused(("spec",), "budget", "minAvailable and maxUnavailable exclude one another"))
    return faults


def ingress_faults(doc: Json) -> list[Fault]:
    """Faults of one Ingress."""
    spec = mapping(doc, "spec")
    name = spec.get("ingressClassName")
    faults = name_fault(DNS_SUBDOMAIN, name, ("spec", "ingressClassName"), "name", "ingress class")
    if not spec.get("rules") and not spec.get("defaultBackend"):
        faults.append(refused(("spec",), "ingress-rules", "needs rules, or a defaultBackend"))
    for i, rule in entries(spec, "rules"):
        faults += _host_faults(rule, ("spec", "rules", i, "host"))
        for j, path in entries(mapping(rule, "http"), "paths"):
            faults += _path_faults(path, ("spec", "rules", i, "http", "paths", j))
    return faults


def _host_faults(rule: Json, path: DocumentPath) -> list[Fault]:
    """A host name, with ``*`` as its first part only."""
    host = text(rule, "host")
    return name_fault(DNS_SUBDOMAIN, host.removeprefix("*."), path, "host", "host") if host else []


def _path_faults(entry: Json, path: DocumentPath) -> list[Fault]:
    faults = choice_fault(entry.get("pathType"), _PATH_TYPES, (*path, "pathType"))
    value = text(entry, "path")
    if entry.get("pathType") in ("Exact", "Prefix") and not value.startswith("/"):
        faults.append(refused((*path, "path"), "path", f"path {excerpt(value)} must begin with '/'"))
    return faults
