"""The objects of Argo CD or Flux that deliver an environment's tree, as a table of their templates' values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from renderer.environment.delivery import FOLDER, ArgoCD, Delivery, Flux
from renderer.environment.values import Environment
from renderer.model import Rendered
from renderer.render import render

#: The names in their templates; docs/templates.md has these lines.
NAMES: Mapping[str, str] = {
    "object_name": "name of this object",
    "object_annotations": "annotations of this object",
    "namespace": "namespace of this object",
    "labels": "labels of this object",
    "delivery": "`spec.delivery` of the environment, in `snake_case` (not in GitRepository and OCIRepository)",
    "source": "where Flux reads the tree: `url`, `interval`, `secret`, `ref` (in GitRepository and OCIRepository)",
    "destination": "cluster and namespace (in Application and ApplicationSet)",
    "ignored": "fields that a cluster fills in (in Application and ApplicationSet)",
    "clusters": "the clusters by name (in ApplicationSet)",
    "cluster_labels": "labels that select clusters (in ApplicationSet)",
    "application_name": "name of the Application of each cluster (in ApplicationSet)",
}

# ---------------------------------------------------------------------------------------------
# Argo CD.

#: Fields inside of lists that the API server or a controller fills in: group, kind, jq paths. Argo CD compares lists of
#: custom resources, and these of StatefulSets, as they are, and would report a difference for ever. The same for every
#: environment: an Application that named what is rendered would change with each server.
_FILLED_IN = (
    (
        "apps",
        "StatefulSet",
        (
            ".spec.volumeClaimTemplates[]?.apiVersion",
            ".spec.volumeClaimTemplates[]?.kind",
            ".spec.volumeClaimTemplates[]?.status",
            ".spec.volumeClaimTemplates[]?.spec.volumeMode",
        ),
    ),
    (
        "external-secrets.io",
        "ExternalSecret",
        (
            ".spec.data[]?.remoteRef.conversionStrategy",
            ".spec.data[]?.remoteRef.decodingStrategy",
            ".spec.data[]?.remoteRef.metadataPolicy",
        ),
    ),
    (
        "gateway.networking.k8s.io",
        "HTTPRoute",
        (
            ".spec.parentRefs[]?.group",
            ".spec.parentRefs[]?.kind",
            ".spec.rules[]?.backendRefs[]?.group",
            ".spec.rules[]?.backendRefs[]?.kind",
            ".spec.rules[]?.backendRefs[]?.weight",
        ),
    ),
)


def application(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    if not isinstance(delivery, ArgoCD) or delivery.is_set:
        return None
    destination = {**(delivery.destination or {}), "namespace": environment.options.namespace}
    return {**_values(delivery), "destination": destination}


def application_set(environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """For several clusters: Argo CD fills in the braces, which no value of an environment may contain."""
    if not isinstance(delivery, ArgoCD) or not delivery.is_set:
        return None
    destination = {"server": "{{.server}}", "namespace": environment.options.namespace}
    # A cluster that was added by hand may have a name that is no label.
    suffix = "{{.name}}" if delivery.clusters else "{{.nameNormalized}}"
    return {
        **_values(delivery),
        "destination": destination,
        "clusters": [dict(cluster) for cluster in delivery.clusters or ()],
        "cluster_labels": dict(delivery.cluster_labels or {}),
        "application_name": f"{delivery.name}-{suffix}",
    }


def _values(delivery: ArgoCD) -> dict[str, Any]:
    return {
        "delivery": {
            "project": delivery.project,
            "repo_url": delivery.repo_url,
            "revision": delivery.revision,
            "path": delivery.path,
            "automated": delivery.automated,
            "prune": delivery.prune,
            "self_heal": delivery.self_heal,
            "sync_options": list(delivery.sync_options),
            "finalizer": delivery.finalizer,
        },
        "ignored": [
            {"group": group, "kind": kind, "jqPathExpressions": list(paths)} for group, kind, paths in _FILLED_IN
        ],
    }


# ---------------------------------------------------------------------------------------------
# Flux.

_REFERENCES = ("branch", "tag", "semver", "commit", "digest")


def kustomization(_environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    """``wait`` checks the health of everything: health checks by name would name every server."""
    if not isinstance(delivery, Flux):
        return None
    return {
        "delivery": {
            "path": f"./{delivery.path}",
            "source_ref": dict(delivery.source_ref),
            "interval": delivery.interval,
            "retry_interval": delivery.retry_interval,
            "timeout": delivery.timeout,
            "prune": delivery.prune,
            "wait": delivery.wait,
            "depends_on": [dict(needed) for needed in delivery.depends_on],
            "service_account": delivery.service_account,
            "substitute_from": [dict(source) for source in delivery.substitute_from],
        },
    }


def git_repository(_environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    return _source(delivery, "GitRepository")


def oci_repository(_environment: Environment, delivery: Delivery | None) -> Mapping[str, Any] | None:
    return _source(delivery, "OCIRepository")


def _source(delivery: Delivery | None, kind: str) -> Mapping[str, Any] | None:
    if not isinstance(delivery, Flux) or not delivery.source or delivery.source["kind"] != kind:
        return None
    source = delivery.source
    return {
        "source": {
            "url": source["url"],
            "interval": source["interval"],
            "secret": source.get("secret"),
            "ref": {name: source[name] for name in _REFERENCES if name in source},
        }
    }


# ---------------------------------------------------------------------------------------------
# Both.


class DeliveryObject(NamedTuple):
    """A row: ``values`` gives the template's values, or None where there is no such object."""

    kind: str
    template: str
    #: Not kustomization.yaml for Flux: kustomize would read it as its own.
    file: str
    values: Callable[..., Mapping[str, Any] | None]


OBJECTS: tuple[DeliveryObject, ...] = (
    DeliveryObject("GitRepository", "delivery/gitrepository.yaml.j2", "gitrepository.yaml", git_repository),
    DeliveryObject("OCIRepository", "delivery/ocirepository.yaml.j2", "ocirepository.yaml", oci_repository),
    DeliveryObject("Kustomization", "delivery/flux.yaml.j2", "flux.yaml", kustomization),
    DeliveryObject("Application", "delivery/application.yaml.j2", "application.yaml", application),
    DeliveryObject("ApplicationSet", "delivery/applicationset.yaml.j2", "applicationset.yaml", application_set),
)


def delivery_objects(environment: Environment) -> list[Rendered]:
    """None of them names a server."""
    return [
        _object(environment, kind, values)
        for kind in OBJECTS
        if (values := kind.values(environment, environment.delivery)) is not None
    ]


def _object(environment: Environment, kind: DeliveryObject, values: Mapping[str, Any]) -> Rendered:
    delivery: Any = environment.delivery
    context = {
        "object_name": delivery.name,
        "namespace": delivery.namespace,
        "object_annotations": {},
        "labels": {
            "app.kubernetes.io/managed-by": "mcpctl",
            "app.kubernetes.io/part-of": "mcp",
            "mcpctl.io/environment": environment.name,
            "mcpctl.io/managed": "true",
        },
        **values,
    }
    identity = (kind.kind, delivery.name, delivery.namespace)
    subject = f"delivery of environment {environment.name}"
    return Rendered(f"{FOLDER}{kind.file}", render(kind.template, context), kind.template, context, subject, identity)
