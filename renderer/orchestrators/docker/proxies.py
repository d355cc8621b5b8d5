"""Who has a port of this machine, where the daemon itself does not know.

A daemon that was killed while it started a container may leave a ``docker-proxy`` on its port, or start it once more.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

_PROGRAM = "docker-proxy"


def proxy_of(port: str, processes: Path = Path("/proc")) -> str:
    """The process id of the docker-proxy that publishes the port; '' where there is none, or nobody can tell."""
    for file in processes.glob("[0-9]*/cmdline"):
        try:
            program, *words = os.fsdecode(file.read_bytes()).split("\0")
        except OSError:  # ended meanwhile
            continue
        if os.path.basename(program) == _PROGRAM and ("-host-port", port) in pairwise(words):
            return file.parent.name
    return ""
