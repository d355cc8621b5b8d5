"""What brings an environment's tree into a cluster: objects of Argo CD or Flux, and their prerequisites.

They lie next to the target's folder, which they apply, so that nothing applies itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from renderer.check.kubernetes import check_documents
from renderer.delivery.objects import OBJECTS, delivery_objects
from renderer.environment.delivery import FOLDER, ArgoCD, Delivery, Flux
from renderer.environment.values import Environment
from renderer.errors import Problem
from renderer.model import JSON, Rendered
from renderer.prerequisites import COMPONENT, Prerequisite, as_fields, as_list

__all__ = [
    "FOLDER",
    "OBJECTS",
    "deliver",
    "delivery_prerequisites",
    "prerequisites_data",
    "prerequisites_text",
]

_REASON = ("delivery",)


def deliver(environment: Environment) -> tuple[list[Rendered], list[Problem]]:
    objects = delivery_objects(environment)
    problems = check_documents(objects, environment.options.kubernetes_version)
    if delivery_prerequisites(environment.delivery):  # a list for people; nothing parses it
        subject = f"delivery of environment {environment.name}"
        text = prerequisites_text(environment)
        objects.append(Rendered(f"{FOLDER}PREREQUISITES.md", text, "", {}, subject))
    return objects, problems


def delivery_prerequisites(delivery: Delivery | None) -> tuple[Prerequisite, ...]:
    """In the order of installation."""
    if isinstance(delivery, ArgoCD):
        return (
            _crd(f"{'applicationsets' if delivery.is_set else 'applications'}.argoproj.io"),
            Prerequisite(COMPONENT, "Argo CD, with access to the repository", _REASON, "cluster"),
            Prerequisite("Namespace", delivery.namespace, _REASON, "cluster"),
            Prerequisite("AppProject", delivery.project, _REASON, namespace=delivery.namespace),
        )
    return tuple(_flux(delivery)) if isinstance(delivery, Flux) else ()


def prerequisites_text(environment: Environment) -> str:
    title = f"What the delivery of environment {environment.name} needs before it is applied"
    where = "In the cluster in which it runs, which may be another one than that of the servers."
    return as_list(title, where, delivery_prerequisites(environment.delivery))


def prerequisites_data(environment: Environment) -> dict[str, JSON]:
    delivery = environment.delivery
    namespace = delivery.namespace if isinstance(delivery, ArgoCD | Flux) else ""
    return {"environment": environment.name, "prerequisites": as_fields(delivery_prerequisites(delivery), namespace)}


def _crd(name: str) -> Prerequisite:
    return Prerequisite("CustomResourceDefinition", name, _REASON, "cluster")


def _flux(delivery: Flux) -> Iterator[Prerequisite]:
    yield _crd("kustomizations.kustomize.toolkit.fluxcd.io")
    kinds = {"GitRepository": "gitrepositories", "OCIRepository": "ocirepositories", "Bucket": "buckets"}
    yield _crd(f"{kinds[delivery.source_ref['kind']]}.source.toolkit.fluxcd.io")
    yield Prerequisite(COMPONENT, "Flux: its kustomize and source controllers", _REASON, "cluster")
    yield Prerequisite("Namespace", delivery.namespace, _REASON, "cluster")
    if not delivery.source:
        ref = delivery.source_ref
        yield Prerequisite(ref["kind"], ref["name"], _REASON, namespace=ref.get("namespace", delivery.namespace))
    elif "secret" in delivery.source:
        yield Prerequisite("Secret", str(delivery.source["secret"]), _REASON, namespace=delivery.namespace)
    for needed in delivery.depends_on:
        namespace = needed.get("namespace", delivery.namespace)
        yield Prerequisite("Kustomization", needed["name"], _REASON, namespace=namespace)
    if delivery.service_account:
        yield Prerequisite("ServiceAccount", delivery.service_account, _REASON, namespace=delivery.namespace)
