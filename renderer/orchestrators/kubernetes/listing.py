"""Instances page by page, so that only one page is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from renderer.errors import ApplyFailed, excerpt
from renderer.labels import SERVER_LABEL
from renderer.manifest import labels_of
from renderer.orchestrators.contract import MANAGED_LABEL, InstanceFilters, InstancePage, InstanceState, InstanceStatus
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.kubernetes.client import Data, Kubectl, known_name
from renderer.orchestrators.kubernetes.objects import HOME_LABEL
from renderer.orchestrators.kubernetes.reasons import of_pod
from renderer.orchestrators.kubernetes.status import Snapshot, status_of

#: Plural, kind and root in the API, in the order of a list.
_PLURALS: Mapping[str, tuple[str, str]] = {
    "deployments": ("Deployment", "/apis/apps/v1"),
    "statefulsets": ("StatefulSet", "/apis/apps/v1"),
    "pods": ("Pod", "/api/v1"),
}
#: The last page: servers of a run in this namespace that lie in others.
_ELSEWHERE = "elsewhere"
_PAGES = (*_PLURALS, _ELSEWHERE)
#: Names in one selector: an address of 8 KiB is refused by proxies.
_NAMES_AT_ONCE = 60
_PODS_AT_ONCE = 500


class _Spot(NamedTuple):
    plural: str
    token: str

    def __str__(self) -> str:
        return f"{self.plural}:{self.token}"


def page_of(kubectl: Kubectl, filters: InstanceFilters, page: str, size: int) -> InstancePage:
    """At most ``size`` instances: Deployments, then StatefulSets, then single Pods, each by name; then those that were
    applied from this namespace into others.
    """
    plural, _, token = page.partition(":")
    if page and plural not in _PAGES:
        raise ApplyFailed(f"{excerpt(page)!r} is not a page token: list again without it")
    spot = _Spot(plural or _PAGES[0], token)
    while True:
        if spot.plural == _ELSEWHERE:
            items, token = _elsewhere(kubectl, _selector(filters)), ""
        else:
            items, token = _items(kubectl, spot, _selector(filters), size)
        alone = [data for data in items if not data["metadata"].get("ownerReferences")]
        states = filters.states or InstanceState
        statuses = [status for status in _statuses(kubectl, alone, spot.plural) if status.state in states]
        if spot.plural == _ELSEWHERE:
            if not (statuses or page):
                refuse_missing_namespace(kubectl)
            return InstancePage(tuple(statuses))
        following = _Spot(spot.plural, token) if token else _Spot(_PAGES[_PAGES.index(spot.plural) + 1], "")
        # A page may be empty: pods of Deployments and other states are left out.
        if statuses:
            return InstancePage(tuple(statuses), str(following))
        spot = following


def refuse_missing_namespace(kubectl: Kubectl) -> None:
    """Of a namespace that does not exist an API server returns an empty list."""
    try:
        kubectl.call("reading the namespace", "get", f"namespaces/{kubectl.namespace}", "--output=name")
    except Refused as refused:
        if refused.kind in ("not found", "no namespace"):
            text = f"the namespace {kubectl.namespace} does not exist in {kubectl.place.cluster}"
            advice = "check --namespace and --context, or create it: mcpctl apply --create-namespace"
            raise ApplyFailed(f"{text}; {advice}") from None


def _selector(filters: InstanceFilters) -> str:
    terms = [f"{MANAGED_LABEL}=true", *(f"{key}={value}" for key, value in sorted(filters.labels.items()))]
    if filters.servers:
        names = ",".join(known_name(name, "server") for name in filters.servers)
        terms.append(f"{SERVER_LABEL} in ({names})")
    return ",".join(terms)


def _elsewhere(kubectl: Kubectl, selector: str) -> list[Data]:
    """None for those who may not list all namespaces."""
    args = ["deployments.apps,statefulsets.apps,pods", "--all-namespaces", "--output=json"]
    args.append(f"--selector={selector},{HOME_LABEL}={kubectl.namespace}")
    try:
        listed = kubectl.items("listing servers in other namespaces", "get", *args)
    except Refused as refused:
        if refused.kind != "forbidden":
            raise
        return []
    return [data for data in listed if data["metadata"].get("namespace") != kubectl.namespace]


def _items(kubectl: Kubectl, spot: _Spot, selector: str, size: int, namespace: str = "") -> tuple[list[Data], str]:
    kind, root = _PLURALS.get(spot.plural, ("Service", "/api/v1"))
    query = f"limit={size}&labelSelector={quote(selector, safe='')}"
    query += f"&continue={quote(spot.token, safe='')}" if spot.token else ""
    path = f"{root}/namespaces/{namespace or kubectl.namespace}/{spot.plural}?{query}"
    return kubectl.page(f"listing {spot.plural}", "get", f"--raw={path}", kind=kind)


def _statuses(kubectl: Kubectl, workloads: Sequence[Data], plural: str) -> Iterator[InstanceStatus]:
    for namespace in dict.fromkeys(data["metadata"].get("namespace", "") for data in workloads):
        there = [data for data in workloads if data["metadata"].get("namespace", "") == namespace]
        for start in range(0, len(there), _NAMES_AT_ONCE):
            some = there[start : start + _NAMES_AT_ONCE]
            pods = {} if plural == "pods" else _by_server(kubectl, some, "pods", namespace)
            services = _by_server(kubectl, some, "services", namespace)
            for data in some:
                own = (data,) if data["kind"] == "Pod" else tuple(pods.get(_server(data), ()))
                reasons = {pod["metadata"]["name"]: of_pod(pod) for pod in own}
                seen = Snapshot(data, own, services=tuple(services.get(_server(data), ())))
                yield status_of(seen, reasons, (), kubectl.namespace).status


def _by_server(kubectl: Kubectl, workloads: Sequence[Data], plural: str, namespace: str) -> dict[str, list[Data]]:
    """Pods or Services by their server; a Pod without an owner is an instance itself."""
    servers = ",".join(_server(data) for data in workloads)
    selector = f"{MANAGED_LABEL}=true,{SERVER_LABEL} in ({servers})"
    by_server: dict[str, list[Data]] = {}
    token, more = "", True
    while more:
        items, token = _items(kubectl, _Spot(plural, token), selector, _PODS_AT_ONCE, namespace)
        for data in items:
            if plural != "pods" or data["metadata"].get("ownerReferences"):
                by_server.setdefault(_server(data), []).append(data)
        more = bool(token)
    return by_server


def _server(data: Data) -> str:
    return labels_of(data).get(SERVER_LABEL, "")
