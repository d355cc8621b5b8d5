"""MCP servers among Kubernetes manifests: their workloads and the objects that belong to these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Choices, Draft, Reading, draft_of, plain_text
from renderer.importers.manifests import network, related
from renderer.importers.manifests.objects import (
    STAYS,
    Gathering,
    Object,
    mapping,
    objects_of,
    pod_labels,
    pod_spec,
    recognises,
    same_place,
    selects,
    template_path,
)
from renderer.importers.manifests.servers import KINDS, main_container, servers_among, transport_of
from renderer.importers.manifests.workloads import read_workload
from renderer.manifest import mappings
from renderer.model import Source

FORMAT = "manifests"
__all__ = ["FORMAT", "read", "recognises"]
_NO_SERVER = "no MCP server: " + STAYS + "; network.egress.services opens the way to it"


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    """A Draft of each server; objects that belong to none are reported with the first."""
    del choices
    objects = objects_of(sources)
    workloads = [each for each in objects if each.kind in KINDS and mappings(pod_spec(each).get("containers"))]
    servers = servers_among(workloads)
    if not servers:
        return [_refused(objects, workloads)] if objects else []
    gatherings = [_gathered(each, objects) for each in servers]
    taken = [each for gathering in gatherings for each in gathering.taken]
    for each in objects:
        if each not in taken and each not in servers:
            gatherings[0].leave(each, _NO_SERVER if each.kind in KINDS else f"it belongs to no server; {STAYS}")
    pairs = zip(servers, gatherings, strict=True)
    return [draft_of(server.name, FORMAT, *gathering.readings) for server, gathering in pairs]


def _refused(objects: Sequence[Object], workloads: Sequence[Object]) -> Draft:
    first = objects[0]
    reading = Reading(first.source, first.root)
    kinds = excerpt(", ".join(sorted({each.kind for each in objects})), 200)
    message = f"there is no Deployment, StatefulSet or Pod with containers among the objects ({kinds})"
    if workloads:
        names = excerpt(", ".join(each.words for each in workloads), 200)
        message = f"none of the workloads is an MCP server ({names}): databases and proxies stay as they are"
    reading.refuse((), "import/no-workload", message, "add the manifest of the server to the files")
    return draft_of(first.name, FORMAT, reading)


def _gathered(server: Object, objects: Sequence[Object]) -> Gathering:
    """Reads the workload, then what selects it, refers to it, or is referred to."""
    near = [each for each in objects if same_place(each, server)]
    labels = pod_labels(server)
    services = [each for each in near if each.kind == "Service" and selects(each.spec.get("selector"), labels)]
    number = main_container(server)
    ports = [port for each in services for port in _ports(each)]
    targets = [plain_text(port.get("targetPort")) or plain_text(port.get("port")) for port in ports]
    transport = transport_of(server, number, targets)
    gathering = Gathering(server, transport.port, transport.named)
    read_workload(gathering, server, number, transport, near)
    _network(gathering, near, services, labels)
    pod: DocumentPath = (*template_path(server), "spec")
    name = plain_text(pod_spec(server).get("serviceAccountName")) or plain_text(pod_spec(server).get("serviceAccount"))
    account = next((each for each in near if each.kind == "ServiceAccount" and each.name == name), None)
    related.read_account(name, account, gathering, pod)
    if name and name != "default":
        related.read_rights(name, near, gathering)
    for each in near:
        if each.kind == "HorizontalPodAutoscaler" and mapping(each.spec, "scaleTargetRef").get("name") == server.name:
            related.read_autoscaler(each, gathering)
        elif each.kind == "PodDisruptionBudget" and selects(each.spec.get("selector"), labels):
            related.read_disruption(each, gathering)
        elif each.kind == "ExternalSecret" and each.name in _secrets(gathering.first.document):
            related.read_external_secret(each, gathering)
    return gathering


def _ports(service: Object) -> list[dict[str, Any]]:
    return mappings(service.spec.get("ports"))


def _network(
    gathering: Gathering, near: Sequence[Object], services: Sequence[Object], labels: Mapping[str, str]
) -> None:
    port, target_port = gathering.port, gathering.target_port
    clustered = [each for each in services if each.spec.get("clusterIP") != "None"]
    own = next((each for each in clustered if any(target_port(item) == port for item in _ports(each))), None)
    if own:
        network.read_service(own, gathering)
    for each in services:
        if each is not own:
            gathering.leave(each, f"a further Service of the pods; {STAYS}")
    names = [each.name for each in services]
    _ways_in(gathering, near, names)
    if not port:
        return
    policies = [e for e in near if e.kind == "NetworkPolicy" and selects(e.spec.get("podSelector"), labels)]
    network.read_policies(policies, gathering)
    for each in near:
        if each.kind == "ServiceMonitor" and own and selects(each.spec.get("selector"), own.labels):
            ports = {plain_text(item.get("name")): target_port(item) for item in _ports(own)}
            network.read_monitor(each, gathering, {**ports, **gathering.ports})


def _ways_in(gathering: Gathering, near: Sequence[Object], services: Sequence[str]) -> None:
    ways = [each for each in near if each.kind in ("Ingress", "HTTPRoute") and network.leads_to(each, services)]
    for number, each in enumerate(ways):
        if number:
            gathering.leave(each, f"a spec has one Ingress or HTTPRoute; {STAYS}")
        elif each.kind == "Ingress":
            network.read_ingress(each, gathering, services)
        else:
            network.read_route(each, gathering, services)


def _secrets(value: Any) -> set[str]:
    """Names of the Secrets in the spec."""
    names = {value["secret"]} if isinstance(value, dict) and isinstance(value.get("secret"), str) else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return names.union(*map(_secrets, inner))
