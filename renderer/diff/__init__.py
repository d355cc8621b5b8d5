"""What changes, told by cause and by consequence: a tree as it was against what is rendered now.

``compare`` is the run: ``git`` and ``trees`` read the old side, ``entries`` compare ``objects``, ``renames``
pairs servers, ``causes`` and ``consequences`` explain; ``text`` and ``markdown`` write, ``masks`` hides secrets.
"""

from renderer.diff.compare import at_base, compare, with_matrix
from renderer.diff.markdown import as_markdown
from renderer.diff.text import as_json, as_text

#: By the name of ``--format``.
FORMATS = {"json": as_json, "markdown": as_markdown, "text": as_text}

__all__ = ["FORMATS", "at_base", "compare", "with_matrix"]
