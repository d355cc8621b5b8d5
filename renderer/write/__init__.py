"""Stage write: rendered documents into a tree of files, or compared with one.

The tree belongs to whoever keeps it in git. We write and remove only what our own records name with its hash (a
file ``.mcpctl`` in the folder of each server, and one for what an environment shares); what somebody edited, and
what is not ours, is reported and left alone.
"""

from renderer.write.comparison import REASONS, Comparison, Difference, Why, compare, explained, recorded
from renderer.write.disk import UNFINISHED, digest
from renderer.write.records import OLD_RECORD, RECORD, parsed_records, servers_in, trees_in, unit_of
from renderer.write.refuse import holds_data
from renderer.write.tree import Allowed, Written, remove_tree, write

__all__ = [
    "OLD_RECORD",
    "REASONS",
    "RECORD",
    "UNFINISHED",
    "Allowed",
    "Comparison",
    "Difference",
    "Why",
    "Written",
    "compare",
    "digest",
    "explained",
    "holds_data",
    "parsed_records",
    "recorded",
    "remove_tree",
    "servers_in",
    "trees_in",
    "unit_of",
    "write",
]
