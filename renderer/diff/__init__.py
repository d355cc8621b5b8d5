"""What changes, told by cause and by consequence: a tree as it was against what is rendered now.

``compare`` is the run: ``git`` and ``trees`` read the old side, ``entries`` compare ``objects``, ``renames``
pairs servers, ``causes`` and ``consequences`` explain; ``text`` and ``markdown`` write, ``masks`` hides secrets.
"""
