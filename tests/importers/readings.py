"""Definitions as they are loaded, for tests of what is read of them."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from renderer.importers.formats import load_foreign
from renderer.model import Source


def source_of(data: Any) -> Source:
    """The only document of a text, or of data written as JSON."""
    text = data if isinstance(data, str) else json.dumps(data, indent=1)
    sources, problems = load_foreign(["-"], BytesIO(text.encode()))
    assert problems == []
    (source,) = sources
    return source
