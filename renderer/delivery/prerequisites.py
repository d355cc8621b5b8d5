"""What must be in a cluster before the delivery itself can work."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.environment.delivery import FOLDER, ArgoCD, Delivery, Flux
from renderer.environment.values import Environment
from renderer.model import JSON, Rendered
from renderer.prerequisites import COMPONENT, Prerequisite, as_fields, as_list

_REASON = ("delivery",)


def delivery_prerequisites(delivery: Delivery | None) -> tuple[Prerequisite, ...]:
    """In the order in which somebody would see to them."""
    if isinstance(delivery, ArgoCD):
        return (
            _crd(f"{'applicationsets' if delivery.is_set else 'applications'}.argoproj.io"),
            Prerequisite(COMPONENT, "Argo CD, with access to the repository", _REASON, "cluster"),
            Prerequisite("Namespace", delivery.namespace, _REASON, "cluster"),
            Prerequisite("AppProject", delivery.project, _REASON, namespace=delivery.namespace),
        )
    return tuple(_flux(delivery)) if isinstance(delivery, Flux) else ()


def prerequisites_file(environment: Environment) -> list[Rendered]:
    """As a list beside the objects; nothing parses it."""
    if not delivery_prerequisites(environment.delivery):
        return []
    subject = f"delivery of environment {environment.name}"
    return [Rendered(f"{FOLDER}PREREQUISITES.md", prerequisites_text(environment), "", {}, subject)]


def prerequisites_text(environment: Environment) -> str:
    """A list to tick off."""
    title = f"What the delivery of environment {environment.name} needs before it is applied"
    where = "In the cluster in which it runs, which may be another one than that of the servers."
    return as_list(title, where, delivery_prerequisites(environment.delivery))


def prerequisites_data(environment: Environment) -> dict[str, JSON]:
    """The same as plain data."""
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
