"""What changes, told by cause and by consequence: a tree as it was against what is rendered now.

``trees`` reads the old side, ``objects`` and ``fields`` compare, ``causes`` and ``consequences`` explain, ``fold``
says once what happens often, ``masks`` hides secrets; ``show`` and ``markdown`` write it down.
"""

from renderer.diff.causes import Before, Now
from renderer.diff.entries import Entry, Sides, entries, server_of
from renderer.diff.fold import Diff, Row
from renderer.diff.markdown import as_markdown
from renderer.diff.show import as_json, as_text
from renderer.diff.trees import Tree, environments_in, in_revision, on_disk

#: By the name of ``--format``.
FORMATS = {"json": as_json, "markdown": as_markdown, "text": as_text}

__all__ = [
    "FORMATS",
    "Before",
    "Diff",
    "Entry",
    "Now",
    "Row",
    "Sides",
    "Tree",
    "entries",
    "environments_in",
    "in_revision",
    "on_disk",
    "server_of",
]
