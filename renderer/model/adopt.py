"""What a server keeps of an installation that it takes over."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.namedtuples import NamedTuple


class Adopt(NamedTuple):
    """Empty where nothing is taken over. ``selector`` is that of the workload, ``names`` are by kind.

    ``claims`` and ``volumes`` (of Docker) are by the names of the spec's storage.
    """

    selector: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    claims: Mapping[str, str] = {}
    service_name: str | None = None
    claim_labels: Mapping[str, str] = {}
    project: str | None = None
    container_name: str | None = None
    volumes: Mapping[str, str] = {}

    def name(self, kind: str, default: str) -> str:
        """The name of the server's object of that kind."""
        return self.names.get(kind, default)
