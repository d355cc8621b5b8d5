"""Stage 3, resolve: valid data in, a frozen Server with every default filled in out."""

from __future__ import annotations

from typing import Any

from renderer.model import JSON, Server, Source
from renderer.resolve.defaults import defaults_of
from renderer.resolve.links import UNKNOWN, Way, link, place_links, way_to
from renderer.resolve.server import make_server

__all__ = ["UNKNOWN", "Way", "link", "make_server", "place_links", "resolve", "way_to", "with_defaults"]


def resolve(source: Source) -> Server:
    """The Server that a valid Source describes. Dicts stop here: later stages take only this."""
    filled: Any = with_defaults(source.data)
    return make_server(source, filled)


def with_defaults(data: JSON) -> JSON:
    """A copy of a valid spec with every default of the schema filled in; itself valid again."""
    return defaults_of("mcpserver")(data)
