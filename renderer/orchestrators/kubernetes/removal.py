"""Removes what mcpctl manages: found by labels, listed, confirmed, and only what was listed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from renderer.errors import ApplyFailed, WaitTimedOut, excerpt
from renderer.kinds import KINDS, in_order
from renderer.labels import SERVER_LABEL
from renderer.manifest import Identity, annotations_of, identity, labels_of
from renderer.orchestrators.contract import MANAGED_LABEL, OWNER_LABEL, Change, Confirm, Progress, owner_value
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.kubernetes.client import Data, Kubectl
from renderer.orchestrators.kubernetes.objects import CREATED, HOME_LABEL, is_default_account, subject_of
from renderer.orchestrators.wait import Time, until

_OURS = f"{MANAGED_LABEL}=true"
#: What people put into a namespace; not what a cluster puts into each of them.
_INSIDE = "deployments,statefulsets,daemonsets,pods,services,secrets,persistentvolumeclaims,configmaps"
_CLUSTERS_OWN = ("configmap/kube-root-ca.crt", "configmap/openshift-service-ca.crt")
#: Objects a page of kubectl.
CHUNK = 500


def stale(kubectl: Kubectl, owner: str, keep: frozenset[Identity], tell: Progress) -> list[Data]:
    """What this owner applied and no longer has."""
    mine = owner_value(owner)
    if not mine:
        raise ApplyFailed("--prune needs --owner: without it, our objects look like those of others")
    selector = f"{_OURS},{OWNER_LABEL}={mine},{HOME_LABEL}={kubectl.namespace}"
    objects = _managed_objects(kubectl, selector, tell, everywhere=True)
    # The server may have ignored the selector: the labels of each object are checked before it is removed.
    return [
        data
        for data in objects
        if identity(data) not in keep and _has(data, {OWNER_LABEL: mine, HOME_LABEL: kubectl.namespace})
    ]


def of_servers(kubectl: Kubectl, servers: Sequence[str], tell: Progress) -> list[Data]:
    """All objects of these servers: in the configured namespace, and what their apply created elsewhere."""
    names = ",".join(servers)
    selector = f"{_OURS},{SERVER_LABEL} in ({names})"
    here = _managed_objects(kubectl, selector, tell, everywhere=False)
    # What was applied from another namespace has its sandbox from there too.
    homes = sorted({kubectl.namespace, *(labels_of(data).get(HOME_LABEL, kubectl.namespace) for data in here)})
    elsewhere = _managed_objects(kubectl, f"{selector},{HOME_LABEL} in ({','.join(homes)})", tell, everywhere=True)
    unique = {identity(data): data for data in (*here, *elsewhere)}
    return [data for data in unique.values() if labels_of(data).get(SERVER_LABEL) in servers and _has(data, {})]


def _has(data: Data, labels: Mapping[str, str]) -> bool:
    return {MANAGED_LABEL: "true", **labels}.items() <= labels_of(data).items()


def _managed_objects(kubectl: Kubectl, selector: str, tell: Progress, *, everywhere: bool) -> list[Data]:
    done = kubectl.kinds("asking which kinds the cluster knows", "list", "delete")
    if done.code:
        tell(
            f"warning: objects of these APIs are not removed: {excerpt(done.err.strip().rpartition('APIs: ')[2], 300)}"
        )
    served = set(done.out.split())
    ours = {name: kind for name, kind in KINDS.items() if kind.resource in served and kind.rendered}
    kinds = [name for name, kind in ours.items() if everywhere or kind.namespaced]
    args = [f"--selector={selector}", f"--chunk-size={CHUNK}", "--output=json"]
    try:
        resources = ",".join(KINDS[kind].resource for kind in kinds)
        listed = kubectl.items("listing managed objects", "get", resources, *args, *_scope(everywhere))
    except Refused as refused:
        if refused.kind != "forbidden":
            raise
        listed = [data for kind in kinds for data in _listed(kubectl, kind, args, tell, everywhere=everywhere)]
    # The controllers' own: their owners take them along. A default account would be made again, with its token.
    own = [data for data in listed if data["kind"] in KINDS and not is_default_account(identity(data))]
    return [data for data in own if not data["metadata"].get("ownerReferences")]


def _scope(everywhere: bool) -> list[str]:
    return ["--all-namespaces"] if everywhere else []


def _listed(kubectl: Kubectl, kind: str, args: Sequence[str], tell: Progress, *, everywhere: bool) -> list[Data]:
    """Objects of one kind; where listing all namespaces is forbidden, those of the configured one."""
    resource = KINDS[kind].resource
    try:
        return kubectl.items(f"listing {resource}", "get", resource, *args, *_scope(everywhere))
    except Refused as refused:
        if refused.kind != "forbidden":
            raise
    if everywhere and KINDS[kind].namespaced:
        tell(f"may not list {kind} of all namespaces: searched {kubectl.namespace} only")
        return _listed(kubectl, kind, args, tell, everywhere=False)
    tell(f"may not list {kind}: none of them is removed")
    return []


def remove(
    kubectl: Kubectl,
    existing: Sequence[Data],
    tell: Progress,
    confirm: Confirm,
    seconds: float,
    waits: Time,
    *,
    dry: bool = False,
) -> list[Change]:
    """Users before what they use. Namespaces, volumes and definitions have questions of their own, kind by kind."""
    changes = [_kept_namespace(kubectl, data) for data in existing if not _is_ours(data)]
    ordered = sorted(
        filter(_is_ours, existing),
        key=lambda data: (_precious(data), *(-at for at in in_order(data["kind"])), identity(data)),
    )
    deadline = waits.clock() + seconds
    for (precious, _), group in groupby(ordered, key=lambda data: (p := _precious(data), data["kind"] if p else "")):
        objects = list(group)
        names = []
        for data in objects:
            name, kind = subject_of(data, kubectl.namespace), data["kind"]
            name += " with everything in it" * (kind in ("Namespace", "CustomResourceDefinition"))
            name += " with its data" * (kind == "PersistentVolumeClaim")
            others = _of_others(kubectl, data) if kind == "Namespace" else ""
            names.append(f"{name}; {others}" if others else name)
        if dry:
            changes += [Change(name, "removed", "dry run: would be removed") for name in names]
        elif not confirm(names, precious):
            changes += [Change(name, "unchanged", "kept: not confirmed") for name in names]
        else:
            changes += _removed(kubectl, objects, tell, deadline, waits)
    return changes


def _is_ours(data: Data) -> bool:
    """A label proves nothing of a namespace, as it is rendered. One that apply created has a stamp."""
    return data["kind"] != "Namespace" or CREATED in annotations_of(data)


def kept_sandboxes(kubectl: Kubectl, existing: Sequence[Data]) -> Iterator[Change]:
    """Namespaces that stay although objects in them are removed."""
    known = {"", kubectl.namespace, *(data["metadata"]["name"] for data in existing if data["kind"] == "Namespace")}
    for name in sorted({str(data["metadata"].get("namespace", "")) for data in existing} - known):
        args = ["get", f"namespaces/{name}", "--ignore-not-found", "--output=json"]
        with suppress(Refused):  # without the right to read it, nothing is known
            for live in kubectl.items("reading the namespace", *args):
                if _is_ours(live):
                    yield Change(subject_of(live, kubectl.namespace), "unchanged", "kept: it belongs to another server")
                else:
                    yield _kept_namespace(kubectl, live)


def _kept_namespace(kubectl: Kubectl, data: Data) -> Change:
    holds = _of_others(kubectl, data)
    text = "kept: mcpctl did not create this namespace" + (f", which {holds}" if holds else "")
    return Change(subject_of(data, kubectl.namespace), "unchanged", f"{text}; remove it with kubectl if it is yours")


def _of_others(kubectl: Kubectl, namespace: Data) -> str:
    """What others would lose with a namespace."""
    server = labels_of(namespace).get(SERVER_LABEL)
    which = f"{SERVER_LABEL}!={server}" if server else f"{MANAGED_LABEL}!=true"
    args = ["get", _INSIDE, f"--selector={which}", "--ignore-not-found", "--output=name"]
    names = kubectl.attempt(*args, namespace=namespace["metadata"]["name"]).out.split()
    others = [name for name in names if name not in _CLUSTERS_OWN]
    some = excerpt(", ".join(others[:5]), 400) + ", …" * (len(others) > 5)
    return f"holds {len(others)} objects of others ({some})" if others else ""


def _precious(data: Data) -> bool:
    return KINDS[data["kind"]].holds_data


def _removed(
    kubectl: Kubectl, objects: Sequence[Data], tell: Progress, deadline: float, waits: Time
) -> Iterator[Change]:
    """Rank by rank: pods end before the policies that restrict them are removed."""
    for _, rank in groupby(objects, key=lambda data: KINDS[data["kind"]].rank):
        for data, change in [(data, _request_removal(kubectl, data)) for data in rank]:
            change = _await_removal(kubectl, data, change, deadline, waits)
            tell(f"{change.subject}: {change.outcome}" + (f" ({change.message})" if change.message else ""))
            yield change


def _request_removal(kubectl: Kubectl, data: Data) -> Change:
    """Only the object that was listed, not a later one of that name. Its pods end before it is gone."""
    subject = subject_of(data, kubectl.namespace)
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": data["metadata"].get("uid", "")},
    }
    stdin = json.dumps(options).encode()
    try:
        kubectl.call(f"removing {subject}", "delete", f"--raw={path_of(data)}", "--filename=-", stdin=stdin)
    except (ApplyFailed, WaitTimedOut) as error:
        if not (isinstance(error, Refused) and error.kind == "not found"):
            return Change(subject, "failed", error.message)
    return Change(subject, "removed")


def _await_removal(kubectl: Kubectl, data: Data, change: Change, deadline: float, waits: Time) -> Change:
    """Waits: a finalizer, or the grace period of its pods, may delay it."""
    if change.outcome != "removed":
        return change
    left = max(0.0, deadline - waits.clock())
    try:
        has_ended = until(lambda: _is_gone(kubectl, data), seconds=left, times=waits)
    except (ApplyFailed, WaitTimedOut) as error:
        return change._replace(outcome="failed", message=error.message)
    if has_ended:
        return change
    held = ", ".join(map(str, (data["metadata"].get("finalizers") or ["pods that end, or a finalizer"])))
    message = f"is being removed and not gone in time: held by {excerpt(held, 200)}"
    return change._replace(outcome="failed", message=message)


def _is_gone(kubectl: Kubectl, data: Data) -> bool | None:
    try:
        now = kubectl.read("waiting until it is gone", "get", f"--raw={path_of(data)}")
    except Refused as refused:
        if refused.kind in ("not found", "no namespace"):
            return True
        raise
    return True if now.get("metadata", {}).get("uid") != data["metadata"].get("uid") else None


def path_of(data: Data) -> str:
    """The path in the API."""
    meta: dict[str, Any] = data["metadata"]
    kind = KINDS[data["kind"]]
    plural, version = kind.resource.partition(".")[0], data.get("apiVersion", kind.api_version)
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
    return f"{root}{namespace}/{plural}/{meta['name']}"
