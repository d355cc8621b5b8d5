"""Stage write: rendered documents into a tree of files, or compared with one.

The tree belongs to whoever keeps it in git. We write and remove only what our own records name with its hash (a
file ``.mcpctl`` in the folder of each server, and one for what an environment shares); what somebody edited, and
what is not ours, is reported and left alone.
"""

from renderer.parallel import Watched
from renderer.write.comparison import (
    HEAD_WITHIN,
    MARK,
    REASONS,
    Comparison,
    Difference,
    Why,
    compare,
    explained,
    head,
    is_file,
    recorded,
    same_but_for_head,
    source_in,
)
from renderer.write.disk import UNFINISHED, digest
from renderer.write.records import OLD_RECORD, RECORD, SERVER_LIST, parsed_records, servers_in, trees_in, unit_of
from renderer.write.tree import KEEP_NAMESPACE, NAMESPACE_FILE, Allowed, Wanted, Written, all_of, holds_data, write

__all__ = [
    "HEAD_WITHIN",
    "KEEP_NAMESPACE",
    "MARK",
    "NAMESPACE_FILE",
    "OLD_RECORD",
    "REASONS",
    "RECORD",
    "SERVER_LIST",
    "UNFINISHED",
    "Allowed",
    "Comparison",
    "Difference",
    "Wanted",
    "Watched",
    "Why",
    "Written",
    "all_of",
    "compare",
    "digest",
    "explained",
    "head",
    "holds_data",
    "is_file",
    "parsed_records",
    "recorded",
    "same_but_for_head",
    "servers_in",
    "source_in",
    "trees_in",
    "unit_of",
    "write",
]
