"""What changes, told by cause and by consequence: a tree as it was against what is rendered now.

``compare`` is the run: ``git``, ``trees`` and ``specs`` read the old side, ``objects`` and ``fields`` compare,
``causes`` and ``consequences`` explain; ``fold``, ``show`` and ``markdown`` write it down, and ``masks`` hides secrets.
"""

from renderer.diff.compare import at_base, compare, with_matrix
from renderer.diff.markdown import as_markdown
from renderer.diff.show import as_json, as_text

#: By the name of ``--format``.
FORMATS = {"json": as_json, "markdown": as_markdown, "text": as_text}

__all__ = ["FORMATS", "at_base", "compare", "with_matrix"]
