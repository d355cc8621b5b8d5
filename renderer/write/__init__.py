"""Stage write: rendered documents into a tree of files, or compared with one.

The tree belongs to whoever keeps it in git. We write and remove only what our own record
(``.mcpctl.json``, one a target) names with its hash; what somebody edited, and what is not ours,
is told and left alone.
"""

from renderer.write.compare import CAUSES, REASONS, Cause, Difference, Why, compare, explained
from renderer.write.disk import UNFINISHED
from renderer.write.gone import compare_left, environments_left, remove_left
from renderer.write.origin import UNKNOWN, Origin, digest_of_spec, origin_of_run
from renderer.write.part import changed_servers
from renderer.write.readback import Recorded, recorded
from renderer.write.record import FORMAT, RECORD
from renderer.write.tree import Allowed, Written, write

__all__ = [
    "CAUSES",
    "FORMAT",
    "REASONS",
    "RECORD",
    "UNFINISHED",
    "UNKNOWN",
    "Allowed",
    "Cause",
    "Difference",
    "Origin",
    "Recorded",
    "Why",
    "Written",
    "changed_servers",
    "compare",
    "compare_left",
    "digest_of_spec",
    "environments_left",
    "explained",
    "origin_of_run",
    "recorded",
    "remove_left",
    "write",
]
