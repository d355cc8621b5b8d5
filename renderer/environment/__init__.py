"""Environments: what differs between the places that servers are rendered for.

``documents`` makes Environments of documents; ``layers`` is the stage: specs in, specs changed by an Environment out.
"""

from renderer.environment.documents import make_environments
from renderer.environment.images import built_in_images, images_in, unmet_images
from renderer.environment.layers import Merged, layers, merge
from renderer.environment.selectors import members, name_of
from renderer.environment.values import Environment, Layer

__all__ = [
    "Environment",
    "Layer",
    "Merged",
    "built_in_images",
    "images_in",
    "layers",
    "make_environments",
    "members",
    "merge",
    "name_of",
    "unmet_images",
]
