"""What brings an environment's tree into a cluster: objects of Argo CD or Flux, or an overlay for kustomize.

They lie beside the target's folder, which is what they apply: nothing here applies itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from renderer.check.kubernetes import check_documents
from renderer.delivery.objects import FOLDER, OBJECTS, delivery_objects
from renderer.delivery.overlay import BASE, overlay, overlay_faults
from renderer.delivery.prerequisites import (
    delivery_prerequisites,
    prerequisites_data,
    prerequisites_file,
    prerequisites_text,
)
from renderer.environment.values import Environment
from renderer.errors import Problem
from renderer.model import Rendered

__all__ = [
    "BASE",
    "FOLDER",
    "OBJECTS",
    "deliver",
    "delivery_prerequisites",
    "prerequisites_data",
    "prerequisites_text",
]


def deliver(
    environment: Environment, documents: Sequence[Rendered], base: Sequence[Rendered]
) -> tuple[list[Rendered], list[Problem]]:
    """The files that deliver ``documents``, all that the environment renders, and what is wrong with them.

    ``base`` is what its servers render to without it; only kustomize needs that.
    """
    if environment.delivery and environment.delivery.type == "kustomize":
        made = overlay(environment, base, documents)
        return made.files, overlay_faults(made)
    objects = delivery_objects(environment, documents)
    problems = check_documents(objects, environment.options.kubernetes_version)
    return [*objects, *prerequisites_file(environment)], problems
