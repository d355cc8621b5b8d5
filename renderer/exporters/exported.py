"""The export of one server: documents, and a report on every field of its spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from renderer.errors import DocumentPath
from renderer.importers.draft import Entry, Outcome
from renderer.labels import DESCRIPTION_ANNOTATION
from renderer.model import JSON, Options, Server


class Exported(NamedTuple):
    """``documents`` is empty if the server cannot be exported."""

    server: Server
    documents: tuple[Mapping[str, JSON], ...]
    entries: tuple[Entry, ...]


class Lost(NamedTuple):
    """Why the format cannot express a field, and what to do. ``harmless``: nothing that runs reads it."""

    why: str
    harmless: bool = False


_UNKNOWN = Lost("the resource has no such field")


#: By dotted path in a spec (the longest counts): the target path, or the loss.
Fates: TypeAlias = Mapping[str, str | Lost]


def entry(server: Server, path: DocumentPath, outcome: Outcome, target: str = "", message: str = "") -> Entry:
    """``target``: a dotted path; numbers are list indexes."""
    steps = tuple(int(step) if step.isdigit() else step for step in target.split(".")) if target else None
    return Entry(server.source.place(path, at_key=True), path, outcome, steps, message)


def lost(server: Server, path: DocumentPath, why: str) -> Entry:
    return entry(server, path, Outcome.LOST, message=why)


def refused(server: Server, path: DocumentPath, why: str) -> Exported:
    """``path``: the field for which the server cannot be exported."""
    return Exported(server, (), (lost(server, path, why),))


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drops empty values."""
    return {key: value for key, value in values.items() if value}


def document(api_version: str, kind: str, server: Server, options: Options, spec: Mapping[str, Any]) -> dict[str, JSON]:
    """An operator's resource with the labels and annotations of the server."""
    about = {DESCRIPTION_ANNOTATION: server.description} if server.description else {}
    more = without_empty({"labels": dict(server.labels), "annotations": {**about, **server.annotations}})
    metadata = {"name": server.name, "namespace": options.namespace_of(server), **more}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def entries_of(server: Server, fates: Fates) -> Iterator[Entry]:
    """An Entry for each field that the spec sets, in its order."""
    spec = server.source.data.get("spec")
    assert isinstance(spec, dict)
    for path in _fields(spec, fates):
        fate = fates.get(".".join(path), _UNKNOWN)
        if isinstance(fate, Lost):
            yield lost(server, ("spec", *path), fate.why)._replace(harmless=fate.harmless)
        elif fate:
            yield entry(server, ("spec", *path), Outcome.MAPPED, fate)


def network_entry(server: Server) -> Iterator[Entry]:
    """mcpctl renders a NetworkPolicy for each server; most operators do not."""
    if not server.sets("spec", "network", "egress"):
        yield lost(
            server, ("spec", "network"), "the operator makes no NetworkPolicy: who may connect to the pods is open"
        )


def _fields(node: Mapping[str, JSON], fates: Fates, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of fields; a mapping that has fates inside yields its fields instead."""
    for key, value in node.items():
        path = (*above, key)
        dotted = ".".join(path)
        if isinstance(value, dict) and any(known.startswith(f"{dotted}.") for known in fates):
            yield from _fields(value, fates, path)
        else:
            yield path


_POLICY = Lost("the operator makes no NetworkPolicy: write one that selects its pods, or their connections are open")
_COMPOSE = Lost("only compose has it", harmless=True)
_ACCEPTED = Lost("mcpctl's policy judges what mcpctl renders, and not the operator's objects", harmless=True)
_ROUTE = Lost("the operator leads no host name to the server: write an Ingress or HTTPRoute to its Service")
_ONE_WORKLOAD = Lost("the operator decides how its pods are replaced")

#: An empty target: expressed elsewhere, no report needed.
COMMON: Fates = {
    "description": "metadata.annotations",
    "annotations": Lost("only mcpctl's own objects can be annotated by kind"),
    "resourceName": Lost("the operator names its objects after the resource", harmless=True),
    "namespace": "metadata.namespace",
    "size": "",
    "patches": Lost("they patch objects that mcpctl renders, and the operator makes its own"),
    "sandbox": Lost("the operator makes no second namespace; 'mcpctl render' does"),
    "workload": Lost("the operator decides the kind of the workload"),
    "rollout": _ONE_WORKLOAD,
    "disruption": Lost("the operator makes no PodDisruptionBudget: write one for its pods"),
    "autoscaling": Lost("the operator makes no HorizontalPodAutoscaler: write one for its workload"),
    "expose": _ROUTE,
    "monitoring": Lost("the operator makes no ServiceMonitor or PrometheusRule for the server: write them"),
    "network.egress": _POLICY,
    "network.ingress": _POLICY,
    "network.publish": _COMPOSE,
    "network.hostAliases": Lost("the resource has no hostAliases"),
    "compose": _COMPOSE,
    "accept": _ACCEPTED,
    "adopt": Lost("the operator makes objects of its own, with its own names"),
    "externalSecrets": "ExternalSecret",
    "access": Lost(
        "anybody who reaches the operator's Service may call the server: the resource has no rules for that"
    ),
    "transport.bridge": Lost("the operator brings its own bridge"),
    "transport.messagesPath": Lost("the resource has no second path"),
    "service.type": Lost("the operator's Service is of type ClusterIP"),
    "service.nodePort": Lost("the operator's Service is of type ClusterIP"),
    "service.sourceRanges": Lost("the operator's Service is of type ClusterIP"),
    "service.appProtocol": Lost("the resource does not say it"),
    "service.annotations": Lost("the resource does not say it"),
    "service.ports": Lost("the operator's Service has one port"),
    "health": Lost("the resource has no probes"),
    "runtimeClass": Lost("the resource has no runtimeClassName"),
    "initContainers": Lost("the resource has no further init containers"),
    "sidecars": Lost("the resource has no further containers"),
    "shutdown": Lost("the resource has no grace period"),
    "scheduling": Lost("the resource does not say where its pods run"),
    "gpu": Lost("the resource has no limits but CPU and memory, and no node selector"),
}
