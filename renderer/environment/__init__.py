"""Environments: what differs from one place to the next, kept out of the specs.

``make`` turns documents into Environments, ``layers`` is the stage: specs in, specs as an Environment has them out.
"""

from renderer.environment.images import built_in_images, images_in, unmet_images
from renderer.environment.layers import Merged, layers, merge
from renderer.environment.make import is_environment, make_environments
from renderer.environment.selectors import members, name_of
from renderer.environment.values import Environment, Layer

__all__ = [
    "Environment",
    "Layer",
    "Merged",
    "built_in_images",
    "images_in",
    "is_environment",
    "layers",
    "make_environments",
    "members",
    "merge",
    "name_of",
    "unmet_images",
]
