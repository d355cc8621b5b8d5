"""What an API server refuses beyond its schemas: names, ports, quantities, relations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from renderer.check.api_rules.metadata import identity_faults
from renderer.check.api_rules.network import ingress_faults, network_policy_faults, service_faults
from renderer.check.api_rules.relations import set_faults
from renderer.check.api_rules.workloads import (
    autoscaler_faults,
    budget_faults,
    claim_faults,
    data_faults,
    workload_faults,
)
from renderer.errors import Fault
from renderer.kinds import POD_TEMPLATES
from renderer.manifest import Json, kind_of

__all__ = ["object_faults", "set_faults"]

#: The rules of each kind, beyond those of its metadata.
_RULES: Mapping[str, Callable[[Json], list[Fault]]] = {
    "ConfigMap": data_faults,
    "Secret": data_faults,
    "PersistentVolumeClaim": claim_faults,
    "Service": service_faults,
    "NetworkPolicy": network_policy_faults,
    "HorizontalPodAutoscaler": autoscaler_faults,
    "PodDisruptionBudget": budget_faults,
    "Ingress": ingress_faults,
    **dict.fromkeys(POD_TEMPLATES, workload_faults),
}


def object_faults(doc: Json) -> list[Fault]:
    """Rules are ``api/<name>``. Messages never contain values of Secrets."""
    rules = _RULES.get(kind_of(doc))
    return identity_faults(doc) + (rules(doc) if rules else [])
