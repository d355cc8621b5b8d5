"""The table of objects that deliver: kind, template, when. Adding one is a line here, its template and its schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from renderer.delivery import argocd, flux
from renderer.environment.values import Environment
from renderer.model import Rendered
from renderer.render import render

#: Seen from the target's folder: beside it, so that what is applied from there does not hold what applies it.
FOLDER = "../delivery/"
#: Every name that their templates may read, and what it is: docs/templates.md has these lines.
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


class DeliveryObject(NamedTuple):
    """One line of the table: ``values`` gives what its template needs, or None where there is no such object."""

    kind: str
    template: str
    #: Of Flux's Kustomization not the kind: kustomize takes a file ``kustomization.yaml`` for its own.
    file: str
    values: Callable[..., Mapping[str, Any] | None]


OBJECTS: tuple[DeliveryObject, ...] = (
    DeliveryObject("GitRepository", "delivery/gitrepository.yaml.j2", "gitrepository.yaml", flux.git_repository),
    DeliveryObject("OCIRepository", "delivery/ocirepository.yaml.j2", "ocirepository.yaml", flux.oci_repository),
    DeliveryObject("Kustomization", "delivery/flux.yaml.j2", "flux.yaml", flux.kustomization),
    DeliveryObject("Application", "delivery/application.yaml.j2", "application.yaml", argocd.application),
    DeliveryObject("ApplicationSet", "delivery/applicationset.yaml.j2", "applicationset.yaml", argocd.application_set),
)


def delivery_objects(environment: Environment) -> list[Rendered]:
    """The objects that deliver the environment's tree. None of them names a server."""
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
