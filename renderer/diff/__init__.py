"""What changes between a tree and what is rendered now, with causes and consequences.

``compare`` is the run: ``git`` and ``trees`` read the old side, ``entries`` compare ``objects``, ``renames`` pairs
servers, ``causes`` and ``consequences`` explain; ``text`` and ``markdown`` write, ``masks`` hides secrets.
"""
