"""What brings an environment's tree into a cluster: objects of Argo CD or Flux.

They lie beside the target's folder, which is what they apply: nothing here applies itself.
"""

from __future__ import annotations

from renderer.check.kubernetes import check_documents
from renderer.delivery.objects import OBJECTS, delivery_objects
from renderer.delivery.prerequisites import (
    delivery_prerequisites,
    prerequisites_data,
    prerequisites_file,
    prerequisites_text,
)
from renderer.environment.delivery import FOLDER
from renderer.environment.values import Environment
from renderer.errors import Problem
from renderer.model import Rendered

__all__ = [
    "FOLDER",
    "OBJECTS",
    "deliver",
    "delivery_prerequisites",
    "prerequisites_data",
    "prerequisites_text",
]


def deliver(environment: Environment) -> tuple[list[Rendered], list[Problem]]:
    """The files that deliver the environment's tree, and what is wrong with them."""
    objects = delivery_objects(environment)
    problems = check_documents(objects, environment.options.kubernetes_version)
    return [*objects, *prerequisites_file(environment)], problems
