"""The frozen values of ``spec.delivery``, and checks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from renderer.errors import DocumentPath, Fault
from renderer.model import JSON
from renderer.namedtuples import NamedTuple

#: Relative to the target's folder, and not in it: what is applied must not contain what applies it.
FOLDER = "../delivery/"


class Kustomize(NamedTuple):
    type: Literal["kustomize"] = "kustomize"


class ArgoCD(NamedTuple):
    """An Application; with ``clusters`` or ``cluster_labels`` an ApplicationSet, without ``destination``."""

    repo_url: str
    revision: str
    path: str
    name: str
    namespace: str
    project: str
    destination: Mapping[str, str] | None
    clusters: Sequence[Mapping[str, str]] | None
    cluster_labels: Mapping[str, str] | None
    automated: bool
    prune: bool
    self_heal: bool
    sync_options: Sequence[str]
    sync_waves: bool
    finalizer: str | None
    type: Literal["argocd"] = "argocd"

    @property
    def is_set(self) -> bool:
        return self.destination is None


class Flux(NamedTuple):
    """A Kustomization of Flux, and its ``source`` (kind, url, …) where that is rendered too."""

    path: str
    name: str
    namespace: str
    source_ref: Mapping[str, str]
    source: Mapping[str, JSON] | None
    interval: str
    retry_interval: str | None
    timeout: str
    prune: bool
    wait: bool
    depends_on: Sequence[Mapping[str, str]]
    service_account: str | None
    substitute_from: Sequence[Mapping[str, str]]
    type: Literal["flux"] = "flux"


Delivery: TypeAlias = Kustomize | ArgoCD | Flux

_FINALIZERS = {
    "foreground": "resources-finalizer.argocd.argoproj.io",
    "background": "resources-finalizer.argocd.argoproj.io/background",
}


def make_delivery(data: Mapping[str, Any], environment: str) -> Delivery | None:
    """From valid data with defaults; None without a delivery."""
    name = data.get("name", f"mcp-{environment}")
    if data["type"] == "argocd":
        return _argocd(data, name)
    if data["type"] == "flux":
        return _flux(data, name)
    return Kustomize() if data["type"] == "kustomize" else None


def _argocd(data: Mapping[str, Any], name: str) -> ArgoCD:
    clusters, policy = data.get("clusters", {}), data["syncPolicy"]
    return ArgoCD(
        repo_url=data["repoURL"],
        revision=data["targetRevision"],
        path=data["path"],
        name=name,
        namespace=data["namespace"],
        project=data["project"],
        destination=data.get("destination"),
        clusters=clusters.get("list"),
        cluster_labels=clusters.get("labels"),
        automated=policy["automated"],
        prune=policy["prune"],
        self_heal=policy["selfHeal"],
        sync_options=policy["syncOptions"],
        sync_waves=data["syncWaves"],
        finalizer=_FINALIZERS.get(data["finalizer"]),
    )


def _flux(data: Mapping[str, Any], name: str) -> Flux:
    source = data.get("source")
    return Flux(
        path=data["path"],
        name=name,
        namespace=data["namespace"],
        source_ref={"kind": source["kind"], "name": name} if source else data["sourceRef"],
        source=source,
        interval=data["interval"],
        retry_interval=data.get("retryInterval"),
        timeout=data["timeout"],
        prune=data["prune"],
        wait=data["wait"],
        depends_on=data["dependsOn"],
        service_account=data.get("serviceAccount"),
        substitute_from=data["substituteFrom"],
    )


# ---------------------------------------------------------------------------------------------
# Checks beyond the schema.

_HERE: DocumentPath = ("spec", "delivery")


def delivery_faults(delivery: Delivery | None, environment: str, target: str) -> Iterator[Fault]:
    if delivery is None:
        return
    if target != "kubernetes":
        message = f"{delivery.type} brings manifests into a cluster, and {target} has none"
        hint = "write 'type: none', or choose the target kubernetes"
        yield Fault((*_HERE, "type"), "environment/delivery-target", message, hint)
    elif not isinstance(delivery, Kustomize):
        folder = f"{environment}/{target}"
        # Any other folder holds nothing, another environment, or the delivery itself.
        if delivery.path != folder and not delivery.path.endswith(f"/{folder}"):
            message = f"the manifests of this environment are in a folder {folder}"
            hint = f"write the folder of --out in the repository, and then {folder}"
            yield Fault((*_HERE, "path"), "environment/delivery-path", message, hint)
        if isinstance(delivery, ArgoCD):
            seen: set[str] = set()
            for i, cluster in enumerate(delivery.clusters or ()):
                if cluster["name"] in seen:
                    message = f"two clusters are called '{cluster['name']}': their Applications would have one name"
                    path = (*_HERE, "clusters", "list", i, "name")
                    yield Fault(path, "environment/duplicate-cluster", message, "rename one of them")
                seen.add(cluster["name"])
